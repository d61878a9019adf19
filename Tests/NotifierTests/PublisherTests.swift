import Base
import Bus
import Events
import Query
import Testing

@testable import Notifier
@testable import Requests

/// From a request to the last record of its stream.
@Suite struct PublisherTests {
  @Test func `a request gets its reply, and its stream the view and then its changes`() throws {
    let office = try Office()
    office.put("k1", "{1}")
    office.put("k2", "{2}")
    office.ask("noc/core", core)
    try office.run()
    let reply = office.reply("noc/core")
    #expect(reply["status"]?.string == "active")
    #expect(reply["role"]?.string == "primary")
    #expect(reply["seq"]?.int == 0)
    #expect(reply["epoch"]?.int == 1)
    #expect(office.cluster.spec(office.topic("noc/core"))?.properties["cleanup.policy"] == "compact")
    let snapshot = office.records("noc/core")
    #expect(snapshot.folded == ["k1": "{1}", "k2": "{2}"])
    #expect(snapshot.map(\.isLast) == [false, true])
    office.put("k1", nil)
    try office.run()
    office.put("k2", "{3}")
    try office.run()
    let all = office.records("noc/core")
    #expect(all.folded == ["k2": "{3}"])
    #expect(all.isContiguous)
    #expect(all.dropFirst(2).allSatisfy { $0.isLast && $0.epoch == 1 })
    #expect(all[2].sweep < all[3].sweep)
    #expect(office.readiness.list.isEmpty)
  }

  @Test func `a command makes a name that requests and questions may use, also after a restart`() throws {
    let office = try Office()
    let command = #"{"client":"noc","sql":"CREATE FILTER hot AS Severity >= 4"}"#
    office.cluster.append(topic: topics.commands, partition: 0, key: "noc/1", value: command)
    try office.run()
    #expect(office.reply("noc/1")["status"]?.string == "done")
    #expect(office.definitions.current["hot"]?.text == "Severity >= 4")
    office.restart()
    office.ask("noc/core", "SELECT Node FROM alerts WHERE hot")
    try office.run()
    #expect(office.reply("noc/core")["status"]?.string == "active")
    #expect(office.replies("noc/1").count == 1, "what was answered is not read again")
  }

  @Test func `the same request in another spelling shares the stream`() throws {
    let office = try Office()
    office.put("k", "{}")
    office.ask("a/core", core)
    try office.run()
    office.ask("b/same", sameCore)
    try office.run()
    #expect(office.reply("b/same")["role"]?.string == "secondary")
    #expect(office.reply("b/same")["seq"]?.int == 1)
    #expect(office.topic("a/core") == office.topic("b/same"))
    #expect(office.records("a/core").count == 1)
  }

  @Test func `a bad request is rejected with its place, and makes nothing`() throws {
    let office = try Office()
    office.ask("noc/bad", "SELECT Node FROM alerts WHERE Nod = 'x'")
    try office.run()
    let error = office.reply("noc/bad")["error"] ?? .null
    #expect(office.reply("noc/bad")["status"]?.string == "rejected")
    #expect(error["line"]?.int == 1)
    #expect(error["column"]?.int == 31)
    #expect(!office.cluster.topicNames.contains { $0.hasPrefix(topics.viewPrefix) })
  }

  @Test func `a quiet stream publishes nothing while sweeps are told`() throws {
    let office = try Office()
    office.put("k", "{}")
    office.ask("noc/core", core)
    try office.run()
    let before = office.sweeps.count
    try office.run(.seconds(10))
    #expect(office.records("noc/core").count == 1)
    let sweeps = office.sweeps
    #expect((9...11).contains(sweeps.count - before))
    let numbers = sweeps.map { $0["sweep"]?.int ?? -1 }
    #expect(numbers == Array(1...Int64(numbers.count)))
    #expect(sweeps.last?["positions"]?["0"]?.int == 1)
    #expect(sweeps.last?["registry"]?.int == 1)
    #expect(sweeps.last?["sets"]?.array == [office.reply("noc/core")["set"] ?? .null])
  }

  @Test func `streams of one set, and of linked sets, are in the same sweeps`() throws {
    let office = try Office()
    office.ask("noc/core", core, #""link":"wall""#)
    office.ask("noc/count", counter)
    office.ask("noc/other", other, #""link":"wall""#)
    for n in 0..<5 {
      office.put("k", "{\(n)}")
      try office.run(.milliseconds(1_700))
    }
    let sweeps = ["noc/core", "noc/count", "noc/other"].map { office.records($0).map(\.sweep) }
    #expect(sweeps[0].count >= 4)
    #expect(sweeps[0] == sweeps[1])
    #expect(sweeps[0] == sweeps[2])
  }

  @Test func `a smaller interval holds for every client of the set, and each is told`() throws {
    let office = try Office()
    office.ask("a/slow", core, #""interval_ms":60000"#)
    try office.run()
    office.ask("b/fast", counter, #""interval_ms":500"#)
    try office.run()
    #expect(office.replies("a/slow").map { $0["interval_ms"]?.int } == [60_000, 500])
    #expect(office.reply("b/fast")["interval_ms"]?.int == 500)
    let before = office.sweeps.count
    try office.run(.seconds(5))
    #expect((9...11).contains(office.sweeps.count - before))
    office.end("b/fast")
    try office.run()
    #expect(office.reply("a/slow")["interval_ms"]?.int == 60_000)
  }

  @Test func `a lease that is not renewed ends the request`() throws {
    let office = try Office()
    office.ask("noc/core", core, #""lease_ms":5000"#)
    try office.run(.seconds(3))
    office.ask("noc/core", core, #""lease_ms":5000"#)
    try office.run(.seconds(4))
    #expect(office.replies("noc/core").count == 1)
    try office.run(.seconds(3))
    #expect(office.reply("noc/core")["status"]?.string == "ended")
    #expect(office.reply("noc/core")["reason"]?.string == "lease")
  }
}
