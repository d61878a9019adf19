import Base
import ConnectorKit
import Testing

@testable import Syslog

private func bytes(_ text: String) -> ArraySlice<UInt8> { ArraySlice(text.utf8) }

/// A message in one line: what was understood, `|` between; or the fault.
private func read5424(_ line: ArraySlice<UInt8>) -> String {
  do {
    return told(try RFC5424.parse(line))
  } catch {
    return "\(error)"
  }
}

private func told(_ m: SyslogMessage) -> String {
  let data = m.structuredData.map { element in
    "\(element.id)(" + element.parameters.map { "\($0.name)=\(text($0.value[...]))" }.joined(separator: ",")
      + ")"
  }
  let time = m.time.map { iso8601(Timestamp(milliseconds: $0)) } ?? ""
  return [
    "\(m.facility).\(m.severity)", time, m.host, m.app, m.process, m.messageID, data.joined(), text(m.text),
  ].joined(separator: "|")
}

@Test(
  arguments: [
    // The RFC's own examples (6.5, and 6.2.3.1 and 6.3.5 for times and structured data).
    (
      "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{FEFF}'su root' failed for lonvick on /dev/pts/8",
      "4.2|2003-10-11T22:14:15.003Z|mymachine.example.com|su||ID47||'su root' failed for lonvick on /dev/pts/8"
    ),
    (
      "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
      "20.5|2003-08-24T12:14:15.000Z|192.0.2.1|myproc|8710|||%% It's time to make the do-nuts."
    ),
    (
      "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] \u{FEFF}An application event log entry...",
      "20.5|2003-10-11T22:14:15.003Z|mymachine.example.com|evntslog||ID47|exampleSDID@32473(iut=3,eventSource=Application,eventID=1011)|An application event log entry..."
    ),
    (
      "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"][examplePriority@32473 class=\"high\"]",
      "20.5|2003-10-11T22:14:15.003Z|mymachine.example.com|evntslog||ID47|exampleSDID@32473(iut=3,eventSource=Application,eventID=1011)examplePriority@32473(class=high)|"
    ),
    ("<0>1 1985-04-12T23:20:50.52Z - - - - -", "0.0|1985-04-12T23:20:50.520Z||||||"),
    ("<0>1 1985-04-12T19:20:50.52-04:00 - - - - -", "0.0|1985-04-12T23:20:50.520Z||||||"),
    ("<0>1 2003-08-24T05:14:15.000000003-07:00 - - - - -", "timestamp at byte 31"),
    ("<0>1 - - - - - [a b=\"c\"] [d e=\"f\"]", "0.0||||||a(b=c)|[d e=\"f\"]"),
    ("<0>1 - - - - - [ a b=\"c\"]", "structured_data at byte 16"),
    (
      "<0>1 - - - - - [sigSig ver=\"1\" rsID=\"1234\" iut=\"3\" signature=\"\"]",
      "0.0||||||sigSig(ver=1,rsID=1234,iut=3,signature=)|"
    ),
    // The rest of the grammar.
    ("<191>1 - - - - - -", "23.7|||||||"),
    ("<13>1 - - - - - - ", "1.5|||||||"),
    ("<13>1 2024-02-29T23:59:59+23:59 h a p m - x", "1.5|2024-02-29T00:00:59.000Z|h|a|p|m||x"),
    ("<13>1 - - - - - [a]", "1.5||||||a()|"),
    ("<13>1 - - - - - [a b=\"\\\"\\\\\\]\\n\"]", "1.5||||||a(b=\"\\]\\n)|"),
    ("<13>1 - - - - - [a b=\"1\" b=\"2\"]", "1.5||||||a(b=1,b=2)|"),
  ] as [(String, String)])
func `RFC 5424 messages are read exactly`(line: String, expected: String) {
  #expect(RFC5424.isMeant(bytes(line)))
  #expect(read5424(bytes(line)) == expected)
}

