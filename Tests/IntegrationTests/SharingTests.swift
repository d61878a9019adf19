import Client
import Events
import Testing

extension Integration {
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct SharingTests {
    @Test func `a secondary shares its primary's stream`() throws {
      let town = try Town()
      try town.start()
      let first = try town.request(
        "wall-1", "severe", "SELECT Node, Severity, Summary FROM alerts WHERE Severity >= 4")
      let second = try town.request(
        "wall-2", "bad", "select Summary, Severity, Node from alerts where not Severity < 4")
      let other = try town.request("wall-2", "other", "SELECT Node FROM alerts WHERE Severity >= 3")
      #expect(first["role"]?.string == "primary")
      #expect(second["role"]?.string == "secondary")
      #expect(first["stream"] == second["stream"])
      #expect(second["primary"] == first["primary"])
      #expect(other["stream"]?["id"] != first["stream"]?["id"])
      try town.send([Samples.event("a", severity: 5), Samples.event("b", severity: 3)])
      for reply in [first, second] {
        try town.follow(reply).wait("the severe row") { $0.keys.sorted() == ["a"] }
      }
    }

    @Test func `a list and its counters agree at every sweep`() throws {
      let town = try Town(sweep: "interval_ms: 100, drain_ms: 20")
      try town.start()
      let list = try town.follow(
        try town.request("wall", "list", "SELECT Severity, Tally FROM alerts WHERE Severity >= 3"))
      let counter = try town.follow(
        try town.request(
          "duty", "counter",
          "SELECT COUNT(*) AS n, SUM(Tally) AS events, MAX(Severity) AS worst FROM alerts WHERE NOT 3 > Severity"
        ))
      let load = try Load(town, identifiers: 60, seed: 6)
      try eventually("enough sweeps with changes") {
        try list.poll()
        try counter.poll()
        return Set(list.records.map(\.sweep)).count > 25
      }
      try load.stop()
      let total = load.expected.values.reduce(0) { $0 + ($1.severity >= 3 ? $1.tally : 0) }
      try counter.wait("the last count") { $0["*"]?["events"]?.int == total }
      try list.wait("the last rows") { $0.values.reduce(0) { $0 + ($1["Tally"]?.int ?? 0) } == total }
      #expect(Self.disagreements(list.records, counter.records) == [])
    }

    /// Folds both streams sweep by sweep; where the list's rows do not make the counter's record. From the
    /// counter's first sweep on: the list, which was asked for before it, may have been swept already.
    private static func disagreements(_ list: [HistoryEntry], _ counter: [HistoryEntry]) -> [String] {
      let changes = Dictionary(grouping: list) { $0.sweep }
      let counts = Dictionary(grouping: counter) { $0.sweep }
      var rows: [String: JSON] = [:]
      var count: JSON?
      var found: [String] = []
      for sweep in Set(changes.keys).union(counts.keys).sorted() {
        for record in changes[sweep] ?? [] { rows[record.key] = record.value }
        for record in counts[sweep] ?? [] { count = record.value }
        let wanted = [
          Int64(rows.count), rows.values.reduce(0) { $0 + ($1["Tally"]?.int ?? 0) },
          rows.values.compactMap { $0["Severity"]?.int }.max(),
        ]
        let shown = ["n", "events", "worst"].map { count?[$0]?.int }
        if count != nil, shown != wanted {
          found.append("sweep \(sweep): the list has \(wanted), the counter \(shown)")
        }
      }
      return found
    }

    @Test func `linked requests of different filters show one state at every sweep`() throws {
      let town = try Town(sweep: "interval_ms: 100, drain_ms: 20")
      try town.start()
      let list = try town.follow(
        try town.request(
          "wall", "list", "SELECT Severity, Tally FROM alerts WHERE Severity >= 1", ["link": .string("w")]))
      let counter = try town.follow(
        try town.request(
          "wall", "counter",
          "SELECT COUNT(*) AS n, SUM(Tally) AS events, MAX(Severity) AS worst FROM alerts WHERE Node >= 'a'",
          ["link": .string("w")]))
      let load = try Load(town, identifiers: 60, seed: 7)
      try eventually("enough sweeps with changes") {
        try list.poll()
        try counter.poll()
        return Set(list.records.map(\.sweep)).count > 15
      }
      try load.stop()
      let total = load.expected.values.reduce(0) { $0 + $1.tally }
      try counter.wait("the last count") { $0["*"]?["events"]?.int == total }
      try list.wait("the last rows") { $0.values.reduce(0) { $0 + ($1["Tally"]?.int ?? 0) } == total }
      #expect(Self.disagreements(list.records, counter.records) == [])
    }
  }
}
