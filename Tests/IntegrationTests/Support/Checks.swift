import Base
import Bus
import Client
import Events
import Testing

extension Town {
  /// Kills the member and starts it again. Moments are counted in events sent: in the middle of the work, or of the
  /// restore before it. `meanwhile` runs until each comes, `between` while the member is dead.
  func killAndLaunch(
    _ times: Int, under load: Load, within events: ClosedRange<Int>, seed: UInt64,
    meanwhile: () throws -> Void = {}, between: (inout SeededRandom) throws -> Void = { _ in }
  ) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<times {
      let moment = load.sent + .random(in: events, using: &random)
      try eventually("\(moment) events sent") {
        try meanwhile()
        return load.sent >= moment
      }
      try kill()
      try between(&random)
      try launch()
    }
    try waitUntilReady()
  }
}

/// What must hold of a town after whatever happened under load: the table against what was sent, the
/// changelog's numbers, the streams against the table.
struct LoadChecks {
  static let list = "SELECT Identifier, Tally, Severity, Summary FROM alerts"
  static let severe = "SELECT Identifier, Tally, Severity, Summary FROM alerts WHERE Severity >= 4"
  static let counter =
    "SELECT Severity, COUNT(*) AS n, SUM(Tally) AS events FROM alerts WHERE Severity > 0 GROUP BY Severity"

  let town: Town
  private let listed: FoldedStream
  private let severe: FoldedStream
  private let counted: FoldedStream

  /// Requests the views.
  init(_ town: Town) throws {
    self.town = town
    listed = try town.follow(try town.request("checks", "list", Self.list))
    severe = try town.follow(try town.request("checks", "severe", Self.severe))
    counted = try town.follow(try town.request("checks", "counter", Self.counter))
  }

  /// The load is over: waits until everything is there, then compares.
  func check(_ load: Load, _ at: SourceLocation = #_sourceLocation) throws {
    let expected = load.expected
    let total = expected.values.reduce(0) { $0 + $1.tally }
    try eventually(within: .seconds(60), "\(total) events in the table", at) {
      guard let answer = try? town.query("SELECT SUM(Tally) AS n FROM alerts") else { return false }
      return (answer.first?["n"]?.int ?? 0) >= total
    }
    let table = Self.rows(try town.query(Self.list))
    #expect(Self.differences(table, expected) == [], "the table", sourceLocation: at)
    try checkChangelog(expected, at)
    try listed.wait("the stream to be the table", at) { $0.mapValues { Load.Row($0) } == expected }
    let bad = expected.filter { $0.value.severity >= 4 }
    try severe.wait("the filtered stream to be the table", at) { $0.mapValues { Load.Row($0) } == bad }
    let counts = Dictionary(grouping: expected.values) { "\($0.severity)" }
    try counted.wait("the counters to be the table's", at) { rows in
      rows.mapValues { [$0["n"]?.int, $0["events"]?.int] }
        == counts.mapValues { [Int64($0.count), $0.reduce(0) { $0 + $1.tally }] }
    }
  }

  private static func rows(_ answer: [JSON]) -> [String: Load.Row] {
    Dictionary(answer.map { ($0["Identifier"]?.string ?? "", Load.Row($0)) }) { $1 }
  }

  private static func differences(_ found: [String: Load.Row], _ wanted: [String: Load.Row]) -> [String] {
    Set(found.keys).union(wanted.keys).filter { found[$0] != wanted[$0] }.sorted().map {
      "\($0): \(found[$0].map { "\($0)" } ?? "missing"), sent \(wanted[$0].map { "\($0)" } ?? "never")"
    }
  }

  /// The change numbers of each shard have no gap and no repeat, and the fold of the changelog is the table.
  private func checkChangelog(_ expected: [String: Load.Row], _ at: SourceLocation) throws {
    var numbers: [Int32: Int64] = [:]
    var faults: [String] = []
    var fold: [String: Load.Row] = [:]
    try town.read(town.topics.changelog("alerts"), partitions: town.partitions) { record, batch in
      let number = batch.headerText(record, "belfry-change").flatMap { Int64($0) } ?? -1
      let last = numbers[record.partition] ?? 0
      if number != last + 1 { faults.append("shard \(record.partition): change \(number) after \(last)") }
      numbers[record.partition] = number
      let value = batch.value(record).flatMap { try? JSON(parsing: $0) }
      fold[batch.keyText(record) ?? ""] = value.map { Load.Row($0) }
    }
    #expect(faults == [], sourceLocation: at)
    #expect(Self.differences(fold, expected) == [], "the changelog", sourceLocation: at)
  }
}