@Test(
  arguments: [
    ("", "priority at byte 0"), ("<", "priority at byte 0"), ("<>1 ", "priority at byte 0"),
    ("<192>1 ", "priority at byte 0"), ("<013>1 ", "priority at byte 0"), ("<1000>1 ", "priority at byte 0"),
    ("<-1>1 ", "priority at byte 0"), ("<13> 1", "version at byte 4"),
    ("<13>2 - - - - - -", "version at byte 4"),
    ("<13>10 - - - - - -", "version at byte 5"), ("<13>1", "version at byte 5"),
    ("<13>1 ", "timestamp at byte 6"),
    ("<13>1 -", "timestamp at byte 7"), ("<13>1 2003-10-11 22:14:15Z - - - - -", "timestamp at byte 16"),
    ("<13>1 2003-02-29T22:14:15Z - - - - -", "timestamp at byte 14"),
    ("<13>1 2003-13-11T22:14:15Z - - - - -", "timestamp at byte 11"),
    ("<13>1 2003-10-11T24:14:15Z - - - - -", "timestamp at byte 17"),
    ("<13>1 2003-10-11T22:14:60Z - - - - -", "timestamp at byte 23"),
    ("<13>1 2003-10-11t22:14:15Z - - - - -", "timestamp at byte 16"),
    ("<13>1 2003-10-11T22:14:15z - - - - -", "timestamp at byte 25"),
    ("<13>1 2003-10-11T22:14:15.Z - - - - -", "timestamp at byte 26"),
    ("<13>1 2003-10-11T22:14:15+24:00 - - - - -", "timestamp at byte 26"),
    ("<13>1 2003-10-11T22:14:15 - - - - -", "timestamp at byte 25"),
    ("<13>1 -  - - - - -", "hostname at byte 8"), ("<13>1 - h", "hostname at byte 9"),
    ("<13>1 - h\u{e9} - - - -", "hostname at byte 9"), ("<13>1 - h a", "app_name at byte 11"),
    ("<13>1 - h a p", "procid at byte 13"), ("<13>1 - h a p m", "msgid at byte 15"),
    ("<13>1 - h a p m ", "structured_data at byte 16"), ("<13>1 - h a p m x", "structured_data at byte 16"),
    ("<13>1 - h a p m -x", "structured_data at byte 17"), ("<13>1 - h a p m [", "structured_data at byte 17"),
    ("<13>1 - h a p m []", "structured_data at byte 17"),
    ("<13>1 - h a p m [a", "structured_data at byte 18"),
    ("<13>1 - h a p m [a ]", "structured_data at byte 19"),
    ("<13>1 - h a p m [a b]", "structured_data at byte 20"),
    ("<13>1 - h a p m [a b=c]", "structured_data at byte 21"),
    ("<13>1 - h a p m [a b=\"c]", "structured_data at byte 23"),
    ("<13>1 - h a p m [a b=\"c\\", "structured_data at byte 24"),
    ("<13>1 - h a p m [a b=\"c\"", "structured_data at byte 24"),
    ("<13>1 - h a p m [a][a]", "structured_data at byte 22"),
    ("<13>1 - h a p m [a]x", "structured_data at byte 19"),
  ] as [(String, String)])
func `what is no RFC 5424 message is told with its place`(line: String, expected: String) {
  #expect(read5424(bytes(line)) == expected)
}

@Test func `header fields have their lengths`() {
  for (host, app, process, id, expected) in [
    (255, 48, 128, 32, "fine"), (256, 48, 128, 32, "hostname at byte 263"),
    (255, 49, 128, 32, "app_name at byte 312"),
    (255, 48, 129, 32, "procid at byte 441"), (255, 48, 128, 33, "msgid at byte 474"),
  ] {
    let words = [host, app, process, id].map { String(repeating: "x", count: $0) }.joined(separator: " ")
    let read = read5424(bytes("<13>1 - \(words) -"))
    #expect(expected == "fine" ? read.hasPrefix("1.5||xxx") : read == expected)
  }
}

@Test func `structured data has its limits`() {
  let many = (0...SyslogLimits.elementsMax).map { "[e\($0)]" }.joined()
  #expect(read5424(bytes("<13>1 - - - - - \(many)")).hasPrefix("structured_data"))
  let wide = (0...SyslogLimits.parametersMax).map { " p\($0)=\"\"" }.joined()
  #expect(read5424(bytes("<13>1 - - - - - [e\(wide)]")).hasPrefix("structured_data"))
}

/// Received on 2026-11-21 at 12:00 UTC.
private let noon: Int64 = 1_795_262_400_000

