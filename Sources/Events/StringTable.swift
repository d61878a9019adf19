import Base

/// The dictionary of a table's strings: each distinct string once, known by a code.
///
/// Rows hold codes, so equality is one comparison of integers. A code is counted: `intern` and `retain`
/// take a share, `release` gives it back, and a string that nobody holds is freed and its code used
/// again. Code 0 is the empty string and is never freed. One thread owns a table and all its strings.
public final class StringTable {
  public typealias Code = UInt32

  /// What lies before a string's bytes in its block, so that finding it touches one place and one block.
  private struct Header {
    static let bytes = 12
    var count: UInt32
    var code: Code
    var shares: UInt32
  }

  /// An occupied place of the hash table: the string's hash and block; 0 is an empty one.
  private struct Place {
    let bits: UInt64
    @inline(__always) init(bits: UInt64) { self.bits = bits }
    @inline(__always) init(_ hash: UInt32, _ block: BlockArena.Reference) {
      bits = UInt64(hash) << 32 | UInt64(block)
    }
    @inline(__always) var hash: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }
    @inline(__always) var block: BlockArena.Reference { UInt32(truncatingIfNeeded: bits) }
  }

  private var arena = BlockArena()
  /// By code; of a free code, the next free one.
  private var blocks: UnsafeMutablePointer<BlockArena.Reference>
  private var blocksCapacity = 1024
  private var freeCode: Code = 0
  /// Open addressing, linear probing. The empty string is never in it.
  private var places: UnsafeMutablePointer<UInt64>
  private var mask = 1023
  private var used = 0
  /// Bytes of all strings held.
  public private(set) var bytesHeld = 0
  /// There are nearly as many, or as long ones, as can be.
  public var isNearlyFull: Bool { arena.isNearlyFull }
  /// One more than the largest code that was ever in use.
  public private(set) var codeLimit = 1

  public init() {
    blocks = .allocate(capacity: blocksCapacity)
    places = Self.makePlaces(mask + 1)
    blocks[0] = arena.allocate(bytes: Header.bytes)
    header(blocks[0]).initialize(to: Header(count: 0, code: 0, shares: 1))
  }

  deinit {
    blocks.deallocate()
    places.deallocate()
  }

  /// Distinct strings held, the empty one not counted.
  public var count: Int { used }

  /// The string's bytes (UTF-8). Valid until the code's last share is released.
  @inline(__always)
  public func bytes(_ code: Code) -> UnsafeRawBufferPointer { bytes(of: block(code)) }

  public func string(_ code: Code) -> String { String(decoding: bytes(code), as: UTF8.self) }

  /// The code of a string, made if it is new; one share is the caller's.
  public func intern(_ string: UnsafeRawBufferPointer) -> Code { intern(string, Self.hash(string)) }

  /// The same with the string's hash. Who has several strings calls `fetchPlace` for all of them, then
  /// `fetchBlock`, then this: so they wait for memory together and not one after the other.
  @inline(__always)
  func intern(_ string: UnsafeRawBufferPointer, _ hash: UInt32) -> Code {
    if string.count == 0 { return 0 }
    let place = find(string, hash)
    if places[place] == 0 { return add(string, hash, place) }
    let known = header(Place(bits: places[place]).block)
    known.pointee.shares += 1
    return known.pointee.code
  }

  @inline(__always)
  func fetchPlace(_ hash: UInt32) { prefetch(places + (Int(hash) & mask)) }

  /// The same for who wants a code: the string's hash, for `fetchBlock` and `code` later on.
  @inline(__always)
  public func fetchPlace(of string: UnsafeRawBufferPointer) -> UInt32 {
    let hash = Self.hash(string)
    fetchPlace(hash)
    return hash
  }

  /// Has the processor fetch where a code's bytes lie, and in a second step the bytes.
  @inline(__always)
  public func fetchBlock(_ code: Code) {
    if Int(code) < codeLimit { prefetch(blocks + Int(code)) }
  }

  @inline(__always)
  public func fetchBytes(_ code: Code) {
    if Int(code) < codeLimit { arena.fetch(blocks[Int(code)], bytes: 128) }
  }

  /// `bytes`: the string's.
  @inline(__always)
  public func fetchBlock(_ hash: UInt32, bytes: Int) {
    let place = Place(bits: places[Int(hash) & mask])
    if place.bits != 0 { arena.fetch(place.block, bytes: Header.bytes + bytes) }
  }

  public func intern(_ string: String) -> Code {
    var string = string
    return string.withUTF8 { intern(UnsafeRawBufferPointer($0)) }
  }

  /// The code of a string that is held, without taking a share; nil if nobody holds it.
  public func code(of string: UnsafeRawBufferPointer) -> Code? {
    code(of: string, Self.hash(string))
  }

  /// The same with the string's hash.
  @inline(__always)
  public func code(of string: UnsafeRawBufferPointer, _ hash: UInt32) -> Code? {
    if string.count == 0 { return 0 }
    let place = places[find(string, hash)]
    return place == 0 ? nil : header(Place(bits: place).block).pointee.code
  }

  @inline(__always)
  public func retain(_ code: Code) {
    if code != 0 { block(code).pointee.shares += 1 }
  }

  @inline(__always)
  public func release(_ code: Code) {
    if code == 0 { return }
    let header = block(code)
    header.pointee.shares -= 1
    if header.pointee.shares == 0 { drop(code) }
  }

  /// Byte order, which for UTF-8 is the order of code points and SQLite's BINARY collation.
  public func compare(_ a: Code, _ b: Code) -> Int {
    a == b ? 0 : compareBytes(bytes(a), bytes(b))
  }

  @inline(__always)
  private func header(_ block: BlockArena.Reference) -> UnsafeMutablePointer<Header> {
    arena[block].assumingMemoryBound(to: Header.self)
  }

  @inline(__always)
  private func block(_ code: Code) -> UnsafeMutablePointer<Header> {
    precondition(Int(code) < codeLimit)
    return header(blocks[Int(code)])
  }

  @inline(__always)
  private func bytes(of header: UnsafeMutablePointer<Header>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: UnsafeRawPointer(header) + Header.bytes, count: Int(header.pointee.count))
  }

  /// The string's place, or the empty one where it belongs.
  @inline(__always)
  private func find(_ string: UnsafeRawBufferPointer, _ hash: UInt32) -> Int {
    var at = Int(hash) & mask
    while places[at] != 0 {
      let place = Place(bits: places[at])
      if place.hash == hash {
        let known = bytes(of: header(place.block))
        if known.count == string.count,
          Self.isEqual(
            known.baseAddress.unsafelyUnwrapped, string.baseAddress.unsafelyUnwrapped, string.count)
        {
          return at
        }
      }
      at = (at + 1) & mask
    }
    return at
  }

  private func add(_ string: UnsafeRawBufferPointer, _ hash: UInt32, _ empty: Int) -> Code {
    var empty = empty
    if (used + 1) * 5 > (mask + 1) * 4 {
      grow()
      empty = find(string, hash)
    }
    let code = makeCode()
    let block = arena.allocate(bytes: Header.bytes + string.count)
    let header = header(block)
    header.initialize(to: Header(count: UInt32(string.count), code: code, shares: 1))
    (UnsafeMutableRawPointer(header) + Header.bytes).copyMemory(
      from: string.baseAddress.unsafelyUnwrapped, byteCount: string.count)
    blocks[Int(code)] = block
    places[empty] = Place(hash, block).bits
    used += 1
    bytesHeld += string.count
    return code
  }

  private func makeCode() -> Code {
    if freeCode != 0 {
      let code = freeCode
      freeCode = blocks[Int(code)]
      prefetch(blocks + Int(freeCode))
      return code
    }
    if codeLimit == blocksCapacity {
      let larger = UnsafeMutablePointer<BlockArena.Reference>.allocate(capacity: blocksCapacity * 2)
      larger.moveInitialize(from: blocks, count: codeLimit)
      blocks.deallocate()
      blocks = larger
      blocksCapacity *= 2
    }
    codeLimit += 1
    return Code(codeLimit - 1)
  }

  private static func makePlaces(_ count: Int) -> UnsafeMutablePointer<UInt64> {
    let places = HugePages.allocate(bytes: count * 8).bindMemory(to: UInt64.self, capacity: count)
    places.initialize(repeating: 0, count: count)
    return places
  }

  private func grow() {
    let old = UnsafeMutableBufferPointer(start: places, count: mask + 1)
    mask = old.count * 2 - 1
    places = Self.makePlaces(mask + 1)
    for bits in old where bits != 0 {
      var at = Int(Place(bits: bits).hash) & mask
      while places[at] != 0 { at = (at + 1) & mask }
      places[at] = bits
    }
    old.deallocate()
  }

  /// Frees the string and closes the hole in its probe run (Knuth 6.4, algorithm R).
  private func drop(_ code: Code) {
    let block = blocks[Int(code)]
    let bytes = bytes(of: header(block))
    let hash = Self.hash(bytes)
    let bits = Place(hash, block).bits
    var hole = Int(hash) & mask
    while places[hole] != bits { hole = (hole + 1) & mask }
    var next = (hole + 1) & mask
    while places[next] != 0 {
      let home = Int(Place(bits: places[next]).hash) & mask
      if (next &- home) & mask >= (next &- hole) & mask {
        places[hole] = places[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    places[hole] = 0
    bytesHeld -= bytes.count
    used -= 1
    arena.free(block, bytes: Header.bytes + bytes.count)
    blocks[Int(code)] = freeCode
    freeCode = code
  }

  /// Of strings of one length, at least 1: without a call, as most are short.
  @inline(__always)
  private static func isEqual(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
    if count >= 8 {
      var at = 0
      while at < count - 8 {
        if word(a + at) != word(b + at) { return false }
        at += 8
      }
      return word(a + count - 8) == word(b + count - 8)
    }
    if count >= 4 { return half(a) == half(b) && half(a + count - 4) == half(b + count - 4) }
    return ends(a, count) == ends(b, count)
  }

  /// The bytes of one to three.
  @inline(__always)
  private static func ends(_ start: UnsafeRawPointer, _ count: Int) -> UInt64 {
    let first = UInt64(start.load(as: UInt8.self))
    let middle = UInt64(start.load(fromByteOffset: count / 2, as: UInt8.self))
    let last = UInt64(start.load(fromByteOffset: count - 1, as: UInt8.self))
    return first << 16 | middle << 8 | last
  }

  /// Sixteen bytes a step (the mixing of wyhash's family), two of them at once in long strings. The order of
  /// hashing never reaches the outside.
  @inline(__always)
  static func hash(_ string: UnsafeRawBufferPointer) -> UInt32 {
    if string.count == 0 { return 0 }
    let start = string.baseAddress.unsafelyUnwrapped
    let count = string.count
    var state = UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
    if count > 16 {
      var at = 0
      var other = state
      while at < count - 48 {
        state = mix(word(start + at) ^ 0xA076_1D64_78BD_642F, word(start + at + 8) ^ state)
        other = mix(word(start + at + 16) ^ 0x8EBC_6AF0_9C88_C6E3, word(start + at + 24) ^ other)
        at += 32
      }
      if at > 0 { state ^= other }
      while at < count - 16 {
        state = mix(word(start + at) ^ 0xA076_1D64_78BD_642F, word(start + at + 8) ^ state)
        at += 16
      }
      state = mix(word(start + count - 16) ^ 0xE703_7ED1_A0B4_28DB, word(start + count - 8) ^ state)
    } else if count >= 8 {
      state = mix(word(start) ^ 0xE703_7ED1_A0B4_28DB, word(start + count - 8) ^ state)
    } else if count >= 4 {
      let ends = UInt64(half(start)) << 32 | UInt64(half(start + count - 4))
      state = mix(ends ^ 0xE703_7ED1_A0B4_28DB, state)
    } else {
      state = mix(ends(start, count) ^ 0xE703_7ED1_A0B4_28DB, state)
    }
    return UInt32(truncatingIfNeeded: state ^ (state >> 32))
  }

  @inline(__always)
  private static func word(_ pointer: UnsafeRawPointer) -> UInt64 { pointer.loadUnaligned(as: UInt64.self) }

  @inline(__always)
  private static func half(_ pointer: UnsafeRawPointer) -> UInt32 { pointer.loadUnaligned(as: UInt32.self) }

  @inline(__always)
  private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (high, low) = a.multipliedFullWidth(by: b)
    return high ^ low
  }
}
