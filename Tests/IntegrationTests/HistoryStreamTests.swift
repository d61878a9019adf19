import Base
import Bus
import Client
import Events
import Testing

extension Integration {
  /// Streams of every change, on a real Kafka.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct HistoryStreamTests {
    @Test func `histories are whole over kills under load, and so are immediate streams`() throws {
      let town = try Town()
      try town.start()
      let severe = "SELECT Identifier, Tally, Severity, Summary FROM alerts WHERE Severity >= 4"
      let history = try town.request("gateway", "history", severe, ["mode": .string("all")])
      let lane = try town.request(
        "gateway", "lane", "SELECT Severity FROM alerts",
        ["mode": .string("all"), "placement": .string("lane")])
      let live = try town.request("gateway", "live", severe, ["mode": .string("immediate")])
      #expect(history["status"]?.string == "active", "\(history.text)")
      let load = try Load(town, identifiers: 40, seed: 5)
      for round in 1...4 {
        try eventually("\(round * 400) events") { load.sent >= round * 400 }
        try town.kill()
        try town.start()
      }
      try load.stop()
      let total = load.expected.values.reduce(0) { $0 + $1.tally }
      try eventually("all events in the table") {
        try town.query("SELECT SUM(Tally) AS n FROM alerts").first?["n"]?.int ?? 0 >= total
      }
      let log = try ChangeLog(town)
      let check = { (reply: JSON, columns: [String], matches: @escaping (JSON) -> Bool) in
        let told = try town.follow(reply)
        let expected = log.transitions(columns, matches)
        try eventually("\(expected.count) records; there are \(told.records.count)") {
          try told.poll()
          return told.records.count >= expected.count
        }
        #expect(told.faults == [])
        return (told, expected)
      }
      let isSevere = { (row: JSON) in row["Severity"]?.int ?? 0 >= 4 }
      let columns = ["Identifier", "Severity", "Summary", "Tally"]
      for (reply, columns, matches) in [
        (history, columns, isSevere), (lane, ["Identifier", "Severity"], { _ in true }),
      ] {
        let (told, expected) = try check(reply, columns, matches)
        // A stream that begins on an empty table has no snapshot.
        #expect(log.told(told.records) == expected)
      }
      let (told, expected) = try check(live, columns, isSevere)
      #expect(told.records.count == expected.count)
      var last: [String: JSON] = [:]
      for record in told.records { last[record.key] = record.value }
      #expect(last.count == load.expected.values.filter { $0.severity >= 4 }.count)
    }

    @Test func `a history begins with the rows, goes on over a restart, and is shown by the program`() throws
    {
      let town = try Town()
      try town.start()
      try town.send((0..<300).map { Samples.event("row \($0)", severity: 5) })
      try eventually("the rows") { try town.count("Severity = 5") == 300 }
      let reply = try town.request("c", "h", "SELECT Severity FROM alerts", ["mode": .string("all")])
      let told = try town.follow(reply)
      try eventually("the snapshot") {
        try told.poll()
        return told.records.count == 300
      }
      let marks = told.records.map { $0.value?["source"]?["snapshot"]?.string ?? "" }
      #expect(
        marks.first == "first" && marks.last == "last"
          && marks.dropFirst().dropLast().allSatisfy { $0 == "true" })
      try town.restart()
      try town.send([Samples.event("row 7", severity: 3)])
      try eventually("the change") {
        try told.poll()
        return told.records.count == 301
      }
      #expect(told.records.last?.value?["op"]?.string == "u")
      #expect(told.records.last?.value?["before"]?["Severity"]?.int == 5)
      #expect(told.faults == [])
      let streams = try town.belfry("streams", "--json")
      #expect(streams.output.contains(#""mode":"all""#), "\(streams)")
      let child = try town.belfryChild(
        "subscribe", "SELECT Severity FROM alerts", "--mode", "all", "--json", "--from-start")
      try eventually("what is shown: \(child.output.suffix(500))") {
        child.output.split(separator: "\n").count >= 301 && child.output.contains(#""op":"u""#)
      }
      try child.killNow()
    }
  }
}

/// The changelog as anyone can read it.
private struct ChangeLog {
  private struct Change {
    let key: String
    let before: JSON?
    let after: JSON?
  }

  private var changes: [[Change]]

  init(_ town: Town) throws {
    var changes: [[Change]] = Array(repeating: [], count: town.partitions)
    var rows: [String: JSON] = [:]
    try town.read(town.topics.changelog("alerts"), partitions: town.partitions) { record, batch in
      let key = batch.keyText(record) ?? ""
      let row = batch.value(record).flatMap { try? JSON(parsing: $0) }
      changes[Int(record.partition)].append(Change(key: key, before: rows[key], after: row))
      rows[key] = row
    }
    self.changes = changes
  }

  /// What the changes did to a view of these columns, a line each, in order by row.
  func transitions(_ columns: [String], _ matches: (JSON) -> Bool) -> [String] {
    func record(_ row: JSON?) -> String? {
      row.flatMap { row in matches(row) ? columns.map { row[$0]?.text ?? "none" }.joined(separator: " ") : nil
      }
    }
    var lines: [String: [String]] = [:]
    for change in changes.joined() {
      let (before, after) = (record(change.before), record(change.after))
      if before == after { continue }
      let op = before == nil ? "c" : after == nil ? "d" : "u"
      lines[change.key, default: []].append("\(op) \(before ?? "-") > \(after ?? "-")")
    }
    return lines.sorted { $0.key < $1.key }.flatMap(\.value)
  }

  /// The same of a history's records.
  func told(_ records: [StreamRecord]) -> [String] {
    func image(_ json: JSON?) -> String {
      guard let members = json?.members else { return "-" }
      return members.sorted { $0.name < $1.name }.map(\.value.text).joined(separator: " ")
    }
    var lines: [String: [String]] = [:]
    for record in records {
      let op = record.value?["op"]?.string ?? ""
      let line = "\(op) \(image(record.value?["before"])) > \(image(record.value?["after"]))"
      lines[record.key, default: []].append(line)
    }
    return lines.sorted { $0.key < $1.key }.flatMap(\.value)
  }
}
