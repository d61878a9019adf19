import Events

/// A text by its UTF-8 bytes. Swift's Strings are equal when they look alike; Kafka's keys are not.
struct ByteKey: Hashable {
  let bytes: [UInt8]

  init(_ text: String) { bytes = Array(text.utf8) }

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = Array(bytes) }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  static func == (a: ByteKey, b: ByteKey) -> Bool {
    a.bytes.withUnsafeBytes { a in b.bytes.withUnsafeBytes { b in compareBytes(a, b) == 0 } }
  }

  func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

/// 128 bits over a record's bytes, by which a record that is sent again is known without parsing it.
/// No defence against forgery is needed: who makes two texts of one fingerprint fools only their own request.
struct Fingerprint: Equatable {
  private var a: UInt64
  private var b: UInt64

  init(_ bytes: UnsafeRawBufferPointer) {
    a = UInt64(bytes.count) ^ 0x9E37_79B9_7F4A_7C15
    b = ~UInt64(bytes.count)
    var at = 0
    while at + 8 <= bytes.count {
      take(bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      at += 8
    }
    var rest: UInt64 = 0
    for byte in bytes[at...] { rest = rest << 8 | UInt64(byte) }
    take(rest)
  }

  private mutating func take(_ word: UInt64) {
    a = Self.mix(a ^ word, 0xD6E8_FEB8_6659_FD93)
    b = Self.mix(b ^ word, 0xA076_1D64_78BD_642F) ^ a
  }

  private static func mix(_ x: UInt64, _ y: UInt64) -> UInt64 {
    let (high, low) = x.multipliedFullWidth(by: y)
    return high ^ low &+ x
  }
}
