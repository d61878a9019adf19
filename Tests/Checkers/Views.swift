import Events

typealias AlertRow = [String: JSON]

extension AlertRow {
  func number(_ column: String) -> Int64 { self[column]?.int ?? 0 }
  func text(_ column: String) -> String { self[column]?.string ?? "" }

  /// What a record's value says; nil where it is no object.
  init?(_ text: String?) {
    guard let text, let members = (try? JSON(parsing: text))?.members else { return nil }
    self = Dictionary(members.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
  }
}

/// A view that clients ask for: as SQL in several spellings, and what it means, said once more in Swift.
struct ViewCase: Sendable {
  enum Kind {
    /// The columns of its records, besides the key.
    case list([String])
    /// The columns of its groups, and its metrics by name over a group's rows.
    case summary([String], [(String, @Sendable ([AlertRow]) -> JSON)])
  }

  let spellings: [String]
  let kind: Kind
  let matches: @Sendable (AlertRow) -> Bool
  /// Views with the same word have the same filter: they are of one set.
  let filter: String

  var isList: Bool { if case .list = kind { true } else { false } }

  /// What its stream must say of these rows, by record key.
  func evaluate(_ rows: [String: AlertRow]) -> [String: AlertRow] {
    let matching = rows.filter { matches($0.value) }
    switch kind {
    case .list(let columns):
      return matching.mapValues { row in row.filter { $0.key == "Identifier" || columns.contains($0.key) } }
    case .summary(let columns, let metrics):
      var groups: [[JSON]: [AlertRow]] = columns.isEmpty ? [[]: []] : [:]
      for row in matching.values { groups[columns.map { row[$0]! }, default: []].append(row) }
      var records: [String: AlertRow] = [:]
      for (group, rows) in groups {
        var record = AlertRow(uniqueKeysWithValues: zip(columns, group))
        for (name, metric) in metrics { record[name] = metric(rows) }
        records[Self.key(group)] = record
      }
      return records
    }
  }

