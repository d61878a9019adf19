import Base
import Bus
import Client
import Events
import Testing

extension Integration {
  /// A change is in the view before the answer, however long the interval.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct FlushTests {
    private static let slow: KeyValuePairs<String, JSON?> = [
      "interval_ms": .int(600_000), "link": .string("w"),
    ]
    private static let list = "SELECT Severity, Tally FROM alerts WHERE Severity >= 4"
    private static let counter = "SELECT COUNT(*) AS n FROM alerts WHERE Node >= ''"

    /// A town of one shard whose views wait for ten minutes.
    private func slowTown() throws -> (Town, list: FoldedStream, counter: FoldedStream) {
      let town = try Town(partitions: 1)
      try town.start()
      let list = try town.follow(try town.request("noc", "list", Self.list, Self.slow))
      let counter = try town.follow(try town.request("noc", "n", Self.counter, Self.slow))
      try counter.wait("the first count") { $0["*"]?["n"]?.int == 0 }
      return (town, list, counter)
    }

    private func flushLater(_ town: Town, _ id: String, upTo number: Int64) throws {
      let flush = JSON.object(of: [
        "client": .string("noc"), "flush": .string("list"),
        "positions": .object([JSON.Member("0", .int(number))]),
      ])
      try town.session.send(topic: town.topics.commands, key: id, value: flush.text)
    }

    @Test func `flush publishes a view and what is linked with it, and names seq and sweep`() throws {
      let (town, list, counter) = try slowTown()
      try town.send([Samples.event("a", severity: 5)])
      try eventually("the row in the table") { try town.count("Severity = 5") == 1 }
      let ran = try town.belfry("flush", "list", "--client", "noc", "--positions", "0=1")
      #expect(ran.status == 0, "\(ran.errors)")
      let answer = try JSON(parsing: ran.output)
      try list.wait("the row") { $0.keys.sorted() == ["a"] }
      try counter.wait("the count") { $0["*"]?["n"]?.int == 1 }
      let last = try #require(list.records.last)
      #expect(answer["status"]?.string == "flushed")
      #expect(answer["seq"]?.int == last.seq)
      #expect(answer["sweep"]?.int == last.sweep)
      #expect(counter.records.last?.sweep == last.sweep)
      let again = try JSON(parsing: try town.belfry("flush", "n", "--client", "noc").output)
      #expect(again["seq"]?.int == counter.records.last?.seq, "nothing changed since")
      #expect(again["sweep"]?.int ?? 0 > last.sweep)
      try town.expect("belfry_flushes_total", 2)
    }

