import Base
import ConnectorKit
import Glibc
import Synchronization

/// What every probe must do. A connector's tests run each check over their own probe:
///
///     @Test(arguments: ConformanceCheck.allCases)
///     func `keeps the probes' contract`(check: ConformanceCheck) throws {
///       let failure = try Conformance(MyProbe.self, …).failure(of: check)
///       #expect(failure == nil)
///     }
public struct Conformance<P: Probe> {
  private let settings: ConnectorSettings
  private let load: @Sendable (P) -> Void

  /// - Parameters:
  ///   - settings: with them the probe starts, with whatever addresses it is given, more than once.
  ///   - load: gives a running probe something to make at least one event of; called again and again.
  public init(_ probe: P.Type, settings: ConnectorSettings, load: @escaping @Sendable (P) -> Void) {
    self.settings = settings
    self.load = load
  }

  /// Nil when the probe passes; else what it did wrong.
  public func failure(of check: ConformanceCheck) throws -> String? {
    switch check {
    case .startAndStopInAnyOrder: try startAndStop()
    case .stopsUnderLoad: try stopsUnderLoad()
    case .boundedWhenTheSinkRefuses: try refusal()
    case .goesOnAfterRefusal: try afterRefusal()
    case .eventsAreRows: try events()
    case .unknownKeysHaveTheirPlace: unknownKey()
    case .settingsMustBeAMap: notAMap()
    }
  }

  private func probe(_ sink: RecordingSink, _ metrics: Metrics = Metrics()) throws -> P {
    try P(
      settings: settings,
      context: ProbeContext(
        name: "tested", sink: sink, clock: SystemClock(), metrics: metrics, log: .silent, hostName: "here"))
  }

  private func startAndStop() throws -> String? {
    let sink = RecordingSink()
    let probe = try probe(sink)
    probe.stop()
    for round in 1...2 {
      try probe.start()
      try probe.start()
      let seen = sink.offered
      guard eventually({ load(probe) }, { sink.offered > seen }) else { return "no event in run \(round)" }
      probe.stop()
      probe.stop()
      let after = sink.offered
      sched_yield()
      if sink.offered != after { return "an event after stop() returned" }
    }
    return nil
  }

  private func stopsUnderLoad() throws -> String? {
    let sink = RecordingSink()
    let probe = try probe(sink)
    try probe.start()
    let over = Flag()
    let load = load
    let loader = JoinedThread { while !over.isRaised { load(probe) } }
    let seen = eventually({}, { sink.offered > 0 })
    probe.stop()
    let after = sink.offered
    over.raise()
    loader?.join()
    if !seen { return "no event under load" }
    return sink.offered == after ? nil : "an event after stop() returned"
  }

  private func refusal() throws -> String? {
    let sink = RecordingSink()
    let metrics = Metrics()
    sink.refuses = true
    let probe = try probe(sink, metrics)
    try probe.start()
    let seen = eventually({ load(probe) }, { sink.offered >= 3 })
    probe.stop()
    if !seen { return "stopped offering when the sink refused" }
    let counted = ProbeTelemetry.Reason.allCases.reduce(0) {
      $0
        + metrics.value(
          "belfry_connector_rejected_total", [("connector", "tested"), ("reason", $1.rawValue)])
    }
    if counted == 0 { return "refused events are not counted" }
    let taken = metrics.value("belfry_connector_events_total", [("connector", "tested")])
    return taken == 0 ? nil : "\(taken) refused events are counted as sent"
  }

  private func afterRefusal() throws -> String? {
    let sink = RecordingSink()
    sink.refuses = true
    let probe = try probe(sink)
    try probe.start()
    defer { probe.stop() }
    guard eventually({ load(probe) }, { sink.offered > 0 }) else { return "no event" }
    sink.refuses = false
    return eventually({ load(probe) }, { !sink.taken.isEmpty }) ? nil : "no event after the refusal"
  }

