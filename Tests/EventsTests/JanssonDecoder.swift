import Base
import Events

/// The decoder's rules once more, by way of jansson's tree: slow, plain, and with nothing of `EventDecoder` in it.
struct JanssonDecoder {
  enum Answer: Equatable {
    /// By column; nil: missing. Reals by their bits.
    case event([Value?])
    case refused(Refusal)
  }

  let schema: Schema
  let unknown: EventDecoder.UnknownFields

  func decode(_ bytes: UnsafeRawBufferPointer) -> Answer {
    if bytes.isEmpty { return .refused(Refusal(.empty, "the record's value has no bytes")) }
    do {
      let tree = try JSON(parsing: bytes)
      // jansson passes over a zero byte behind a number or a word, which RFC 8259 does not.
      if bytes.contains(0) { throw Refusal(.json, "zero byte") }
      return try decode(tree)
    } catch let refusal as Refusal {
      return .refused(refusal)
    } catch let error as JSONError where error.isNumberOutOfRange {
      return .refused(Refusal(.range, "\(error)"))
    } catch {
      return .refused(Refusal(.json, "\(error)"))
    }
  }

  private func decode(_ tree: JSON) throws -> Answer {
    guard case .object(let members) = tree else {
      throw Refusal(.notObject, "an object expected, \(Self.kind(tree)) found")
    }
    var values = [Value?](repeating: nil, count: schema.columns.count)
    var others: [JSON.Member] = []
    for member in members where member.value != .null {
      if let column = schema.index(of: member.name) {
        values[column] = try value(member.value, schema.columns[column])
      } else {
        others.append(member)
      }
    }
    try take(others, &values)
    try checkKey(values)
    return .event(values)
  }

  private func value(_ json: JSON, _ column: Column) throws -> Value {
    let whole = column.type == .time ? Value.time : Value.int
    switch (column.type, json) {
    case (.string, .string(let text)): return .string(text)
    case (.int, .int(let n)), (.time, .int(let n)): return whole(n)
    case (.int, .real(let x)), (.time, .real(let x)):
      guard x == x.rounded(.towardZero) else {
        throw Refusal(.type, "\(column.name): \(column.type.rawValue) expected, \(x) found")
      }
      guard abs(x) <= 0x1p53 else {
        throw Refusal(.range, "\(column.name): \(x) is beyond 2^53, where reals have gaps")
      }
      return whole(Int64(x))
    case (.real, .real(let x)): return .real(x == 0 ? 0 : x)
    case (.real, .int(let n)): return .real(Double(n))
    case (.bool, .bool(let b)): return .bool(b)
    default:
      let expected = column.type.rawValue
      throw Refusal(.type, "\(column.name): \(expected) expected, \(Self.kind(json)) found")
    }
  }

  private func take(_ others: [JSON.Member], _ values: inout [Value?]) throws {
    guard !others.isEmpty, unknown != .drop else { return }
    if unknown == .refuse { throw Refusal(.unknownField, "no column of \(schema.table)") }
    guard let column = schema.index(of: "ExtendedAttr") else { return }
    var merged: [JSON.Member] = []
    if case .string(let own) = values[column], !own.isEmpty {
      if case .object(let members) = try? JSON(parsing: own) {
        merged = members
      } else {
        merged = [JSON.Member("ExtendedAttr", .string(own))]
      }
    }
    merged.removeAll { member in others.contains { $0.name.utf8.elementsEqual(member.name.utf8) } }
    values[column] = .string(Self.text(.object(merged + others)))
  }

  private func checkKey(_ values: [Value?]) throws {
    for column in schema.key where values[column] == nil {
      throw Refusal(.keyMissing, "\(schema.columns[column].name), of the row's key, is missing")
    }
    if schema.key.allSatisfy({ values[$0] == .string("") }) {
      throw Refusal(.keyMissing, "the row's key is empty")
    }
  }

  /// Compact, names in byte order.
  private static func text(_ json: JSON) -> String {
    switch json {
    case .object(let members):
      let sorted = members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
      return "{" + sorted.map { "\(text(.string($0.name))):\(text($0.value))" }.joined(separator: ",") + "}"
    case .array(let elements): return "[" + elements.map(text).joined(separator: ",") + "]"
    default: return json.text
    }
  }

  private static func kind(_ json: JSON) -> String {
    switch json {
    case .null: "null"
    case .bool: "a bool"
    case .int: "an integer"
    case .real: "a real"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
