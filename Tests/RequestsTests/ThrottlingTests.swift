import Base
import Events
import Testing

@testable import Requests

/// The interval in force under load: on `belfry.cluster`, in replies, and over restarts.
struct ThrottlingTests {
  private let desk = Desk()

  private func throttle(to interval: Duration) {
    desk.replies = [:]
    desk.commit(desk.registry.throttle(to: interval, now: desk.now))
    while true {
      let effects = desk.registry.tellThrottled(now: desk.now)
      if effects.isEmpty { return }
      desk.commit(effects)
    }
  }

  private func interval(_ key: String) -> Int64? { desk[reply: key]["interval_ms"]?.int }

  @Test func `sets that ask for less get the larger interval, others hear nothing`() {
    desk.ask("a/fast", core, #""interval_ms":500"#)
    desk.ask("b/fast", counter, #""interval_ms":10000"#)
    desk.ask("c/slow", other, #""interval_ms":60000"#)
    throttle(to: .seconds(7))
    #expect(interval("a/fast") == 7_000)
    #expect(interval("b/fast") == 7_000)
    #expect(desk[reply: "c/slow"] == .null)
    let set = desk.registry.request(client: "a", name: "fast")!.set
    #expect(desk.cluster["set/\(set)"]?["interval_ms"]?.int == 7_000)
    #expect(desk.cluster["throttle"]?["interval_ms"]?.int == 7_000)
    #expect(desk.registry.smallestAsked == .milliseconds(500))
    throttle(to: .zero)
    #expect(interval("a/fast") == 500)
    #expect(desk.registry.set(set)?.interval == .milliseconds(500))
  }

  @Test func `a request that comes while the interval is larger gets that`() {
    throttle(to: .seconds(7))
    desk.ask("a/x", core, #""interval_ms":500"#)
    #expect(interval("a/x") == 7_000)
    desk.ask("a/y", other, #""interval_ms":9000"#)
    #expect(interval("a/y") == 9_000)
    desk.ask("b/z", core, #""interval_ms":8000"#)
    desk.send("a/x", nil)
    #expect(interval("b/z") == 8_000)
  }

  @Test func `it stands over a restart, and whoever was not told by then is`() {
    desk.ask("a/x", core, #""interval_ms":500"#)
    desk.ask("a/y", other, #""interval_ms":500"#)
    desk.commit(desk.registry.throttle(to: .seconds(2), now: desk.now))
    desk.restart()
    #expect(desk.registry.floor == 2_000)
    #expect(interval("a/x") == 2_000)
    #expect(interval("a/y") == 2_000)
    desk.cluster["throttle"] = .object(of: ["interval_ms": .int(-5)])
    desk.restart()
    #expect(desk.registry.floor == 0)
    #expect(interval("a/x") == 500)
  }

  @Test func `clients are told some at a time, sets that are linked together`() {
    var settings = RegistrySettings()
    settings.toldPerTurnMax = 10
    let desk = Desk(settings)
    for n in 0..<50 { desk.ask("c\(n)/x", "SELECT Node FROM alerts WHERE Tally = \(n)") }
    for n in 0..<4 { desk.ask("wall/\(n)", "SELECT Node FROM alerts WHERE Serial = \(n)", #""link":"w""#) }
    desk.commit(desk.registry.throttle(to: .seconds(20), now: desk.now))
    var told: [Int] = []
    while true {
      let effects = desk.registry.tellThrottled(now: desk.now)
      if effects.isEmpty { break }
      told.append(effects.replies.count)
      desk.commit(effects)
    }
    #expect(told.reduce(0, +) == 54)
    #expect(told.count >= 6)
    #expect(told.allSatisfy { $0 < 15 })
  }
}
