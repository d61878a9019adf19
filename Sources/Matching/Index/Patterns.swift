import CTextSearch
import Events
import Query

/// Short pieces of text as exact 64-bit keys: the bytes and, in the highest byte, how many they are.
enum TextKey {
  /// Bytes of a piece of a beginning.
  static let pieceMax = 7
  /// Bytes of a piece of the inside: four tell texts apart well, and fewer serve short patterns.
  static let gramMax = Int(GRAM_MAX)

  @inline(__always)
  static func make(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UInt64 {
    gram(bytes.baseAddress.unsafelyUnwrapped + start, count)
  }

  /// The key of a piece or gram of so many bytes.
  @inline(__always)
  static func gram(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 { gram_key(bytes, count) }

  /// How many bytes a key holds.
  @inline(__always)
  static func count(_ key: UInt64) -> Int { Int(key >> 56) }

  static func bytes(_ key: UInt64) -> [UInt8] {
    (0..<count(key)).reversed().map { UInt8(truncatingIfNeeded: key >> UInt64(8 * $0)) }
  }
}

/// A set of grams that may say yes to one that is not in it, in a few bits each. It is asked for anything only after it was
/// reset once. Who holds it frees it.
struct Sieve: BitwiseCopyable {
  private var sieve: OpaquePointer?
  /// Grams that it has room for.
  private(set) var capacity = 0

  func mayContain(_ key: UInt64) -> Bool { gram_sieve_may_have(sieve, key) }

  /// Where in a text grams of `size` bytes may begin, one bit for each of at most 64 places, behind the last of which there
  /// is a whole one.
  @inline(__always)
  func places(_ text: UnsafeRawPointer, _ places: Int, size: Int) -> UInt64 {
    gram_sieve_places(sieve, text, places, size)
  }

  func insert(_ key: UInt64) { gram_sieve_add(sieve, key) }

  static let capacityMin = 64

  /// Forgets all, and has room for so many, a power of two from `capacityMin` on.
  mutating func reset(capacity: Int) {
    free()
    self.capacity = capacity
    sieve = gram_sieve_new(capacity)
    precondition(sieve != nil, "no memory for \(capacity) grams")
  }

  mutating func free() {
    gram_sieve_free(sieve)
    self = Sieve()
  }
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
