import Base
import TestSeeds
import Testing

@testable import Matching

struct CountedRangesTests {
  private static let trials = Trials("make fuzz FILTER=CountedRangesTests CASES=1 SEED=", otherwise: 8)

  /// Ranges, rows' values, and the counts that a scan gives.
  private struct Model {
    var ranges: [Int32: BareRange] = [:]
    var values: [Int64] = []

    func count(_ filter: Int32) -> Int64 { count(of: ranges[filter]!) }

    func count(of range: BareRange) -> Int64 {
      Int64(values.count { $0 >= range.low && $0 <= range.high })
    }
  }

  /// `span`: values and ends are drawn from so many. Few of them meet often, and in many blocks at once.
  @Test(arguments: [3, 50, 100_000], trials.shares)
  func `counts are those of a scan, whenever they are settled`(_ span: Int64, _ share: Int) {
    Self.trials.forEach(in: share) { check(span, $0, "\($1), span \(span)") }
  }

  private func check(_ span: Int64, _ seed: UInt64, _ again: String) {
    var random = SeededRandom(seed: seed)
    var ranges = CountedRanges(column: 0, kind: .integers)
    defer { ranges.free() }
    var model = Model()
    let filters: Int32 = 300
    var counts = Run(Array(repeating: Int64(0), count: Int(filters)))
    defer { counts.free() }
    func value() -> Int64 {
      switch Int.random(in: 0..<20, using: &random) {
      case 0: .min
      case 1: .max
      default: Int64.random(in: -span...span, using: &random)
      }
    }
    func check(_ step: Int) {
      ranges.settle(counts)
      #expect(!ranges.isMarked)
      for filter in model.ranges.keys {
        #expect(counts[Int(filter)] == model.count(filter), "\(again), step \(step)")
      }
    }
    for step in 0..<4_000 {
      let filter = Int32.random(in: 0..<filters, using: &random)
      switch Int.random(in: 0..<12, using: &random) {
      case 0, 1:
        if model.ranges[filter] != nil || step % 1_000 > 500 { continue }
        let (a, b) = (value(), value())
        let range = BareRange(
          RowTest(kind: .integers, low: min(a, b), high: max(a, b)), filter)
        model.ranges[filter] = range
        counts[Int(filter)] = model.count(filter)
        counts[Int(filter)] += ranges.insert(range)
      case 2:
        guard let range = model.ranges[filter] else { continue }
        counts[Int(filter)] += ranges.remove(range)
        #expect(counts[Int(filter)] == model.count(filter), "\(again), step \(step)")
        model.ranges[filter] = nil
        #expect(!ranges.contains(filter))
      case 3 where step % 200 == 0: check(step)
      default: change(&ranges, &model, value(), &random)
      }
      #expect(ranges.count == model.ranges.count)
    }
    check(4_000)
    // Blocks lose all of their ends while rows move.
    for filter in model.ranges.keys.sorted(by: { model.ranges[$0]!.low < model.ranges[$1]!.low }) {
      let range = model.ranges[filter]!
      for _ in 0..<4 { change(&ranges, &model, value(), &random) }
      if filter % 50 == 0 { check(5_000) }
      model.ranges[filter] = nil
      #expect(ranges.contains(filter))
      counts[Int(filter)] += ranges.remove(range)
      #expect(counts[Int(filter)] == model.count(of: range), "\(again)")
    }
  }

  private func change(
    _ ranges: inout CountedRanges, _ model: inout Model, _ value: Int64, _ random: inout SeededRandom
  ) {
    // Without ranges there is nothing to be told.
    let isThere = !model.ranges.isEmpty
    guard let at = model.values.indices.randomElement(using: &random), !Bool.random(using: &random) else {
      model.values.append(value)
      if isThere { ranges.enter(value, 1) }
      return
    }
    let old = model.values[at]
    if Int.random(in: 0..<3, using: &random) == 0 {
      model.values.remove(at: at)
      if isThere { ranges.enter(old, -1) }
    } else {
      let new = Bool.random(using: &random) ? value : old &+ Int64.random(in: -2...2, using: &random)
      model.values[at] = new
      if isThere { ranges.move(from: old, to: new) }
    }
  }
}