  private static func key(_ group: [JSON]) -> String {
    switch group.count {
    case 0: "*"
    case 1: group[0].string ?? group[0].text
    default: JSON.array(group).text
    }
  }
}

private let count: @Sendable ([AlertRow]) -> JSON = { .int(Int64($0.count)) }
private let tallies: @Sendable ([AlertRow]) -> JSON = { rows in
  .int(rows.reduce(0) { $0 + $1.number("Tally") })
}
private let least: @Sendable ([AlertRow]) -> JSON = { rows in
  rows.map { $0.number("Severity") }.min().map { .int($0) } ?? .null
}
private let most: @Sendable ([AlertRow]) -> JSON = { rows in
  rows.map { $0.number("Severity") }.max().map { .int($0) } ?? .null
}
private let mean: @Sendable ([AlertRow]) -> JSON = { rows in
  let sum = rows.reduce(0) { $0 + $1.number("Severity") }
  return rows.isEmpty ? .null : .real(Double(sum) / Double(rows.count))
}

private let grades: @Sendable ([AlertRow]) -> JSON = { rows in
  .int(rows.reduce(0) { $0 + $1.number("Grade") })
}

@Sendable private func isLedger(_ row: AlertRow) -> Bool {
  row.text("Identifier").hasPrefix(Operators.rows)
}

/// Of the rows that operators change: a list and its counter; another filter's list; and groups.
let screenViews: [ViewCase] = [
  ViewCase(
    spellings: [
      "SELECT Grade, Severity, Summary FROM alerts WHERE Identifier LIKE 'ledger/%' AND Severity > 2"
    ], kind: .list(["Grade", "Severity", "Summary"]), matches: { isLedger($0) && $0.number("Severity") > 2 },
    filter: "ledger, high"),
  ViewCase(
    spellings: [
      "SELECT COUNT(*) AS n, SUM(Grade) AS g FROM alerts WHERE Severity >= 3 AND Identifier LIKE 'ledger/%'"
    ], kind: .summary([], [("n", count), ("g", grades)]),
    matches: { isLedger($0) && $0.number("Severity") > 2 }, filter: "ledger, high"),
  ViewCase(
    spellings: ["SELECT Summary, Tally FROM alerts WHERE Severity < 3 AND Identifier LIKE 'ledger/%'"],
    kind: .list(["Summary", "Tally"]), matches: { isLedger($0) && $0.number("Severity") < 3 },
    filter: "ledger, low"),
  ViewCase(
    spellings: [
      "SELECT COUNT(*) AS n, SUM(Tally) AS t FROM alerts WHERE Identifier LIKE 'ledger/%' GROUP BY Severity"
    ], kind: .summary(["Severity"], [("n", count), ("t", tallies)]), matches: isLedger, filter: "ledger"),
]

/// All that clients ask for, each client what it likes.
let viewPool: [ViewCase] = [
  ViewCase(
    spellings: [
      "SELECT Node, Severity, Summary FROM alerts WHERE Severity >= 4",
      "select Summary, Severity, Node from alerts where not (Severity < 4)",
      "SELECT Severity, Node, Summary FROM alerts WHERE Severity > 3",
    ], kind: .list(["Node", "Severity", "Summary"]), matches: { $0.number("Severity") >= 4 },
    filter: "grave"),
  ViewCase(
    spellings: [
      "SELECT COUNT(*) AS n FROM alerts WHERE Severity >= 4",
      "select count(*) as n from alerts where 3 < Severity",
    ], kind: .summary([], [("n", count)]), matches: { $0.number("Severity") >= 4 }, filter: "grave"),
  ViewCase(
    spellings: ["SELECT Identifier, Tally FROM alerts", "select Tally from alerts"],
    kind: .list(["Tally"]), matches: { _ in true }, filter: "all"),
  ViewCase(
    spellings: [
      """
      SELECT COUNT(*) AS n, SUM(Tally) AS t, MIN(Severity) AS least, MAX(Severity) AS most,
        AVG(Severity) AS mean FROM alerts
      """
    ],
    kind: .summary([], [("n", count), ("t", tallies), ("least", least), ("most", most), ("mean", mean)]),
    matches: { _ in true }, filter: "all"),
  ViewCase(
    spellings: [
      "SELECT Node, COUNT(*) AS n, MAX(Severity) AS most FROM alerts GROUP BY Node",
      "select COUNT(*) as n, max(Severity) as most from alerts group by Node",
    ], kind: .summary(["Node"], [("n", count), ("most", most)]), matches: { _ in true }, filter: "all"),
  ViewCase(
    spellings: [
      "SELECT COUNT(*) AS n, SUM(Tally) AS t FROM alerts WHERE Type IN (1, 2) GROUP BY Node, Severity",
      "SELECT COUNT(*) AS n, SUM(Tally) AS t FROM alerts WHERE Type = 2 OR Type = 1 GROUP BY Node, Severity",
    ], kind: .summary(["Node", "Severity"], [("n", count), ("t", tallies)]),
    matches: { [1, 2].contains($0.number("Type")) }, filter: "paired"),
  ViewCase(
    spellings: [
      "SELECT Summary FROM alerts WHERE Type = 1 AND Node LIKE 'core%'",
      "SELECT Summary FROM alerts WHERE Node LIKE 'core%' AND 1 = Type",
    ], kind: .list(["Summary"]),
    matches: { $0.number("Type") == 1 && $0.text("Node").hasPrefix("core") }, filter: "core"),
  ViewCase(
    spellings: [
      "SELECT Node, LastOccurrence FROM alerts WHERE Severity = 1 OR Severity = 2",
      "SELECT LastOccurrence, Node FROM alerts WHERE Severity IN (2, 1)",
    ], kind: .list(["Node", "LastOccurrence"]), matches: { [1, 2].contains($0.number("Severity")) },
    filter: "slight"),
  ViewCase(
    spellings: ["SELECT COUNT(*) AS n, SUM(Tally) AS t FROM alerts WHERE Severity IN (1, 2)"],
    kind: .summary([], [("n", count), ("t", tallies)]), matches: { [1, 2].contains($0.number("Severity")) },
    filter: "slight"),
]

/// All views that anyone asks for.
let knownViews = viewPool + screenViews

/// What is rejected.
let badRequests = [
  "SELECT Nod FROM alerts", "SELECT", "SELECT Node FROM alarms", "SELECT Node FROM alerts WHERE",
]
