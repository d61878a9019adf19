import Base
import ConnectorConformance
import ConnectorKit
import Foundation
import Testing

@testable import Syslog

private let local = ConnectorSettings.map(
  ("udp", .string("127.0.0.1:0")), ("tcp", .string("127.0.0.1:0")), ("message_max", .int(480)))

/// A probe on ports of its own, what it sent, and what it counted.
private struct Bench {
  let sink = RecordingSink()
  let metrics = Metrics()
  let clock: ManualClock
  let probe: SyslogProbe

  init(
    _ settings: ConnectorSettings = local, now: Timestamp = Timestamp(milliseconds: 1_795_262_400_000)
  ) throws {
    clock = ManualClock(now)
    let context = ProbeContext(
      name: "s", sink: sink, clock: clock, metrics: metrics, log: .silent, hostName: "here")
    probe = try SyslogProbe(settings: settings, context: context)
    try probe.start()
  }

  func port(_ transport: String) -> UInt16 { probe.listening.first { $0.transport == transport }?.port ?? 0 }

  func closed(_ reason: String) -> Int {
    metrics.value("belfry_syslog_closed_total", [("connector", "s"), ("reason", reason)])
  }

  func arrived(_ count: Int) -> Bool { eventually { sink.taken.count >= count } }
}

/// A client's socket.
private final class Client: Sendable {
  let number: Int32

  init(_ transport: String, _ port: UInt16, host: String = "127.0.0.1") {
    var hints = addrinfo()
    hints.ai_socktype = Int32((transport == "udp" ? SOCK_DGRAM : SOCK_STREAM).rawValue)
    hints.ai_flags = AI_NUMERICHOST
    var found: UnsafeMutablePointer<addrinfo>?
    getaddrinfo(host, String(port), &hints, &found)
    number = socket(found!.pointee.ai_family, hints.ai_socktype, 0)
    _ = connect(number, found!.pointee.ai_addr, found!.pointee.ai_addrlen)
    freeaddrinfo(found)
  }

  deinit { close(number) }

  @discardableResult
  func send(_ text: String, flags: Int32 = 0) -> Int {
    Array(text.utf8).withUnsafeBytes {
      Glibc.send(number, $0.baseAddress, $0.count, flags | Int32(MSG_NOSIGNAL))
    }
  }

  /// Whether the other side has closed: reads until it says so.
  func isClosed() -> Bool {
    var byte: UInt8 = 0
    return recv(number, &byte, 1, Int32(MSG_DONTWAIT)) == 0
  }
}

@Test(arguments: ConformanceCheck.allCases)
func `the syslog probe keeps the probes' contract`(check: ConformanceCheck) throws {
  let conformance = Conformance(SyslogProbe.self, settings: local) { probe in
    guard let port = probe.listening.first(where: { $0.transport == "udp" })?.port else { return }
    Client("udp", port).send("<13>1 - h a - - - load")
  }
  #expect(try conformance.failure(of: check) == nil)
}

@Test func `a datagram is an event`() throws {
  let bench = try Bench()
  Client("udp", bench.port("udp")).send("<34>Oct 11 22:14:15 mymachine su: 'su root' failed")
  #expect(bench.arrived(1))
  #expect(
    bench.sink.texts.first?.contains(#""Node":"mymachine","NodeAlias":"127.0.0.1","Manager":"syslog""#)
      == true)
}

@Test func `a datagram that is too long is cut and counted`() throws {
  let bench = try Bench()
  Client("udp", bench.port("udp")).send("<13>1 - h a - - - " + String(repeating: "x", count: 5000))
  #expect(bench.arrived(1))
  #expect(bench.sink.texts.first?.contains(#"\"truncated\":true"#) == true)
  #expect(bench.metrics.value("belfry_connector_truncated_total", [("connector", "s")]) == 1)
  #expect((bench.sink.taken.first?.value.count ?? 0) < 2000)
}

@Test func `connections of both framings are read, in pieces, at once`() throws {
  let bench = try Bench()
  let lines = Client("tcp", bench.port("tcp"))
  let octets = Client("tcp", bench.port("tcp"))
  lines.send("<13>1 - h a - - - one\n<13>1 - h ")
  octets.send("23 <13>1 - h b - - - three")
  #expect(bench.arrived(1))
  lines.send("a - - - two\n<13>1 - h a - - - unfinished")
  octets.send("22 <13>1 - h b - - - four")
  _ = shutdown(lines.number, Int32(SHUT_WR))
  #expect(bench.arrived(5))
  let all = bench.sink.texts.joined()
  for word in ["one", "two", "three", "four", "unfinished"] {
    #expect(all.contains("\"Summary\":\"\(word)\""), "\(word)")
  }
}

@Test func `a stream that is no syslog is closed and counted`() throws {
  let bench = try Bench()
  let client = Client("tcp", bench.port("tcp"))
  client.send("12345678901234567890")
  #expect(eventually { bench.closed("framing") == 1 && client.isClosed() })
}

@Test func `connections beyond the limit are closed and counted`() throws {
  let bench = try Bench(
    .map(("udp", .string("off")), ("tcp", .string("127.0.0.1:0")), ("connections_max", .int(1))))
  let first = Client("tcp", bench.port("tcp"))
  first.send("<13>1 - h a - - - one\n")
  #expect(bench.arrived(1))
  let second = Client("tcp", bench.port("tcp"))
  #expect(eventually { bench.closed("limit") == 1 && second.isClosed() })
  first.send("<13>1 - h a - - - two\n")
  #expect(bench.arrived(2))
}

