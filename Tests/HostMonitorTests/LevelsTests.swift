import Base
import ConnectorConformance
import ConnectorKit
import Testing

@testable import HostMonitor

@Test(
  arguments: [
    // The values one after another, and the severities they lead to: 2 warning, 4 major, 5 critical.
    ("0 79 80 79 76 75 80", "0 0 2 2 2 0 2"),
    ("89 90 86 85 76 75", "2 4 4 2 2 0"),
    ("100 91 90 86 85 70", "5 5 4 4 2 0"),
    ("100 0 95", "5 0 5"), ("76 77 78", "0 0 0"),
  ] as [(String, String)])
func `a level is left only below its gap`(values: String, severities: String) {
  let levels = Levels(warning: 80, major: 90, critical: 95, clear: 75)
  var held = Severity.clear
  let told = values.split(separator: " ").map { value in
    held = levels.severity(of: Double(value) ?? 0, held: held)
    return String(held.rawValue)
  }
  let expected = severities.split(separator: " ").map(String.init)
  #expect(told == expected)
}

@Test func `without levels nothing is a problem`() {
  let none = Levels(warning: nil, major: nil, critical: nil, clear: 0)
  #expect(none.severity(of: .infinity, held: .clear) == .clear && none.isFine(1e9))
}

/// `cpu` with the given keys: the levels as text, or the error.
private func read(_ entries: (String, ConnectorSettings.Value)...) -> String {
  let inner = entries.enumerated().map { i, entry in
    ConnectorSettings.Entry(name: entry.0, place: "\(i + 2):5", value: .init(entry.1, place: "\(i + 2):12"))
  }
  do {
    let levels = try HostSettings(.map(("memory", .map(inner)))).memory
    return [levels.warning, levels.major, levels.critical, levels.clear].map {
      $0.map { fixed($0, 0) } ?? "off"
    }
    .joined(separator: " ")
  } catch {
    return "\(error)"
  }
}

@Test func `levels are read with their defaults and checked against each other`() {
  #expect(read() == "80 90 95 75")
  #expect(read(("warning", .int(70))) == "70 90 95 65")
  #expect(read(("warning", .string("off")), ("major", .bool(false))) == "off off 95 90")
  #expect(read(("critical", .real(99)), ("clear", .int(10))) == "80 90 99 10")
  #expect(
    read(("warning", .int(92)))
      == "2:12: `host_monitor.memory.warning` must be below `major`, and that below `critical`")
  #expect(
    read(("clear", .int(80))) == "2:12: `host_monitor.memory.clear` must be below the lowest level, 80.00")
  #expect(
    read(("warning", .string("high")))
      == "2:12: `host_monitor.memory.warning` wants a number from 0 on, or off, not the text \"high\"")
  #expect(
    read(("clear", .bool(false))) == "2:12: `host_monitor.memory.clear` wants a number from 0 on, not false")
  #expect(
    read(("warn", .int(1)))
      == "2:5: unknown key `warn` in `host_monitor.memory`; known keys: clear, critical, major, warning")
}

@Test func `no configuration at all is a configuration`() throws {
  #expect(try HostSettings(.empty) == HostSettings())
}
