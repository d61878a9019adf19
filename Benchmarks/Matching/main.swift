// The matching figures (docs/benchmarks.md): Belfry's engine beside a scan in C, same rows, filters, changes, run.
//   MatchingBenchmark        sizes from the environment: QUICK=1, FILTERS="10 1000", WORST_FILTERS, MIXES="mixed zipf",
//                        "growth" (filters that come one by one), MATCH_ROWS, CHANGES, PASSES, SEED
import CScan
import Glibc

func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

func say(_ text: String) {
  let line = "matching: \(text)\n"
  _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
}

func number(_ name: String, _ otherwise: Int) -> Int {
  guard let text = environment(name), !text.isEmpty else { return otherwise }
  guard let number = Int(text), number > 0 else {
    say("\(name) is '\(text)': a number above 0 would do")
    exit(2)
  }
  return number
}

let isQuick = environment("QUICK").map { !$0.isEmpty && $0 != "0" } ?? false
var sizes = Sizes()
sizes.rows = number("MATCH_ROWS", isQuick ? 300 : sizes.rows)
sizes.changes = number("CHANGES", isQuick ? 500 : sizes.changes)
sizes.passes = number("PASSES", sizes.passes)
sizes.seed = UInt64(number("SEED", 1))
if isQuick {
  sizes.passBudget = 200_000_000
  sizes.turnover = 100
}
let counts = (environment("FILTERS") ?? (isQuick ? "10 1000 10000" : "10 100 1000 10000 100000"))
  .split(separator: " ").compactMap { Int($0) }.filter { $0 > 0 }
let worst = number("WORST_FILTERS", isQuick ? 1_000 : 10_000)

typealias Mix = (name: String, counts: [Int], make: (UInt64) -> any Population)
let mixes: [Mix] = [
  ("mixed", counts, { Alerts(.snapped, .mixed, seed: $0) }),
  ("mixed, unsnapped", [worst], { Alerts(.unsnapped, .mixed, seed: $0) }),
  ("mixed, zipf", [worst], { Alerts(.zipf, .mixed, seed: $0) }),
  ("no equality", [worst], { Alerts(.unsnapped, .withoutEquality, seed: $0) }),
  ("all LIKE '%x%'", [worst], { Alerts(.unsnapped, .contains, seed: $0) }),
  ("ORs of 50", [max(1, worst / 10)], { Alerts(.unsnapped, .wideOrs, seed: $0) }),
  ("500 columns", [worst], { Wide(seed: $0) }),
]
let wanted = environment("MIXES")?.split(separator: " ").map(String.init) ?? []

var results: [TrialResult] = []
/// `a` with the most filters by `a` with the fewest, each pair measured within seconds: on a machine that others use, minutes
/// apart are two machines.
var fixedRatios: [Double] = []
var growth: Growth?
func isWanted(_ name: String) -> Bool { wanted.isEmpty || wanted.contains(where: name.contains) }
do {
  for mix in mixes where isWanted(mix.name) {
    var fewest: Trial?
    for count in mix.counts {
      let began = scan_now()
      let trial = Trial(mix.name, mix.make(sizes.seed), filters: count, sizes)
      try trial.run()
      results.append(trial.result)
      if let fewest, count == mix.counts.last {
        for _ in 0..<7 {
          let before = fewest.fixedAgain()
          let many = trial.fixedAgain()
          fixedRatios.append(many * 2 / (before + fewest.fixedAgain()))
        }
      }
      if fewest == nil { fewest = trial }
      say("\(mix.name), \(count) filters: \((scan_now() - began) / 1_000_000) ms")
    }
  }
  if isWanted("growth") { growth = try Growth(filters: (counts.max() ?? 1) * 7 / 5) }
} catch {
  say("\(error)")
  exit(1)
}
Report(results: results, fixedRatios: fixedRatios.sorted(), growth: growth).print()
