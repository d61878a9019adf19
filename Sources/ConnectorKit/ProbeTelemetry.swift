import Base
import Synchronization

/// A probe's counters and the log lines that go with them, so that nothing is dropped without a count and a
/// reason. Any thread may call.
public final class ProbeTelemetry: Sendable {
  /// Why an event was not taken. The texts are label values of `belfry_connector_rejected_total`.
  public enum Reason: String, CaseIterable, Sendable {
    /// The sink refused: what is behind it is slower than what comes in.
    case full
    /// The probe was stopped with the event still in its hands.
    case stopped
  }

  private let name: String
  private let sink: any EventSink
  private let metrics: Metrics
  public let log: Log
  private let events: Metric
  private let rejections: [Reason: Metric]
  private let clock: any Clock
  /// When a full sink was last logged, in ms of `clock.elapsed()`.
  private let warned = Atomic<Int64>(.min / 2)
  /// Between two log lines about a full sink, in ms: the counters tell the rest.
  private static let warningPause: Int64 = 60_000

  public init(_ context: ProbeContext) {
    name = context.name
    sink = context.sink
    clock = context.clock
    metrics = context.metrics
    log = context.log.named("connector.\(context.name)")
    events = context.metrics.counter(
      "belfry_connector_events_total", "Events that a connector sent on.", [("connector", context.name)])
    var rejections: [Reason: Metric] = [:]
    for reason in Reason.allCases {
      rejections[reason] = context.metrics.counter(
        "belfry_connector_rejected_total", "Events that a connector could not send on.",
        [("connector", context.name), ("reason", reason.rawValue)])
    }
    self.rejections = rejections
  }

  /// Sends an event; one that is refused is counted as rejected (`full`).
  @discardableResult
  public func deliver(_ event: ProbeEvent) -> Bool {
    if offer(event) { return true }
    reject(.full)
    return false
  }

  /// Sends an event that the caller keeps, and offers again, when it is refused.
  public func offer(_ event: ProbeEvent) -> Bool {
    let taken = sink.send(event)
    if taken { events.add() } else { warn() }
    return taken
  }

  private func warn() {
    let now = clock.elapsed().milliseconds
    let last = warned.load(ordering: .relaxed)
    guard now - last >= Self.warningPause,
      warned.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    else { return }
    log.warning("the queue behind the connector is full; what cannot wait is dropped and counted")
  }

  public func reject(_ reason: Reason) { rejections[reason]?.add() }

  /// Counts under `name{connector=…, <label>=…}`. `value` is one of a few known texts, never input.
  public func counter(_ name: String, _ help: String, _ labels: (String, String)...) -> Metric {
    metrics.counter(name, help, [("connector", self.name)] + labels)
  }

  public func gauge(_ name: String, _ help: String) -> Metric {
    metrics.gauge(name, help, [("connector", self.name)])
  }

  /// Counts something that went wrong with a probe's source; `reason` is one of a few known texts.
  public func failure(_ reason: String) {
    counter(
      "belfry_connector_errors_total", "What went wrong at a connector's source.", ("reason", reason)
    ).add()
  }
}
