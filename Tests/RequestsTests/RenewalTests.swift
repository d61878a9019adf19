import Base
import Events
import Testing

@testable import Requests

@Suite struct RenewalTests {
  @Test func `a record sent again writes nothing and answers nothing`() {
    let desk = Desk()
    desk.ask("a/x", core, #""lease_ms":10000"#)
    let parsed = desk.registry.counts.recordsParsed
    #expect(desk.ask("a/x", core, #""lease_ms":10000"#).isEmpty)
    #expect(desk.registry.counts.recordsParsed == parsed)
    #expect(desk.registry.counts.renewals == 1)
  }

  @Test func `the same content in another spelling is a renewal too, and known from then on`() {
    let desk = Desk()
    desk.ask("a/x", core, #""lease_ms":10000"#)
    let spelling = Desk.request("a/x", core, #" "lease_ms" : 10000, "link":null"#)
    #expect(desk.send("a/x", spelling).isEmpty)
    #expect(desk.send("a/x", spelling).isEmpty)
    #expect(desk.registry.counts.recordsParsed == 2 && desk.registry.counts.queriesParsed == 1)
  }

  @Test func `texts that only look alike are no renewal`() {
    let desk = Desk()
    desk.ask("a/x", "SELECT Node FROM alerts WHERE Node = 'caf\u{E9}'")
    let first = desk.streamID("a/x")
    desk.ask("a/x", "SELECT Node FROM alerts WHERE Node = 'cafe\u{301}'")
    #expect(desk.streamID("a/x") != first)
  }

  @Test func `a reply older than a day is repeated`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.now = desk.now + .seconds(86_400)
    #expect(desk.ask("a/x", core).isEmpty)
    desk.now = desk.now + .milliseconds(1)
    #expect(desk.ask("a/x", core).replies.map(\.key) == ["a/x"])
    #expect(desk.ask("a/x", core).isEmpty)
    desk.restart()
    #expect(desk.ask("a/x", core).isEmpty)
  }

  @Test func `the position is written now and then while nothing changes`() {
    var settings = RegistrySettings()
    settings.quietRecordsMax = 10
    let desk = Desk(settings)
    desk.ask("a/x", core)
    let written = (1...20).filter { _ in !desk.ask("a/x", core).isEmpty }
    #expect(written == [10, 20])
    #expect(desk.cluster["position/requests"]?["offset"] == .int(21))
  }

  @Test func `records that were read before are passed over`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.send("a/x", nil)
    #expect(desk.feed(0).isEmpty)
    #expect(desk.registry.requestCount == 0 && desk.registry.requestsPosition == 2)
  }

  @Test func `ten thousand clients on a hundred requests cost a hundred parses, and renew without one`() {
    let desk = Desk()
    let records = (0..<10_000).map { i in
      (
        "c\(i)/x",
        Desk.request("c\(i)/x", "SELECT Node FROM alerts WHERE Tally > \(i % 100)", #""lease_ms":30000"#)
      )
    }
    for (key, value) in records { desk.send(key, value) }
    #expect(desk.registry.requestCount == 10_000 && desk.registry.streamCount == 100)
    let before = desk.registry.counts
    #expect(before.queriesParsed == 100)
    var written = 0
    for (key, value) in records where !desk.send(key, value).isEmpty { written += 1 }
    #expect(desk.registry.counts.recordsParsed == before.recordsParsed)
    #expect(desk.registry.counts.queriesParsed == before.queriesParsed)
    #expect(desk.registry.counts.renewals == 10_000)
    #expect(written == 10_000 / desk.settings.quietRecordsMax)
  }
}
