import Base

private let hexDigits = Array("0123456789abcdef".utf8)

extension ByteBuffer {
  /// A JSON string with its quotes; `bytes` are valid UTF-8. Escapes what RFC 8259 section 7 demands.
  public mutating func append(jsonString bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count + 2)
    append(UInt8(ascii: "\""))
    if !bytes.hasJSONEscapes {
      append(bytes)
      return append(UInt8(ascii: "\""))
    }
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

extension UnsafeRawBufferPointer {
  /// A byte that a JSON string cannot have as it is: eight at a time, as most texts have none.
  @inline(__always)
  fileprivate var hasJSONEscapes: Bool {
    var at = 0
    while at + 8 <= count {
      if Self.hasEscapes(loadUnaligned(fromByteOffset: at, as: UInt64.self)) { return true }
      at += 8
    }
    if at == count { return false }
    if count >= 8 { return Self.hasEscapes(loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)) }
    return self[at...].contains { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }
  }

  /// A byte below 0x20, a quote or a backslash among eight: each borrows from its highest bit.
  @inline(__always)
  private static func hasEscapes(_ bytes: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = bytes ^ (ones &* 0x22)
    let backslash = bytes ^ (ones &* 0x5C)
    let below =
      (bytes &- ones &* 0x20) & ~bytes | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash
    return below & (ones &* 0x80) != 0
  }
}

/// Writes rows of one schema as flat JSON objects. The names are escaped once, here.
public final class RowWriter {
  /// Of each column `,"name":`, one behind the other; bare memory, as it is read for each value.
  private let names: UnsafeMutableRawBufferPointer
  private let columns: UnsafeMutablePointer<(start: Int, count: Int, type: ColumnType)>
  private let width: Int

  public init(_ schema: Schema) {
    var buffer = ByteBuffer(capacity: 1024)
    width = schema.columns.count
    columns = .allocate(capacity: width)
    for (index, column) in schema.columns.enumerated() {
      let start = buffer.count
      buffer.append(UInt8(ascii: ","))
      buffer.append(jsonString: column.name)
      buffer.append(UInt8(ascii: ":"))
      (columns + index).initialize(to: (start, buffer.count - start, column.type))
    }
    names = .allocate(byteCount: buffer.count, alignment: 8)
    names.copyMemory(from: buffer.bytes)
  }

  deinit {
    names.deallocate()
    columns.deallocate()
  }

  /// `{"a":1,…}` of the given columns, in their order.
  public func write(
    _ row: Row, columns: some Sequence<Int>, _ strings: StringTable, to buffer: inout ByteBuffer
  ) {
    let start = buffer.count
    for column in columns {
      let (start, count, type) = self.columns[column]
      buffer.append(UnsafeRawBufferPointer(rebasing: names[start..<start + count]))
      buffer.append(row[column], as: type, strings)
    }
    if buffer.count == start {
      buffer.append(UInt8(ascii: "{"))
    } else {
      buffer.replace(at: start, with: UInt8(ascii: "{"))  // the first comma
    }
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
    write(row, columns: 0..<width, strings, to: &buffer)
  }
}
