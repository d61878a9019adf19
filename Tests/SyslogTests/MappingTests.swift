import Base
import ConnectorConformance
import ConnectorKit
import Foundation
import Testing

@testable import Syslog

private let noon = Timestamp(milliseconds: 1_795_262_400_000)

private func alert(
  _ line: String, _ change: (inout SyslogSettings) -> Void = { _ in }, truncated: Bool = false
) -> Alert {
  var settings = SyslogSettings()
  settings.zone = .fixed(0)
  change(&settings)
  return SyslogMapping(settings: settings).alert(
    ArraySlice(line.utf8), .init(time: noon, sender: "192.0.2.9", truncated: truncated)
  ).alert
}

@Test func `a message fills the columns`() {
  let made = alert(
    "<35>1 2026-11-21T11:59:00Z core-1 sshd 812 ID7 [x@1 a=\"1\" a=\"2\" b=\"3\"] Failed for 10.0.0.7 ")
  #expect(made.node == "core-1" && made.nodeAlias == "192.0.2.9" && made.manager == "syslog")
  #expect(made.agent == "sshd" && made.alertGroup == "sshd" && made.alertKey == "ID7")
  #expect(made.severity == .major && made.type == .problem && made.summary == "Failed for 10.0.0.7")
  #expect(made.lastOccurrence == noon + .seconds(-60) && made.expireTime == noon + .seconds(86_400))
  #expect(
    made.extendedAttributes.text()
      == #"{"facility":"auth","severity":"err","format":"rfc5424","procid":"812","msgid":"ID7","#
      + #""time":1795262340000,"structured_data":{"x@1":{"a":["1","2"],"b":"3"}}}"#)
}

@Test func `what a message does not say comes from its receipt`() {
  let made = alert("Use the BFG!", truncated: true)
  #expect(made.node == "192.0.2.9" && made.alertGroup == "user" && made.alertKey == "Use the BFG!")
  #expect(made.severity == .warning && made.type == .information && made.lastOccurrence == noon)
  #expect(
    made.extendedAttributes.text()
      == #"{"facility":"user","severity":"notice","format":"rfc3164","truncated":true}"#)
}

@Test func `each syslog severity has its severity and type`() {
  let severities = (0...7).map { alert("<\($0)>1 - h a - - - x") }
  #expect(severities.map(\.severity.rawValue) == [5, 5, 5, 4, 3, 2, 1, 1])
  #expect(severities.map(\.type.rawValue) == [1, 1, 1, 1, 1, 13, 13, 13])
}

@Test(
  arguments: [
    ("Failed for 10.0.0.7 port 22", "Failed for #.#.#.# port #"), ("eth0: up", "eth#: up"),
    ("id deadbeef01 done", "id # done"), ("deadbeef is a word", "deadbeef is a word"), ("", ""),
    ("a0b1", "a#b#"), ("550e8400-e29b-41d4", "#-e#b-#d#"), ("  x\n", "x"),
  ] as [(String, String)])
func `repeats of a message have one pattern`(message: String, pattern: String) {
  #expect(SyslogMapping.pattern(ArraySlice(message.utf8)) == pattern)
}

