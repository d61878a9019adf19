import Bus
import Checkers
import TestSeeds
import Testing

/// How one seed's run ended, and what it met.
struct Outcome {
  private(set) var fault: Fault?
  private(set) var trace: [String] = []
  private(set) var met = Simulation.Met()
  /// Records on streams; and sweeps of a stream that were compared with its view.
  private(set) var published = 0
  private(set) var compared = 0
  /// Changes on histories and immediate streams that were compared with the table's; commands and flushes that were answered;
  /// and streams for clients that were away which have reached their limit, and are at that by bytes.
  private(set) var told = 0
  private(set) var filled = 0
  private(set) var filledByBytes = 0
  private(set) var answered = 0
  private(set) var flushed = 0

  init(seed: UInt64, isTraced: Bool = false, fencesDown: Set<SimulatedCluster.Fence> = []) throws {
    var simulation = try Simulation(seed: seed, isTraced: isTraced, fencesDown: fencesDown)
    do throws(Fault) { try run(&simulation) } catch { fault = error }
    simulation.end()
    trace = simulation.cluster.trace.lines
    met = simulation.met
  }

  /// One or two rounds of trouble, with or without what comes between and behind them.
  private mutating func run(_ simulation: inout Simulation) throws(Fault) {
    try simulation.round()
    if simulation.chance(3) {
      if simulation.chance(2) { try check(simulation) }
      try simulation.deleteCleared()
      if simulation.chance(2) { try simulation.round() }
    }
    let before = try check(simulation)
    guard simulation.chance(3) else { return }
    try simulation.restart()
    let after = try check(simulation, isRestarted: true)
    try demand(before == after, "a restart has published \(after - before) records, though nothing is new")
  }

  @discardableResult
  private mutating func check(_ simulation: Simulation, isRestarted: Bool = false) throws(Fault) -> Int {
    if let misuse = simulation.cluster.misuses.first { throw Fault("misuse of the bus: \(misuse)") }
    let verdict = try Verdict(
      simulation.world, simulation.crowd, deletions: simulation.deletions, isRestarted: isRestarted)
    published += verdict.published
    compared += verdict.compared
    told += verdict.told
    filled += verdict.filled
    filledByBytes += verdict.filledByBytes
    answered += verdict.answered
    flushed += verdict.flushed
    return verdict.published
  }
}

@Suite struct SimulationTests {
  private static let seeds = Seeds(
    count: "BELFRY_SIMULATION_SEEDS", first: "BELFRY_SIMULATION_FIRST", otherwise: 2_000)
  private static let shares = 2
  private static let command: StaticString = "make simulate SEEDS=1 FIRST="
  /// Lines of the bus's trace that a failing seed prints.
  private static let traceLinesMax = 5_000

  @Test(arguments: 0..<shares)
  func `table and streams are the fold of the events, whatever befalls the processes`(_ share: Int) throws {
    let seeds = Array(Self.seeds.share(share, of: Self.shares))
    var (failed, published, compared, told, answered, flushed) = (0, 0, 0, 0, 0, 0)
    var (filled, filledByBytes) = (0, 0)
    var met = Simulation.Met()
    for seed in seeds {
      let outcome = try SeedAtWork.run(seed, Self.command) { try Outcome(seed: seed) }
      met += outcome.met
      published += outcome.published
      compared += outcome.compared
      told += outcome.told
      answered += outcome.answered
      flushed += outcome.flushed
      filled += outcome.filled
      filledByBytes += outcome.filledByBytes
      guard let fault = outcome.fault else { continue }
      failed += 1
      if failed == 1 { try report(seed, fault) } else { Issue.record("seed \(seed): \(fault)") }
    }
    #expect(failed == 0, "of \(seeds.count) seeds")
    guard seeds.count >= 100 else { return }
    // The faults must have been met, and the checkers must have had something to compare.
    #expect(met.deaths > seeds.count)
    #expect(met.recreations > seeds.count / 2)
    #expect(met.fenced > seeds.count / 2)
    #expect(met.standstills > seeds.count / 2)
    #expect(met.shared > 5 * seeds.count)
    #expect(published > 30 * seeds.count)
    #expect(compared > 8 * seeds.count)
    #expect(told > seeds.count)
    #expect(answered > seeds.count)
    #expect(flushed > 2 * seeds.count)
    #expect(filled > seeds.count / 50)
    #expect(filledByBytes > seeds.count / 50)
  }

  /// Runs the seed once more, with the bus's trace.
  private func report(_ seed: UInt64, _ fault: Fault) throws {
    let again = try Outcome(seed: seed, isTraced: true)
    #expect(again.fault == fault, "a failing seed replays")
    let trace = again.trace.suffix(Self.traceLinesMax).joined(separator: "\n")
    Issue.record(
      """
      seed \(seed): \(fault)
      \(Self.command)\(seed)
      The last of \(again.trace.count) lines of the bus's trace:
      \(trace)
      """)
  }

  /// The producers'. That of the group's members is a second line: while the first holds, none of these seeds
  /// shows it.
  @Test func `were the brokers' fence of producers down, a run would show it`() throws {
    let fence = SimulatedCluster.Fence.producers
    let seed = try (1...400 as ClosedRange<UInt64>).first { seed in
      try SeedAtWork.run(seed, "with a fence down: ") { try Outcome(seed: seed, fencesDown: [fence]) }.fault
        != nil
    }
    #expect(seed != nil)
  }

  @Test func `the same seed gives the same run, another seed another`() throws {
    let runs = try [7, 7, 8].map { try Outcome(seed: $0, isTraced: true) }
    #expect(runs[0].trace.count > 500)
    #expect(runs[0].trace == runs[1].trace)
    #expect(runs[0].trace != runs[2].trace)
  }
}
