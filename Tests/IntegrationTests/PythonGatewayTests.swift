import Base
import Bus
import Client
import ConnectorKit
import Events
import Glibc
import Testing

extension Integration {
  /// The example of a gateway in another language, on a real Kafka.
  @Suite(
    .enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"),
    .enabled(if: PythonGateway.isThere, "there is no Python with confluent-kafka (python3-confluent-kafka)"))
  struct PythonGatewayTests {
    @Test func `it holds to the cases that every reader library runs`() throws {
      let child = try PythonGateway.child(["--selftest", PythonGateway.cases])
      #expect(try child.end() == 0, "\(child.output)")
      #expect(child.output.hasSuffix(" cases, 0 failed\n"))
    }

    @Test(arguments: ["net", "all"])
    func `killed again and again under load, its table is the history`(mode: String) throws {
      let town = try Town()
      try town.start()
      let gateway = try PythonGateway(
        cluster: town.name, sql: "SELECT Severity, Summary, Tally FROM alerts", mode: mode)
      try gateway.start()
      let load = try Load(town, identifiers: 40, seed: 11)
      var random = SeededRandom(seed: 12)
      for kill in 1...10 {
        // Moments are counted in rows that it has written: in the middle of its work.
        let rows = try count(gateway)
        let moment = rows + .random(in: 1...60, using: &random)
        try eventually("\(moment) rows: \(gateway.child?.errors ?? "")") { try count(gateway) >= moment }
        usleep(.random(in: 0...100_000, using: &random))
        try gateway.kill()
        if kill == 5 {
          try town.kill()
          try town.launch()
        }
        try gateway.start()
      }
      try load.stop()
      let history = try published(town, load)
      try eventually("the last row: \(gateway.child?.errors ?? "")") { try count(gateway) >= history.count }
      try gateway.kill()
      try check(gateway, history)
      try gateway.runOnce()
      try check(gateway, history)
    }

    private func count(_ gateway: PythonGateway) throws -> Int64 {
      // The table may not be there yet.
      let tables = try gateway.rows("SELECT name FROM sqlite_master WHERE name = 'history'")
      return tables.isEmpty ? 0 : try gateway.rows("SELECT COUNT(*) AS n FROM history").first?["n"]?.int ?? 0
    }

    /// The gateway's rows are the stream's records, each once, and it had nothing to complain of.
    private func check(
      _ gateway: PythonGateway, _ history: [HistoryEntry], _ at: SourceLocation = #_sourceLocation
    ) throws {
      let rows = try gateway.rows("SELECT epoch, seq, key, before, after FROM history ORDER BY epoch, seq")
      #expect(rows.count == history.count, sourceLocation: at)
      let differences = zip(rows, history).filter { row, entry in
        let (before, after) = entry.images
        func image(_ name: String) throws -> JSON? { try row[name]?.string.map { try JSON(parsing: $0) } }
        return row["epoch"]?.int != entry.position.point.epoch || row["seq"]?.int != entry.position.point.seq
          || row["key"]?.string != entry.key || (try? image("before")) != before
          || (try? image("after")) != after
      }
      #expect(differences.isEmpty, "\(differences.prefix(2))", sourceLocation: at)
      #expect(try gateway.rows("SELECT what, detail FROM event") == [], sourceLocation: at)
    }

    /// The stream's records once the view is what the load has made of the table.
    private func published(_ town: Town, _ load: Load) throws -> [HistoryEntry] {
      let address = try town.session.findStream("history", client: "py").address
      var entries: [HistoryEntry] = []
      try eventually(within: .seconds(60), "the whole history; it has \(entries.count) records") {
        let reader = try HistoryReader(address, bus: town.bus, start: .from(seq: 1))
        defer { reader.close() }
        entries = []
        while try !reader.isAtEnd() {
          for case .entry(let entry) in try reader.poll(timeout: .milliseconds(100)) { entries.append(entry) }
        }
        var view: [String: Load.Row] = [:]
        for entry in entries { view[entry.key] = entry.images.after.map { Load.Row($0) } }
        return view == load.expected
      }
      #expect(chainFaults(entries) == [])
      return entries
    }

    @Test func `it keeps what it is told of gaps, repeats, fences and hostile records, and resumes`() throws {
      let stream = try HandWritten()
      let cluster = try stream.answer("py/history")
      let gateway = try PythonGateway(cluster: cluster, sql: "SELECT Node FROM alerts", mode: "all")
      func seqs() throws -> [Int64?] {
        try gateway.rows("SELECT seq FROM history ORDER BY epoch, seq").map { $0["seq"]?.int }
      }
      try stream.write(1, 1...3)
      try gateway.runOnce()
      #expect(try seqs() == [1, 2, 3])

      try stream.open(2, 4...6).abort()
      try stream.write(2, 4...4, value: #"{"op":"u","before":{"a":1},"after":{"a":2},"source":{}}"#)
      try stream.write(2, 4...4)
      try stream.write(1, 5...5)
      try stream.write([["belfry-epoch": "2", "belfry-seq": "-5"], nil])
      try stream.write(2, 7...7, value: "no JSON")
      try stream.write(2, 8...8, value: #"{"op":"m","source":{}}"#)
      try stream.write(5, 1...1)
      try gateway.runOnce()
      #expect(
        try gateway.rows("SELECT what FROM event").map { $0["what"]?.string } == [
          "repeated", "fenced", "foreign", "foreign", "gap", "unreadable", "notice", "restarted",
        ])
      #expect(try seqs() == [1, 2, 3, 4, 8, 1])
      let changed = try #require(try gateway.rows("SELECT before, after FROM history WHERE seq = 4").first)
      #expect(changed["before"]?.string == #"{"a": 1}"# && changed["after"]?.string == #"{"a": 2}"#)

      try gateway.runOnce()
      #expect(try seqs() == [1, 2, 3, 4, 8, 1], "nothing comes twice")
    }
  }
}

/// Where a row's change does not begin with what the change before it left.
func chainFaults(_ entries: [HistoryEntry]) -> [String] {
  var rows: [String: JSON] = [:]
  var faults: [String] = []
  for entry in entries {
    guard case .change(let operation, let before, let after) = entry.content else { continue }
    if operation != .read, before != rows[entry.key] {
      faults.append("\(entry.position.point) \(operation) \(entry.key): \(before?.text ?? "none")")
    }
    rows[entry.key] = after
  }
  return faults
}

extension HistoryEntry {
  fileprivate var images: (before: JSON?, after: JSON?) {
    switch content {
    case .row(let row): (nil, row)
    case .change(_, let before, let after): (before, after)
    case .notice: (nil, nil)
    }
  }
}
