import Base
import ConnectorKit
import Glibc

/// One sender's TCP connection.
struct SyslogConnection {
  let descriptor: Descriptor
  let sender: String
  var framer: Framer
  /// An event that the sink refused. While there is one nothing more is read: TCP holds the sender back.
  var parked: ProbeEvent?
  /// No more comes from the sender; what it sent is still being passed on.
  var ended = false
  /// When it last sent something, or was last held back by us.
  var active: Duration
}

/// The probe's thread: waits in poll(2) for datagrams, connections and their bytes. All its state is its own.
final class SyslogServer {
  private let settings: SyslogSettings
  private let clock: any Clock
  private let telemetry: ProbeTelemetry
  private let sockets: [Socket]
  private let wake: WakePipe
  private let counters: SyslogCounters
  private let mapping: SyslogMapping
  private var connections: [SyslogConnection] = []
  private var buffer = [UInt8](repeating: 0, count: SyslogLimits.readBytes)
  /// Until then no connection is accepted: the process is out of descriptors.
  private var acceptAgain: Duration = .zero

  /// Between two tries to hand on parked events, and between two looks for idle connections.
  private static let parkedPause = Duration.milliseconds(20)
  private static let idlePause = Duration.milliseconds(1000)

  init(
    settings: SyslogSettings, clock: any Clock, telemetry: ProbeTelemetry, sockets: [Socket], wake: WakePipe
  ) {
    self.settings = settings
    self.clock = clock
    self.telemetry = telemetry
    self.sockets = sockets
    self.wake = wake
    counters = SyslogCounters(telemetry)
    mapping = SyslogMapping(settings: settings)
  }

  /// Returns when the wake pipe is written to.
  func run() {
    while true {
      var polled = polled()
      let ready = poll(&polled, nfds_t(polled.count), Int32(pause().milliseconds))
      if polled[0].revents != 0 { break }
      if ready > 0 { serve(polled) }
      if connections.contains(where: { $0.parked != nil }) { retryParked() }
      closeIdle()
    }
    for connection in connections where connection.parked != nil { telemetry.reject(.stopped) }
    counters.connections.set(0)
  }

  /// The wake pipe, the sockets, then the connections, in their order. A negative descriptor is passed over.
  private func polled() -> [pollfd] {
    let accepts = clock.elapsed() >= acceptAgain
    var all = [pollfd(fd: wake.reader.number, events: Int16(POLLIN), revents: 0)]
    for socket in sockets {
      let wanted = socket.transport == .udp || accepts
      all.append(pollfd(fd: wanted ? socket.descriptor.number : -1, events: Int16(POLLIN), revents: 0))
    }
    for connection in connections {
      let wanted = connection.parked == nil
      all.append(pollfd(fd: wanted ? connection.descriptor.number : -1, events: Int16(POLLIN), revents: 0))
    }
    return all
  }

  private func pause() -> Duration {
    if connections.contains(where: { $0.parked != nil }) { return Self.parkedPause }
    return min(Self.idlePause, settings.idleTimeout)
  }

  private func serve(_ polled: [pollfd]) {
    // Connections before listeners: accepting appends to the connections.
    for i in connections.indices where polled[1 + sockets.count + i].revents != 0 { read(&connections[i]) }
    closeEnded()
    for (i, socket) in sockets.enumerated() where polled[1 + i].revents != 0 {
      if socket.transport == .udp { receive(socket) } else { accept(socket) }
    }
  }

  // MARK: UDP

  private func receive(_ socket: Socket) {
    for _ in 0..<SyslogLimits.datagramsPerTurn {
      switch socket.receive(&buffer) {
      case .value(let (length, sender)):
        let kept = min(length, settings.messageMax, buffer.count)
        guard kept > 0 else { continue }
        let frame = Framer.Frame(bytes: Array(buffer[..<kept]), truncated: length > kept)
        telemetry.deliver(event(frame, sender))
      case .later: return
      case .failed(let code): return fail("receive", code)
      }
    }
  }

  // MARK: TCP

  private func accept(_ socket: Socket) {
    for _ in 0..<SyslogLimits.acceptsPerTurn {
      switch socket.accepted() {
      case .value(let (descriptor, sender)): admit(descriptor, sender)
      case .later: return
      case .failed(let code):
        // Out of descriptors the listener stays readable: polling it would spin.
        acceptAgain = clock.elapsed() + Self.idlePause
        return fail("accept", code)
      }
    }
  }

  private func admit(_ descriptor: Descriptor, _ sender: String) {
    guard connections.count < settings.connectionsMax else {
      counters.closed(.limit)
      return
    }
    connections.append(
      SyslogConnection(
        descriptor: descriptor, sender: sender,
        framer: Framer(framing: settings.framing, messageMax: settings.messageMax), active: clock.elapsed()))
    counters.connections.set(connections.count)
  }

  /// One read a turn, so that a fast sender does not starve the others.
  private func read(_ connection: inout SyslogConnection) {
    connection.active = clock.elapsed()
    switch connection.descriptor.read(&buffer) {
    case .value(0), .failed:
      let (last, cut) = connection.framer.end()
      if cut { counters.closed(.cut) }
      connection.ended = true
      if let last { pass(event(last, connection.sender), &connection) }
    case .value(let n):
      connection.framer.give(buffer[..<n])
      drain(&connection)
    case .later: return
    }
  }

  /// Hands on the messages that are whole, until the sink refuses one.
  private func drain(_ connection: inout SyslogConnection) {
    do {
      while connection.parked == nil, let frame = try connection.framer.next() {
        pass(event(frame, connection.sender), &connection)
      }
    } catch {
      counters.closed(.framing)
      connection.ended = true
    }
  }

  private func pass(_ event: ProbeEvent, _ connection: inout SyslogConnection) {
    if telemetry.offer(event) { return }
    connection.parked = event
    counters.paused.add()
  }

  private func retryParked() {
    for i in connections.indices {
      guard let event = connections[i].parked else { continue }
      connections[i].active = clock.elapsed()
      guard telemetry.offer(event) else { continue }
      connections[i].parked = nil
      if !connections[i].ended { drain(&connections[i]) }
    }
    closeEnded()
  }

  private func closeEnded() {
    connections.removeAll { $0.ended && $0.parked == nil }
    counters.connections.set(connections.count)
  }

  private func closeIdle() {
    let now = clock.elapsed()
    let before = connections.count
    connections.removeAll { now - $0.active >= settings.idleTimeout }
    for _ in connections.count..<before { counters.closed(.idle) }
    counters.connections.set(connections.count)
  }

  private func event(_ frame: Framer.Frame, _ sender: String) -> ProbeEvent {
    if frame.truncated { counters.truncated.add() }
    let receipt = SyslogMapping.Receipt(time: clock.now(), sender: sender, truncated: frame.truncated)
    let (alert, fault) = mapping.alert(frame.bytes[...], receipt)
    if let fault { counters.malformed(fault.reason) }
    return alert.event()
  }

  private func fail(_ call: String, _ code: Int32) {
    telemetry.failure(call)
    telemetry.log.warning("a socket call failed", ("call", call), ("error", errorText(code)))
  }
}
