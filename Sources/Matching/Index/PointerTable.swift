/// A hash table from a 64-bit key to a pointer: open addressing, linear probing. Who holds it frees it. It
/// is only looked up; the order of its places never matters.
///
/// A large one is in parts by its keys, each of which grows for itself: to move all of it at once would hold up a sweep.
struct PointerTable<Target: BitwiseCopyable>: BitwiseCopyable {
  typealias Pointer = UnsafeMutablePointer<Target>

  private struct Place: BitwiseCopyable {
    var key: UInt64
    /// nil: an empty place.
    var target: Pointer?
  }

  private var places: UnsafeMutablePointer<Place>?
  private var parts: UnsafeMutablePointer<PointerTable>?
  private var mask = 0
  private(set) var count = 0

  /// More are in parts.
  private static var wholeMax: Int { 4096 }
  private static var partCount: Int { 256 }
  /// A part has room for so many at first.
  private static var partMin: Int { 32 }

  init() {}

  @inline(__always)
  func find(_ key: UInt64) -> Pointer? {
    if let parts { return parts[Self.part(of: key)].findHere(key) }
    return findHere(key)
  }

  /// Where a look for a key begins, for who fetches it before.
  @inline(__always)
  func place(of key: UInt64) -> UnsafeRawPointer? {
    if let parts { return parts[Self.part(of: key)].placeHere(of: key) }
    return placeHere(of: key)
  }

  /// The key must not be there yet.
  mutating func insert(_ key: UInt64, _ target: Pointer) {
    if count == Self.wholeMax && parts == nil { part() }
    count += 1
    if let parts { return parts[Self.part(of: key)].insert(key, target) }
    if places == nil || count * 4 > (mask + 1) * 3 { resize(to: places == nil ? 4 : (mask + 1) * 2) }
    put(key, target)
  }

  /// The key must be there.
  mutating func remove(_ key: UInt64) {
    count -= 1
    if let parts { parts[Self.part(of: key)].remove(key) } else { removeHere(key) }
  }

  /// Each key once, in no order that means anything.
  func visitKeys(_ body: (UInt64) -> Void) {
    if let parts { for i in 0..<Self.partCount { parts[i].visitKeys(body) } }
    guard let places else { return }
    for at in 0...mask where places[at].target != nil { body(places[at].key) }
  }

  mutating func free() {
    if let parts {
      for i in 0..<Self.partCount { parts[i].free() }
      parts.deindex(capacity: Self.partCount)
    }
    places?.deindex(capacity: mask + 1)
    self = PointerTable()
  }

  @inline(__always)
  private static func hash(_ key: UInt64) -> UInt64 { key &* 0x9E37_79B9_7F4A_7C15 }

  @inline(__always)
  private static func part(of key: UInt64) -> Int { Int(truncatingIfNeeded: hash(key) >> 56) }

  private mutating func part() {
    let made = UnsafeMutablePointer<PointerTable>.indexed(capacity: Self.partCount)
    made.initialize(repeating: PointerTable(), count: Self.partCount)
    for i in 0..<Self.partCount { made[i].resize(to: Self.partMin) }
    for at in 0...mask {
      let place = places.unsafelyUnwrapped[at]
      if let target = place.target { made[Self.part(of: place.key)].insert(place.key, target) }
    }
    places?.deindex(capacity: mask + 1)
    (places, mask, parts) = (nil, 0, made)
  }

  // MARK: Of one that is not in parts

  @inline(__always)
  private func home(of key: UInt64) -> Int {
    let product = Self.hash(key)
    return Int(truncatingIfNeeded: product ^ (product >> 32)) & mask
  }

  @inline(__always)
  private func findHere(_ key: UInt64) -> Pointer? {
    guard let places else { return nil }
    var at = home(of: key)
    while let target = places[at].target {
      if places[at].key == key { return target }
      at = (at + 1) & mask
    }
    return nil
  }

  @inline(__always)
  private func placeHere(of key: UInt64) -> UnsafeRawPointer? {
    places.map { UnsafeRawPointer($0 + home(of: key)) }
  }

  /// Closes the hole in the probe run (Knuth 6.4, algorithm R).
  private func removeHere(_ key: UInt64) {
    guard let places else { return }
    var hole = home(of: key)
    while places[hole].key != key || places[hole].target == nil { hole = (hole + 1) & mask }
    var next = (hole + 1) & mask
    while places[next].target != nil {
      let home = home(of: places[next].key)
      if (next &- home) & mask >= (next &- hole) & mask {
        places[hole] = places[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    places[hole].target = nil
  }

  private func put(_ key: UInt64, _ target: Pointer) {
    var at = home(of: key)
    while places.unsafelyUnwrapped[at].target != nil { at = (at + 1) & mask }
    places.unsafelyUnwrapped[at] = Place(key: key, target: target)
  }

  /// `size`: places, a power of two.
  private mutating func resize(to size: Int) {
    let old = places
    let oldCount = old == nil ? 0 : mask + 1
    mask = size - 1
    places = .indexed(capacity: size)
    places!.initialize(repeating: Place(key: 0, target: nil), count: size)
    for at in 0..<oldCount { if let target = old![at].target { put(old![at].key, target) } }
    old?.deindex(capacity: oldCount)
  }
}
