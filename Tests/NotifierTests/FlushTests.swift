import Base
import Bus
import Events
import Testing

@testable import Notifier
@testable import Requests

/// A client's own change is in its view before the answer, however long the interval.
@Suite struct FlushTests {
  private static let slow = #""interval_ms":600000"#

  private func office() throws -> Office {
    let office = try Office()
    office.put("k", "{1}")
    office.ask("noc/core", core, Self.slow)
    try office.run()
    return office
  }

  @Test func `a flush publishes now and is answered in the sweep's own transaction`() throws {
    let office = try office()
    office.put("k", "{2}")
    office.flush("noc/1", "core", #""positions":{"0":2}"#)
    try office.run(.milliseconds(200))
    let last = try #require(office.records("noc/core").last)
    #expect(last.value == "{2}")
    let reply = office.reply("noc/1")
    #expect(reply["status"]?.string == "flushed")
    #expect(reply["seq"]?.int == last.seq)
    #expect(reply["sweep"]?.int == last.sweep)
    #expect(office.sweeps.last?["sets"]?.array == [office.reply("noc/core")["set"] ?? .null])
    #expect(office.metrics.value("belfry_flushes_total") == 1)
    office.cluster.trace.isOn = true
    office.flush("noc/2", "core")
    try office.run(.milliseconds(200))
    #expect(office.cluster.trace.lines.filter { $0.contains("commit belfry.publish") }.count == 1)
  }

  @Test func `a set without a change is answered with the stream's present count`() throws {
    let office = try office()
    let before = office.sweeps.count
    office.flush("noc/1", "core")
    try office.run(.milliseconds(200))
    #expect(office.reply("noc/1")["seq"]?.int == 1)
    #expect(office.records("noc/core").count == 1)
    #expect(office.sweeps.count == before + 1)
    #expect(office.reply("noc/1")["sweep"] == office.sweeps.last?["sweep"])
  }

  @Test func `all that is linked is in the flush's sweep, other sets are not`() throws {
    let office = try Office()
    office.ask("noc/core", core, Self.slow + #","link":"wall""#)
    office.ask("noc/count", counter, Self.slow)
    office.ask("noc/other", other, Self.slow + #","link":"wall""#)
    office.ask("noc/apart", "SELECT Node FROM alerts WHERE Severity = 0", Self.slow)
    try office.run()
    office.put("k", "{1}")
    office.flush("noc/1", "count")
    try office.run(.milliseconds(200))
    let sweep = office.reply("noc/1")["sweep"]?.int
    for name in ["core", "count", "other"] {
      #expect(office.records("noc/\(name)").map(\.sweep) == [sweep])
    }
    #expect(office.records("noc/apart").isEmpty)
  }

  @Test func `a set that was flushed is due again a full interval later`() throws {
    let office = try Office()
    office.ask("noc/core", core, #""interval_ms":5000"#)
    try office.run(.seconds(7))
    office.flush("noc/1", "core")
    try office.run(.milliseconds(100))
    let flushed = office.sweeps.count
    try office.run(.milliseconds(4_800))
    #expect(office.sweeps.count == flushed)
    try office.run(.milliseconds(200))
    #expect(office.sweeps.count == flushed + 1)
  }

  @Test func `a flush waits for its positions, and what comes behind it does not`() throws {
    let office = try office()
    office.flush("noc/1", "core", #""positions":{"0":5}"#)
    try office.run(.seconds(3))
    #expect(office.reply("noc/1") == .null)
    office.flush("noc/2", "core")
    office.ask("noc/other", other)
    try office.run(.seconds(1))
    #expect(office.reply("noc/2")["status"]?.string == "flushed")
    #expect(office.reply("noc/other")["status"]?.string == "active")
    for n in 2...5 { office.put("k", "{\(n)}") }
    try office.run(.milliseconds(200))
    #expect(office.reply("noc/1")["status"]?.string == "flushed")
    #expect(office.records("noc/core").last?.value == "{5}")
    office.flush("noc/3", "core", #""positions":{"0":50}"#)
    try office.run(.seconds(29))
    #expect(office.reply("noc/3") == .null)
    try office.run(.seconds(2))
    #expect(office.reply("noc/3")["error"]?["code"]?.string == "timeout")
  }

  @Test func `a flush without positions waits for the commands before it, and for no others`() throws {
    let office = try office()
    office.commands = 0
    for id in ["noc/1", "noc/2"] { office.flush(id, "core") }
    try office.run(.seconds(1))
    #expect(office.reply("noc/1")["status"]?.string == "flushed")
    #expect(office.reply("noc/2") == .null)
    office.put("k", "{2}")
    office.commands = 1
    try office.run(.milliseconds(200))
    #expect(office.reply("noc/2")["status"]?.string == "flushed")
    #expect(office.records("noc/core").last?.value == "{2}")
  }

  @Test func `wherever the publisher dies, the flush is answered once with a sweep that shows the change`()
    throws
  {
    for crash in 1...12 {
      for fault in [SimulatedFault.crashBefore, .crashAfter] {
        let office = try office()
        office.put("k", "{2}")
        office.flush("noc/1", "core", #""positions":{"0":2}"#)
        office.bus.faults.scripted = [office.bus.calls + crash: fault]
        do throws(BusError) { try office.run(.milliseconds(500)) } catch { office.restart() }
        try office.run(.milliseconds(500))
        let place = "\(fault) \(crash)"
        #expect(office.replies("noc/1").map { $0["status"]?.string } == ["flushed"], "\(place)")
        let last = try #require(office.records("noc/core").last)
        #expect(last.value == "{2}", "\(place)")
        #expect(office.records("noc/core").isContiguous, "\(place)")
        #expect(last.sweep <= office.reply("noc/1")["sweep"]?.int ?? 0, "\(place)")
        #expect(last.seq == office.reply("noc/1")["seq"]?.int, "\(place)")
      }
    }
  }

  @Test func `while the table does not answer, a flush is rejected in time all the same`() throws {
    let office = try Office()
    office.ask("noc/core", core)
    try office.run()
    office.answers = false
    try office.run(.seconds(2))
    office.flush("noc/1", "core")
    try office.run(.seconds(32))
    #expect(office.reply("noc/1")["error"]?["message"]?.string == "not published in 30 s")
  }

  @Test func `a flood of flushes lets other sets have their turn`() throws {
    let office = try Office()
    office.unitsMax = 1
    office.ask("noc/core", core)
    office.ask("noc/other", other)
    try office.run()
    for n in 0..<2_000 { office.flush("noc/\(n)", "core") }
    office.put("k", "{1}")
    try office.run(.seconds(3))
    #expect(office.records("noc/other").last?.value == "{1}")
    let answered = Set(office.cluster.records(topics.replies, 0, .committed).compactMap(\.keyText))
    #expect((0..<2_000).allSatisfy { answered.contains("noc/\($0)") })
  }

  @Test func `a flush of a stream that fails in its sweep is rejected with the reason`() throws {
    let office = try office()
    let id = office.reply("noc/core")["primary"]?.string ?? ""
    office.failures = [StreamFailure(stream: id, reason: "too many groups")]
    office.flush("noc/1", "core")
    try office.run(.milliseconds(300))
    #expect(office.reply("noc/1")["error"]?["code"]?.string == "limit")
    #expect(office.reply("noc/1")["error"]?["message"]?.string == "too many groups")
  }
}
