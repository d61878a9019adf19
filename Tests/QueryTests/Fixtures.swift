import Events
import Query

/// A table with a column of each type, beside `alerts`.
let samples = Schema(
  table: "samples",
  columns: [
    Column("id", .string), Column("a", .int), Column("b", .int), Column("r", .real), Column("s", .string),
    Column("t", .string), Column("flag", .bool), Column("up", .bool), Column("at", .time),
    Column("Grüße", .int), Column("select", .int),
  ],
  key: ["id"])

struct TestCatalog: Catalog {
  func schema(ofTable name: String) -> Schema? {
    switch name {
    case "alerts": .alerts
    case "samples": samples
    default: nil
    }
  }
  var tableNames: [String] { ["alerts", "samples"] }
}

func view(_ sql: String) throws(SQLError) -> View { try parseView(sql, in: TestCatalog()) }

/// The canonical text of a filter on `samples`.
func canonicalText(_ filter: String) throws(SQLError) -> String {
  canonical(try parseFilter(filter, on: samples), on: samples).text(on: samples)
}

/// The lines of a table of cases, cut at `|`; blank lines are left out.
func cases(_ table: String) -> [[String]] {
  table.split(separator: "\n").map { line in
    line.split(separator: "|", omittingEmptySubsequences: false).map { trimmed(String($0)) }
  }
}

private func trimmed(_ text: String) -> String {
  var text = text[...]
  while text.first == " " { text.removeFirst() }
  while text.last == " " { text.removeLast() }
  return String(text)
}
