/// 128 bits over some bytes, by which they are known again without being kept: a request that is sent again,
/// a row that is on its topic already. It is no defence against forgery, and none is needed there: who makes
/// two texts of one fingerprint fools only the readers of their own request or row.
public struct Fingerprint: Equatable, Sendable {
  private var a: UInt64
  private var b: UInt64

  public init(_ bytes: UnsafeRawBufferPointer) {
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
