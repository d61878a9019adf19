import Base
import Bus
import Client
import Events
import Foundation
import Testing

extension Integration {
  /// One stream's or one role's trouble, and what goes on beside it.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct FailureTests {
    @Test func `a topic that the brokers refuse rejects its request with their words, no more`() throws {
      let town = try Town()
      try town.start()
      try town.stop()
      // One broker cannot hold three copies: the cluster's own topics are there, a stream's cannot be made.
      try town.reconfigure("replication: 1", "replication: 3")
      try town.start()
      let refused = try town.request("c", "list", "SELECT Node FROM alerts")
      #expect(refused["status"]?.string == "rejected", "\(refused.text)")
      #expect(refused["error"]?["code"]?.string == "topic")
      #expect(refused["error"]?["message"]?.string?.contains("eplication") == true, "\(refused.text)")
      let counted = try town.request("c", "n", "SELECT COUNT(*) AS n FROM alerts")
      try town.send([Samples.event("x")])
      try town.follow(counted).wait("the row") { $0["*"]?["n"]?.int == 1 }
      #expect(!town.member!.errors.contains("made anew"))
    }

    @Test func `a member whose topics are refused says why once, and goes on trying`() throws {
      let town = try Town()
      try town.reconfigure("replication: 1", "replication: 3")
      try town.launch()
      var answer = ""
      try eventually("the reasons: \(answer)") {
        answer = try town.get("/readyz").body
        return answer.contains("INVALID_REPLICATION_FACTOR") && answer.contains("table: to be made anew")
      }
      #expect(answer.components(separatedBy: "INVALID_REPLICATION_FACTOR").count == 2, "\(answer)")
      #expect(town.member!.status == nil)
      try town.stop()
    }

    @Test func `a time-out that the brokers do not take ends the member at once`() throws {
      let town = try Town(properties: ["transaction.timeout.ms": "999999999"])
      try town.launch()
      #expect(try town.member!.end(within: .seconds(60)) == 1)
      let last = town.member!.errors.split(separator: "\n").last ?? ""
      #expect(last.hasPrefix("belfry: INVALID_TRANSACTION_TIMEOUT: "), "\(last)")
    }

    @Test func `a publisher that lost its seat is made anew, the table serves on`() throws {
      let town = try Town()
      try town.start()
      let stream = try town.follow(try town.request("c", "list", "SELECT Severity FROM alerts"))
      try town.send((0..<50).map { Samples.event("a\($0)") })
      try stream.wait("the rows") { $0.count == 50 }
      let restarts = try town.metric("belfry_member_restarts_total")
      let thief = try town.bus.makeProducer(transactionalID: town.topics.publishSeat)
      try thief.initialise()
      thief.close()
      try town.send((0..<50).map { Samples.event("b\($0)") })
      try stream.wait("all rows") { $0.count == 100 }
      #expect(stream.records.map(\.seq) == (1...100).map { Int64($0) })
      try town.expect("belfry_publisher_restarts_total", 1)
      #expect(try town.metric("belfry_member_restarts_total") == restarts)
      #expect(try town.metric("belfry_restored_total") == 0)
    }

    @Test func `a record that no topic takes stops its stream, which says so, and no other`() throws {
      let town = try Town()
      try town.start()
      let columns = (0..<20).map { "Summary AS s\($0)" }.joined(separator: ", ")
      let wide = try town.request("c", "wide", "SELECT \(columns) FROM alerts")
      let narrow = try town.follow(try town.request("c", "narrow", "SELECT Node FROM alerts"))
      try town.send([Samples.event("small")])
      try town.follow(wide).wait("the row") { $0.count == 1 }
      let long = String(repeating: "x", count: 600_000)
      try town.send([Samples.event("large", ["Summary": .string(long)])])
      try narrow.wait("both rows") { $0.count == 2 }
      try eventually("the failure") { try town.replies()["c/wide"]?["status"]?.string == "failed" }
      #expect(try town.replies()["c/wide"]?["error"]?["code"]?.string == "limit")
      try town.send([Samples.event("third")])
      try narrow.wait("three rows") { $0.count == 3 }
      try town.expect("belfry_streams_over_limit_total", 1)
      #expect(try town.metric("belfry_publish_aborts_total") == 0)
      #expect(town.member!.errors.contains("stream stands still"))
    }
  }
}
