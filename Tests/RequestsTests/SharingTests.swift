import Base
import Events
import Query
import Testing

@testable import Requests

@Suite struct SharingTests {
  @Test func `the first request of a form starts its stream and is primary`() {
    let desk = Desk()
    let effects = desk.ask("noc-7/core", core)
    let reply = desk[reply: "noc-7/core"]
    #expect(effects.started.map(\.id) == [desk.streamID("noc-7/core")])
    #expect(effects.sets.map(\.interval) == [.seconds(5)])
    #expect(reply["role"] == .string("primary"))
    #expect(reply["status"] == .string("active"))
  }

  @Test func `a secondary gets the stream of its primary`() {
    let desk = Desk()
    desk.ask("a/x", core)
    let effects = desk.ask("b/y", sameCore)
    #expect(effects.started.isEmpty && effects.resumed.isEmpty)
    #expect(desk[reply: "b/y"]["role"] == .string("secondary"))
    #expect(desk[reply: "b/y"]["stream"] == desk[reply: "a/x"]["stream"])
    #expect(desk.registry.streamCount == 1)
  }

  @Test func `a reply has the members that the contract names, in its order`() throws {
    let desk = Desk()
    desk.ask("noc-7/core", core)
    let reply = desk[reply: "noc-7/core"]
    let id = desk.streamID("noc-7/core")
    let set = try #require(reply["set"]?.string)
    #expect(
      reply.text == """
        {"client":"noc-7","name":"core","status":"active","role":"primary","primary":"\(id)","set":"\(set)",\
        "mode":"net","stream":{"id":"\(id)","topic":"belfry.view.\(id)","partition":0,"key_prefix":""},\
        "columns":[{"name":"Identifier","type":"string"},{"name":"Node","type":"string"},\
        {"name":"Severity","type":"int"}],"key":["Identifier"],"interval_ms":5000,"seq":7,"epoch":3}
        """)
  }

  @Test func `ids are the first 16 digits of SHA-256 over text, mode and a placement that was chosen`() throws
  {
    let desk = Desk()
    desk.ask("a/own", core)
    desk.ask("a/lane", core, #""placement":"lane""#)
    let stream = try #require(desk.registry.streams.first)
    #expect(stream.id == String(sha256Hex(stream.text + "\nmode=net").prefix(16)))
    #expect(stream.set == String(sha256Hex(stream.view.filterText).prefix(16)))
    #expect(
      desk.streamID("a/lane") == String(sha256Hex(stream.text + "\nmode=net\nplacement=lane").prefix(16)))
  }

  @Test func `a placement that is the default is the same stream as none`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("a/y", core, #""placement":"own""#)
    #expect(desk.streamID("a/y") == desk.streamID("a/x"))
  }

  @Test func `a metric view lives in a lane, keyed by its groups`() {
    let desk = Desk()
    desk.ask("a/all", counter)
    desk.ask("a/grouped", "SELECT Node, COUNT(*) AS n FROM alerts GROUP BY Node")
    let id = desk.streamID("a/all")
    let stream = desk[reply: "a/all"]["stream"]
    let lane = Array(id.utf8).withUnsafeBytes { Int64(Base.partition(ofKey: $0, count: 8)) }
    #expect(stream?["topic"] == .string("belfry.lanes.view"))
    #expect(stream?["key_prefix"] == .string(id + "/"))
    #expect(stream?["partition"] == .int(lane))
    #expect(desk[reply: "a/all"]["key"] == .array([]))
    #expect(desk[reply: "a/grouped"]["key"] == .array([.string("Node")]))
    #expect(
      desk[reply: "a/grouped"]["columns"]?.text
        == #"[{"name":"Node","type":"string"},{"name":"n","type":"int"}]"#)
  }

  @Test func `a metric view can have a topic of its own`() {
    let desk = Desk()
    desk.ask("a/x", counter, #""placement":"own""#)
    #expect(desk[reply: "a/x"]["stream"]?["topic"] == .string("belfry.view.\(desk.streamID("a/x"))"))
    #expect(desk[reply: "a/x"]["stream"]?["key_prefix"] == .string(""))
  }

  @Test func `views of one filter are one set`() {
    let desk = Desk()
    desk.ask("a/list", core)
    desk.ask("b/count", counter)
    #expect(desk.registry.setCount == 1)
    #expect(desk.registry.sets[0].streams == [desk.streamID("a/list"), desk.streamID("b/count")])
  }

  @Test func `when the primary's client leaves, the oldest other is primary, without a new reply`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("b/x", core)
    desk.ask("c/x", core)
    let effects = desk.send("a/x", nil)
    #expect(effects.replies.map(\.key) == ["a/x"])
    #expect(desk.registry.request(client: "b", name: "x")?.isPrimary == true)
    #expect(desk.registry.request(client: "c", name: "x")?.isPrimary == false)
    #expect(effects.ended.isEmpty && desk.registry.streamCount == 1)
  }
}
