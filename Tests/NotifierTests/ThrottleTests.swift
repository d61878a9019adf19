import Base
import Testing

@testable import Notifier

/// The interval's steps, without a clock.
struct ThrottleTests {
  private var throttle = Throttle(Throttle.Settings())
  private var now = Duration.zero

  /// Rounds one behind the other, each of which takes `work` and begins when its interval has passed, or at once
  /// where the work is longer.
  private mutating func run(_ duration: Duration, work: Duration, asked: Duration) -> [Duration] {
    var floors: [Duration] = []
    let end = now + duration
    while now < end {
      let interval = max(asked, throttle.floor)
      now += max(work, interval)
      throttle.ended(round: work, smallest: interval, now: now)
      if floors.last != throttle.floor { floors.append(throttle.floor) }
    }
    return floors
  }

  /// What clients are to be told at this time, if they are.
  private mutating func told(at time: Duration) -> Duration? {
    throttle.mayTell(now: time) ? throttle.told : nil
  }

  @Test mutating func `rounds that fit into their interval change nothing`() {
    #expect(run(.seconds(600), work: .milliseconds(790), asked: .seconds(1)) == [.zero])
    #expect(throttle.roundTime == .milliseconds(790))
  }

  @Test mutating func `the interval grows by steps until the rounds fit, and not further`() {
    let floors = run(.seconds(600), work: .milliseconds(2_100), asked: .seconds(1))
    #expect(floors == [.zero, .milliseconds(1_500), .seconds(2), .seconds(3)])
  }

  @Test mutating func `the interval does not grow beyond its limit, and never below what is asked`() {
    #expect(run(.seconds(4_000), work: .seconds(100), asked: .seconds(1)).last == .seconds(60))
    throttle = Throttle(Throttle.Settings())
    #expect(run(.seconds(4_000), work: .seconds(100), asked: .seconds(90)) == [.zero])
  }

  @Test mutating func `one long round is no load`() {
    _ = run(.seconds(20), work: .milliseconds(10), asked: .seconds(1))
    #expect(run(.seconds(8), work: .seconds(8), asked: .seconds(1)) == [.zero])
    #expect(run(.seconds(60), work: .milliseconds(10), asked: .seconds(1)) == [.zero])
  }

  @Test mutating func `a small interval that is held half of the time is held`() {
    // Two seconds of every five go to sets that ask for five; in between one is served that asks for 0.1 s.
    for _ in 0..<200 {
      now += .seconds(2)
      throttle.ended(round: .seconds(2), smallest: .milliseconds(100), now: now)
      for _ in 0..<30 {
        now += .milliseconds(100)
        throttle.ended(round: .milliseconds(10), smallest: .milliseconds(100), now: now)
      }
    }
    #expect(throttle.floor == .zero)
  }

  @Test mutating func `with slack it comes back down step by step, later each time that was too early`() {
    _ = run(.seconds(60), work: .milliseconds(2_100), asked: .seconds(1))
    #expect(throttle.floor == .seconds(3))
    // Rounds of 1.2 s fit into 3 s, but would not with slack into 2 s.
    #expect(run(.seconds(600), work: .milliseconds(1_200), asked: .seconds(1)) == [.seconds(3)])
    let down = run(.seconds(600), work: .milliseconds(10), asked: .seconds(1))
    #expect(down.prefix(4) == [.seconds(3), .seconds(2), .milliseconds(1_500), .seconds(1)])
    throttle.nobodyAsks(below: .seconds(1), now: now)
    #expect(throttle.floor == .zero)
  }

  @Test mutating func `a long round now and then does not keep it from coming back`() {
    _ = run(.seconds(60), work: .milliseconds(700), asked: .milliseconds(300))
    let held = throttle.floor
    #expect(held > .milliseconds(500))
    for _ in 0..<60 {
      _ = run(.seconds(17), work: .milliseconds(10), asked: .milliseconds(300))
      _ = run(.seconds(3), work: .seconds(3), asked: .milliseconds(300))
    }
    #expect(throttle.floor < held)
  }

  @Test mutating func `where it flaps it does so ever more seldom, and clients are not told`() {
    var steps: [Duration] = []
    var count = 0
    // Light whenever the interval is large: so each step down is too early.
    for _ in 0..<20_000 {
      let interval = max(.seconds(1), throttle.floor)
      let before = throttle.floor
      now += interval
      throttle.ended(
        round: throttle.floor > .seconds(1) ? .milliseconds(10) : .seconds(1), smallest: interval, now: now)
      if throttle.floor > before { steps.append(now) }
      if told(at: now) != nil { count += 1 }
    }
    let pauses = zip(steps.dropFirst(), steps).map { $0 - $1 }
    #expect(pauses.first! < .seconds(100))
    #expect(pauses.last! > .seconds(3_600))
    #expect(zip(pauses.dropFirst(), pauses).allSatisfy { $0 >= $1 })
    #expect(count <= 2 * steps.count)
  }

  @Test mutating func `clients are told of a step when it has stood for a while`() {
    while throttle.floor == .zero { _ = run(.seconds(1), work: .seconds(9), asked: .seconds(1)) }
    let first = now
    #expect(told(at: first) == nil)
    #expect(told(at: first + .seconds(14)) == nil)
    let other = throttle
    #expect(told(at: first + .seconds(15)) == .milliseconds(1_500))
    #expect(told(at: first + .seconds(99)) == nil)
    // One that was taken on meanwhile is told, and the former is not.
    throttle = other
    while throttle.floor < .seconds(2) { _ = run(.seconds(1), work: .seconds(9), asked: .seconds(1)) }
    #expect(told(at: now) == nil)
    #expect(told(at: now + .seconds(15)) == .seconds(2))
  }

  @Test func `a floor from before the start stands, within the limit of now`() {
    var settings = Throttle.Settings()
    settings.intervalMax = .seconds(5)
    let throttle = Throttle(settings, floor: .seconds(7))
    #expect(throttle.floor == .seconds(5))
    #expect(throttle.told == .seconds(7), "clients are to be told yet")
  }
}
