import Base
import ConnectorKit
import Synchronization

/// The monitor of the machine that Belfry runs on: problems and their ends at thresholds, and a row for each
/// resource with its present value. One thread; see README.md for what it measures.
public final class HostMonitorProbe: Probe {
  public static let kind = "host_monitor"

  /// After the first look, which has nothing to compare counters with, the second comes soon.
  static let secondLookAfter = Duration.seconds(1)

  private struct Running: Sendable {
    let thread: JoinedThread
    let stop: StopRequest
  }

  private let settings: HostSettings
  private let context: ProbeContext
  private let telemetry: ProbeTelemetry
  private let space: @Sendable ([UInt8]) -> DiskSpace?
  private let lifecycle = ProbeLifecycle<Running>()

  public convenience init(settings: ConnectorSettings, context: ProbeContext) throws(ConnectorError) {
    self.init(try HostSettings(settings), context: context, space: FileReading.space)
  }

  /// `space` stands in for statvfs(3).
  init(_ settings: HostSettings, context: ProbeContext, space: @escaping @Sendable ([UInt8]) -> DiskSpace?) {
    self.settings = settings
    self.context = context
    self.space = space
    telemetry = ProbeTelemetry(context)
  }

  deinit { stop() }

  public func start() throws(ConnectorError) {
    try lifecycle.start { () throws(ConnectorError) in
      guard FileReading.bytes("\(settings.proc)/stat") != nil else {
        throw ConnectorError(
          place: settings.procPlace, "host_monitor: cannot read `\(settings.proc)/stat`")
      }
      let stop = StopRequest()
      let (settings, context, telemetry, space) = (settings, context, telemetry, space)
      let thread = JoinedThread {
        var rounds = HostRounds(settings: settings, context: context, telemetry: telemetry, space: space)
        rounds.run(until: stop)
      }
      guard let thread else { throw ConnectorError(place: "", "host_monitor: no thread to be had") }
      telemetry.log.info("measuring", ("interval", settings.interval.settingsText))
      return Running(thread: thread, stop: stop)
    }
  }

  public func stop() {
    lifecycle.stop { running in
      running.stop.request()
      running.thread.join()
    }
  }
}

/// One thread's wait between its rounds, cut short by the wish to stop.
final class StopRequest: Sendable {
  private let signal = Signal()
  private let wanted = Atomic<Bool>(false)

  func request() {
    wanted.store(true, ordering: .releasing)
    signal.raise()
  }

  var isRequested: Bool { wanted.load(ordering: .acquiring) }

  func wait(atMost limit: Duration) { signal.wait(atMost: limit) }
}

/// What the monitor's thread does: look, compare, tell, wait.
struct HostRounds {
  private let context: ProbeContext
  private let telemetry: ProbeTelemetry
  private let interval: Duration
  private let sampler: HostSampler
  private var readings: HostReadings
  private var state: HostState

  init(
    settings: HostSettings, context: ProbeContext, telemetry: ProbeTelemetry,
    space: @escaping @Sendable ([UInt8]) -> DiskSpace?
  ) {
    self.context = context
    self.telemetry = telemetry
    interval = settings.interval
    let complaints = Complaints(telemetry)
    sampler = HostSampler(
      settings: settings, clock: context.clock, space: space, failed: { complaints.add($0) })
    readings = HostReadings(settings: settings)
    state = HostState(settings: settings, node: settings.node.isEmpty ? context.hostName : settings.node)
  }

  /// A round that comes late is not made up for.
  mutating func run(until stop: StopRequest) {
    var due = context.clock.elapsed()
    var pause = min(interval, HostMonitorProbe.secondLookAfter)
    while !stop.isRequested {
      round()
      let now = context.clock.elapsed()
      due = max(due + pause, now)
      pause = interval
      stop.wait(atMost: due - now)
    }
  }

  mutating func round() {
    let sample = sampler.sample()
    let (found, unread) = readings.readings(of: sample)
    let events = state.observe(
      found, unread: unread, now: context.clock.now(), elapsed: sample.elapsed)
    for event in events where !telemetry.deliver(event.alert.event()) { state.refused(event) }
  }
}

/// Counts what cannot be read, and logs it the first time. Belongs to the monitor's thread.
private final class Complaints {
  private let telemetry: ProbeTelemetry
  private var logged: Set<String> = []

  init(_ telemetry: ProbeTelemetry) { self.telemetry = telemetry }

  func add(_ reason: String) {
    telemetry.failure(reason)
    if logged.insert(reason).inserted {
      telemetry.log.warning("a part of the machine cannot be measured", ("reason", reason))
    }
  }
}
