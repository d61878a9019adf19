import Base
import CSimdJSON

/// Turns an event's JSON into cells of one schema, without a `String` or an allocation of its own.
///
/// What `decode` found stays in the decoder's scratch, and is valid until the next `decode`. Strings are valid
/// UTF-8 without U+0000 (a text with one is malformed). One thread uses it.
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

  public let schema: Schema
  let extended: Int?
  let unknown: UnknownFields
  private let bytesMax: Int
  /// By column. Bare memory: an array's own counting is a good part of what an event costs.
  private let types: UnsafeMutablePointer<ColumnType>
  /// By column: the kind of JSON value whose bits are the cell as they are; of reals none.
  private let plain: UnsafeMutablePointer<UInt32>
  var parser: ObjectParser
  /// The strings of `internStrings`: their columns and hashes; how many, -1 before they are known.
  private let found: UnsafeMutablePointer<(column: Int, hash: UInt32)>
  private var foundCount = -1
  /// What became of the last text.
  public private(set) var outcome = Outcome.event
  /// Reads what the event itself has in `ExtendedAttr`.
  var extendedParser = ObjectParser(names: [], others: true)
  var extendedText = ByteBuffer(capacity: 256)

  public init(_ schema: Schema, bytesMax: Int, unknownFields: UnknownFields) {
    self.schema = schema
    self.bytesMax = bytesMax
    extended = schema.index(of: "ExtendedAttr").flatMap { schema.columns[$0].type == .string ? $0 : nil }
    unknown = unknownFields == .keep && extended == nil ? .drop : unknownFields
    parser = ObjectParser(names: schema.columns.map(\.name), others: unknown != .drop)
    found = .allocate(capacity: schema.columns.count)
    plain = .allocate(capacity: schema.columns.count)
    types = .allocate(capacity: schema.columns.count)
    for (index, column) in schema.columns.enumerated() {
      (types + index).initialize(to: column.type)
      (plain + index).initialize(to: Self.plainKind(column.type).rawValue)
    }
  }

  deinit {
    found.deallocate()
    plain.deallocate()
    types.deallocate()
  }

  /// The columns that the event has a value for, each once; in the order of the text.
  public var present: UnsafeBufferPointer<Int> { parser.found }

  @inline(__always)
  public func isPresent(_ column: Int) -> Bool { parser[column].kind != BELFRY_JSON_MISSING.rawValue }

  /// The cell of a present column that is no string, or whose string was interned.
  @inline(__always)
  public func cell(_ column: Int) -> Cell { parser[column].bits }

  /// The bytes of a present string column.
  @inline(__always)
  public func string(_ column: Int) -> UnsafeRawBufferPointer { parser[column].string }

  /// Reads one event: a JSON object (RFC 8259; integers within 64 bits, reals within a double's range, no
  /// U+0000 in strings, 2,048 levels). JSON null is a missing field; of doubled names the
  /// last wins. One fault is the answer: of the text, else of a column's value, else an unknown field, else
  /// of the key; each the first in the text's order.
  @discardableResult
  public func decode(_ bytes: UnsafeRawBufferPointer?) -> Outcome {
    foundCount = -1
    outcome = parse(bytes)
    return outcome
  }

  private func parse(_ bytes: UnsafeRawBufferPointer?) -> Outcome {
    guard let bytes else { return .refused(Refusal(.empty, "the record has no value")) }
    if bytes.count == 0 { return .refused(Refusal(.empty, "the record's value has no bytes")) }
    if bytes.count > bytesMax {
      return .refused(Refusal(.oversize, "\(bytes.count) bytes, at most \(bytesMax) are taken"))
    }
    switch parser.parse(bytes) {
    case .object: break
    case .notObject(let kind): return .refused(Refusal(.notObject, "an object expected, \(kind) found"))
    case .malformed(let cause):
      let error = JSONError(in: bytes)
      let code = error?.isNumberOutOfRange == true ? Refusal.Code.range : .json
      return .refused(Refusal(code, error?.description ?? cause))
    }
    if let refusal = checkTypes() ?? takeOthers() ?? checkKey() { return .refused(refusal) }
    return .event
  }

  /// Takes a share of each present string in a dictionary: from here on `cell` of a string column is its code, and
  /// `string` is not to be asked. The caller's are all those shares.
  public func internStrings(_ strings: StringTable) {
    if foundCount < 0 {
      fetchPlaces(strings)
      fetchBlocks(strings)
    }
    for index in 0..<foundCount {
      let (column, hash) = found[index]
      parser.set(column, bits: Cell(strings.intern(string(column), hash)))
    }
  }

  /// Has the processor fetch the dictionary's places of the present strings. Who does so, and later on
  /// `fetchBlocks`, while there is other work, does not wait for memory in `internStrings`.
  func fetchPlaces(_ strings: StringTable) {
    foundCount = 0
    for column in parser.found where types[column] == .string {
      let hash = strings.fetchPlace(of: string(column))
      found[foundCount] = (column, hash)
      foundCount += 1
    }
  }

  /// The second step: what lies at those places. Without the first, nothing.
  func fetchBlocks(_ strings: StringTable) {
    if foundCount < 0 { return }
    for index in 0..<foundCount {
      strings.fetchBlock(found[index].hash, bytes: Int(parser[found[index].column].count))
    }
  }

  private static func plainKind(_ type: ColumnType) -> belfry_json_kind {
    switch type {
    case .string: BELFRY_JSON_STRING
    case .int, .time: BELFRY_JSON_INTEGER
    case .bool: BELFRY_JSON_BOOL
    case .real: BELFRY_JSON_MISSING
    }
  }

  /// Makes cells of the values, each of its column's type.
  private func checkTypes() -> Refusal? {
    for column in parser.found where parser[column].kind != plain[column] {
      switch (types[column], belfry_json_kind(parser[column].kind)) {
      case (.int, BELFRY_JSON_REAL), (.time, BELFRY_JSON_REAL):
        if let refusal = makeWhole(column) { return refusal }
      case (.real, BELFRY_JSON_REAL): parser.set(column, real: cell(column).real)
      case (.real, BELFRY_JSON_INTEGER): parser.set(column, real: Double(cell(column).int))
      case (_, let kind):
        let name = schema.columns[column].name
        return Refusal(.type, "\(name): \(types[column].rawValue) expected, \(kind.word) found")
      }
    }
    return nil
  }

  /// A real where a whole number is wanted: many writers know no other numbers.
  private func makeWhole(_ column: Int) -> Refusal? {
    let exactMax = 9_007_199_254_740_992.0  // 2^53: every whole number up to it is a double
    let number = cell(column).real
    let name = schema.columns[column].name
    guard number.rounded(.towardZero) == number else {
      return Refusal(.type, "\(name): \(types[column].rawValue) expected, \(number) found")
    }
    guard abs(number) <= exactMax else {
      return Refusal(.range, "\(name): \(number) is beyond 2^53, where reals have gaps")
    }
    parser.set(column, bits: Cell(int: Int64(number)))
    return nil
  }

  private func checkKey() -> Refusal? {
    var isEmpty = true
    for column in schema.key {
      guard isPresent(column) else {
        return Refusal(.keyMissing, "\(schema.columns[column].name), of the row's key, is missing")
      }
      if types[column] != .string || parser[column].count > 0 { isEmpty = false }
    }
    return isEmpty ? Refusal(.keyMissing, "the row's key is empty") : nil
  }
}

extension EventDecoder {
  /// Writes the row key of the event: the one key column's string or decimal text, or a JSON array of
  /// several (docs/bus-contract.md, "Streams").
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
