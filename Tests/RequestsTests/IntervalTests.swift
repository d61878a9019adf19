import Base
import Events
import Testing

@testable import Requests

@Suite struct IntervalTests {
  private func interval(_ desk: Desk, _ key: String) -> Int64? { desk[reply: key]["interval_ms"]?.int }

  @Test func `a set runs at the smallest interval that is asked, and all its clients hear of it`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("b/count", counter)
    let effects = desk.ask("c/x", sameCore, #""interval_ms":1000"#)
    #expect(effects.replies.map(\.key) == ["a/x", "b/count", "c/x"])
    #expect(["a/x", "b/count", "c/x"].map { interval(desk, $0) } == [1000, 1000, 1000])
    #expect(effects.sets.map(\.interval) == [.seconds(1)])
  }

  @Test func `a larger interval changes nothing for the others`() {
    let desk = Desk()
    desk.ask("a/x", core)
    let effects = desk.ask("b/x", core, #""interval_ms":9000"#)
    #expect(effects.replies.map(\.key) == ["b/x"])
    #expect(effects.sets.isEmpty)
    #expect(interval(desk, "b/x") == 5000)
  }

  @Test func `the interval rises when who asked for the smallest leaves`() {
    let desk = Desk()
    desk.ask("a/x", core)
    desk.ask("b/x", core, #""interval_ms":1000"#)
    let effects = desk.send("b/x", nil)
    #expect(interval(desk, "a/x") == 5000)
    #expect(effects.sets.map(\.interval) == [.seconds(5)])
  }

  @Test func `linked requests join their sets, which run at the smallest interval of all`() throws {
    let desk = Desk()
    desk.ask("a/x", core, #""link":"wall""#)
    let effects = desk.ask("a/y", other, #""link":"wall","interval_ms":500"#)
    #expect(effects.replies.map(\.key) == ["a/x", "a/y"])
    #expect(interval(desk, "a/x") == 500)
    #expect(Set(desk.registry.sets.map(\.linkGroup)) == [try #require(desk.registry.sets.first).id])
  }

  @Test func `links reach over a set that two clients share`() {
    let desk = Desk()
    desk.ask("a/1", other, #""link":"w""#)
    desk.ask("a/2", core, #""link":"w""#)
    desk.ask("b/1", core, #""link":"w""#)
    desk.ask("b/2", "SELECT Node FROM alerts", #""link":"w""#)
    #expect(Set(desk.registry.sets.map(\.linkGroup)).count == 1)
    desk.send("b/1", nil)
    #expect(Set(desk.registry.sets.map(\.linkGroup)).count == 2)
  }

  @Test func `the same word of two clients links nothing`() {
    let desk = Desk()
    desk.ask("a/x", core, #""link":"wall""#)
    desk.ask("b/y", other, #""link":"wall""#)
    #expect(Set(desk.registry.sets.map(\.linkGroup)).count == 2)
  }

  @Test func `sets fall apart when the request that joined them goes, and its interval with it`() {
    let desk = Desk()
    desk.ask("a/x", core, #""link":"wall","interval_ms":500"#)
    desk.ask("a/y", other, #""link":"wall""#)
    desk.ask("b/y", other)
    let effects = desk.send("a/y", nil)
    #expect(effects.sets.map(\.linkGroup) == effects.sets.map(\.id))
    #expect(interval(desk, "b/y") == 5000)
    #expect(interval(desk, "a/x") == 500)
  }

  @Test func `without a living request the interval stays`() {
    let desk = Desk()
    desk.ask("a/x", core, #""interval_ms":700"#)
    desk.send("a/x", nil)
    #expect(desk.registry.sets.map(\.interval) == [.milliseconds(700)])
    desk.ask("a/x", core)
    #expect(interval(desk, "a/x") == 5000)
  }
}
