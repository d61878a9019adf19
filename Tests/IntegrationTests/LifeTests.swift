import Base
import Bus
import Client
import Events
import Testing

extension Integration {
  /// Life and death of streams.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct LifeTests {
    private static let sweep = "interval_ms: 200, drain_ms: 50, grace_ms: 300"

    @Test func `a stream ends with its last client, and its topic with it`() throws {
      let town = try Town(sweep: Self.sweep)
      try town.start()
      let sql = "SELECT Node, Severity FROM alerts"
      let reply = try town.request("a", "one", sql)
      try town.request("b", "two", sql)
      let topic = try #require(reply["stream"]?["topic"]?.string)
      try town.send([Samples.event("x")])
      try town.follow(reply).wait("the row") { $0.count == 1 }
      let epoch = try #require(try town.follow(reply).firstEpoch())

      #expect(try town.end("a", "one")["status"]?.string == "ended")
      #expect(try town.state(ofStream: reply) == "active")
      #expect(try town.end("b", "two")["status"]?.string == "ended")
      try eventually("the end of topic \(topic)") { try town.bus.partitionCounts([topic]).isEmpty }
      try eventually("the end in the registry") { try town.state(ofStream: reply) == "ended" }

      let again = try town.request("c", "three", sql)
      #expect(again["stream"]?["id"] == reply["stream"]?["id"])
      #expect(again["stream"]?["topic"]?.string != topic)
      let stream = try town.follow(again)
      try stream.wait("the row again") { $0.count == 1 }
      #expect(stream.records.first?.seq == 1)
      #expect(try #require(stream.records.first).epoch > epoch)
    }

    @Test func `a metric that ends leaves nulls in its lane`() throws {
      let town = try Town(sweep: Self.sweep)
      try town.start()
      let reply = try town.request("a", "n", "SELECT Node, COUNT(*) AS n FROM alerts GROUP BY Node")
      try town.send([Samples.event("x", ["Node": .string("k")]), Samples.event("y", ["Node": .string("l")])])
      let stream = try town.follow(reply)
      try stream.wait("both groups") { $0.keys.sorted() == ["k", "l"] }
      try town.end("a", "n")
      try stream.wait("nulls for both groups") { $0.isEmpty }
      #expect(!(try town.bus.partitionCounts([town.topics.viewLanes]).isEmpty))
    }

    @Test func `a stream that is asked for again within the grace goes on`() throws {
      let town = try Town(sweep: "interval_ms: 200, drain_ms: 50, grace_ms: 600000")
      try town.start()
      let sql = "SELECT Severity FROM alerts"
      let reply = try town.request("a", "one", sql)
      let stream = try town.follow(reply)
      try town.send([Samples.event("x")])
      try stream.wait("the row") { $0.count == 1 }
      try town.end("a", "one")
      let again = try town.request("b", "mine", sql)
      #expect(again["stream"] == reply["stream"])
      try town.send([Samples.event("y")])
      try stream.wait("the second row") { $0.count == 2 }
      #expect(stream.records.map(\.seq) == [1, 2])
    }

    @Test func `a lease that is not renewed ends its request, one that is does not`() throws {
      let town = try Town(sweep: Self.sweep)
      try town.start()
      let sql = "SELECT Severity, Node FROM alerts"
      let lease: KeyValuePairs<String, JSON?> = ["lease_ms": .int(3000)]
      let kept = JSON.object(of: [
        "client": .string("kept"), "name": .string("r"), "sql": .string(sql), "lease_ms": .int(3000),
      ])
      try town.request("kept", "r", sql, lease)
      #expect(try town.request("left", "r", sql, lease)["role"]?.string == "secondary")
      try eventually("the end of the lease") {
        try town.session.send(topic: town.topics.requests, key: "kept/r", value: kept.text)
        let reply = try town.replies()["left/r"]
        return reply?["status"]?.string == "ended" && reply?["reason"]?.string == "lease"
      }
      #expect(try town.replies()["kept/r"]?["status"]?.string == "active")
      #expect(try town.session.registry()["request/left/r"] == nil)
    }
  }
}

extension Town {
  /// What the registry says of a stream: active, grace, ended.
  func state(ofStream reply: JSON) throws -> String? {
    let id = reply["stream"]?["id"]?.string ?? ""
    return try session.registry()["stream/\(id)"]?["state"]?.string
  }
}

extension FoldedStream {
  /// The epoch of the first record.
  func firstEpoch() throws -> Int64? {
    try eventually("a record") {
      try poll()
      return !records.isEmpty
    }
    return records.first?.epoch
  }
}
