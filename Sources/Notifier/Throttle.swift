import Base

/// Whether sweeps keep up, and how often sets may be due where they do not. A plain state
/// machine; times are those of `Clock.elapsed`.
///
/// A *round* takes what is due and ends when all of it is published. Where rounds take too large a share of the
/// smallest interval in them, that interval cannot be held, and becomes the next larger one of `steps`; sets
/// that ask for larger ones are not touched. With slack it comes back down, step by step. Where that was too
/// early, it waits twice as long the next time.
public struct Throttle {
  public struct Settings: Sendable {
    /// A round is too long above this share of the smallest interval in it.
    public var threshold = 0.8
    /// There is slack where rounds are below this share of the interval that is one step smaller.
    public var slack = 0.5
    /// Dear rounds, which are not, may take this share of the time.
    public var dearShare = 0.25
    /// Rounds are judged together over this time, and are too long where such ones take half of it. Not one by
    /// one: a broker that stands still for some seconds is no load.
    public var window = Duration.seconds(5)
    /// Windows in a row with rounds that are too long, before each step up.
    public var windowsMin = 2
    /// How long there must be slack before a step down: the first time, and at most.
    public var slackTimeMin = Duration.seconds(60)
    public var slackTimeMax = Duration.seconds(3_600)
    /// How long a step must stand before clients are told: where it flaps, they are not.
    public var tellAfter = Duration.seconds(15)
    /// `sweep.interval_max_ms`: no interval grows beyond it.
    public var intervalMax = Duration.seconds(60)

    public init() {}
  }

  /// The intervals that are stepped through, ms.
  static let steps: [Int64] = [
    100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000,
    45_000, 60_000, 90_000, 120_000, 180_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000,
  ]

  let settings: Settings
  /// No set is due more often than this; zero where all is as it is asked for.
  private(set) var floor: Duration
  /// What clients are told of it.
  private(set) var told: Duration
  /// The longest round of the last window.
  private(set) var roundTime = Duration.zero

  private var changedAt = Duration.zero
  private var windowStart: Duration?
  /// Of the present window: the time that rounds took that were too long, the smallest interval of such ones, the
  /// time of dear rounds, and the longest round.
  private var excess = Duration.zero
  private var smallestHeld: Duration?
  private var dear = Duration.zero
  private var longest = Duration.zero
  private var windowsOver = 0
  /// Since when there is slack, and the time of dear rounds since then.
  private var slackSince: Duration?
  private var dearSince = Duration.zero
  private var slackTime: Duration
  private var steppedDownAt: Duration?

  /// `floor`: where a former publisher was.
  init(_ settings: Settings, floor: Duration = .zero) {
    self.settings = settings
    self.floor = min(floor, settings.intervalMax)
    told = floor
    slackTime = settings.slackTimeMin
  }

  /// A round is over; `took` is the work of its sweeps, `smallest` the smallest interval in force in it.
  mutating func ended(round took: Duration, smallest: Duration, now: Duration) {
    let start = windowStart ?? now - took
    windowStart = start
    longest = max(longest, took)
    if took.seconds > smallest.seconds * settings.threshold {
      excess += took
      smallestHeld = min(smallestHeld ?? smallest, smallest)
    }
    if took.seconds >= Self.below(floor).seconds * settings.slack { dear += took }
    guard now - start >= settings.window else { return }
    roundTime = longest
    judge(now - start, now)
    windowStart = now
    excess = .zero
    smallestHeld = nil
    dear = .zero
    longest = .zero
  }

  private mutating func judge(_ window: Duration, _ now: Duration) {
    let isOver = excess.seconds > window.seconds / 2
    windowsOver = isOver ? windowsOver + 1 : 0
    if windowsOver >= settings.windowsMin, let smallestHeld {
      windowsOver = 0
      stepUp(from: max(floor, smallestHeld), now)
    }
    if slackSince == nil { dearSince = .zero }
    dearSince += dear
    let span = slackSince.map { max(slackTime, now - $0) } ?? window
    let isSlack = floor > .zero && dearSince.seconds <= span.seconds * settings.dearShare
    slackSince = isSlack ? slackSince ?? now : nil
    if let since = slackSince, now - since >= slackTime { stepDown(now) }
  }

  private mutating func stepUp(from interval: Duration, _ now: Duration) {
    let next = min(Self.above(interval), settings.intervalMax)
    guard next > floor, next > interval else { return }
    if let down = steppedDownAt, now - down < slackTime {
      slackTime = min(slackTime * 2, settings.slackTimeMax)
    }
    steppedDownAt = nil
    slackSince = nil
    change(to: next, now)
  }

  private mutating func stepDown(_ now: Duration) {
    steppedDownAt = now
    slackSince = nil
    change(to: Self.below(floor), now)
  }

  private mutating func change(to interval: Duration, _ now: Duration) {
    floor = interval
    changedAt = now
  }

  /// No set asks for a smaller interval than this: a floor below it holds nobody up.
  mutating func nobodyAsks(below smallest: Duration, now: Duration) {
    if floor > .zero, floor <= smallest { change(to: .zero, now) }
  }

  /// Whether clients are to be told by now; `told` is then what.
  mutating func mayTell(now: Duration) -> Bool {
    guard told != floor, now - changedAt >= settings.tellAfter else { return false }
    told = floor
    return true
  }

  private static func above(_ interval: Duration) -> Duration {
    .milliseconds(steps.first { $0 > interval.milliseconds } ?? steps.last!)
  }

  /// Zero below the first.
  private static func below(_ interval: Duration) -> Duration {
    .milliseconds(steps.last { $0 < interval.milliseconds } ?? 0)
  }
}
