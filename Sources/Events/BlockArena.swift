/// The memory of a dictionary's strings, or of a table's rows: blocks in slabs, told apart by 32-bit references.
///
/// Blocks are whole words, in classes of size (up to 256 bytes one a word, above them eight a doubling); a freed
/// block is the next one of its class. Large blocks are slabs of their own and given back. One thread uses it.
struct BlockArena: ~Copyable {
  /// Where a block lies: the slab's number, then the word in it. 0 is no block.
  typealias Reference = UInt32

  private static let slabBits: UInt32 = 18
  private static let slabWords = 1 << Int(slabBits)
  /// 16,384 slabs of 2 MiB.
  private static let slabsMax = 1 << (32 - Int(slabBits))
  /// Slabs that are kept for what is under way when there are `isNearlyFull`.
  private static let slabsKept = 1 << 11
  private static let largeWords = slabWords / 4
  private static let classes = 128

  private var slabs: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private var slabCount = 0
  private var freeSlabs: [UInt32] = []
  /// The first free block of each class; its first bytes say which is next.
  private let free: UnsafeMutablePointer<Reference>
  private var current: UInt32 = 0
  private var used = 1
  /// Bytes of all slabs.
  private(set) var bytesHeld = 0

  /// Whoever sees this should take no more: past the last slab the process ends. There is room for 1,024 MiB yet.
  var isNearlyFull: Bool { slabCount - freeSlabs.count > Self.slabsMax - Self.slabsKept }

  init() {
    slabs = .allocate(capacity: Self.slabsMax)
    free = .allocate(capacity: Self.classes + 1)
    free.initialize(repeating: 0, count: Self.classes + 1)
    current = makeSlab(bytes: Self.slabWords * 8)
  }

  deinit {
    for index in 0..<slabCount { slabs[index]?.deallocate() }
    slabs.deallocate()
    free.deallocate()
  }

  @inline(__always)
  subscript(reference: Reference) -> UnsafeMutableRawPointer {
    slabs[Int(reference >> Self.slabBits)].unsafelyUnwrapped
      + Int(reference & (1 << Self.slabBits - 1)) &* 8
  }

  /// A block of at least that many bytes, with anything in it.
  mutating func allocate(bytes: Int) -> Reference {
    let words = (bytes + 7) >> 3
    if words > Self.largeWords { return makeSlab(bytes: words * 8) << Self.slabBits }
    let (number, size) = Self.sizeClass(words)
    let again = free[number]
    if again != 0 {
      let next = self[again].load(as: Reference.self)
      free[number] = next
      fetch(next, bytes: bytes)  // freed long ago, as a rule
      return again
    }
    if used + size > Self.slabWords {
      current = makeSlab(bytes: Self.slabWords * 8)
      used = 0
    }
    defer { used += size }
    return current << Self.slabBits | UInt32(used)
  }

  /// Has the processor fetch a block's first cache lines: who reads on is then ahead of it.
  @inline(__always)
  func fetch(_ reference: Reference, bytes: Int) {
    let block =
      slabs[Int(reference >> Self.slabBits)].unsafelyUnwrapped
      + Int(reference & (1 << Self.slabBits - 1)) &* 8
    prefetch(block)
    if bytes > 64 { prefetch(block + 64) }
    if bytes > 128 { prefetch(block + 128) }
  }

  /// Gives back a block that was allocated with that many bytes.
  mutating func free(_ reference: Reference, bytes: Int) {
    let words = (bytes + 7) >> 3
    if words > Self.largeWords { return dropSlab(reference >> Self.slabBits, bytes: words * 8) }
    let number = Self.sizeClass(words).number
    self[reference].storeBytes(of: free[number], as: Reference.self)
    free[number] = reference
  }

  /// A block of that many bytes has room for that many others, and no more than it needs.
  static func isSameSize(_ bytes: Int, _ others: Int) -> Bool {
    let (words, otherWords) = ((bytes + 7) >> 3, (others + 7) >> 3)
    if words > largeWords || otherWords > largeWords { return words == otherWords }
    return sizeClass(words) == sizeClass(otherWords)
  }

  @inline(__always)
  private static func sizeClass(_ words: Int) -> (number: Int, words: Int) {
    if words <= 32 { return (words, words) }
    let top = Int.bitWidth - 1 - (words - 1).leadingZeroBitCount
    let steps = (words - 1) >> (top - 3)  // 8 to 15
    return (25 + (top - 5) * 8 + steps, (steps + 1) << (top - 3))
  }

  private mutating func makeSlab(bytes: Int) -> UInt32 {
    let number = freeSlabs.popLast() ?? UInt32(slabCount)
    if Int(number) == slabCount {
      precondition(slabCount < Self.slabsMax, "a table's strings take at most 32 GiB")
      slabCount += 1
    }
    (slabs + Int(number)).initialize(to: HugePages.allocate(bytes: bytes))
    bytesHeld += bytes
    return number
  }

  private mutating func dropSlab(_ number: UInt32, bytes: Int) {
    slabs[Int(number)]?.deallocate()
    slabs[Int(number)] = nil
    freeSlabs.append(number)
    bytesHeld -= bytes
  }
}
