import Base
import Bus
import Client
import Events
import Testing

extension Integration {
  /// Any producer may feed the topic, with whatever key and partition.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct RoutingTests {
    @Test func `events in any partition meet in their row's shard`() throws {
      let town = try Town()
      try town.start()
      let events = (0..<30).map { Samples.event("row \($0)") }
      for partition in 0..<3 { try town.send(events, key: { _ in "no hint" }, partition: Int32(partition)) }
      try eventually("all events counted") {
        try town.query("SELECT SUM(Tally) AS n FROM alerts").first?["n"]?.int == 90
      }
      #expect(try town.query("SELECT COUNT(*) AS n FROM alerts WHERE Tally = 3").first?["n"]?.int == 30)
      var shards: [String: Set<Int32>] = [:]
      try town.read(town.topics.changelog("alerts"), partitions: 3) { record, batch in
        shards[batch.keyText(record) ?? "", default: []].insert(record.partition)
      }
      #expect(shards.count == 30)
      #expect(shards.values.allSatisfy { $0.count == 1 })
      #expect(Set(shards.values.flatMap { $0 }) == [0, 1, 2], "thirty rows lie in all three shards")
      try town.expect("belfry_forwarded_total", 60)
    }

    private static func pair(_ i: Int) -> KeyValuePairs<String, JSON?> {
      [
        "Node": .string("node \(i)"), "AlertGroup": .string("link"), "AlertKey": .string("7"),
        "Type": .int(1),
      ]
    }
    private static func clear(_ i: Int) -> String {
      Samples.event(
        "up \(i)", severity: 1,
        [
          "Node": .string("node \(i)"), "AlertGroup": .string("link"), "AlertKey": .string("7"),
          "Type": .int(2),
        ])
    }

    @Test func `a resolution clears its problem in whatever shard, and it leaves the view`() throws {
      let town = try Town()
      try town.start()
      let open = try town.follow(
        try town.request("wall", "open", "SELECT Node, Severity FROM alerts WHERE Severity > 0"))
      let problems = (0..<40).map { Samples.event("down \($0)", severity: 5, Self.pair($0)) }
      try town.send(problems, key: { "down \($0)" })
      try open.wait("forty problems") { $0.count == 40 }
      // Resolutions have keys of their own, so most lie in another shard; and all in one partition.
      try town.send((0..<40).map(Self.clear), key: { "up \($0)" }, partition: 1)
      try open.wait("nothing open") { $0.isEmpty }
      #expect(try town.count("Severity = 0") == 80)
      #expect(try town.count("Severity = 0 AND StateChange > 0 AND Type = 1") == 40)
    }

    @Test func `a resolution right behind its problem does not overtake it`() throws {
      let town = try Town()
      try town.start()
      let batch = RecordBatch()
      for i in 0..<200 {
        let texts = [
          ("down \(i)", Samples.event("down \(i)", severity: 5, Self.pair(i))), ("up \(i)", Self.clear(i)),
        ]
        for (key, value) in texts {
          batch.append(
            topic: town.topics.events, partition: -1, timestamp: town.clock.now(), key: key, value: value)
        }
      }
      try town.deliver(batch)
      try eventually("all rows") { try town.count("Tally = 1") == 400 }
      try eventually("all cleared") { try town.count("Severity > 0") == 0 }
    }
  }
}