  private func events() throws -> String? {
    let sink = RecordingSink()
    let metrics = Metrics()
    let probe = try probe(sink, metrics)
    try probe.start()
    _ = eventually({ load(probe) }, { !sink.taken.isEmpty })
    probe.stop()
    for event in sink.taken {
      let text = String(decoding: event.value, as: UTF8.self)
      let columns = [
        "Identifier", "Node", "Manager", "AlertGroup", "AlertKey", "Severity", "Summary", "Type",
      ]
      if let missing = columns.first(where: { !text.contains("\"\($0)\":") }) {
        return "no \(missing): \(text)"
      }
      if event.identifier.isEmpty { return "an event without an identifier" }
    }
    let counted = metrics.value("belfry_connector_events_total", [("connector", "tested")])
    if sink.taken.isEmpty { return "no event" }
    return counted == sink.taken.count ? nil : "\(counted) counted, \(sink.taken.count) sent"
  }

  private func unknownKey() -> String? {
    let entry = ConnectorSettings.Entry(
      name: "no_such_key", place: "7:3", value: ConnectorSettings(.int(1), place: "7:16"))
    return error(of: ConnectorSettings(.map([entry]), place: "6:1"), place: "7:3", saying: "no_such_key")
  }

  private func notAMap() -> String? {
    error(of: ConnectorSettings(.list([]), place: "6:1"), place: "6:1", saying: P.kind)
  }

  private func error(of settings: ConnectorSettings, place: String, saying word: String) -> String? {
    let context = ProbeContext(
      name: "tested", sink: RecordingSink(), clock: SystemClock(), metrics: Metrics(), log: .silent,
      hostName: "here")
    do {
      _ = try P(settings: settings, context: context)
      return "took settings that are wrong"
    } catch {
      return error.place == place && error.message.contains(word) ? nil : "unclear: \(error)"
    }
  }
}

public enum ConformanceCheck: String, CaseIterable, Sendable {
  case startAndStopInAnyOrder, stopsUnderLoad, boundedWhenTheSinkRefuses, goesOnAfterRefusal, eventsAreRows
  case unknownKeysHaveTheirPlace, settingsMustBeAMap
}

/// Does `step` until `condition` holds: true as soon as it does, false after a minute.
public func eventually(_ step: () -> Void = {}, _ condition: () -> Bool) -> Bool {
  let clock = SystemClock()
  let limit = clock.elapsed() + .seconds(60)
  while !condition() {
    guard clock.elapsed() < limit else { return false }
    step()
    usleep(1000)
  }
  return true
}

private final class Flag: Sendable {
  private let raised = Atomic<Bool>(false)
  var isRaised: Bool { raised.load(ordering: .relaxed) }
  func raise() { raised.store(true, ordering: .relaxed) }
}

/// A sink that keeps what it is given, or refuses it.
public final class RecordingSink: EventSink {
  private struct State {
    var taken: [ProbeEvent] = []
    var offered = 0
    var refuses = false
  }
  private let state = Mutex(State())

  public init() {}

  public func send(_ event: ProbeEvent) -> Bool {
    state.withLock { state in
      state.offered += 1
      if !state.refuses { state.taken.append(event) }
      return !state.refuses
    }
  }

  public var taken: [ProbeEvent] { state.withLock { $0.taken } }
  /// Events that were taken, as texts of JSON.
  public var texts: [String] { taken.map { String(decoding: $0.value, as: UTF8.self) } }
  public var offered: Int { state.withLock { $0.offered } }
  public var refuses: Bool {
    get { state.withLock { $0.refuses } }
    set { state.withLock { $0.refuses = newValue } }
  }
}

/// A clock that stands where it is put.
public final class ManualClock: Clock {
  private let time: Mutex<(now: Timestamp, elapsed: Duration)>

  public init(_ now: Timestamp) { time = Mutex((now, .zero)) }

  public func now() -> Timestamp { time.withLock { $0.now } }
  public func elapsed() -> Duration { time.withLock { $0.elapsed } }
  public func advance(_ step: Duration) {
    time.withLock { time in
      time.now = time.now + step
      time.elapsed += step
    }
  }
}

extension ConnectorSettings {
  /// A map for tests; the places are made up: every key on its own line.
  public static func map(_ entries: (String, Value)...) -> ConnectorSettings {
    let entries = entries.enumerated().map { i, entry in
      Entry(
        name: entry.0, place: "\(i + 1):1", value: ConnectorSettings(entry.1, place: "\(i + 1):9"))
    }
    return ConnectorSettings(.map(entries), place: "1:1")
  }
}
