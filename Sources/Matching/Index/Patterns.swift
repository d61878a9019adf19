import Events
import Query

/// Short pieces of text as exact 64-bit keys: the bytes and, in the highest byte, how many they are.
enum TextKey {
  /// Bytes of a piece of a beginning.
  static let pieceMax = 7
  /// Bytes of a piece of the inside: four tell texts apart well, and fewer serve short patterns.
  static let gramMax = 4

  @inline(__always)
  static func make(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UInt64 {
    var key: UInt64 = 0
    for i in 0..<count { key = key << 8 | UInt64(bytes[start + i]) }
    return key | UInt64(count) << 56
  }

  /// The key of the last `count` bytes that were shifted into `window`.
  @inline(__always)
  static func gram(_ window: UInt32, _ count: Int) -> UInt64 {
    UInt64(window & (~0 >> UInt32(32 - 8 * count))) | UInt64(count) << 56
  }

  /// How many bytes a key holds.
  @inline(__always)
  static func count(_ key: UInt64) -> Int { Int(key >> 56) }

  static func bytes(_ key: UInt64) -> [UInt8] {
    (0..<count(key)).reversed().map { UInt8(truncatingIfNeeded: key >> UInt64(8 * $0)) }
  }
}

/// A set of grams that may say yes to one that is not in it, in a few bits each: most grams of a text are in
/// no pattern, and a look here is cheaper than one into a table. Who holds it frees it.
struct Sieve: BitwiseCopyable {
  private var words: UnsafeMutablePointer<UInt64>?
  private var shift: UInt64 = 64
  /// Grams that it has room for.
  private(set) var capacity = 0

  private static let bitsOfGram = 32

  @inline(__always)
  func mayContain(_ key: UInt64) -> Bool {
    guard let words else { return false }
    let bit = (key &* 0x9E37_79B9_7F4A_7C15) >> shift
    return words[Int(truncatingIfNeeded: bit >> 6)] >> (bit & 63) & 1 != 0
  }

  func insert(_ key: UInt64) {
    let bit = (key &* 0x9E37_79B9_7F4A_7C15) >> shift
    words.unsafelyUnwrapped[Int(bit >> 6)] |= 1 << (bit & 63)
  }

  /// Forgets all, and has room for so many, a power of two.
  mutating func reset(capacity: Int) {
    words?.deallocate()
    self.capacity = capacity
    let bits = capacity * Self.bitsOfGram
    shift = UInt64(64 - bits.trailingZeroBitCount)
    words = .allocate(capacity: bits / 64)
    words!.initialize(repeating: 0, count: bits / 64)
  }

  mutating func free() {
    words?.deallocate()
    self = Sieve()
  }
}

/// How many bytes two texts begin with alike, of at most `limit` that both have.
func commonBeginning(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ limit: Int) -> Int {
  var count = 0
  while count + 8 <= limit {
    let differing =
      a.loadUnaligned(fromByteOffset: count, as: UInt64.self).littleEndian
      ^ b.loadUnaligned(fromByteOffset: count, as: UInt64.self).littleEndian
    if differing != 0 { return count + differing.trailingZeroBitCount / 8 }
    count += 8
  }
  while count < limit, a[count] == b[count] { count += 1 }
  return count
}

/// The same of their ends.
func commonEnd(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ limit: Int) -> Int {
  var count = 0
  while count + 8 <= limit {
    let differing =
      a.loadUnaligned(fromByteOffset: a.count - count - 8, as: UInt64.self).littleEndian
      ^ b.loadUnaligned(fromByteOffset: b.count - count - 8, as: UInt64.self).littleEndian
    if differing != 0 { return count + differing.leadingZeroBitCount / 8 }
    count += 8
  }
  while count < limit, a[a.count - count - 1] == b[b.count - count - 1] { count += 1 }
  return count
}

extension RowTest {
  /// The text that every match begins with; nil where there is none.
  var beginning: UnsafeRawBufferPointer? {
    if isNegated { return nil }
    switch kind {
    case .prefix: return bytes
    case .like:
      let end = bytes.firstIndex { $0 >= LikePattern.one } ?? bytes.count
      return end > 0 ? UnsafeRawBufferPointer(rebasing: bytes[..<end]) : nil
    default: return nil
    }
  }

  /// The longest grams of the texts that every match has within.
  var grams: [UInt64] {
    if isNegated { return [] }
    switch kind {
    case .contains: return Self.grams(bytes)
    case .like:
      return bytes.split { $0 >= LikePattern.one }.flatMap {
        Self.grams(UnsafeRawBufferPointer(rebasing: $0))
      }
    default: return []
    }
  }

  private static func grams(_ text: UnsafeRawBufferPointer) -> [UInt64] {
    if text.isEmpty { return [] }
    let size = min(text.count, TextKey.gramMax)
    return (0...text.count - size).map { TextKey.make(text, $0, size) }
  }
}
