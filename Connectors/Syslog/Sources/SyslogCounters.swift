import Base
import ConnectorKit

/// The probe's own metrics, besides those that every connector has.
struct SyslogCounters {
  /// Why the probe closed a connection that its sender had not finished. Label values.
  enum Closing: String, CaseIterable {
    /// `connections_max` were open.
    case limit
    /// Nothing came for `idle_timeout`.
    case idle
    /// An octet count was none.
    case framing
    /// The sender ended it inside a counted message.
    case cut
  }

  let truncated: Metric
  let paused: Metric
  let connections: Metric
  private let malformed: [SyslogFault.Reason: Metric]
  private let closings: [Closing: Metric]

  init(_ telemetry: ProbeTelemetry) {
    truncated = telemetry.counter(
      "belfry_connector_truncated_total", "Messages longer than the limit, of which the rest was dropped.")
    paused = telemetry.counter(
      "belfry_connector_paused_total", "Times that a source was held back because the sink was full.")
    connections = telemetry.gauge("belfry_syslog_connections", "Open TCP connections.")
    var malformed: [SyslogFault.Reason: Metric] = [:]
    for reason in SyslogFault.Reason.allCases {
      malformed[reason] = telemetry.counter(
        "belfry_connector_malformed_total", "Messages that are not as their format says, taken all the same.",
        ("reason", reason.rawValue))
    }
    self.malformed = malformed
    var closings: [Closing: Metric] = [:]
    for reason in Closing.allCases {
      closings[reason] = telemetry.counter(
        "belfry_syslog_closed_total", "TCP connections that did not end well.", ("reason", reason.rawValue))
    }
    self.closings = closings
  }

  func malformed(_ reason: SyslogFault.Reason) { malformed[reason]?.add() }
  func closed(_ reason: Closing) { closings[reason]?.add() }
}
