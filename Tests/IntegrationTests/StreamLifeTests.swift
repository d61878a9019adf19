import Base
import Bus
import Client
import Events
import Testing

extension Integration {
  /// Intervals, quotas, and what a crash leaves behind.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct StreamLifeTests {
    @Test func `a set has the smallest interval that is asked for, and all its clients hear of it`() throws {
      let town = try Town()
      try town.start()
      let list = "SELECT Severity FROM alerts WHERE Severity >= 2"
      let counter = "SELECT COUNT(*) AS n FROM alerts WHERE NOT Severity < 2"
      let slow = try town.request("a", "slow", list, ["interval_ms": .int(60_000)])
      #expect(slow["interval_ms"]?.int == 60_000)
      #expect(try town.request("b", "fast", counter, ["interval_ms": .int(300)])["set"] == slow["set"])
      try eventually("a's new reply") { try town.replies()["a/slow"]?["interval_ms"]?.int == 300 }
      try town.send([Samples.event("x")])
      try town.follow(slow).wait("the row, well before a minute") { $0.count == 1 }
      try town.end("b", "fast")
      try eventually("a's own interval") { try town.replies()["a/slow"]?["interval_ms"]?.int == 60_000 }
    }

    @Test func `a client cannot have more requests than its quota, others can`() throws {
      let town = try Town()
      try town.start()
      let sql = "SELECT COUNT(*) AS n FROM alerts"
      let asked = (0...10_000).map { n in
        let name = "r\(n)"
        let request = JSON.object(of: [
          "client": .string("greedy"), "name": .string(name), "sql": .string(sql),
        ])
        return (key: "greedy/\(name)", value: JSON?.some(request))
      }
      let replies = try town.session.requests(asked)
      #expect(replies.dropLast().allSatisfy { $0["status"]?.string == "active" })
      let last = try #require(replies.last)
      #expect(last["error"]?["code"]?.string == "limit", "\(last.text)")
      #expect(last["error"]?["message"]?.string == "greedy has 10000 requests already")
      #expect(try town.request("modest", "r", sql)["status"]?.string == "active")
      try town.expect("belfry_requests ", 10_001)
      try town.expect("belfry_streams ", 1)
    }

    @Test func `topics that a kill left behind are removed at the next start`() throws {
      let town = try Town(sweep: "interval_ms: 200, drain_ms: 50, grace_ms: 0")
      try town.start()
      // More than one call deletes: the kill falls between the registry's transaction and the last of them.
      let names = (0..<410).map { "v\($0)" }
      let asked = names.enumerated().map { n, name in
        JSON.object(of: [
          "client": .string("c"), "name": .string(name),
          "sql": .string("SELECT Node FROM alerts WHERE Tally >= \(n)"),
        ])
      }
      let replies = try town.session.requests(zip(names, asked).map { ("c/\($0)", $1) })
      #expect(replies.allSatisfy { $0["status"]?.string == "active" })
      let registry = TopicPartition(town.topics.registry, 0)
      let before = try town.bus.endOffset(registry, isolation: .committed)
      let ends = RecordBatch()
      for name in names {
        ends.append(
          topic: town.topics.requests, partition: 0, timestamp: town.clock.now(), key: "c/\(name)",
          value: nil)
      }
      try town.deliver(ends)
      // Three records a request that ends; two more when its stream does.
      while try town.bus.endOffset(registry, isolation: .committed) <= before + 3 * 410 + 50 {}
      try town.kill()
      let entities = try town.session.registry()
      let leftBehind = try town.bus.topics(prefix: town.topics.viewPrefix).filter { topic in
        let id = topic.dropFirst(town.topics.viewPrefix.count)
        return entities["stream/\(id)"]?["state"]?.string == "ended"
      }
      #expect(!leftBehind.isEmpty, "the kill came too late")
      try town.start()
      try eventually(within: .seconds(60), "no topic of an ended stream") {
        try town.bus.topics(prefix: town.topics.viewPrefix).isEmpty
      }
      #expect(town.member!.errors.contains("deleting topics left behind"))
    }

    @Test func `where sweeps take longer than the interval it grows, and clients hear of it`() throws {
      let town = try Town(sweep: "interval_ms: 100, drain_ms: 20, interval_max_ms: 2000")
      try town.start()
      let asked = (0..<150).map { n in
        (
          key: "c/v\(n)",
          value: JSON?.some(
            JSON.object(of: [
              "client": .string("c"), "name": .string("v\(n)"),
              "sql": .string("SELECT Tally FROM alerts WHERE Tally >= \(n)"),
            ]))
        )
      }
      let replies = try town.session.requests(asked)
      #expect(replies.allSatisfy { $0["interval_ms"]?.int == 100 })
      let load = try Load(town, identifiers: 1, seed: 3)
      try eventually(within: .seconds(120), "a larger interval") {
        try town.metric("belfry_throttle_interval_milliseconds") > 100
      }
      try eventually(within: .seconds(120), "a reply with it") {
        try town.replies()["c/v0"]?["interval_ms"]?.int ?? 0 > 100
      }
      try load.stop()
      let told = try #require(try town.replies()["c/v0"]?["interval_ms"]?.int)
      #expect(told <= 2_000)
      #expect(try town.session.registry()["throttle"]?["interval_ms"]?.int ?? 0 > 100)
      #expect(town.member!.errors.contains("sweeps take too long"))
    }
  }
}
