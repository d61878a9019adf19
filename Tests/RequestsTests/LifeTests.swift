import Base
import Events
import Testing

@testable import Requests

@Suite struct LifeTests {
  @Test func `a null value ends a request`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.send("a/x", nil)
    #expect(desk.registry.requestCount == 0)
    #expect(desk[reply: "a/x"].text == #"{"client":"a","name":"x","status":"ended","reason":"unsubscribed"}"#)
    #expect(desk.cluster["request/a/x"] == nil)
  }

  @Test func `to end what is not there is answered all the same`() {
    let desk = Desk()
    desk.send("a/x", nil)
    #expect(desk[reply: "a/x"]["status"] == .string("ended"))
  }

  @Test func `a stream outlives its last request by the grace period`() {
    let desk = Desk()
    desk.ask("a/x", core)
    let id = desk.streamID("a/x")
    desk.send("a/x", nil)
    #expect(desk.cluster["stream/" + id]?["state"] == .string("grace"))
    #expect(desk.wait(.milliseconds(29_999)).isEmpty)
    let effects = desk.wait(.milliseconds(1))
    #expect(effects.ended.map(\.topic) == ["belfry.view." + id])
    #expect(effects.setsEnded.count == 1)
    #expect(desk.registry.streamCount == 0 && desk.registry.setCount == 0)
  }

  @Test func `a request within the grace period gets the stream back`() {
    let desk = Desk()
    desk.ask("a/x", core)
    let before = desk[reply: "a/x"]["stream"]
    desk.send("a/x", nil)
    desk.wait(.seconds(29))
    let effects = desk.ask("b/y", sameCore)
    #expect(effects.resumed.map(\.id) == [desk.streamID("b/y")] && effects.started.isEmpty)
    #expect(desk[reply: "b/y"]["stream"] == before)
    #expect(desk[reply: "b/y"]["role"] == .string("primary"))
    #expect(desk.wait(.seconds(100)).isEmpty)
  }

  @Test func `a topic that is made again has its creation number in its name`() throws {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.send("a/x", nil)
    desk.wait(.seconds(30))
    desk.ask("a/x", core)
    let stream = try #require(desk.registry.streams.first)
    #expect(stream.place.isAgain)
    #expect(stream.place.topic == "belfry.view.\(stream.id).\(stream.place.creation)")
  }

  @Test func `a name is not used twice even when the restart comes between, or the id was forgotten`() {
    var settings = RegistrySettings()
    settings.endedStreamsMax = 1
    let desk = Desk(settings)
    for (key, sql) in [("a/x", core), ("a/y", other)] {
      desk.ask(key, sql)
      desk.send(key, nil)
      desk.wait(.seconds(30))
      desk.restart()
    }
    #expect(desk.cluster.keys.filter { $0.hasPrefix("stream/") }.count == 1)
    desk.ask("a/x", core)
    desk.ask("a/y", other)
    #expect(desk.registry.streams.map(\.place.isAgain) == [true, true])
  }

  @Test func `a changed request replaces the old one in one step`() {
    let desk = Desk()
    desk.ask("a/x", core)
    let first = desk.streamID("a/x")
    let effects = desk.ask("a/x", other)
    #expect(effects.started.map(\.id) == [desk.streamID("a/x")])
    #expect(desk.cluster["stream/" + first]?["state"] == .string("grace"))
    #expect(effects.replies.map(\.key) == ["a/x"])
    #expect(desk.registry.requestCount == 1)
  }

  @Test func `a changed request of the same form keeps its stream and its place, and is answered`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("b/x", core)
    let effects = desk.ask("a/x", sameCore, #""interval_ms":9000"#)
    #expect(effects.started.isEmpty && effects.ended.isEmpty && effects.resumed.isEmpty)
    #expect(effects.replies.map(\.key) == ["a/x"])
    #expect(desk[reply: "a/x"]["role"] == .string("primary"))
  }

  @Test func `a request that is changed into a bad one is ended`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("a/x", "SELECT")
    #expect(desk.registry.requestCount == 0)
    #expect(desk.cluster["request/a/x"] == nil)
    #expect(desk[reply: "a/x"]["status"] == .string("rejected"))
  }

  @Test func `a lease ends its request unless it is sent again`() {
    let desk = Desk()
    desk.ask("a/x", core, #""lease_ms":10000"#)
    desk.wait(.seconds(9))
    desk.ask("a/x", core, #""lease_ms":10000"#)
    #expect(desk.wait(.seconds(9)).isEmpty)
    desk.wait(.seconds(1))
    #expect(desk[reply: "a/x"]["reason"] == .string("lease"))
    #expect(desk.registry.requestCount == 0 && desk.registry.counts.leasesEnded == 1)
  }

  @Test func `leases are counted afresh from a restart`() {
    let desk = Desk()
    desk.ask("a/x", core, #""lease_ms":10000"#)
    desk.now = desk.now + .seconds(3600)
    desk.restart()
    #expect(desk.wait(.milliseconds(9_999)).isEmpty)
    desk.wait(.milliseconds(1))
    #expect(desk.registry.requestCount == 0)
  }

  @Test func `a shorter lease in a changed request counts`() {
    let desk = Desk()
    desk.ask("a/x", core, #""lease_ms":9000000000000000000"#)
    desk.ask("a/x", core, #""lease_ms":1000"#)
    desk.wait(.seconds(1))
    #expect(desk.registry.requestCount == 0)
  }

  @Test func `one tick ends no more than its limit`() {
    var settings = RegistrySettings()
    settings.endingsPerTickMax = 3
    let desk = Desk(settings)
    for i in 0..<7 { desk.ask("a/\(i)", core, #""lease_ms":1000"#) }
    desk.wait(.seconds(1))
    #expect(desk.registry.requestCount == 4)
    desk.wait(.zero)
    desk.wait(.zero)
    #expect(desk.registry.requestCount == 0)
  }
}
