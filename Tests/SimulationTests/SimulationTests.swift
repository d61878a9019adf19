import Bus
import TestSeeds
import Testing

/// How one seed's run ended, and what it met.
struct Outcome {
  private(set) var fault: Fault?
  private(set) var trace: [String] = []
  private(set) var deaths = 0
  private(set) var recreations = 0
  /// Records on streams; and sweeps of a stream that were compared with its view.
  private(set) var published = 0
  private(set) var compared = 0

  init(seed: UInt64, isTraced: Bool = false) throws {
    var simulation = try Simulation(seed: seed, isTraced: isTraced)
    do throws(Fault) { try run(&simulation) } catch { fault = error }
    trace = simulation.cluster.trace.lines
    deaths = simulation.deaths
    recreations = simulation.recreations
  }

  private mutating func run(_ simulation: inout Simulation) throws(Fault) {
    try simulation.round()
    try check(simulation)
    try simulation.deleteCleared()
    try check(simulation)
    try simulation.round()
    let before = try check(simulation)
    try simulation.restart()
    let after = try check(simulation, isRestarted: true)
    try demand(before == after, "a restart has published \(after - before) records, though nothing is new")
  }

  @discardableResult
  private mutating func check(_ simulation: Simulation, isRestarted: Bool = false) throws(Fault) -> Int {
    if let misuse = simulation.cluster.misuses.first { throw Fault("misuse of the bus: \(misuse)") }
    let table = try TableChecker(simulation)
    let requests = try RequestChecker(simulation, isRestarted: isRestarted)
    let streams = try StreamChecker(simulation, table, requests)
    published += streams.published
    compared += streams.compared
    return streams.published
  }
}

@Suite(.serialized) struct SimulationTests {
  /// Lines of the bus's trace that a failing seed prints.
  private static let traceLinesMax = 400

  @Test func `table and streams are the fold of the events, whatever befalls the member`() throws {
    let seeds = Seeds(
      count: "BELFRY_SIMULATION_SEEDS", first: "BELFRY_SIMULATION_FIRST", otherwise: 200)
    let count = seeds.all.count
    var (failed, deaths, recreations, published, compared) = (0, 0, 0, 0, 0)
    for seed in seeds.all {
      let outcome = try SeedAtWork.run(seed, "make simulate SEEDS=1 FIRST=") { try Outcome(seed: seed) }
      deaths += outcome.deaths
      recreations += outcome.recreations
      published += outcome.published
      compared += outcome.compared
      guard let fault = outcome.fault else { continue }
      failed += 1
      if failed == 1 { try report(seed, fault) } else { Issue.record("seed \(seed): \(fault)") }
    }
    #expect(failed == 0, "of \(count) seeds")
    guard count >= 100 else { return }
    // The faults must have been met, and the checkers must have had something to compare.
    #expect(deaths > count / 5)
    #expect(recreations > count)
    #expect(published > 200 * count)
    #expect(compared > 50 * count)
  }

  /// Runs the seed once more, with the bus's trace.
  private func report(_ seed: UInt64, _ fault: Fault) throws {
    let again = try Outcome(seed: seed, isTraced: true)
    #expect(again.fault == fault, "a failing seed replays")
    let trace = again.trace.suffix(Self.traceLinesMax).joined(separator: "\n")
    Issue.record(
      """
      seed \(seed): \(fault)
      make simulate SEEDS=1 FIRST=\(seed)
      The last of \(again.trace.count) lines of the bus's trace:
      \(trace)
      """)
  }

  @Test func `the same seed gives the same run, another seed another`() throws {
    let runs = try [7, 7, 8].map { try Outcome(seed: $0, isTraced: true) }
    #expect(runs[0].trace.count > 1_000)
    #expect(runs[0].trace == runs[1].trace)
    #expect(runs[0].trace != runs[2].trace)
  }
}
