import Base
import Events
import Testing

@testable import Matching

struct AggregateTests {
  /// Any finite double, all exponents alike.
  private func double(_ random: inout SeededRandom) -> Double {
    let x = Double(bitPattern: random.next())
    return x.isFinite ? x : Double(Int64(bitPattern: random.next()))
  }

  @Test(arguments: 0..<UInt64(50))
  func `an exact sum keeps what was not taken away, to the last bit`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var sum = ExactSum()
    let (a, b) = (double(&random), double(&random))
    let others = (0..<100).map { _ in double(&random) }
    sum.add(a)
    for x in others { sum.add(x) }
    sum.add(b)
    _ = sum.value
    for x in others.shuffled(using: &random) { sum.remove(x) }
    #expect(sum.value == a + b, "seed \(seed)")
    sum.remove(a)
    #expect(sum.value == b, "seed \(seed)")
    sum.remove(b)
    #expect(sum.value.bitPattern == 0, "seed \(seed)")
  }

  @Test(arguments: 0..<UInt64(50))
  func `an exact sum of near numbers rounds as addition does`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      let scale = Double(sign: .plus, exponent: Int.random(in: -1074...900, using: &random), significand: 1)
      let a = scale * Double(Int64.random(in: -(1 << 54)...1 << 54, using: &random))
      let b = scale * Double(Int64.random(in: -64...64, using: &random)) / 2
      var sum = ExactSum()
      sum.add(a)
      sum.add(b)
      #expect(sum.value == a + b, "seed \(seed): \(a) + \(b)")
    }
  }

  @Test(
    arguments: [
      ([1, 0x1p-53], 1), ([1, 0x1p-53, 0x1p-1074], 1 + 0x1p-52), ([1, 0x3p-53], 1 + 0x1p-51),
      ([-1, -0x1p-53, -0x1p-1074], -1 - 0x1p-52),
      ([1e308, 1e308, -1e308], 1e308), ([1e308, 1e308], .infinity), ([-1e308, -1e308], -.infinity),
      ([0x1p-1074, 0x1p-1074], 0x1p-1073), ([-0x1p-1074], -0x1p-1074),
      ([0x1p-1022, -0x1p-1074], 0x1p-1022 - 0x1p-1074),
      ([.infinity, 1], .infinity), ([-.infinity, 1], -.infinity),
      ([0x1p1023, 0x1p-1074, -0x1p1023], 0x1p-1074),
      ([], 0), ([-0.0], 0), ([0.1, 0.2, -0.3], 0x1p-55),
    ] as [([Double], Double)])
  func `an exact sum is the nearest double`(terms: [Double], wanted: Double) {
    var sum = ExactSum()
    for x in terms { sum.add(x) }
    #expect(sum.value == wanted)
    #expect(sum.value == wanted)
  }

  @Test func `asking for a negative sum again and again does not make it longer or other`() {
    var sum = ExactSum()
    sum.add(-1.5)
    for i in 0..<100 {
      sum.add(Double(i))
      #expect(sum.value == -1.5 + Double(i))
      sum.remove(Double(i))
      #expect(sum.value == -1.5)
    }
  }
}
