import Base
import Events
import Testing

@testable import Requests

@Suite struct FailingTests {
  private func status(_ desk: Desk, _ key: String) -> String? { desk[reply: key]["status"]?.string }

  @Test func `a stream that is refused rejects its requests and leaves nothing behind`() throws {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("b/x", sameCore)
    desk.ask("a/count", counter)
    let id = desk.streamID("a/x")
    let effects = desk.registry.refuse([(id, "no right"), ("unknown", "?")], now: desk.now)
    desk.commit(effects)
    #expect(effects.ended.map(\.id) == [id])
    #expect(["a/x", "b/x"].map { desk.error($0) } == ["topic", "topic"])
    #expect(status(desk, "a/count") == "active")
    #expect(desk.registry.streamCount == 1 && desk.registry.requestCount == 1)
    #expect(desk.cluster["stream/\(id)"]?["state"]?.string == "ended")
    desk.restart()
    #expect(desk.registry.streamCount == 1 && desk.registry.requestCount == 1)
    desk.wait(.seconds(3_600))
    #expect(desk.registry.streamCount == 1)
    desk.ask("a/x", core)
    #expect(status(desk, "a/x") == "active")
  }

  @Test func `a stream that fails tells its clients, later ones and over a restart`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("a/count", counter)
    let effects = desk.registry.fail(desk.streamID("a/x"), reason: "too much", now: desk.now)
    desk.commit(effects)
    #expect(effects.replies.map(\.key) == ["a/x"])
    #expect(effects.ended.isEmpty)
    desk.ask("b/x", sameCore)
    for key in ["a/x", "b/x"] {
      #expect(status(desk, key) == "failed")
      #expect(desk[reply: key]["error"]?["message"]?.string == "too much")
    }
    #expect(status(desk, "a/count") == "active")
    #expect(desk.registry.fail(desk.streamID("a/x"), reason: "again", now: desk.now).isEmpty)
    let restored = desk.restart()
    #expect(restored.replies.map(\.key).sorted() == ["a/x", "b/x"])
    #expect(["a/x", "b/x"].map { status(desk, $0) } == ["active", "active"])
    #expect(desk.restart().isEmpty)
  }

  @Test func `a stream that stands still ends with its requests, and begins anew`() {
    let desk = Desk()
    desk.ask("a/x", core)
    let id = desk.streamID("a/x")
    desk.commit(desk.registry.fail(id, reason: "too much", now: desk.now))
    desk.send("a/x", nil)
    #expect(desk.wait(.seconds(31)).ended.map(\.id) == [id])
    desk.ask("a/x", core)
    #expect(status(desk, "a/x") == "active")
  }

  @Test(arguments: [0, -1, 86_400_001, Int64.max])
  func `a set that was written with an interval out of range is asked for anew`(interval: Int64) throws {
    let desk = Desk()
    desk.ask("a/x", core)
    let key = try #require(desk.cluster.keys.first { $0.hasPrefix("set/") })
    desk.cluster[key] = try JSON(
      parsing: #"{"creation":1,"filter":"x","interval_ms":\#(interval)}"#)
    desk.restart()
    #expect(desk.registry.sets.map(\.interval) == [.seconds(5)])
    #expect(desk.registry.counts.restoreFaults > 0)
  }

  @Test func `a grace period written by a clock that was ahead ends in its time`() throws {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.send("a/x", nil)
    desk.now = desk.now + .seconds(-3_600)
    desk.restart()
    #expect(desk.wait(.seconds(31)).ended.count == 1)
  }
}
