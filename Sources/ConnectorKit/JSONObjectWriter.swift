/// Writes one JSON object, member by member, into bytes (RFC 8259). Whatever it is given, what comes out is a
/// valid object in valid UTF-8, provided that the caller gives each name once.
///
/// U+0000 is written as U+FFFD: many readers in C, Belfry's own among them, refuse it in a text.
public struct JSONObjectWriter: Sendable {
  private var bytes: [UInt8] = [UInt8(ascii: "{")]

  public init() { bytes.reserveCapacity(512) }

  public mutating func string(_ name: String, _ value: String) {
    begin(name)
    quote(value)
  }

  /// Bytes from outside: what is not UTF-8 becomes U+FFFD.
  public mutating func string(_ name: String, repairing value: some Collection<UInt8>) {
    string(name, String(decoding: value, as: UTF8.self))
  }

  public mutating func integer(_ name: String, _ value: Int64) {
    begin(name)
    bytes.append(contentsOf: String(value).utf8)
  }

  /// What JSON cannot say (infinities, NaN) is written as null.
  public mutating func real(_ name: String, _ value: Double) {
    begin(name)
    bytes.append(contentsOf: (value.isFinite ? "\(value)" : "null").utf8)
  }

  public mutating func bool(_ name: String, _ value: Bool) {
    begin(name)
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  public mutating func strings(_ name: String, _ values: [String]) {
    begin(name)
    bytes.append(UInt8(ascii: "["))
    for (i, value) in values.enumerated() {
      if i > 0 { bytes.append(UInt8(ascii: ",")) }
      quote(value)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  public mutating func object(_ name: String, _ value: JSONObjectWriter) {
    begin(name)
    bytes.append(contentsOf: value.finished())
  }

  public var isEmpty: Bool { bytes.count == 1 }

  /// The object so far, closed.
  public func finished() -> [UInt8] { bytes + [UInt8(ascii: "}")] }

  /// The object so far, closed, as a text: for a column that holds JSON.
  public func text() -> String { String(decoding: finished(), as: UTF8.self) }

  private mutating func begin(_ name: String) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    quote(name)
    bytes.append(UInt8(ascii: ":"))
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 { escape(byte) }
    bytes.append(UInt8(ascii: "\""))
  }

  @inline(__always)
  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"):
      bytes.append(UInt8(ascii: "\\"))
      bytes.append(byte)
    case 0x20...: bytes.append(byte)
    case 0: bytes.append(contentsOf: "\u{FFFD}".utf8)
    case 0x0a: bytes.append(contentsOf: "\\n".utf8)
    case 0x0d: bytes.append(contentsOf: "\\r".utf8)
    case 0x09: bytes.append(contentsOf: "\\t".utf8)
    default:
      let digits = Array("0123456789abcdef".utf8)
      bytes.append(contentsOf: "\\u00".utf8)
      bytes.append(digits[Int(byte >> 4)])
      bytes.append(digits[Int(byte & 15)])
    }
  }
}
