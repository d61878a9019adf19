import Base
import Events

@testable import Table

/// Commands in a language of four words; a command's value is a JSON string, or `{"rows":[…]}` for an INSERT:
///
///     raise 2 7       the Grade of rows with Severity 2 by 7
///     rename new      the Summary of all rows
///     delete 2        rows with Severity 2
///     key x           the Grade of the row x by 1
final class PlainLanguage: CommandLanguage {
  /// Commands from this offset on are early.
  var early = Int64.max
  private let schema: Schema

  init(_ schema: Schema = .alerts) { self.schema = schema }

  func isChange(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) -> Bool {
    guard key != nil, let value else { return false }
    return (try? JSON(parsing: value)) != nil
  }

  func identity(of value: UnsafeRawBufferPointer) -> CommandID {
    CommandID(client: "c", content: sha256Start(String(decoding: value, as: UTF8.self)))
  }

  func read(_ value: UnsafeRawBufferPointer, offset: Int64, now: Timestamp) -> CommandReading {
    if offset >= early { return .early }
    let json = try! JSON(parsing: value)
    if let rows = json["rows"]?.array { return .insert(client: "c", sql: "insert", rows: rows) }
    guard let text = json.string, let change = change(text) else {
      return .refused(client: "c", error: .object(of: ["code": .string("syntax")]))
    }
    return .change(client: "c", sql: text, text: text, keys: change.keys)
  }

  func compile(_ text: String) -> (any RowChange)? { change(text) }

  private func change(_ text: String) -> PlainChange? {
    let words = text.split(separator: " ").map(String.init)
    let severity = schema.index(of: "Severity")!
    switch words.first {
    case "raise":
      return PlainChange(
        test: (severity, Int64(words[1])!), column: schema.index(of: "Grade")!, by: Int64(words[2])!)
    case "rename": return PlainChange(column: schema.index(of: "Summary")!, text: words[1])
    case "delete": return PlainChange(isDeletion: true, test: (severity, Int64(words[1])!))
    case "key": return PlainChange(keys: [Array(words[1].utf8)], column: schema.index(of: "Grade")!, by: 1)
    default: return nil
    }
  }
}

private struct PlainChange: RowChange {
  var isDeletion = false
  var keys: [[UInt8]]?
  var test: (column: Int, value: Int64)?
  var column = 0
  var by: Int64 = 0
  var text: String?

  func keepMatches(_ slots: inout [RowStore.Slot], _ strings: StringTable, row: (RowStore.Slot) -> Row) {
    guard let test else { return }
    slots.removeAll { row($0)[test.column].int != test.value }
  }

  func assign(_ row: Row, to next: UnsafeMutablePointer<Cell>, _ strings: StringTable) {
    guard let text else {
      next[column] = Cell(int: row[column].int + by)
      return
    }
    let code = strings.intern(text)
    if code == row[column].code { strings.release(code) } else { next[column] = Cell(code) }
  }
}
