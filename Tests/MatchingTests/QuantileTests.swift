import Base
import Events
import Testing

@testable import Matching

/// What a view says of a quantile, beside the sorted rows.
struct QuantileTests {
  private static let parts = [0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1]

  /// A value of the row as the view's formula has it, and how far from it the view may be.
  private struct Measure: Sendable {
    let sql: String
    let value: @Sendable ([String: Value]) -> Double
    let error: @Sendable (Double) -> Double
  }

  private static let relative: @Sendable (Double) -> Double = { abs($0) / 128 + 0x1p-64 }
  private static let measures = [
    Measure(sql: "a", value: { number($0["a"]!) }, error: relative),
    Measure(sql: "r", value: { number($0["r"]!) }, error: relative),
    Measure(sql: "at", value: { number($0["at"]!) }, error: { _ in 30_000 }),
    Measure(sql: "a * 0.001 - r", value: { number($0["a"]!) * 0.001 - number($0["r"]!) }, error: relative),
  ]

  private static func number(_ value: Value) -> Double {
    switch value {
    case .int(let n), .time(let n): Double(n)
    case .real(let x): x
    default: .nan
    }
  }

  /// Rows come, change, move between groups and go, down to none and up again.
  @Test(arguments: measures.indices, 0..<UInt64(6))
  func `a quantile is within its error of the sorted rows' after every batch`(_ index: Int, _ seed: UInt64)
    throws
  {
    let measure = Self.measures[index]
    var random = SeededRandom(seed: seed)
    let world = World()
    let metrics = Self.parts.enumerated().map { "QUANTILE(\(measure.sql), \($1)) AS q\($0)" }
    try world.add("v", "SELECT s, \(metrics.joined(separator: ", ")) FROM samples GROUP BY s")
    for batch in 0..<30 {
      let shrinks = batch % 10 > 7
      for _ in 0..<40 {
        let key = "k\(Int.random(in: 0..<100, using: &random))"
        if shrinks || Int.random(in: 0..<4, using: &random) == 0 {
          world.delete(key)
        } else {
          put(key, world, &random)
        }
      }
      if batch % 10 == 9 { for key in world.keys { world.delete(key) } }
      world.collect("v")
      try check(world, measure, "seed \(seed), batch \(batch)")
    }
  }

  private func put(_ key: String, _ world: World, _ random: inout SeededRandom) {
    let scale = Double(sign: .plus, exponent: Int.random(in: -70...60, using: &random), significand: 1)
    world.put(
      key,
      [
        "s": .string(["x", "y", "z"].randomElement(using: &random)!),
        "a": .int(Int64.random(in: -(1 << Int64.random(in: 1...62, using: &random))...1000, using: &random)),
        "r": .real(Double.random(in: -1...1, using: &random) * scale),
        "at": .time(1_767_225_600_000 + Int64.random(in: 0...100_000_000, using: &random)),
      ])
  }

  private func check(_ world: World, _ measure: Measure, _ context: Comment) throws {
    let names = world.schema.columns.map(\.name)
    let rows = world.values.values.map { Dictionary(uniqueKeysWithValues: zip(names, $0)) }
    let groups = Dictionary(grouping: rows) { $0["s"]! }
    let folded = world.folded["v"]!.values.map { String(decoding: $0, as: UTF8.self) }
    #expect(folded.count == groups.count, context)
    for text in folded {
      let record = try JSON(parsing: text)
      let sorted = groups[.string(record["s"]!.string!)]!.map(measure.value).sorted()
      for (i, part) in Self.parts.enumerated() {
        let wanted = sorted[max(0, Int((part * Double(sorted.count) - 1e-9).rounded(.up)) - 1)]
        let told = try #require(Double(record["q\(i)"]!.text))
        #expect(abs(told - wanted) <= measure.error(wanted), "\(context): part \(part) of \(sorted)")
      }
    }
  }
}
