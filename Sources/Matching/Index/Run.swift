/// A growable run of plain values in memory of its own. Who holds it frees it: copies share the memory, and
/// only one of them may go on to change it.
///
/// The index is made of these and of pointers, since a class or an array costs a retain, a release and a
/// check of bounds wherever it is touched, which is more than what is done with most of its parts.
struct Run<Element: BitwiseCopyable>: BitwiseCopyable {
  private(set) var base: UnsafeMutablePointer<Element>?
  private(set) var count: Int32 = 0
  private var capacity: Int32 = 0

  init() {}

  init(_ elements: [Element]) {
    if elements.isEmpty { return }
    count = Int32(elements.count)
    capacity = count
    base = .indexed(capacity: elements.count)
    for (i, element) in elements.enumerated() { (base! + i).initialize(to: element) }
  }

  /// Room for so many in memory that is somebody else's, who frees it and looks that no more are appended.
  init(within base: UnsafeMutablePointer<Element>, capacity: Int32) {
    (self.base, self.capacity) = (base, capacity)
  }

  var isFull: Bool { count == capacity }

  /// Bytes held.
  var bytes: Int { Int(capacity) * MemoryLayout<Element>.stride }
  @inline(__always) var isEmpty: Bool { count == 0 }
  @inline(__always) var indices: Range<Int> { 0..<Int(count) }
  /// The elements, for loops at leisure.
  var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: Int(count)) }

  /// Valid until the run grows. Not checked: an index outside is a mistake of ours.
  @inline(__always)
  subscript(_ index: Int) -> Element {
    get { base.unsafelyUnwrapped[index] }
    nonmutating set { base.unsafelyUnwrapped[index] = newValue }
  }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == capacity { grow() }
    (base.unsafelyUnwrapped + Int(count)).initialize(to: element)
    count += 1
  }

  /// Opens a gap at an index.
  mutating func insert(_ element: Element, at index: Int) {
    if count == capacity { grow() }
    let place = base.unsafelyUnwrapped + index
    (place + 1).update(from: place, count: Int(count) - index)
    place.initialize(to: element)
    count += 1
  }

  /// Closes the gap; the order stays.
  mutating func remove(at index: Int) {
    let place = base.unsafelyUnwrapped + index
    count -= 1
    place.update(from: place + 1, count: Int(count) - index)
  }

  /// Forgets all elements from an index on; keeps the memory.
  @inline(__always)
  mutating func truncate(to length: Int) { count = Int32(truncatingIfNeeded: length) }

  mutating func free() {
    base?.deindex(capacity: Int(capacity))
    self = Run()
  }

  private mutating func grow() {
    let larger = capacity < 4 ? capacity + 2 : capacity * 2
    let new = UnsafeMutablePointer<Element>.indexed(capacity: Int(larger))
    if let base {
      new.update(from: base, count: Int(count))
      base.deindex(capacity: Int(capacity))
    }
    (base, capacity) = (new, larger)
  }
}

extension Run {
  /// Of elements of which the first ones are as asked for and no others, how many are. Without jumps that depend on them:
  /// they are guessed wrong every other time.
  @inline(__always)
  func partitionPoint(_ isAmongFirst: (Element) -> Bool) -> Int {
    var (first, count) = (0, Int(count))
    while count > 1 {
      let half = count >> 1
      first &+= isAmongFirst(self[first &+ half &- 1]) ? half : 0
      count &-= half
    }
    return first + (count == 1 && isAmongFirst(self[first]) ? 1 : 0)
  }
}

extension Run<Int64> {
  /// Of blocks that begin with these keys: the last one that begins below a key, else the first. Equal keys begin in it, if
  /// not in the next.
  @inline(__always)
  func blockWhereBegins(_ key: Int64) -> Int { max(partitionPoint { $0 < key } - 1, 0) }
}

/// A hash table from a 64-bit key to a pointer: open addressing, linear probing. Who holds it frees it. It
/// is only looked up; the order of its places never matters.
struct PointerTable<Target: BitwiseCopyable>: BitwiseCopyable {
  typealias Pointer = UnsafeMutablePointer<Target>

  private struct Place: BitwiseCopyable {
    var key: UInt64
    /// nil: an empty place.
    var target: Pointer?
  }

  private var places: UnsafeMutablePointer<Place>?
  private var mask = 0
  private(set) var count = 0

  init() {}

  var bytes: Int { places == nil ? 0 : (mask + 1) * MemoryLayout<Place>.stride }

  @inline(__always)
  func find(_ key: UInt64) -> Pointer? {
    guard let places else { return nil }
    var at = home(of: key)
    while let target = places[at].target {
      if places[at].key == key { return target }
      at = (at + 1) & mask
    }
    return nil
  }

  /// Where a look for a key begins, for who fetches it before.
  @inline(__always)
  func place(of key: UInt64) -> UnsafeRawPointer? { places.map { UnsafeRawPointer($0 + home(of: key)) } }

  /// The key must not be there yet.
  mutating func insert(_ key: UInt64, _ target: Pointer) {
    if places == nil || (count + 1) * 4 > (mask + 1) * 3 { grow() }
    put(key, target)
    count += 1
  }

  /// Closes the hole in the probe run (Knuth 6.4, algorithm R).
  mutating func remove(_ key: UInt64) {
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
    count -= 1
  }

  /// Each target once, in no order that means anything.
  func visit(_ body: (Pointer) -> Void) {
    guard let places else { return }
    for at in 0...mask { if let target = places[at].target { body(target) } }
  }

  mutating func free() {
    places?.deindex(capacity: mask + 1)
    self = PointerTable()
  }

  @inline(__always)
  private func home(of key: UInt64) -> Int {
    let product = key &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: product ^ (product >> 32)) & mask
  }

  private func put(_ key: UInt64, _ target: Pointer) {
    var at = home(of: key)
    while places.unsafelyUnwrapped[at].target != nil { at = (at + 1) & mask }
    places.unsafelyUnwrapped[at] = Place(key: key, target: target)
  }

  private mutating func grow() {
    let old = places
    let oldCount = old == nil ? 0 : mask + 1
    mask = max(4, oldCount * 2) - 1
    places = .indexed(capacity: mask + 1)
    places!.initialize(repeating: Place(key: 0, target: nil), count: mask + 1)
    for at in 0..<oldCount { if let target = old![at].target { put(old![at].key, target) } }
    old?.deindex(capacity: oldCount)
  }
}
