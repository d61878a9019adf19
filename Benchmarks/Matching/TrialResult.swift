/// One change, timed on all sides.
struct Sample {
  let kind: Trial.Kind
  /// Filters that the row entered or left.
  let moved: Int
  /// Nanoseconds.
  let belfry, scan, smart: Double
}

/// What a trial measured.
struct TrialResult {
  let mix: String
  let filters: Int
  var sets = 0
  /// Heap bytes that the streams took, before there were rows.
  var bytes = 0
  /// Nanoseconds: of all streams, in thousands at a time before there were rows; of single ones, with rows.
  var bulkAdd: Int64 = 0
  var adds: [Int64] = []
  /// Nanoseconds to bring up, behind all changes, the counts that are not kept one by one.
  var settling = 0.0
  var drops: [Int64] = []
  private(set) var samples: [Sample] = []
  /// Nanoseconds of a change: fixed + perMoved x filters that it moves.
  private(set) var fixed = 0.0
  private(set) var perMoved = 0.0

  static let fewMoved = 100

  init(mix: String, filters: Int) {
    self.mix = mix
    self.filters = filters
  }

  mutating func add(_ samples: [Sample]) {
    self.samples = samples
    (fixed, perMoved) = Self.line(through: samples)
  }

  func samples(_ kind: Trial.Kind) -> [Sample] { samples.filter { $0.kind == kind } }

  /// Of changes of rows that move at most a hundred filters.
  var fewRatio: Double? {
    let few = samples(.update).filter { $0.moved <= Self.fewMoved }
    return few.isEmpty ? nil : few.sum(\.scan) / few.sum(\.belfry)
  }

  /// Least squares of the relative errors: else the few changes that move thousands would decide alone.
  static func line(through samples: [Sample]) -> (fixed: Double, perMoved: Double) {
    var (w, x, y, xx, xy) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for sample in samples where sample.kind == .update || sample.kind == .swing {
      let weight = 1 / (sample.belfry * sample.belfry)
      let moved = Double(sample.moved)
      w += weight
      x += weight * moved
      y += weight * sample.belfry
      xx += weight * moved * moved
      xy += weight * moved * sample.belfry
    }
    let determinant = w * xx - x * x
    let perMoved = determinant > 0 ? (w * xy - x * y) / determinant : 0
    return (w > 0 ? (y - perMoved * x) / w : 0, perMoved)
  }
}

extension [Sample] {
  func sum(_ part: (Sample) -> Double) -> Double { reduce(0) { $0 + part($1) } }
  func mean(_ part: (Sample) -> Double) -> Double { isEmpty ? 0 : sum(part) / Double(count) }
}
