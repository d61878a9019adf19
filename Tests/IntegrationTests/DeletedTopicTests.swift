import Base
import Bus
import Client
import Events
import Glibc
import Testing

extension Integration {
  /// Streams' topics that somebody deletes.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct DeletedTopicTests {
    /// A topic as a reader finds it who comes now. Its stream does not begin in it.
    private func rows(_ town: Town, _ reply: JSON, until holds: ([String: JSON]) -> Bool) throws
      -> [HistoryEntry]
    {
      var records: [HistoryEntry] = []
      try eventually(within: .seconds(90), "the stream in \(reply["stream"]?.text ?? "-"): \(records)") {
        // While the topic is away, or just made, the brokers may not know it.
        guard let stream = try? town.follow(reply), (try? stream.readToPresent()) != nil else {
          return false
        }
        records = stream.records
        return holds(stream.rows)
      }
      return records
    }

    @Test func `a deleted topic is made again with the whole view, and nothing else waits for it`() throws {
      let town = try Town()
      try town.start()
      let lost = try town.request("c", "lost", "SELECT Severity FROM alerts WHERE Severity >= 1")
      let count = try town.request("c", "n", "SELECT COUNT(*) AS n FROM alerts WHERE Severity >= 1")
      let kept = try town.request("c", "kept", "SELECT Severity FROM alerts WHERE Severity >= 2")
      let (counter, other) = (try town.follow(count), try town.follow(kept))
      try town.send((0..<5).map { Samples.event("row \($0)", severity: 3) })
      let before = try rows(town, lost) { $0.count == 5 }
      try counter.wait("the count") { $0["*"]?["n"]?.int == 5 }

      try town.bus.deleteTopics([lost["stream"]?["topic"]?.string ?? ""])
      try town.send([Samples.event("row 5", severity: 3)])
      try other.wait(within: .seconds(20), "the row on another stream") { $0.count == 6 }
      let after = try rows(town, lost) { $0.count == 6 }
      #expect(after.first?.seq == before.last!.seq + 1)
      #expect(after.map(\.seq) == Array((before.last!.seq + 1)...(before.last!.seq + Int64(after.count))))
      try counter.wait("the count of all") { $0["*"]?["n"]?.int == 6 }
      try town.expect("belfry_stream_topics_made_again_total", 1)

      try town.send([Samples.event("row 6", severity: 3)])
      _ = try rows(town, lost) { $0.count == 7 }
      try other.wait("the last row") { $0.count == 7 }
      try counter.wait("the last count") { $0["*"]?["n"]?.int == 7 }
      #expect(try town.metric("belfry_publisher_restarts_total") == 0)
      #expect(try town.metric("belfry_member_restarts_total") == 0)
    }

    @Test(arguments: ["net", "all"])
    func `a subscription says that its topic was deleted, and goes on in the new one; a history says it too`(
      mode: String
    ) throws {
      let town = try Town()
      try town.start()
      let child = try town.belfryChild(
        "subscribe", "SELECT Severity FROM alerts", "--client", "desk", "--name", "s", "--mode", mode,
        "--interval", "100ms")
      try eventually("the request: \(child.errors)") { child.errors.contains("desk/s is primary") }
      try town.send((0..<5).map { Samples.event("row \($0)", severity: 3) })
      func lines() throws -> [JSON] {
        try child.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
      }
      try eventually("five rows: \(child.output)\(child.errors)") { try lines().count == 5 }
      let topic = try #require(try town.replies()["desk/s"]?["stream"]?["topic"]?.string)
      try town.bus.deleteTopics([topic])
      try town.send([Samples.event("row 5", severity: 3)])
      func rows() throws -> [String] {
        let behind = try lines().drop { $0["event"]?.string != "made_again" }
        return behind.compactMap { $0["key"]?.string }.filter { !$0.isEmpty }.sorted()
      }
      try eventually(within: .seconds(60), "all rows again: \(child.output)\(child.errors)") {
        try rows() == (0...5).map { "row \($0)" }
      }
      try town.send([Samples.event("row 6", severity: 3)])
      try eventually("the next row: \(child.output)") { try rows().last == "row 6" }
      #expect(try lines().count { $0["event"] != nil } == 1)

      let ran = try town.belfry("history", "desk/s")
      #expect(ran.status == 1 && ran.errors.contains("1 deletion of its topic"), "\(ran.errors)")
      #expect(!ran.errors.contains("compacted"), "\(ran.errors)")
      #expect(ran.output.hasPrefix(#"{"event":"made_again","seq":"#), "\(ran.output)")
      child.signal(SIGINT)
      #expect(try child.end() == 0, "\(child.errors)")
    }

