import Base
import ConnectorKit
import Testing

@testable import HostMonitor

/// Drives the core by a script, without clock, thread or sink.
private struct Bench {
  var state: HostState
  var now = Timestamp(milliseconds: 1_000_000)
  var elapsed = Duration.zero
  var last: [HostEvent] = []

  init(status: Bool = false) {
    var settings = HostSettings()
    settings.status = status
    state = HostState(settings: settings, node: "n")
  }

  /// The values of resources `a`, `b` …, `-` for one that is not there; five seconds pass before. The events
  /// as `key:type:severity`.
  mutating func step(_ values: String, unread: Set<Resource.Group> = []) -> String {
    now = now + .seconds(5)
    elapsed += .seconds(5)
    let readings = zip(["a", "b", "c"], values.split(separator: " ")).compactMap { key, value in
      Double(value).map { value in
        Reading(
          resource: Resource(group: .disk, key: key), value: value, unit: "%",
          levels: Levels(warning: 80, major: 90, critical: 95, clear: 75),
          text: "Disk \(key) \(fixed(value, 0))")
      }
    }
    last = state.observe(readings, unread: unread, now: now, elapsed: elapsed)
    return last.map {
      "\($0.alert.alertKey):\($0.alert.type.rawValue):\($0.alert.severity.rawValue)"
    }.joined(separator: " ")
  }

  mutating func refuse() { for event in last { state.refused(event) } }
}

@Test func `a problem is told, told anew with its severity, and ended`() {
  var bench = Bench()
  #expect(bench.step("50") == "a:2:0")  // An earlier run may have left its problem.
  #expect(bench.step("50") == "")
  #expect(bench.step("85") == "a:1:2")
  #expect(bench.step("85") == "")
  #expect(bench.step("96") == "a:1:5")
  #expect(bench.step("86") == "a:1:4")
  #expect(bench.step("60") == "a:2:0")
  #expect(bench.step("60") == "")
}

@Test func `a problem and its end differ in identifier and type and share what pairs them`() throws {
  var bench = Bench()
  _ = bench.step("96")
  let problem = try #require(bench.last.first?.alert)
  _ = bench.step("10")
  let end = try #require(bench.last.first?.alert)
  #expect(problem.identifier == "host_monitor:n:disk:a:1" && end.identifier == "host_monitor:n:disk:a:2")
  #expect(
    [problem.node, problem.manager, problem.alertGroup, problem.alertKey]
      == [end.node, end.manager, end.alertGroup, end.alertKey])
  #expect(problem.summary == "Disk a 96, critical from 95.0" && end.summary == "Disk a 10")
  #expect(problem.extendedAttributes.text() == #"{"value":96.0,"unit":"%","threshold":95.0}"#)
  #expect(end.lastOccurrence >= problem.lastOccurrence)
}

@Test func `a problem is told again every minute and remembers its beginning`() throws {
  var bench = Bench()
  var told: [Int] = []
  for i in 0..<25 where bench.step("85") != "" { told.append(i) }
  #expect(told == [0, 12, 24])
  let alert = try #require(bench.last.first?.alert)
  #expect(alert.lastOccurrence - alert.firstOccurrence == .seconds(120))
}

@Test func `between clear and the lowest level the past decides`() {
  var bench = Bench()
  #expect(bench.step("77 85 50") == "b:1:2 c:2:0")
  #expect(bench.step("77 77 77") == "")
  #expect(bench.step("75 77 77") == "a:2:0")
  #expect(bench.step("77 74 77") == "b:2:0")
}

@Test func `what the sink refused is told again`() {
  var bench = Bench()
  #expect(bench.step("50") == "a:2:0")
  bench.refuse()
  #expect(bench.step("50") == "a:2:0")
  #expect(bench.step("85") == "a:1:2")
  bench.refuse()
  #expect(bench.step("85") == "a:1:2")
  #expect(bench.step("85") == "")
  #expect(bench.step("50") == "a:2:0")
  bench.refuse()
  #expect(bench.step("77") == "")  // In the gap nothing is certain; it waits.
  #expect(bench.step("50") == "a:2:0")
}

@Test func `a resource that goes ends its problem, even when the sink refuses at first`() {
  var bench = Bench()
  #expect(bench.step("85 50") == "a:1:2 b:2:0")
  #expect(bench.step("- -") == "a:2:0")
  #expect(bench.last.first?.alert.summary == "disk a is no longer there")
  bench.refuse()
  #expect(bench.step("- -") == "a:2:0")
  #expect(bench.step("- -") == "")
}

@Test func `what cannot be read stays as it was`() {
  var bench = Bench()
  _ = bench.step("85")
  #expect(bench.step("-", unread: [.disk]) == "")
  #expect(bench.step("85") == "")
  #expect(bench.step("50") == "a:2:0")
}

@Test func `an end is never older than its problem when the clock steps back`() throws {
  var bench = Bench()
  _ = bench.step("85")
  let begin = try #require(bench.last.first?.alert.lastOccurrence)
  bench.now = .zero
  #expect(bench.step("50") == "a:2:0")
  #expect(bench.last.first?.alert.lastOccurrence == begin)
}

@Test func `each resource has a row with its present value`() {
  var bench = Bench(status: true)
  #expect(bench.step("50 85") == "a:2:0 a:13:1 b:1:2 b:13:1")
  #expect(bench.step("51 85") == "a:13:1 b:13:1")
  #expect(bench.last.first?.alert.identifier == "host_monitor:n:disk:a:13")
  #expect(bench.last.first?.alert.summary == "Disk a 51")
}
