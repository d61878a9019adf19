import Events
import Foundation
import Testing

/// `docs/events.md` says what the code does.
@Suite struct EventsPageTests {
  /// The rows of the page's tables, as their cells.
  private static func rows() throws -> [[String]] {
    let page = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../docs/events.md").standardizedFileURL
    return try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
      .filter { $0.hasPrefix("| `") }
      .map { line in
        line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      }
  }

  @Test func `the page has the columns of alerts, with their types, defaults and rules`() throws {
    let schema = Schema.alerts
    let expected = schema.columns.indices.map { index in
      let column = schema.columns[index]
      let isKey = schema.key.contains(index)
      return [
        "`\(column.name)`", column.type.rawValue, isKey ? "required" : Self.text(of: column),
        isKey ? "key" : column.onDuplicate.rawValue,
      ]
    }
    let written = try Self.rows().filter { $0.count == 5 }
    for (row, expected) in zip(written, expected) { #expect(Array(row.prefix(4)) == expected) }
    #expect(written.count == expected.count)
  }

  private static func text(of column: Column) -> String {
    if column.defaultsToRecordTime { return "the record's time" }
    switch column.default {
    case .string(let text): return text.isEmpty ? "empty" : text
    case .int(let n), .time(let n): return "\(n)"
    case .real(let x): return "\(x)"
    case .bool(let flag): return "\(flag)"
    }
  }

  @Test func `the page has every reason for a dead letter`() throws {
    let written = try Self.rows().filter { $0.count == 2 }.map { $0[0] }
    #expect(written == Refusal.Code.allCases.map { "`\($0.rawValue)`" })
  }
}
