import Base
import CJansson

/// Turns an event's JSON into cells of one schema, without a `String` or an allocation of its own.
///
/// What `decode` found stays in the decoder's scratch, and is valid until the next `decode` and as long as the
/// text itself, where strings may lie. Strings are valid UTF-8 without U+0000 (a text with one is malformed).
/// One thread uses it.
public final class EventDecoder {
  /// What becomes of fields that are no column.
  public enum UnknownFields: String, Sendable, CaseIterable {
    /// Merged into the string column `ExtendedAttr` as the text of a JSON object with sorted names; a
    /// schema without that column drops them.
    case keep
    case drop
    /// The event is refused.
    case refuse
  }

  public enum Outcome {
    case event
    case refused(Refusal)
  }

  /// What the event says of one column. A string is `bytes`, anything else `cell`.
  private struct Field {
    var isPresent = false
    var cell: Cell = 0
    var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
  }

  public let schema: Schema
  let extended: Int?
  let unknown: UnknownFields
  private let bytesMax: Int
  private let names: FieldNames
  let types: [ColumnType]
  private let fields: UnsafeMutablePointer<Field>
  private let columns: UnsafeMutablePointer<Int>
  /// How many columns the event has.
  private var presentCount = 0
  /// The tree of the last event: its strings are read where jansson put them.
  private var root: UnsafeMutablePointer<json_t>?
  var unknownNodes: [UnknownField] = []
  var extendedText = ByteBuffer(capacity: 256)

  public init(_ schema: Schema, bytesMax: Int, unknownFields: UnknownFields) {
    self.schema = schema
    self.bytesMax = bytesMax
    types = schema.columns.map(\.type)
    names = FieldNames(schema)
    extended = schema.index(of: "ExtendedAttr").flatMap { schema.columns[$0].type == .string ? $0 : nil }
    unknown = unknownFields == .keep && extended == nil ? .drop : unknownFields
    fields = .allocate(capacity: types.count)
    fields.initialize(repeating: Field(), count: types.count)
    columns = .allocate(capacity: types.count)
    columns.initialize(repeating: 0, count: types.count)
  }

  deinit {
    forget()
    fields.deallocate()
    columns.deallocate()
  }

  /// The columns that the event has a value for, each once; in the order of the text.
  public var present: UnsafeBufferPointer<Int> { UnsafeBufferPointer(start: columns, count: presentCount) }

  @inline(__always)
  public func isPresent(_ column: Int) -> Bool { fields[column].isPresent }

  /// The cell of a present column that is no string.
  @inline(__always)
  public func cell(_ column: Int) -> Cell { fields[column].cell }

  /// The bytes of a present string column.
  @inline(__always)
  public func string(_ column: Int) -> UnsafeRawBufferPointer { fields[column].bytes }

  /// Reads one event: a JSON object (RFC 8259). JSON null is a missing field; of doubled names the last
  /// wins. The first fault found is the answer.
  public func decode(_ bytes: UnsafeRawBufferPointer?) -> Outcome {
    forget()
    guard let bytes, bytes.count > 0 else { return .refused(Refusal(.empty, "the record has no value")) }
    if bytes.count > bytesMax {
      return .refused(Refusal(.oversize, "\(bytes.count) bytes, at most \(bytesMax) are taken"))
    }
    if !readPlain(bytes) {
      forget()
      if let refusal = readTree(bytes) { return .refused(refusal) }
    }
    if let refusal = checkKey() { return .refused(refusal) }
    return .event
  }

  /// The column of that name, or -1.
  @inline(__always)
  func column(named name: UnsafeRawBufferPointer) -> Int { names.column(name) }

  private func readTree(_ bytes: UnsafeRawBufferPointer) -> Refusal? {
    var error = json_error_t()
    root = json_loadb(
      bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, size_t(JSON_DECODE_ANY), &error)
    guard let root else { return Refusal(.json, JSONError(error).description) }
    guard root.pointee.type == JSON_OBJECT else {
      return Refusal(.notObject, "an object expected, \(Self.kind(root)) found")
    }
    if let refusal = readMembers(root) { return refusal }
    if !unknownNodes.isEmpty { set(extended!, string: mergedExtended()) }
    return nil
  }

  private func readMembers(_ object: UnsafeMutablePointer<json_t>) -> Refusal? {
    var at = json_object_iter(object)
    while let position = at {
      at = json_object_iter_next(object, position)
      let node = json_object_iter_value(position)!
      if node.pointee.type == JSON_NULL { continue }
      let name = UnsafeRawBufferPointer(
        start: json_object_iter_key(position), count: json_object_iter_key_len(position))
      let column = names.column(name)
      if column >= 0 {
        if let refusal = read(node, column) { return refusal }
      } else if unknown == .keep {
        unknownNodes.append(UnknownField(name: name, node: node))
      } else if unknown == .refuse {
        return Refusal(
          .unknownField, "\(String(decoding: name, as: UTF8.self)) is no column of \(schema.table)")
      }
    }
    return nil
  }

