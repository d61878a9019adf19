import Base
import Events
import Testing

@testable import Requests

/// Requests for every change: streams of the modes `all` and `immediate`.
@Suite struct ModeTests {
  @Test func `each mode has a stream of its own, in topics named after it`() {
    let desk = Desk()
    desk.ask("c/net", core)
    desk.ask("c/all", core, #""mode":"all""#)
    desk.ask("c/same", sameCore, #""mode":"all""#)
    desk.ask("c/live", core, #""mode":"immediate","placement":"lane""#)
    func stream(_ key: String, _ member: String) -> String {
      desk[reply: key]["stream"]?[member]?.string ?? ""
    }
    #expect(desk.registry.streamCount == 3 && desk.registry.setCount == 1)
    #expect(stream("c/all", "topic") == "belfry.history.\(stream("c/all", "id"))")
    #expect(stream("c/same", "id") == stream("c/all", "id"))
    #expect(stream("c/live", "topic") == "belfry.lanes.live")
    #expect(stream("c/live", "key_prefix") == "\(stream("c/live", "id"))/")
    #expect(desk[reply: "c/all"]["mode"]?.string == "all")
    #expect(desk[reply: "c/all"]["interval_ms"]?.int == 0)
    #expect(desk.registry.sets.map(\.streams) == [[desk.streamID("c/net")]], "only net streams are swept")
  }

  @Test func `a request for every change moves no interval and links nothing`() {
    let desk = Desk()
    desk.ask("c/net", core, #""interval_ms":5000,"link":"wall""#)
    desk.ask("c/all", core, #""mode":"all","interval_ms":100"#)
    desk.ask("c/other", other, #""mode":"all","link":"wall""#)
    #expect(desk[reply: "c/net"]["interval_ms"]?.int == 5000)
    #expect(Set(desk.registry.sets.map(\.linkGroup)).count == 2)
    let told = desk.ask("c/fast", counter, #""interval_ms":300"#)
    #expect(
      told.replies.map(\.key).sorted() == ["c/fast", "c/net"], "the history's client has nothing to hear")
    desk.send("c/all", nil)
    desk.send("c/other", nil)
    #expect(desk[reply: "c/all"]["status"]?.string == "ended")
  }

  @Test func `a stream of every change outlives a restart, its grace period and its end`() {
    let desk = Desk()
    desk.ask("c/all", core, #""mode":"all""#)
    let id = desk.streamID("c/all")
    desk.restart()
    #expect(desk.registry.stream(id)?.mode == .all)
    desk.send("c/all", nil)
    let ended = desk.wait(.seconds(31)).ended
    #expect(ended.map(\.mode) == [.all] && ended.map(\.topic) == ["belfry.history.\(id)"])
    desk.ask("c/all", core, #""mode":"all""#)
    #expect(desk[reply: "c/all"]["stream"]?["topic"]?.string?.hasPrefix("belfry.history.\(id).") == true)
  }

  @Test func `metrics and filters that read the clock are refused with words`() {
    let desk = Desk()
    desk.ask("c/n", counter, #""mode":"all""#)
    #expect(desk[reply: "c/n"]["error"]?["message"]?.string?.contains("views of rows") == true)
    desk.ask("c/n", "SELECT Node FROM alerts WHERE LastOccurrence > NOW() - 1000", #""mode":"immediate""#)
    #expect(desk[reply: "c/n"]["error"]?["message"]?.string?.contains("NOW()") == true)
    #expect(desk.registry.streamCount == 0)
  }
}
