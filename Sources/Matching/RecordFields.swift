import Base
import Events

/// The names of a record's fields, escaped once.
struct RecordFields {
  /// `"name":` each.
  private let names: [[UInt8]]

  init(_ names: [String]) {
    self.names = names.map { name in
      var buffer = ByteBuffer(capacity: 64)
      buffer.append(jsonString: name)
      buffer.append(UInt8(ascii: ":"))
      return Array(buffer.bytes)
    }
  }

  /// What stands before the value of the field with this index: `{"a":` or `,"b":`.
  @inline(__always)
  func open(_ index: Int, in buffer: inout ByteBuffer) {
    buffer.append(index == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
    names[index].withUnsafeBytes { buffer.append($0) }
  }
}

extension ByteBuffer {
  mutating func append(_ scalar: Scalar) {
    switch scalar {
    case .int(let n): append(decimal: n)
    case .real(let x): append(jsonReal: x)
    case .bool(let b): append(b ? "true" : "false" as StaticString)
    case .string(let text): text.withUnsafeBytes { append(jsonString: $0) }
    }
  }
}
