import Base

private let hexDigits = Array("0123456789abcdef".utf8)

extension ByteBuffer {
  /// A JSON string with its quotes; `bytes` are valid UTF-8. Escapes what RFC 8259 section 7 demands.
  public mutating func append(jsonString bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count + 2)
    append(UInt8(ascii: "\""))
    var clean = 0
    for at in 0..<bytes.count {
      let byte = bytes[at]
      if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") { continue }
      append(UnsafeRawBufferPointer(rebasing: bytes[clean..<at]))
      append(escaped: byte)
      clean = at + 1
    }
    append(UnsafeRawBufferPointer(rebasing: bytes[clean...]))
    append(UInt8(ascii: "\""))
  }

  public mutating func append(jsonString text: String) {
    var text = text
    text.withUTF8 { append(jsonString: UnsafeRawBufferPointer($0)) }
  }

  private mutating func append(escaped byte: UInt8) {
    append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
    case 0x08: append(UInt8(ascii: "b"))
    case 0x09: append(UInt8(ascii: "t"))
    case 0x0A: append(UInt8(ascii: "n"))
    case 0x0C: append(UInt8(ascii: "f"))
    case 0x0D: append(UInt8(ascii: "r"))
    default:
      append("u00" as StaticString)
      append(hexDigits[Int(byte >> 4)])
      append(hexDigits[Int(byte & 15)])
    }
  }

  /// The shortest text that reads back as the same double; null for what JSON cannot say.
  public mutating func append(jsonReal value: Double) {
    guard value.isFinite else { return append("null" as StaticString) }
    append(value.description)
  }

  /// One cell as a JSON value.
  @inline(__always)
  public mutating func append(_ cell: Cell, as type: ColumnType, _ strings: StringTable) {
    switch type {
    case .string: append(jsonString: strings.bytes(cell.code))
    case .int, .time: append(decimal: cell.int)
    case .real: append(jsonReal: cell.real)
    case .bool: append(cell != 0 ? "true" : "false" as StaticString)
    }
  }
}

/// Writes rows of one schema as flat JSON objects. The names are escaped once, here.
public struct RowWriter: Sendable {
  private let names: [[UInt8]]
  private let types: [ColumnType]

  public init(_ schema: Schema) {
    types = schema.columns.map(\.type)
    names = schema.columns.map { column in
      var buffer = ByteBuffer(capacity: 64)
      buffer.append(jsonString: column.name)
      buffer.append(UInt8(ascii: ":"))
      return Array(buffer.bytes)
    }
  }

  /// `{"a":1,…}` of the given columns, in their order.
  public func write(
    _ row: Row, columns: some Sequence<Int>, _ strings: StringTable, to buffer: inout ByteBuffer
  ) {
    var separator = UInt8(ascii: "{")
    for column in columns {
      buffer.append(separator)
      separator = UInt8(ascii: ",")
      names[column].withUnsafeBytes { buffer.append($0) }
      buffer.append(row[column], as: types[column], strings)
    }
    if separator == UInt8(ascii: "{") { buffer.append(separator) }
    buffer.append(UInt8(ascii: "}"))
  }

  /// The same for a list in memory: not generic, so that the loop is compiled for it here.
  public func write(
    _ row: Row, columns: UnsafeBufferPointer<Int>, _ strings: StringTable, to buffer: inout ByteBuffer
  ) {
    write(row, columns: columns[...], strings, to: &buffer)
  }

  /// All columns.
  public func write(_ row: Row, _ strings: StringTable, to buffer: inout ByteBuffer) {
    write(row, columns: types.indices, strings, to: &buffer)
  }
}
