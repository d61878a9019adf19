import Base
import Bus
import Client
import Events
import Testing

extension Integration {
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct RestartTests {
    @Test(arguments: [false, true])
    func `a restart publishes the difference only, and the counts go on`(isKilled: Bool) throws {
      let town = try Town()
      try town.start()
      let list = try town.follow(try town.request("wall", "list", "SELECT Severity, Summary FROM alerts"))
      let counter = try town.follow(
        try town.request("wall", "n", "SELECT COUNT(*) AS n FROM alerts WHERE Severity >= 0"))
      try town.send((0..<20).map { Samples.event("row \($0)", severity: 3, summary: "before") })
      try list.wait("twenty rows") { $0.count == 20 }
      try counter.wait("the count") { $0["*"]?["n"]?.int == 20 }
      let (records, counts) = (list.records.count, counter.records.count)
      let epoch = try #require(list.records.last?.epoch)

      try isKilled ? town.kill() : town.stop()
      try town.send([
        Samples.event("row 7", severity: 3, summary: "after"), Samples.event("row 3", severity: 5),
      ])
      try town.start()
      try list.wait("the changes") {
        $0["row 7"]?["Summary"]?.string == "after" && $0["row 3"]?["Severity"]?.int == 5
      }
      // The next change, so that whatever came with the start has been read.
      try town.send([Samples.event("row 20", severity: 1)])
      try list.wait("the new row") { $0.count == 21 }
      try counter.wait("the new count") { $0["*"]?["n"]?.int == 21 }
      #expect(list.records.dropFirst(records).map(\.key).sorted() == ["row 20", "row 3", "row 7"])
      #expect(counter.records.count == counts + 1)
      #expect(try #require(list.records.last).epoch > epoch)
      #expect(list.records.map(\.seq) == Array(1...Int64(records + 3)))
    }

    @Test func `requests stand over a restart, and a repeated one gets the same stream`() throws {
      let town = try Town()
      try town.start()
      let before = try town.request("wall", "list", "SELECT Node FROM alerts")
      try town.restart()
      let again = try town.request("desk", "mine", "select Node from alerts")
      #expect(again["stream"] == before["stream"])
      #expect(again["role"]?.string == "secondary")
    }
  }
}