    @Test func `exec with flush waits for the view, and mistakes are told`() throws {
      let (town, _, _) = try slowTown()
      let ran = try town.belfry(
        "exec", "CREATE FILTER hot AS Severity >= 4", "--client", "noc", "--flush", "list")
      #expect(ran.status == 0, "\(ran.errors)")
      #expect(
        try ran.lines.map { try JSON(parsing: $0)["status"]?.string } == ["done", "flushed"], "\(ran.output)")
      let unknown = try town.belfry("flush", "lits", "--client", "noc")
      #expect(unknown.status == 1 && unknown.errors.contains("noc has no request lits"), "\(unknown.errors)")
      try town.request("noc", "h", "SELECT Severity FROM alerts", ["mode": .string("all")])
      for (name, words) in [("lits", "noc has no request lits"), ("h", "mode all waits for no interval")] {
        let ran = try town.belfry(
          "exec", "CREATE FILTER cold AS Severity < 4", "--client", "noc", "--flush", name)
        #expect(ran.status == 1 && ran.output.isEmpty && ran.errors.contains(words), "\(ran)")
      }
      #expect(try !town.belfry("definitions").output.contains("cold"), "nothing was changed")
      let shard = try town.belfry("flush", "list", "--client", "noc", "--positions", "7=1")
      #expect(shard.status == 1 && shard.errors.contains("the table has no shard 7"), "\(shard.errors)")
      #expect(try town.belfry("flush", "list", "--positions", "7").status == 2)
    }

    @Test func `a change of rows is in the view and in what is linked with it when exec returns`() throws {
      let (town, list, counter) = try slowTown()
      try town.send([Samples.event("a", severity: 1), Samples.event("b", severity: 1)])
      try eventually("the rows in the table") { try town.count("Severity = 1") == 2 }
      let ran = try town.belfry(
        "exec", "UPDATE alerts SET Severity = 5 WHERE Identifier = 'a'", "--client", "noc", "--flush", "list")
      #expect(ran.status == 0, "\(ran.errors)")
      let answer = try JSON(parsing: try #require(ran.lines.last))
      #expect(answer["status"]?.string == "flushed", "\(ran.output)")
      let seq = try #require(answer["seq"]?.int)
      try list.wait("the row") { $0["a"]?["Severity"]?.int == 5 }
      #expect(list.records.map(\.seq) == [seq])
      #expect(list.records.map(\.sweep) == [answer["sweep"]?.int])
      try counter.wait("the count") { $0["*"]?["n"]?.int == 2 }
      #expect(counter.records.last?.sweep == answer["sweep"]?.int)
    }

    @Test func `a flush right behind a change, without positions, is answered with the change in the view`()
      throws
    {
      let (town, list, counter) = try slowTown()
      try town.send((0..<20).map { Samples.event("row \($0)", severity: 1) })
      try eventually("the rows in the table") { try town.count("Severity = 1") == 20 }
      for n in 0..<3 {
        let values: [JSON] = [
          .object(of: [
            "client": .string("noc"),
            "sql": .string("UPDATE alerts SET Severity = \(4 + n) WHERE Severity >= 1"),
          ]),
          .object(of: ["client": .string("noc"), "flush": .string("list")]),
        ]
        let batch = RecordBatch()
        for (value, id) in zip(values, ["u", "f"]) {
          batch.append(
            topic: town.topics.commands, partition: 0, timestamp: town.clock.now(), key: "noc/\(id)\(n)",
            value: value.text)
        }
        try town.deliver(batch)
        try eventually("the answer") { try town.replies()["noc/f\(n)"] != nil }
        let reply = try #require(try town.replies()["noc/f\(n)"])
        let seq = try #require(reply["seq"]?.int, "\(reply.text)")
        try list.wait("the view up to \(seq)") { _ in list.records.last?.seq ?? 0 >= seq }
        var severities: [String: Int64] = [:]
        for record in list.records where record.seq <= seq {
          severities[record.key] = record.value?["Severity"]?.int
        }
        #expect(severities.count == 20 && severities.values.allSatisfy { $0 == Int64(4 + n) }, "\(n)")
      }
      try counter.wait("the count") { $0["*"]?["n"]?.int == 20 }
    }

    @Test func `a flush that waits holds nothing up, also not over a kill, and is answered once`() throws {
      let (town, list, _) = try slowTown()
      try flushLater(town, "noc/late", upTo: 2)
      #expect(try town.belfry("exec", "CREATE FILTER hot AS Severity >= 4").status == 0)
      try town.send([Samples.event("a", severity: 5)])
      try eventually("the row in the table") { try town.count("Severity = 5") == 1 }
      #expect(try town.replies()["noc/late"] == nil)
      try town.kill()
      try town.start()
      #expect(try town.replies()["noc/late"] == nil)
      try town.send([Samples.event("b", severity: 5)])
      try eventually("the answer") { try town.replies()["noc/late"] != nil }
      let reply = try #require(try town.replies()["noc/late"])
      #expect(reply["status"]?.string == "flushed", "\(reply.text)")
      try list.wait("both rows") { $0.count == 2 }
      let seq = try #require(reply["seq"]?.int)
      #expect(list.records.prefix { $0.seq <= seq }.contains { $0.key == "b" })
      var answers = 0
      try town.read(town.topics.replies) { record, batch in
        if batch.keyText(record) == "noc/late" { answers += 1 }
      }
      #expect(answers == 1)
    }

    @Test func `a flush whose positions never come is rejected after thirty seconds`() throws {
      let (town, _, _) = try slowTown()
      let ran = try town.belfry("flush", "list", "--client", "noc", "--positions", "0=5")
      #expect(ran.status == 1)
      #expect(ran.errors.contains("shard 0 is at 0, not at 5 in 30 s"), "\(ran.errors)")
    }
  }
}
