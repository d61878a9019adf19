import CCrypto

/// Kafka's murmur2 (the Java client's `Utils.murmur2`): the hash that places a key on a partition.
public func murmur2(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
  let m: UInt32 = 0x5bd1_e995
  var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
  var at = 0
  while at + 4 <= bytes.count {
    var k = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    k = k &* m
    k ^= k >> 24
    hash = (hash &* m) ^ (k &* m)
    at += 4
  }
  let rest = bytes.count - at
  if rest >= 3 { hash ^= UInt32(bytes[at + 2]) << 16 }
  if rest >= 2 { hash ^= UInt32(bytes[at + 1]) << 8 }
  if rest >= 1 {
    hash ^= UInt32(bytes[at])
    hash = hash &* m
  }
  hash ^= hash >> 13
  hash = hash &* m
  return hash ^ (hash >> 15)
}

/// The partition of `count` on which Kafka's default partitioner puts a record with this key.
public func partition(ofKey key: UnsafeRawBufferPointer, count: Int) -> Int32 {
  Int32((murmur2(key) & 0x7fff_ffff) % UInt32(count))
}

/// SHA-256 of a text's UTF-8 bytes, as 64 lower-case hexadecimal digits.
public func sha256Hex(_ text: String) -> String {
  var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
  var text = text
  text.withUTF8 { _ = SHA256($0.baseAddress, $0.count, &digest) }
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// The first 64 bits of that: by which a text is known again that is not kept.
public func sha256Start(_ text: String) -> UInt64 { UInt64(sha256Hex(text).prefix(16), radix: 16)! }