@Test(
  arguments: [
    // The RFC's own examples (5.4).
    (
      "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
      "4.2|2026-10-11T22:14:15.000Z|mymachine|su||||'su root' failed for lonvick on /dev/pts/8"
    ),
    ("Use the BFG!", "1.5|||||||Use the BFG!"),
    (
      "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.",
      "20.5|2026-08-24T05:34:00.000Z|CST|||||1987 mymachine myproc[10]: %% It's time to make the do-nuts."
    ),
    (
      "<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!",
      "0.0|||||||1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!"
    ),
    // What senders do.
    ("<13>Nov  1 00:00:01 h sched[0]: x", "1.5|2026-11-01T00:00:01.000Z|h|sched|0|||x"),
    ("<13>Nov 21 12:00:00 su: no host", "1.5|2026-11-21T12:00:00.000Z||su||||no host"),
    ("<13>Nov 21 12:00:00 sshd[12]: no host", "1.5|2026-11-21T12:00:00.000Z||sshd|12|||no host"),
    (
      "<13>Nov 21 12:00:00 h systemd-networkd[7] no colon",
      "1.5|2026-11-21T12:00:00.000Z|h|systemd-networkd|7|||no colon"
    ),
    ("<13>2026-11-21T12:00:00.5+01:00 h a[1]: iso", "1.5|2026-11-21T11:00:00.500Z|h|a|1|||iso"),
    ("<13>Dec 31 23:59:59 h a: ahead", "1.5|2026-12-31T23:59:59.000Z|h|a||||ahead"),
    ("<13>Feb 29 10:00:00 h a: leap", "1.5|2028-02-29T10:00:00.000Z|h|a||||leap"),
    // Not quite.
    ("<13>Nov 31 10:00:00 h a: x", "1.5|||||||Nov 31 10:00:00 h a: x"),
    ("<13>Nov 1 10:00:00 h a: x", "1.5|||||||Nov 1 10:00:00 h a: x"),
    ("<13>nov 21 10:00:00 h a: x", "1.5|||||||nov 21 10:00:00 h a: x"),
    ("<13>Nov 21 25:00:00 h a: x", "1.5|||||||Nov 21 25:00:00 h a: x"),
    ("<192>Nov 21 12:00:00 h a: x", "1.5|||||||<192>Nov 21 12:00:00 h a: x"),
    ("<13>Nov 21 12:00:00", "1.5|||||||Nov 21 12:00:00"),
    ("<13>Nov 21 12:00:00 ", "1.5|2026-11-21T12:00:00.000Z||||||"),
    ("<13>Nov 21 12:00:00 h", "1.5|2026-11-21T12:00:00.000Z||||||h"),
    ("<13>Nov 21 12:00:00 h a[1 x", "1.5|2026-11-21T12:00:00.000Z|h|||||a[1 x"),
    ("<13>", "1.5|||||||"), ("", "1.5|||||||"), ("<13", "1.5|||||||<13"),
  ] as [(String, String)])
func `RFC 3164 messages are read as relays must`(line: String, expected: String) {
  #expect(told(RFC3164.parse(bytes(line), received: noon, zone: .fixed(0))) == expected)
}

@Test(
  arguments: [
    // received, said, zone (hours), meant
    ("2026-01-01T00:00:05.000Z", "Dec 31 23:59:59", 0, "2025-12-31T23:59:59.000Z"),
    ("2025-12-31T23:59:55.000Z", "Jan  1 00:00:01", 0, "2026-01-01T00:00:01.000Z"),
    ("2026-06-01T00:00:00.000Z", "Jun  1 02:00:00", 2, "2026-06-01T00:00:00.000Z"),
    ("2026-01-01T00:30:00.000Z", "Jan  1 02:30:00", 2, "2026-01-01T00:30:00.000Z"),
    ("2026-01-01T00:30:00.000Z", "Dec 31 19:30:00", -5, "2026-01-01T00:30:00.000Z"),
    ("2024-03-01T00:00:00.000Z", "Feb 29 23:00:00", 0, "2024-02-29T23:00:00.000Z"),
    ("2100-03-01T00:00:00.000Z", "Feb 29 23:00:00", 0, "2096-02-29T23:00:00.000Z"),
  ] as [(String, String, Int64, String)])
func `a time without a year is the nearest one`(received: String, said: String, zone: Int64, meant: String) {
  var scanner = ByteScanner(bytes(received))
  let now = scanner.timestamp() ?? 0
  let message = RFC3164.parse(bytes("<13>\(said) h a: x"), received: now, zone: .fixed(zone * 3_600_000))
  #expect(iso8601(Timestamp(milliseconds: message.time ?? 0)) == meant)
}

@Test func `no bytes break the parsers`() {
  var random = SeededRandom(seed: 7)
  let seeds = [
    "<34>1 2003-10-11T22:14:15.003Z h su 1 ID47 [a b=\"c\\]\"][d e=\"f\"] \u{FEFF}text 1234",
    "<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed", "12 <13>1 - - - - - -",
    "<13>2026-11-21T12:00:00Z h a: x",
  ].map { Array($0.utf8) }
  let mapping = SyslogMapping(settings: SyslogSettings())
  var meant = 0
  for i in 0..<100_000 {
    var input = i % 5 == 0 ? [] : seeds[i % seeds.count]
    for _ in 0..<Int.random(in: 0...3, using: &random) { mutate(&input, &random) }
    let receipt = SyslogMapping.Receipt(time: Timestamp(milliseconds: noon), sender: "s")
    let (alert, fault) = mapping.alert(input[...], receipt)
    #expect(alert.summary.utf8.count <= input.count * 3 && alert.alertKey.utf8.count <= 255)
    if fault == nil, RFC5424.isMeant(input[...]) { meant += 1 }
  }
  // The seeds are mutated gently enough that the deep paths are walked too.
  #expect(meant > 1000)
}

private func mutate(_ input: inout [UInt8], _ random: inout SeededRandom) {
  let at = Int.random(in: 0...input.count, using: &random)
  switch Int.random(in: 0..<3, using: &random) {
  case 0: input.insert(UInt8.random(in: 0...255, using: &random), at: at)
  case 1 where at < input.count: input[at] = UInt8.random(in: 0...255, using: &random)
  case _ where at < input.count: input.removeSubrange(at..<min(input.count, at + 3))
  default: break
  }
}
