import Base
import Bus
import Client
import Events
import Glibc
import Testing

extension Integration {
  /// What a member says and does while Kafka, a topic or its seat is away.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct AvailabilityTests {
    @Test func `while Kafka stands still an idle member is not ready, and afterwards it is again`() throws {
      let town = try Town()
      try town.start()
      let broker = try Broker.running
      broker.signal(SIGSTOP)
      defer { broker.signal(SIGCONT) }
      try eventually("unreadiness") { try town.get("/readyz").status == 503 }
      let reasons = try town.get("/readyz").body
      #expect(reasons.contains("its last turn ended"), "\(reasons)")
      broker.signal(SIGCONT)
      try town.waitUntilReady()
      #expect(try town.metric("belfry_member_restarts_total") == 0, "\(town.member!.errors.suffix(2000))")
    }

    @Test func `a broker that is gone is named in readyz, and a subscription says so and goes on behind it`()
      throws
    {
      let kafka = try OwnKafka()
      let town = try Town(kafka: kafka)
      try town.start()
      let child = try town.belfryChild("subscribe", "SELECT Severity FROM alerts", "--client", "wall")
      try town.send([Samples.event("before")])
      try eventually("the row: \(child.output)\(child.errors)") { child.output.contains("before") }
      try kafka.kill()
      var reasons = ""
      try eventually(within: .seconds(60), "the reason in readyz: \(reasons)") {
        reasons = try town.get("/readyz").body
        return reasons.contains("_TRANSPORT")
      }
      try eventually(within: .seconds(120), "a word: \(child.errors)") {
        child.errors.contains("Kafka does not answer")
      }
      try kafka.start()
      try town.waitUntilReady()
      try town.send([Samples.event("after")])
      try eventually(within: .seconds(60), "the next row: \(child.output)\(child.errors)") {
        child.output.contains("after")
      }
      try eventually("a word: \(child.errors)") { child.errors.contains("Kafka answers again") }
      child.signal(SIGINT)
      #expect(try child.end() == 0, "\(child.errors)")
    }

    @Test func `a subscription that stood still for longer than its lease takes its request up again`() throws
    {
      let town = try Town(sweep: "interval_ms: 200, drain_ms: 50, grace_ms: 500")
      try town.start()
      let child = try town.belfryChild(
        "subscribe", "SELECT Severity FROM alerts", "--client", "wall", "--name", "w", "--lease", "15s")
      try town.send([Samples.event("before")])
      try eventually("the row: \(child.output)\(child.errors)") { child.output.contains("before") }
      let topic = try #require(try town.replies()["wall/w"]?["stream"]?["topic"]?.string)
      child.signal(SIGSTOP)
      try eventually(within: .seconds(90), "the end of its stream") {
        try town.bus.partitionCounts([topic]).isEmpty
      }
      child.signal(SIGCONT)
      try eventually(within: .seconds(60), "another stream: \(child.errors)") {
        child.errors.split(separator: "\n").count { $0.contains("wall/w is") } == 2
      }
      try town.send([Samples.event("after")])
      try eventually("the next row: \(child.output)\(child.errors)") { child.output.contains("after") }
      child.signal(SIGINT)
      #expect(try child.end() == 0, "\(child.errors)")
    }

    @Test func `a subscription whose request is rejected behind its lease says so, and ends`() throws {
      let town = try Town(sweep: "interval_ms: 200, drain_ms: 50, grace_ms: 500")
      try town.start()
      #expect(try town.belfry("exec", "CREATE VIEW hot AS SELECT Severity FROM alerts").status == 0)
      let child = try town.belfryChild(
        "subscribe", "SELECT * FROM hot", "--client", "wall", "--name", "w", "--lease", "10s")
      try eventually("the request: \(child.errors)") { child.errors.contains("wall/w is primary") }
      child.signal(SIGSTOP)
      try eventually(within: .seconds(60), "the end of its lease") {
        try town.replies()["wall/w"]?["status"]?.string == "ended"
      }
      #expect(try town.belfry("exec", "DROP VIEW hot").status == 0)
      child.signal(SIGCONT)
      #expect(try child.end(within: .seconds(60)) == 1, "\(child.errors)")
      let words = "the request was late, and is rejected now: SQL 1:15: there is no table"
      #expect(child.errors.contains(words), "\(child.errors)")
    }

    @Test func `partitions that the events topic gets meanwhile end the member, with both numbers`() throws {
      let town = try Town()
      try town.start()
      _ = try Broker.run(
        "kafka-topics.sh",
        ["--bootstrap-server", town.bootstrap, "--alter", "--topic", town.topics.events, "--partitions", "5"])
      let member = town.member!
      #expect(try member.end(within: .seconds(60)) == 1)
      let words = "topic \(town.topics.events) has 5 partitions, the configuration says 3"
      #expect(member.errors.contains(words), "\(member.errors.suffix(2000))")
    }

