import Base
import Bus
import Client
import Configuration
import Console
import Events
import FrontDoor
import Glibc
import Service
import Synchronization

/// The demo's own configuration: all in this process, nothing to set up.
private let demoYAML = """
  kafka: { bootstrap: embedded, partitions: 2 }
  member: { id: demo }
  sweep: { interval_ms: 1000 }
  pipelines:
    - name: host
      source: { host_monitor: { interval: 2s } }
    - name: syslog
      source: { syslog: { udp: "127.0.0.1:SYSLOG", tcp: "127.0.0.1:SYSLOG" } }
  """

/// Requests of several clients: three ask for the same rows in their own words, two for the same counter.
private let demoRequests: [(client: String, name: String, sql: String)] = [
  ("wall", "rows", "SELECT Node, Severity, Tally, Summary FROM alerts WHERE Severity >= 1"),
  ("noc-7", "mine", "select Summary, Tally, Severity, Node from alerts where NOT Severity < 1"),
  ("noc-9", "all", "SELECT Node, Severity, Summary, Tally FROM alerts WHERE Severity > 0"),
  (
    "wall", "count",
    "SELECT Severity, COUNT(*) AS n, SUM(Tally) AS events FROM alerts WHERE 1 <= Severity GROUP BY Severity"
  ),
  (
    "duty", "count",
    "SELECT Severity, COUNT(*) AS n, SUM(Tally) AS events FROM alerts WHERE Severity >= 1 GROUP BY Severity"
  ),
]

/// `belfry demo`: embedded broker, probes, a member and clients in one process; the live table in the
/// terminal until ^C.
func demo(_ invocation: Invocation, _ output: Output) throws {
  Signals.block()
  let notices = Notices()
  let server = try startDemo(invocation, Log.Sink(clock: SystemClock(), least: .warning) { notices.add($0) })
  defer { server.stop() }
  let session = Session(
    bus: server.bus, topics: ClusterTopics(cluster: server.configuration.cluster), clock: SystemClock())
  let isTerminal = isatty(1) == 1 && environment()["TERM"] != "dumb"
  let screen = DemoScreen(server: server, session: session, notices: notices, isTerminal: isTerminal)
  try screen.greet()
  try waitUntilReady(server, screen)
  try screen.wait(for: "replies to \(demoRequests.count) requests")
  let replies = try session.requests(
    demoRequests.map { client, name, sql in
      (
        "\(client)/\(name)",
        .object(of: ["client": .string(client), "name": .string(name), "sql": .string(sql)])
      )
    })
  for (request, reply) in zip(demoRequests, replies) {
    try screen.take(reply, of: request.client, request.name, request.sql)
  }
  while Signals.wait(atMost: .milliseconds(500)) == nil {
    try screen.refresh()
    if let failure = server.member.failure { throw CommandFailure("\(failure)") }
  }
  try screen.leave()
}

/// On the usual syslog port, or any other where that one is taken.
private func startDemo(_ invocation: Invocation, _ sink: Log.Sink) throws -> Server {
  func configuration(syslog port: Int) throws -> Configuration {
    let text = demoYAML.split(separator: "SYSLOG", omittingEmptySubsequences: false).joined(
      separator: "\(port)")
    let loaded = try Configuration.load(path: "demo", environment: [:]) { _, _ in Array(text.utf8) }
    var configuration = loaded.configuration
    configuration.http.listen = HostPort(host: "127.0.0.1", port: 0)
    if let address = invocation.text("http") {
      guard let listen = HostPort(address) else { throw UsageError("--http: expected HOST:PORT") }
      configuration.http.listen = listen
    }
    return configuration
  }
  do {
    return try Server(try configuration(syslog: 5514), sink: sink)
  } catch let error as UsageError {
    throw error
  } catch {
    return try Server(try configuration(syslog: 0), sink: sink)
  }
}

private func waitUntilReady(_ server: Server, _ screen: DemoScreen) throws {
  let clock = SystemClock()
  let deadline = clock.elapsed() + .seconds(60)
  while !server.member.readiness.list.isEmpty {
    if let failure = server.member.failure { throw CommandFailure("\(failure)") }
    let reasons = server.member.readiness.list.joined(separator: "; ")
    if clock.elapsed() > deadline { throw CommandFailure("the member is not ready: \(reasons)") }
    if !reasons.isEmpty { try screen.wait(for: reasons) }
    if Signals.wait(atMost: .milliseconds(50)) != nil { throw CommandFailure("stopped") }
  }
}

/// The last warnings, for the foot of the screen.
final class Notices: Sendable {
  private static let linesMax = 3
  private let lines = Mutex<[String]>([])

  func add(_ line: String) {
    lines.withLock { $0 = Array(($0 + [String(line.dropLast())]).suffix(Self.linesMax)) }
  }

  var all: [String] { lines.withLock { $0 } }
}

/// What the demo shows: the streams and who shares them, the counters, and the table, as the streams'
/// readers see them. On a terminal it is drawn anew in place; else each change is a line.
final class DemoScreen {
  private let server: Server
  private let session: Session
  private let notices: Notices
  private let isTerminal: Bool
  private var streams: [DemoStream] = []
  private var awaited = ""
  private let started = SystemClock().elapsed()

  private final class DemoStream {
    let id: String
    let reader: HistoryReader
    var clients: [String] = []
    var rows: [String: JSON] = [:]
    let isCounter: Bool

    init(_ address: StreamAddress, _ reader: HistoryReader, isCounter: Bool) {
      id = address.id
      self.reader = reader
      self.isCounter = isCounter
    }
  }

  init(server: Server, session: Session, notices: Notices, isTerminal: Bool) {
    self.server = server
    self.session = session
    self.notices = notices
    self.isTerminal = isTerminal
  }

