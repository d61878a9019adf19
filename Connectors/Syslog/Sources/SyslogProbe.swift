import Base
import ConnectorKit

/// Listens for syslog messages on UDP and TCP and sends each on as an alert. One thread; see README.md.
public final class SyslogProbe: Probe {
  public static let kind = "syslog"

  /// Where a running probe listens.
  public struct Listening: Equatable, Sendable {
    /// `udp` or `tcp`.
    public var transport: String
    /// As in the settings.
    public var address: String
    /// The real one, where the settings say port 0.
    public var port: UInt16
  }

  private struct Running: Sendable {
    let thread: JoinedThread
    let wake: WakePipe
    let listening: [Listening]
  }

  private let settings: SyslogSettings
  private let context: ProbeContext
  private let telemetry: ProbeTelemetry
  private let lifecycle = ProbeLifecycle<Running>()

  public init(settings: ConnectorSettings, context: ProbeContext) throws(ConnectorError) {
    self.settings = try SyslogSettings(settings)
    self.context = context
    telemetry = ProbeTelemetry(context)
  }

  deinit { stop() }

  /// The sockets of a running probe, UDP first, each in the settings' order; none when it does not run.
  public var listening: [Listening] { lifecycle.current?.listening ?? [] }

  public func start() throws(ConnectorError) {
    try lifecycle.start { () throws(ConnectorError) in
      var sockets: [Socket] = []
      for address in settings.udp { sockets.append(try Socket.bound(.udp, address)) }
      for address in settings.tcp { sockets.append(try Socket.bound(.tcp, address)) }
      return try running(sockets)
    }
  }

  private func running(_ sockets: [Socket]) throws(ConnectorError) -> Running {
    guard let wake = WakePipe() else { throw ConnectorError(place: "", "syslog: no descriptor to be had") }
    let (settings, clock, telemetry) = (settings, context.clock, telemetry)
    let thread = JoinedThread {
      SyslogServer(settings: settings, clock: clock, telemetry: telemetry, sockets: sockets, wake: wake).run()
    }
    guard let thread else { throw ConnectorError(place: "", "syslog: no thread to be had") }
    let listening = sockets.map {
      Listening(transport: $0.transport.rawValue, address: $0.address.text, port: $0.port)
    }
    for one in listening {
      telemetry.log.info("listening", (one.transport, one.address), ("port", String(one.port)))
    }
    return Running(thread: thread, wake: wake, listening: listening)
  }

  public func stop() {
    lifecycle.stop { running in
      running.wake.wake()
      running.thread.join()
    }
  }
}
