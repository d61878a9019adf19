import CScan

/// The same changes several times over, each timed on its own.
struct Passes {
  /// Nanoseconds of each change: the median of its passes, less what the clock itself takes.
  let times: [Double]
  /// Nanoseconds at the end of a pass, the median.
  let finishing: Double
  /// What `forward` said of each change.
  let moved: [Int]

  /// A pass that takes longer than this is the only one.
  private static let longMax: Int64 = 1_500_000_000

  /// `start` is evaluated before the first pass; `back` makes undone what all changes did. Behind the last
  /// pass they stay. What a side leaves for when somebody reads its counts it does in `finish`.
  init(
    _ changes: [Trial.Change], passes: Int, start: Void, _ forward: (Trial.Change) -> Int,
    finish: () -> Void = {}, back: () -> Void
  ) {
    var times = Array(repeating: [Int64](), count: changes.count)
    var moved = Array(repeating: 0, count: changes.count)
    var finishing: [Int64] = []
    for pass in 1...passes {
      let began = scan_now()
      for (i, change) in changes.enumerated() {
        let before = scan_now()
        moved[i] = forward(change)
        times[i].append(scan_now() - before)
      }
      let ended = scan_now()
      finish()
      finishing.append(scan_now() - ended)
      if pass == passes || scan_now() - began > Self.longMax { break }
      back()
    }
    self.times = times.map { max(1, Double($0.sorted()[$0.count / 2]) - Self.clock) }
    self.moved = moved
    self.finishing = Double(finishing.sorted()[finishing.count / 2])
  }

  /// What two looks at the clock say of nothing.
  private static let clock: Double = {
    let looks = (0..<1_001).map { _ in
      let before = scan_now()
      return scan_now() - before
    }
    return Double(looks.sorted()[500])
  }()
}
