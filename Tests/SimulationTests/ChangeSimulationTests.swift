import Bus
import TestSeeds
import Testing

/// How one seed's run with streams of every change ended, and what it met.
private struct ChangeOutcome {
  private(set) var fault: Fault?
  private(set) var trace: [String] = []
  private(set) var deaths = 0
  private(set) var recreations = 0
  private(set) var compared = 0
  private(set) var interrupted = 0

  init(seed: UInt64, isTraced: Bool = false) throws {
    var simulation = try ChangeSimulation(seed: seed, isTraced: isTraced)
    do throws(Fault) { try run(&simulation) } catch { fault = error }
    trace = simulation.cluster.trace.lines
    deaths = simulation.deaths
    recreations = simulation.recreations
  }

  private mutating func run(_ simulation: inout ChangeSimulation) throws(Fault) {
    for _ in 0..<2 {
      try simulation.run()
      if let misuse = simulation.cluster.misuses.first { throw Fault("misuse of the bus: \(misuse)") }
      let checker = try ChangeChecker(simulation)
      compared += checker.compared
      interrupted += checker.interrupted
    }
  }
}

@Suite(.serialized) struct ChangeSimulationTests {
  private static let traceLinesMax = 300

  @Test func `histories are exactly what the changes did to their views, whatever befalls the member`() throws
  {
    let seeds = Seeds(
      count: "BELFRY_SIMULATION_SEEDS", first: "BELFRY_SIMULATION_FIRST", otherwise: 100)
    let count = seeds.all.count
    var (failed, deaths, recreations, compared, interrupted) = (0, 0, 0, 0, 0)
    for seed in seeds.all {
      let outcome = try SeedAtWork.run(seed, "make simulate SEEDS=1 FIRST=") { try ChangeOutcome(seed: seed) }
      deaths += outcome.deaths
      recreations += outcome.recreations
      compared += outcome.compared
      interrupted += outcome.interrupted
      guard let fault = outcome.fault else { continue }
      failed += 1
      if failed > 1 {
        Issue.record("seed \(seed): \(fault)")
        continue
      }
      let again = try ChangeOutcome(seed: seed, isTraced: true)
      #expect(again.fault == fault, "a failing seed replays")
      let trace = again.trace.suffix(Self.traceLinesMax).joined(separator: "\n")
      Issue.record("seed \(seed): \(fault)\nmake simulate SEEDS=1 FIRST=\(seed)\n\(trace)")
    }
    #expect(failed == 0, "of \(count) seeds")
    guard count >= 50 else { return }
    #expect(deaths > count / 5)
    #expect(recreations > count / 2)
    #expect(compared > 20 * count)
    #expect(interrupted > count / 50)
  }
}