  /// Where everything is.
  func greet() throws(OutputError) {
    if isTerminal { try writeAll(1, "\u{1B}[2J\u{1B}[H") }
    try writeAll(1, header.joined(separator: "\n") + "\n")
  }

  /// What is on its way, while there is nothing else to see.
  func wait(for what: String) throws(OutputError) {
    if what == awaited { return }
    awaited = what
    try writeAll(1, "waiting: \(visible(what))\n")
  }

  private var header: [String] {
    let kafka = server.bus.bootstrap.split(separator: ",")[0]
    let port = server.syslogPorts.first ?? 0
    return [
      "belfry demo  kafka \(kafka)  http 127.0.0.1:\(server.console.port)  syslog 127.0.0.1:\(port)",
      "  logger -n 127.0.0.1 -P \(port) hello",
      "  kcat -b \(kafka) -C -t belfry.lanes.view",
      "  belfry subscribe --bootstrap \(kafka) \\",
      "    \"SELECT Node, Summary FROM alerts WHERE Severity >= 4\"",
    ]
  }

  func take(_ reply: JSON, of client: String, _ name: String, _ sql: String) throws {
    guard let address = StreamAddress(reply: reply) else { throw CommandFailure(rejection(reply)) }
    if !isTerminal {
      try writeAll(1, "\(client)/\(name) is \(reply["role"]?.string ?? "") on stream \(address.id): \(sql)\n")
    }
    let stream: DemoStream
    if let known = streams.first(where: { $0.id == address.id }) {
      stream = known
    } else {
      stream = DemoStream(address, try session.read(address), isCounter: !address.keyPrefix.isEmpty)
      streams.append(stream)
    }
    stream.clients.append("\(client)/\(name)")
  }

  func refresh() throws {
    for stream in streams {
      for event in try stream.reader.poll(timeout: .milliseconds(20)) {
        if case .madeAgain = event { stream.rows = [:] }
        guard case .entry(let entry) = event else { continue }
        stream.rows[entry.key] = entry.value
        if !isTerminal { try writeLine(stream, entry) }
      }
    }
    if isTerminal { try draw() }
  }

  private func writeLine(_ stream: DemoStream, _ record: HistoryEntry) throws(OutputError) {
    let value = record.value.map { visible($0.text) } ?? "gone"
    try writeAll(
      1, "\(stream.isCounter ? "counter" : "row") seq=\(record.seq) \(visible(record.key)) \(value)\n")
  }

  func leave() throws(OutputError) {
    for stream in streams { stream.reader.close() }
    try writeAll(1, "\n")
  }

  // MARK: Drawing

  /// Rows that are made ready to be drawn: no screen has more.
  private static let rowsDrawnMax = 500

  private func draw() throws(OutputError) {
    let width = terminalColumns(of: 1) ?? 80
    var size = winsize()
    let height = ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 ? Int(size.ws_row) : 24
    let waiting = streams.allSatisfy(\.rows.isEmpty) ? ["waiting: the first sweep"] : []
    let parts = [
      ScreenPart([header[0]]), ScreenPart(Array(header.dropFirst()), rank: 4),
      ScreenPart([""] + sharing, rank: 3), ScreenPart([""] + waiting + counters(width), rank: 2, least: 4),
      ScreenPart([""] + table(width), rank: 1, least: 5),
      ScreenPart(notices.all.map(visible), rank: 2, least: 1), ScreenPart([foot]),
    ]
    let lines = FrontDoor.screen(parts, height: height - 1)
    let drawn = lines.map { fitted($0, to: width) + "\u{1B}[K" }.joined(separator: "\n")
    try writeAll(1, "\u{1B}[H" + drawn + "\n\u{1B}[J")
  }

  private var sharing: [String] {
    ["\(streams.reduce(0) { $0 + $1.clients.count }) requests share \(streams.count) streams:"]
      + streams.map { stream in
        "  \(stream.id)  \(stream.isCounter ? "counters" : "rows    ")  \(stream.clients.joined(separator: ", "))"
      }
  }

  private var foot: String {
    let metrics = server.metrics
    let uptime = (SystemClock().elapsed() - started).milliseconds / 1000
    let numbers = [
      ("events", "belfry_events_total"), ("rows", "belfry_rows"), ("sweeps", "belfry_sweeps_total"),
      ("records published", "belfry_published_records_total"),
    ].map { "\(metrics.value($1)) \($0)" }
    return (numbers + ["up \(uptime) s", "^C ends"]).joined(separator: "   ")
  }

  private func counters(_ width: Int) -> [String] {
    let rows = streams.filter(\.isCounter).flatMap { $0.rows.values }
      .sorted { ($0["Severity"]?.int ?? 0) > ($1["Severity"]?.int ?? 0) }
    return lines(
      textTable(
        ["Severity", "rows", "events"],
        rows.map { [Cell($0["Severity"] ?? .null), Cell($0["n"] ?? .null), Cell($0["events"] ?? .null)] },
        width: width))
  }

  private func table(_ width: Int) -> [String] {
    let columns = ["Severity", "Node", "Tally", "Summary"]
    let rows = (streams.first { !$0.isCounter }?.rows ?? [:]).sorted { a, b in
      let (x, y) = (a.value["Severity"]?.int ?? 0, b.value["Severity"]?.int ?? 0)
      return x == y ? a.key < b.key : x > y
    }
    return lines(
      textTable(
        columns, rows.prefix(Self.rowsDrawnMax).map { row in columns.map { Cell(row.value[$0] ?? .null) } },
        width: width)) + Array(repeating: "", count: max(0, rows.count - Self.rowsDrawnMax))
  }

  private func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }
}