  @inline(__always)
  private func read(_ node: UnsafeMutablePointer<json_t>, _ column: Int) -> Refusal? {
    switch (types[column], node.pointee.type) {
    case (.string, JSON_STRING):
      set(
        column,
        string: UnsafeRawBufferPointer(start: json_string_value(node), count: json_string_length(node)))
    case (.int, JSON_INTEGER), (.time, JSON_INTEGER):
      set(column, cell: Cell(int: Int64(json_integer_value(node))))
    case (.int, JSON_REAL), (.time, JSON_REAL):
      return readWhole(json_real_value(node), column)
    case (.real, JSON_REAL):
      set(column, real: json_real_value(node))
    case (.real, JSON_INTEGER):
      set(column, real: Double(json_integer_value(node)))
    case (.bool, JSON_TRUE): set(column, cell: 1)
    case (.bool, JSON_FALSE): set(column, cell: 0)
    default:
      return Refusal(
        .type, "\(schema.columns[column].name): \(types[column].rawValue) expected, \(Self.kind(node)) found")
    }
    return nil
  }

  /// A real where a whole number is wanted: many writers know no other numbers.
  private func readWhole(_ number: Double, _ column: Int) -> Refusal? {
    let exactMax = 9_007_199_254_740_992.0  // 2^53: every whole number up to it is a double
    guard number.rounded(.towardZero) == number else {
      return Refusal(
        .type, "\(schema.columns[column].name): \(types[column].rawValue) expected, \(number) found")
    }
    guard abs(number) <= exactMax else {
      return Refusal(
        .range, "\(schema.columns[column].name): \(number) is beyond 2^53, where reals have gaps")
    }
    set(column, cell: Cell(int: Int64(number)))
    return nil
  }

  @inline(__always)
  func set(_ column: Int, cell: Cell) {
    mark(column)
    fields[column].cell = cell
  }

  /// Minus zero becomes zero, so that equal reals are equal cells.
  private func set(_ column: Int, real: Double) {
    set(column, cell: (real == 0 ? 0 : real).bitPattern)
  }

  @inline(__always)
  func set(_ column: Int, string: UnsafeRawBufferPointer) {
    mark(column)
    fields[column].bytes = string
  }

  @inline(__always)
  private func mark(_ column: Int) {
    if fields[column].isPresent { return }
    fields[column].isPresent = true
    columns[presentCount] = column
    presentCount += 1
  }

  private func checkKey() -> Refusal? {
    var isEmpty = true
    for column in schema.key {
      guard fields[column].isPresent else {
        return Refusal(.keyMissing, "\(schema.columns[column].name), of the row's key, is missing")
      }
      if types[column] != .string || fields[column].bytes.count > 0 { isEmpty = false }
    }
    return isEmpty ? Refusal(.keyMissing, "the row's key is empty") : nil
  }

  private func forget() {
    for index in 0..<presentCount { fields[columns[index]].isPresent = false }
    presentCount = 0
    if !unknownNodes.isEmpty { unknownNodes.removeAll(keepingCapacity: true) }
    if let root { json_decref(root) }
    root = nil
  }

  /// The word for a JSON value's kind, for messages.
  private static func kind(_ node: UnsafeMutablePointer<json_t>) -> String {
    switch node.pointee.type {
    case JSON_OBJECT: "an object"
    case JSON_ARRAY: "an array"
    case JSON_STRING: "a string"
    case JSON_INTEGER: "an integer"
    case JSON_REAL: "a real"
    case JSON_TRUE, JSON_FALSE: "a bool"
    default: "null"
    }
  }
}

extension EventDecoder {
  /// Writes the row key of the event: the one key column's string or decimal text, or a JSON array of
  /// several (DESIGN section 3, net record).
  public func writeKey(to buffer: inout ByteBuffer) {
    if schema.key.count == 1, let column = schema.key.first {
      if types[column] == .string { return buffer.append(string(column)) }
      return write(column, to: &buffer)
    }
    var separator = UInt8(ascii: "[")
    for column in schema.key {
      buffer.append(separator)
      separator = UInt8(ascii: ",")
      write(column, to: &buffer)
    }
    buffer.append(UInt8(ascii: "]"))
  }

  private func write(_ column: Int, to buffer: inout ByteBuffer) {
    switch types[column] {
    case .string: buffer.append(jsonString: string(column))
    case .int, .time: buffer.append(decimal: cell(column).int)
    case .real: buffer.append(jsonReal: cell(column).real)
    case .bool: buffer.append(cell(column) != 0 ? "true" : "false" as StaticString)
    }
  }
}
