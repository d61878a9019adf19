import Matching
import Query
import TestSeeds
import Testing

/// The engine's incremental answers beside SQLite's from scratch, after every batch of random histories on
/// random tables.
struct EngineDifferentialTests {
  private static let trials = Trials(
    "make fuzz FILTER=EngineDifferentialTests CASES=1 SEED=", otherwise: 320, shares: 4)

  @Test(arguments: trials.shares)
  func `what a reader folds is what SQLite has from scratch`(_ share: Int) throws {
    var comparisons = 0
    try Self.trials.forEach(in: share) { seed, again in
      let history = History.random(seed: seed)
      var run = HistoryRun(history.schema)
      let failure = run.play(history.steps)
      comparisons += run.comparisons
      if failure == nil { return }
      let small = history.shrunk { HistoryRun.failure($0) != nil }
      try #require(failure == nil, "\(again)\n\(small)\n\(HistoryRun.failure(small) ?? "")")
    }
    // 20,000 in all.
    #expect(comparisons >= 5_000 || Self.trials.seeds.areMany, "\(comparisons) comparisons")
  }

  @Test func `a crowd of streams is found by every way that the index has`() throws {
    let crowds = (1...100).map { History.random(seed: $0) }.filter { $0.crowd > 0 }
    #expect(crowds.count > 4)
    for history in crowds {
      let world = World(history.schema)
      for case .begin(let stream, let question) in history.steps.prefix(history.crowd) {
        try world.add("\(stream)", question.ours)
      }
      let paths = world.views.values.map { world.engine.accessPath(of: $0.filter) }
      // There must be 32 ranges of a column before they are sorted.
      for way in ["(hash)", "(beginning)", "(gram)"] + (history.crowd > 90 ? ["(range)"] : []) {
        #expect(paths.contains { $0.contains(way) }, "\(way), crowd of \(history.crowd)")
      }
    }
  }

  @Test(arguments: 1...5)
  func `a failure shrinks to a few steps`(_ seed: Int) throws {
    var history = History.random(seed: UInt64(seed))
    var wrong = Question(
      isList: false, outputs: [], groups: ["s"], filter: Written("a > -2000 OR flag"), below: nil,
      isNamed: true)
    wrong.outputs = [
      Question.Output(name: "n", ours: "COUNT(*)", theirs: "COUNT(*)"),
      Question.Output(name: "m", ours: "SUM(a)", theirs: "TOTAL(ABS(a)) + 0.5"),
    ]
    history.steps.insert(.begin(1000, wrong), at: 10)
    #expect(HistoryRun.failure(history) != nil)
    let small = history.shrunk { HistoryRun.failure($0) != nil }
    let views = small.steps.compactMap { step in
      if case .begin(_, let question) = step { question.ours } else { nil }
    }
    #expect(views == ["SELECT SUM(a) AS m FROM samples WHERE TRUE"], "\(small)")
    #expect(small.steps.count <= 3, "\(small)")
  }
}
