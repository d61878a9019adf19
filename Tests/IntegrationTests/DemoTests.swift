import Base
import Client
import Foundation
import Glibc
import Testing

extension Integration {
  /// `belfry demo` as a person sees it. Its broker is inside, so this needs no Kafka.
  @Suite struct DemoTests {
    @Test func `the demo shows this machine in a terminal, takes a syslog message and ends on ^C`() throws {
      let terminal = try Terminal(Belfry.path, ["demo"])
      // A row of this machine, with its counters: the host monitor is at work.
      var name = [CChar](repeating: 0, count: 256)
      gethostname(&name, name.count - 1)
      let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      try eventually(within: .seconds(60), "rows of \(host): \(terminal.written.suffix(3000))") {
        let screen = terminal.screen
        return screen.contains(host.prefix(8)) && screen.contains("Severity  rows  events")
          && screen.contains("5 requests share 2 streams")
      }
      let drawings = terminal.drawings
      try eventually("more drawings") { terminal.drawings > drawings + 2 }

      let port = try #require(Self.number(after: "syslog 127.0.0.1:", in: terminal.written))
      try sendDatagram("<131>Oct 11 22:14:15 harbour crane[7]: the crane stands still", port: port)
      try eventually("the message on the screen: \(terminal.screen)") {
        terminal.screen.contains("harbour") && terminal.screen.contains("the crane stands still")
      }
      let http = try #require(Self.number(after: "http 127.0.0.1:", in: terminal.written))
      #expect(try HTTPClient.get("http://127.0.0.1:\(http)/readyz").status == 200)

      terminal.type("\u{03}")
      #expect(try terminal.child.end() == 0)
    }

    @Test func `on a small terminal the demo shows rows, and says how many more there are`() throws {
      let terminal = try Terminal(Belfry.path, ["demo"], columns: 80, rows: 12)
      try eventually(within: .seconds(60), "rows: \(terminal.written.suffix(3000))") {
        terminal.screen.contains("Severity  Node") && terminal.screen.contains("Severity  rows  events")
      }
      let port = try #require(Self.number(after: "syslog 127.0.0.1:", in: terminal.written))
      for number in 0..<9 {
        try sendDatagram(
          "<128>Oct 11 22:14:15 harbour\(number) crane[7]: crane \(number) stands still", port: port)
      }
      try eventually("what has no room: \(terminal.screen)") {
        terminal.screen.contains("more") && terminal.screen.contains("stands still")
      }
      terminal.type("\u{03}")
      #expect(try terminal.child.end() == 0)
    }

    @Test func `without a terminal the demo writes lines, and SIGTERM ends it`() throws {
      let child = try Child(Belfry.path, ["demo"])
      try eventually(within: .seconds(60), "lines: \(child.output)\(child.errors)") {
        child.output.contains("\nrow seq=1 ") && child.output.contains("\ncounter seq=1 ")
      }
      #expect(!child.output.contains("\u{1B}"))
      #expect(child.output.contains("noc-7/mine is secondary on stream "))
      child.signal(SIGTERM)
      #expect(try child.end() == 0, "\(child.errors)")
    }

    @Test func `the demo ends quietly with its reader, as a program does that a signal ends`() throws {
      let child = try Child("/bin/sh", ["-c", "{ \(Belfry.path) demo; echo status $? >&2; } | head -1"])
      #expect(try child.end(within: .seconds(60)) == 0)
      #expect(child.errors == "status 141\n")
      #expect(child.output.hasPrefix("belfry demo  kafka "))
    }

    @Test func `a terminal that knows no controls gets none`() throws {
      let terminal = try Terminal(Belfry.path, ["demo"], kind: "dumb")
      try eventually(within: .seconds(60), "rows: \(terminal.written)") {
        terminal.written.contains("\nrow seq=1 ")
      }
      #expect(!terminal.written.contains("\u{1B}"))
      // The whole command, and what is waited for while there is nothing to see.
      #expect(terminal.written.contains("FROM alerts WHERE Severity >= 4\""))
      #expect(terminal.written.contains("waiting: "))
      terminal.type("\u{03}")
      #expect(try terminal.child.end() == 0)
    }

    private static func number(after words: String, in text: String) -> Int? {
      guard let range = text.range(of: words) else { return nil }
      return Int(text[range.upperBound...].prefix { $0.isNumber })
    }
  }
}

/// One UDP datagram to a loopback port.
func sendDatagram(_ text: String, port: Int) throws {
  let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = inet_addr("127.0.0.1")
  address.sin_port = UInt16(port).bigEndian
  let length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let sent = withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      sendto(descriptor, text, text.utf8.count, 0, $0, length)
    }
  }
  try #require(sent == text.utf8.count)
}