    /// The process died when it had made the topic, and before it had taken the request.
    @Test func `a topic that a crash left behind is deleted and made for its request, without a false alarm`()
      throws
    {
      let sql = "SELECT Severity FROM alerts WHERE Severity >= 3"
      let explained = try Belfry.run(["explain", sql]).lines.map { try JSON(parsing: $0) }
      let id = try #require(explained.first { $0["what"]?.string == "stream" }?["value"]?.string)
      for _ in 0..<3 {
        let town = try Town()
        let specs = town.topics.specs(table: "alerts", partitions: town.partitions)
        let left = ClusterTopics.view(town.topics.viewPrefix + id)
        try town.bus.createTopics(specs.filter { $0.name == town.topics.requests } + [left])
        let request = JSON.object(of: [
          "client": .string("c"), "name": .string("left"), "sql": .string(sql), "interval_ms": .int(100),
        ])
        try town.session.send(topic: town.topics.requests, key: "c/left", value: request.text)
        try town.start()
        try eventually("the reply") { try town.replies()["c/left"]?["status"]?.string == "active" }
        try town.send([Samples.event("a", severity: 3)])
        let stream = try town.follow(try #require(try town.replies()["c/left"]))
        try stream.wait("the row") { $0.count == 1 }
        let log = town.member!.errors
        #expect(log.contains("deleting topics left behind"), "\(log)")
        #expect(!log.contains("were deleted: they are made again"), "\(log)")
        try town.stop()
      }
    }

    /// Kafka removes a group's positions with their topic; the changelog still has those of the former one.
    @Test func `an events topic that was made again while nobody was there is read from its start`() throws {
      let town = try Town()
      try town.start()
      try town.send((0..<30).map { Samples.event("before \($0)") })
      try eventually("the first rows") { try town.count("Tally = 1") == 30 }
      try town.stop()
      let events = town.topics.events
      let partitions = (0..<town.partitions).map { TopicPartition(events, Int32($0)) }
      try town.bus.deleteTopics([events])
      try eventually("the end of the positions") {
        try town.bus.committedOffsets(group: town.topics.tableGroup, partitions).isEmpty
      }
      let specs = town.topics.specs(table: "alerts", partitions: town.partitions)
      try town.bus.createTopics(specs.filter { $0.name == events })
      try town.send((0..<90).map { Samples.event("after \($0)") })
      try town.start()
      try eventually("all rows") { try town.count("Tally = 1") == 120 }
      try town.expect("belfry_input_resets_total", 3)
    }

    @Test func `deleted lanes are made again with all their streams`() throws {
      let town = try Town()
      try town.start()
      let count = try town.request("c", "n", "SELECT COUNT(*) AS n FROM alerts")
      let kept = try town.request("c", "kept", "SELECT Severity FROM alerts")
      let told = try town.request(
        "c", "told", "SELECT Severity FROM alerts", ["mode": .string("all"), "placement": .string("lane")])
      let list = try town.follow(kept)
      try town.send([Samples.event("a")])
      _ = try rows(town, count) { $0["*"]?["n"]?.int == 1 }
      let before = try rows(town, told) { $0.count == 1 }
      let lanes = [town.topics.viewLanes, town.topics.historyLanes, town.topics.liveLanes]
      try town.bus.deleteTopics(lanes)
      try town.send([Samples.event("b")])
      _ = try rows(town, count) { $0["*"]?["n"]?.int == 2 }
      try list.wait("the row") { $0.count == 2 }
      let after = try rows(town, told) { $0.keys.filter { !$0.isEmpty }.count == 2 }
      #expect(after.first?.value?["op"]?.string == "m")
      #expect(after.first?.seq == before.last!.seq + 1)
      #expect(try town.metric("belfry_member_restarts_total") == 0, "the table goes on")
      #expect(try town.bus.partitionCounts(lanes) == Dictionary(uniqueKeysWithValues: lanes.map { ($0, 8) }))
    }
  }
}