@Test func `repeats share an identifier, other hosts, programs, severities and texts do not`() {
  func identifier(_ line: String) -> String { alert(line).identifier }
  let first = identifier("<35>1 - h a 1 - - try 1 failed")
  #expect(identifier("<35>1 - h a 2 - - try 22 failed") == first)
  #expect(identifier("<43>1 - h a 2 - - try 22 failed") == first)
  for other in [
    "<35>1 - i a 1 - - try 1 failed", "<35>1 - h b 1 - - try 1 failed", "<36>1 - h a 1 - - try 1 failed",
    "<35>1 - h a 1 - - try 1 worked",
  ] { #expect(identifier(other) != first) }
}

@Test func `a time far ahead is not believed, and the receipt's can be preferred`() {
  #expect(alert("<13>1 2026-11-21T12:59:00Z h a - - - x").lastOccurrence == noon + .seconds(3540))
  #expect(alert("<13>1 2026-11-21T13:01:00Z h a - - - x").lastOccurrence == noon)
  #expect(alert("<13>1 9999-11-21T13:01:00Z h a - - - x").lastOccurrence == noon)
  #expect(alert("<13>1 2026-11-21T11:00:00Z h a - - - x") { $0.messageTime = false }.lastOccurrence == noon)
}

@Test func `a malformed message is passed on and says so`() {
  let made = alert("<35>1 yesterday h a - - - x")
  #expect(made.summary == "1 yesterday h a - - - x" && made.severity == .major)
  #expect(made.extendedAttributes.text().contains(#""malformed":"timestamp at byte 6""#))
}

@Test func `long texts are cut at whole characters`() {
  #expect(SyslogMapping.cut("aéé", 4) == "aé")
  #expect(SyslogMapping.cut("aéé", 5) == "aéé")
  #expect(alert("<13>1 - h a - - - " + String(repeating: "é", count: 200)).alertKey.utf8.count == 254)
}

@Test(
  arguments: [
    ([("udp", .string("127.0.0.1"))], "1:9: `syslog.udp` wants addresses such as 127.0.0.1:5514"),
    (
      [("tcp", .list([.init(.string("::1:514"), place: "9:9")]))], "9:9: `syslog.tcp` wants addresses such as"
    ),
    ([("tcp", .string("127.0.0.1:65536"))], "1:9: `syslog.tcp` wants addresses such as"),
    ([("udp", .string("off")), ("tcp", .bool(false))], "1:9: `syslog.udp` and `tcp` are both off"),
    ([("message_max", .int(100))], "1:9: `syslog.message_max` wants a whole number from 480 to 65536"),
    ([("framing", .string("both"))], "1:9: `syslog.framing` wants one of auto, octet, newline"),
    ([("zone", .string("CET"))], "1:9: `syslog.zone` wants machine, utc, or an offset such as +02:00"),
    ([("idle_timeout", .string("1ms"))], "1:9: `syslog.idle_timeout` wants a duration"),
    ([("ports", .int(1))], "1:1: unknown key `ports` in `syslog`"),
  ] as [([(String, ConnectorSettings.Value)], String)])
func `wrong settings are told with their place`(
  entries: [(String, ConnectorSettings.Value)], expected: String
) {
  let map = ConnectorSettings(
    .map(
      entries.enumerated().map { i, entry in
        .init(name: entry.0, place: "\(i + 1):1", value: .init(entry.1, place: "\(i + 1):9"))
      }), place: "1:1")
  do {
    _ = try SyslogSettings(map)
    Issue.record("taken: \(entries)")
  } catch {
    #expect(error.description.hasPrefix(expected), "\(error)")
  }
}

@Test func `addresses of both families are read`() throws {
  let settings = try SyslogSettings(
    .map(("udp", .string("[::1]:514")), ("tcp", .string("localhost:0")), ("zone", .string("-05:30"))))
  #expect(settings.udp.map(\.host) == ["::1"] && settings.udp.map(\.port) == [514])
  #expect(settings.tcp.map(\.host) == ["127.0.0.1"] && settings.tcp.map(\.port) == [0])
  #expect(settings.zone == .fixed(-19_800_000))
}

@Test func `the example is taken as it is`() throws {
  let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Connectors/Syslog/example.yaml")
  let settings = try SyslogSettings(
    try #require(try exampleSettings(file.standardizedFileURL.path, kind: SyslogProbe.kind)))
  #expect(settings.udp.map(\.host) == ["0.0.0.0", "::"] && settings.zone == .fixed(3_600_000))
  #expect(settings.defaults.service == "network" && settings.idleTimeout == SyslogSettings().idleTimeout)
}
