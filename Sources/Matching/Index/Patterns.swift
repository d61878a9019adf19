import CGrams
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

  /// The key of a gram of so many bytes.
  @inline(__always)
  static func gram(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
    if count == gramMax {  // nearly all
      return UInt64(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))) | UInt64(count) << 56
    }
    return make(UnsafeRawBufferPointer(start: bytes, count: count), 0, count)
  }

  /// How many bytes a key holds.
  @inline(__always)
  static func count(_ key: UInt64) -> Int { Int(key >> 56) }

  static func bytes(_ key: UInt64) -> [UInt8] {
    (0..<count(key)).reversed().map { UInt8(truncatingIfNeeded: key >> UInt64(8 * $0)) }
  }
}

/// A set of grams that may say yes to one that is not in it, in a few bits each: most grams of a text are in
/// no pattern, and a look here is cheaper than one into a table. It is asked for anything only after it was reset once.
/// Who holds it frees it.
struct Sieve: BitwiseCopyable {
  private var words: UnsafeMutablePointer<UInt64>?
  private var shift: UInt64 = 0
  /// Of those of `gramMax` bytes, for many places of a text at once.
  private var groups: UnsafeMutablePointer<gram_groups>?
  /// Grams that it has room for.
  private(set) var capacity = 0

  private static let bitsOfGram = 16

  @inline(__always)
  func mayContain(_ key: UInt64) -> Bool {
    let hash = Self.hash(key)
    let bits = Self.bits(hash)
    return words.unsafelyUnwrapped[Int(truncatingIfNeeded: hash &>> shift)] & bits == bits
  }

  /// Where in a text grams of `size` bytes may begin, one bit for each of at most 64 places, behind the last of which there
  /// is a whole one.
  @inline(__always)
  func places(_ text: UnsafeRawPointer, _ places: Int, size: Int) -> UInt64 {
    size == TextKey.gramMax ? gram_places(groups, text, places) : ~0 &>> UInt64(64 - places)
  }

  func insert(_ key: UInt64) {
    let hash = Self.hash(key)
    words.unsafelyUnwrapped[Int(truncatingIfNeeded: hash &>> shift)] |= Self.bits(hash)
    let bytes = TextKey.bytes(key)
    if bytes.count == TextKey.gramMax { gram_add(groups, bytes, Self.group(bytes)) }
  }

  @inline(__always)
  private static func hash(_ key: UInt64) -> UInt64 { key &* 0x9E37_79B9_7F4A_7C15 }

  /// Two bits of a word.
  @inline(__always)
  private static func bits(_ hash: UInt64) -> UInt64 { 1 << (hash >> 32 & 63) | 1 << (hash >> 26 & 63) }

  /// Grams of digits, signs and letters in the same places share a group of eight, which has little else then.
  private static func group(_ bytes: [UInt8]) -> UInt32 {
    zip(bytes, [1, 3, 5, 7]).reduce(0) { $0 + UInt32($1.0 >> 4) * $1.1 } & 7
  }

  /// Forgets all, and has room for so many, a power of two.
  mutating func reset(capacity: Int) {
    free()
    self.capacity = capacity
    let count = capacity * Self.bitsOfGram / UInt64.bitWidth
    shift = UInt64(UInt64.bitWidth - count.trailingZeroBitCount)
    words = .allocate(capacity: count)
    words!.initialize(repeating: 0, count: count)
    groups = .allocate(capacity: 1)
    groups!.initialize(to: gram_groups())
  }

  mutating func free() {
    words?.deallocate()
    groups?.deallocate()
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
