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
      for reply in [history, lane] { try Self.waitUntilBegun(reply, town) }
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

    @Test func `an immediate stream has the first change behind its reply, though the member dies`() throws {
      let town = try Town()
      try town.start()
      var told: [FoldedStream] = []
      for n in 1...6 {
        let sql = "SELECT Tally FROM alerts WHERE Identifier = 'row-\(n)'"
        let reply = try town.request("gateway", "row-\(n)", sql, ["mode": .string("immediate")])
        let event = [Samples.event("row-\(n)")]
        if n % 2 == 0 {
          try town.send(event)
          try town.kill()
        } else {
          try town.kill()
          try town.send(event)
        }
        try town.start()
        told.append(try town.follow(reply))
      }
      try town.send((1...6).map { Samples.event("row-\($0)") })
      for (index, stream) in told.enumerated() {
        try eventually("both changes of row \(index + 1); there are \(stream.records.count)") {
          try stream.poll()
          return stream.records.count == 2
        }
        #expect(stream.records.map { $0.value?["Tally"]?.int } == [1, 2])
        #expect(stream.faults == [])
      }
    }

    /// From then on every change is told.
    private static func waitUntilBegun(_ reply: JSON, _ town: Town) throws {
      let id = reply["stream"]?["id"]?.string ?? ""
      try eventually("the stream \(id) to have begun") {
        var phase: String?
        try town.read(town.topics.progress) { record, batch in
          guard batch.keyText(record) == id else { return }
          phase = batch.value(record).flatMap { try? JSON(parsing: $0) }?["phase"]?.string
        }
        return phase == "following"
      }
    }

    @Test func `a client that was away gets what was stored, and a deleted topic begins anew`() throws {
      let town = try Town()
      try town.start()
      let sql = "SELECT Tally FROM alerts"
      let more: KeyValuePairs<String, JSON?> = [
        "mode": .string("all"), "store_and_forward": .bool(true), "lease_ms": .int(1_500),
      ]
      let reply = try town.request("gateway", "stored", sql, more)
      let other = try town.request(
        "gateway", "other", "SELECT Severity, Tally FROM alerts", ["mode": .string("all")])
      for reply in [reply, other] { try Self.waitUntilBegun(reply, town) }
      try eventually("the lease to be over") {
        try town.replies()["gateway/stored"]?["status"]?.string == "away"
      }
      for n in 1...3 {
        try town.send([Samples.event("row")])
        try eventually("event \(n)") { try town.count("Tally = \(n)") == 1 }
      }
      try town.restart()
      #expect(try town.request("gateway", "stored", sql, more)["status"]?.string == "active")
      let told = try town.follow(reply)
      try eventually("what was stored; there are \(told.records.count)") {
        try told.poll()
        return told.records.count == 3
      }
      #expect(told.records.map { $0.value?["after"]?["Tally"]?.int } == [1, 2, 3])
      #expect(told.faults == [])
      try town.bus.deleteTopics([told.address.topic])
      try town.send([Samples.event("row")])
      let beside = try town.follow(other)
      try eventually("the other stream; it has \(beside.records.count)") {
        try beside.poll()
        return beside.records.count == 4
      }
      var again: FoldedStream?
      try eventually("the rows on the new topic") {
        guard let found = try? town.follow(reply) else { return false }
        again = found
        for _ in 0..<40 where found.records.count < 2 { try? found.poll() }
        return found.records.count >= 2
      }
      #expect(again?.records.first?.value?["notice"]?["kind"]?.string == "snapshot")
      #expect(again?.records.dropFirst().first?.value?["after"]?["Tally"]?.int == 4)
      #expect(beside.faults == [])
      #expect(try town.metric("belfry_member_restarts_total") == 0)
    }

    @Test func `who lost the seat of every change takes it again, and nothing is lost or repeated`() throws {
      let town = try Town()
      try town.start()
      let reply = try town.request("c", "h", "SELECT Tally FROM alerts", ["mode": .string("all")])
      try Self.waitUntilBegun(reply, town)
      let told = try town.follow(reply)
      for n in 1...3 {
        try town.send([Samples.event("row")])
        try eventually("change \(n); there are \(told.records.count)") {
          try told.poll()
          return told.records.count == n
        }
        let thief = try town.bus.makeProducer(transactionalID: town.topics.liveSeat)
        try thief.initialise()
        thief.close()
      }
      try town.send([Samples.event("row")])
      try eventually("the last change") {
        try told.poll()
        return told.records.count == 4
      }
      #expect(told.records.map { $0.value?["after"]?["Tally"]?.int } == [1, 2, 3, 4])
      #expect(told.faults == [])
      #expect(try town.metric("belfry_live_restarts_total") >= 3)
      #expect(try town.metric("belfry_publisher_restarts_total") == 0)
      #expect(try town.metric("belfry_member_restarts_total") == 0)
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
  func told(_ records: [HistoryEntry]) -> [String] {
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