    @Test func `a first start succeeds at once`() throws {
      for _ in 0..<5 {
        let town = try Town()
        try town.start()
        let log = town.member!.errors
        #expect(!log.contains("made anew") && !log.contains("tried again"), "\(log)")
        try town.stop()
      }
    }

    @Test(arguments: [1, 2])
    func `a stop does not wait for a Kafka that stands still, nor past a second signal`(signals: Int) throws {
      let port = try freePorts(1)[0]
      let town = try Town(
        "pipelines: [ { name: in, source: { syslog: { udp: '127.0.0.1:\(port)', tcp: off } } } ]")
      try town.start()
      let broker = try Broker.running
      broker.signal(SIGSTOP)
      defer { broker.signal(SIGCONT) }
      // The pipelines wait half a minute for its delivery.
      try sendDatagram("<34>1 2026-01-02T03:04:05Z quay crane 1 ID47 - hello", port: port)
      try eventually("the event") { try town.metric("belfry_connector_events_total") > 0 }
      let member = town.member!
      member.signal(SIGTERM)
      try eventually("a word") { member.errors.contains("stopping: waiting for what is open") }
      if signals == 2 { member.signal(SIGTERM) }
      let status = try member.end(within: .seconds(20))
      #expect(status == (signals == 2 ? 128 + SIGTERM : 1))
      let last = signals == 2 ? "ended by a second signal" : "ended without Kafka's answer"
      #expect(member.errors.contains(last), "\(member.errors.suffix(2000))")
    }

    /// Those that the member reads, too: librdkafka 2.0.2 may never end a consumer whose topic is gone.
    @Test(arguments: ["replies", "cluster", "events", "inbox", "requests"])
    func `a topic that is deleted is made again, and all goes on`(name: String) throws {
      let town = try Town()
      try town.start()
      try town.request("c", "before", "SELECT Node FROM alerts")
      let restarts = try town.metric("belfry_member_restarts_total")
      try town.bus.deleteTopics(["\(town.name).\(name)"])
      try eventually(within: .seconds(90), "roles made anew") {
        try town.metric("belfry_member_restarts_total") > restarts
      }
      try town.waitUntilReady()
      let after = try town.request("c", "after", "SELECT Severity FROM alerts")
      #expect(after["status"]?.string == "active", "\(after.text)")
      try town.send([Samples.event("x")])
      try town.follow(after).wait(within: .seconds(60), "the row") { $0.count == 1 }
      try town.stop()
    }

    @Test func `a second member is refused and does no harm; it takes over from one that died`() throws {
      let town = try Town("member: { id: a }")
      try town.start()
      let stream = try town.follow(try town.request("c", "list", "SELECT Severity FROM alerts"))
      let second = try town.another("b")
      try eventually("a word") { second.errors.contains("member a has its place in the group") }
      #expect(try second.end(within: .seconds(80)) == 1)
      #expect(second.errors.contains("MEMBER: member a serves this cluster already"))
      try town.send((0..<50).map { Samples.event("a\($0)") })
      try stream.wait("the rows") { $0.count == 50 }
      #expect(try town.get("/readyz").status == 200)
      #expect(try town.metric("belfry_member_restarts_total") == 0)
      #expect(try town.metric("belfry_publisher_restarts_total") == 0)

      try town.kill()
      let third = try town.another("b")
      try eventually(within: .seconds(80), "the end of a's session: \(third.errors.suffix(2000))") {
        third.errors.contains("publishing")
      }
      #expect(third.errors.contains("member a has its place in the group"))
      try town.send([Samples.event("b")])
      try stream.wait("one more row") { $0.count == 51 }
    }

    @Test func `a member that is started again beside itself takes the seat, and the older one ends`() throws
    {
      let town = try Town()
      try town.start()
      let stream = try town.follow(try town.request("c", "list", "SELECT Severity FROM alerts"))
      let older = town.member!
      try town.start()
      try town.send((0..<50).map { Samples.event("a\($0)") })
      #expect(try older.end(within: .seconds(60)) == 1)
      #expect(older.errors.contains("FENCED_INSTANCE_ID"), "\(older.errors.suffix(2000))")
      try stream.wait("the rows") { $0.count == 50 }
      #expect(try town.metric("belfry_member_restarts_total") == 0, "\(town.member!.errors)")
      #expect(try town.metric("belfry_publisher_restarts_total") == 0, "\(town.member!.errors)")
    }
  }
}
