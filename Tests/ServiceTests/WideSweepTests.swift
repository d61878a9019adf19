import Base
import Bus
import Events
import Service
import Testing

/// Sweeps that would touch too many topics are spread over several.
@Suite struct WideSweepTests {
  /// The sets that each sweep covered, as its progress record names them.
  private func sweeps(_ house: House) -> [(number: Int64, sets: [String])] {
    house.cluster.records(house.topics.progress, 0, .committed)
      .filter { $0.keyText == "*/\(house.topics.publishSeat)" }.compactMap(\.json).map {
        ($0["sweep"]?.int ?? -1, ($0["sets"]?.array ?? []).compactMap(\.string))
      }
  }

  @Test func `own topics that changed are spread over sweeps, sets whole, and each says what it covered`()
    throws
  {
    let house = try House { $0.sweepTopicsMax = 5 }
    // Each set has two topics: two fit into a sweep of five.
    for n in 0..<8 {
      house.ask("node\(n)", "SELECT Node FROM alerts WHERE Severity >= \(n % 4) AND Tally >= \(n / 4)")
      house.ask("text\(n)", "SELECT Summary FROM alerts WHERE Severity >= \(n % 4) AND Tally >= \(n / 4)")
    }
    try house.run()
    let before = sweeps(house).last?.number ?? 0
    house.send("x", severity: 5, #","Tally":3"#)
    try house.run(.seconds(3))
    let wide = sweeps(house).filter { $0.number > before }
    var setOf: [Int64: Set<String>] = [:]
    for n in 0..<8 {
      let (node, text) = (house.records("node\(n)"), house.records("text\(n)"))
      #expect(node.count == 1 && text.count == 1)
      #expect(node.map(\.sweep) == text.map(\.sweep), "the set \(n) is split")
      setOf[node[0].sweep, default: []].insert(house.reply("node\(n)")["set"]?.string ?? "")
    }
    for (number, sets) in setOf {
      #expect(sets.count <= 2)
      let covered = wide.first { $0.number == number }?.sets ?? []
      #expect(sets.isSubset(of: covered))
    }
    // Quiet sets touch no topic: all of them go into one sweep.
    let quiet = sweeps(house).last?.number ?? 0
    house.cluster.clock.advance(by: .seconds(10))
    try house.run(.milliseconds(100))
    #expect(sweeps(house).first { $0.number > quiet }?.sets.count == 8)
  }

  @Test func `what a sweep has no room for comes in the next, at once`() throws {
    let house = try House { $0.sweepTopicsMax = 1 }
    for n in 0..<6 {
      house.ask("v\(n)", "SELECT Node FROM alerts WHERE Tally >= \(n)")
    }
    house.send("x", severity: 5, #","Tally":9"#)
    let progress = { self.sweeps(house) }
    try house.run(.milliseconds(900))
    #expect((0..<6).allSatisfy { house.records("v\($0)").count == 1 })
    #expect(progress().map(\.sets.count).reduce(0, +) >= 6)
  }
}