@Test func `an idle connection is closed and counted`() throws {
  let bench = try Bench(
    .map(("tcp", .string("127.0.0.1:0")), ("udp", .string("off")), ("idle_timeout", .string("10s"))))
  let client = Client("tcp", bench.port("tcp"))
  client.send("<13>1 - h a - - - one\n<13>1 - slow")
  #expect(bench.arrived(1))
  #expect(!client.isClosed())
  bench.clock.advance(.seconds(10))
  #expect(eventually { bench.closed("idle") == 1 && client.isClosed() })
}

@Test func `a full sink holds TCP senders back and loses nothing`() throws {
  let bench = try Bench()
  bench.sink.refuses = true
  let client = Client("tcp", bench.port("tcp"))
  let count = 3000
  for i in 0..<count where client.send("<13>1 - h a - - - number \(i)\n", flags: Int32(MSG_DONTWAIT)) < 0 {
    Issue.record("the socket's buffers are smaller than this test")
  }
  _ = shutdown(client.number, Int32(SHUT_WR))
  #expect(eventually { bench.metrics.value("belfry_connector_paused_total", [("connector", "s")]) > 0 })
  #expect(eventually { bench.sink.offered >= 3 })
  bench.sink.refuses = false
  #expect(bench.arrived(count))
  #expect(bench.sink.texts.last?.contains("number \(count - 1)\"") == true)
  #expect(
    bench.metrics.value("belfry_connector_rejected_total", [("connector", "s"), ("reason", "full")]) == 0)
}

@Test func `a port in use is told with the place of its setting, and nothing stays open`() throws {
  let bench = try Bench()
  let port = bench.port("tcp")
  let context = ProbeContext(
    name: "t", sink: RecordingSink(), clock: SystemClock(), metrics: Metrics(), log: .silent, hostName: "here"
  )
  let second = try SyslogProbe(
    settings: .map(("udp", .string("127.0.0.1:0")), ("tcp", .string("127.0.0.1:\(port)"))), context: context)
  #expect(
    throws: ConnectorError(
      place: "2:9", "syslog: cannot listen on tcp 127.0.0.1:\(port): Address already in use")
  ) { try second.start() }
  #expect(second.listening.isEmpty)
  bench.probe.stop()
  try second.start()
  #expect(second.listening.map(\.port).last == port)
}

@Test func `an address that is none is told with its place`() throws {
  let context = ProbeContext(
    name: "t", sink: RecordingSink(), clock: SystemClock(), metrics: Metrics(), log: .silent, hostName: "here"
  )
  let probe = try SyslogProbe(settings: .map(("udp", .string("nowhere:514"))), context: context)
  #expect(
    throws: ConnectorError(
      place: "1:9", "syslog: cannot listen on udp nowhere:514: not a numeric IPv4 or IPv6 address")
  ) { try probe.start() }
}

private let hasIPv6 = FileManager.default.fileExists(atPath: "/proc/net/if_inet6")

@Test(.enabled(if: hasIPv6, "this machine has no IPv6"))
func `IPv6 is listened on beside IPv4`() throws {
  let both = ConnectorSettings.Value.list([
    .init(.string("127.0.0.1:0"), place: "1:9"), .init(.string("[::1]:0"), place: "1:30"),
  ])
  let bench = try Bench(.map(("udp", both), ("tcp", .string("[::1]:0"))))
  let ports = bench.probe.listening.map(\.port)
  #expect(ports.count == 3)
  Client("udp", ports[1], host: "::1").send("<13>over udp")
  Client("tcp", ports[2], host: "::1").send("<13>over tcp\n")
  #expect(bench.arrived(2))
  #expect(bench.sink.texts.allSatisfy { $0.contains(#""Node":"::1""#) })
}

private let logger = ["/usr/bin/logger", "/bin/logger"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

@Test(
  .enabled(if: logger != nil, "util-linux's logger is not installed"),
  arguments: [
    ("udp", []), ("udp", ["--rfc3164"]), ("udp", ["--rfc5424"]), ("tcp", ["-T"]),
    ("tcp", ["-T", "--rfc3164"]),
    ("tcp", ["-T", "--octet-count"]), ("udp", ["-p", "daemon.err", "--rfc5424"]),
  ] as [(String, [String])])
func `the real logger is understood`(transport: String, options: [String]) throws {
  let bench = try Bench(now: SystemClock().now())
  let process = Process()
  process.executableURL = URL(fileURLWithPath: logger ?? "")
  process.arguments =
    ["-n", "127.0.0.1", "-P", String(bench.port(transport)), "-t", "tagged"] + options + ["hello from logger"]
  try process.run()
  process.waitUntilExit()
  #expect(process.terminationStatus == 0)
  #expect(bench.arrived(1))
  let text = bench.sink.texts.first ?? ""
  #expect(text.contains(#""Summary":"hello from logger""#), "\(text)")
  #expect(text.contains(#""AlertGroup":"tagged""#), "\(text)")
  #expect(text.contains(options.contains("daemon.err") ? #""Severity":4"# : #""Severity":2"#), "\(text)")
  #expect(!text.contains("malformed"), "\(text)")
}
