import Base
import Events
import Testing

@testable import Matching

/// Where QUANTILE counts a value, and what it then says of it.
struct BucketTests {
  /// Any finite double of either sign, all exponents from 2^-64 on alike.
  private func double(_ random: inout SeededRandom) -> Double {
    let significand = Double.random(in: 1..<2, using: &random)
    let x = Double(
      sign: .plus, exponent: Int.random(in: -64...1023, using: &random), significand: significand)
    return Bool.random(using: &random) ? x : -x
  }

  @Test(arguments: 0..<UInt64(20))
  func `a number is told with less than 0.8 % of error`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<500 {
      let x = double(&random)
      let told = Buckets.value(of: Buckets.bucket(of: x))
      #expect(abs(told - x) <= abs(x) / 128 && told.isFinite, "seed \(seed): \(x) is told as \(told)")
    }
  }

  @Test(arguments: 0..<UInt64(20))
  func `buckets ascend with their numbers, and a told number is in its own bucket`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let numbers = (0..<500).map { _ in double(&random) } + [0, 1, -1, .infinity, -.infinity]
    let buckets = numbers.sorted().map(Buckets.bucket)
    #expect(buckets == buckets.sorted(), "seed \(seed)")
    for bucket in buckets { #expect(Buckets.bucket(of: Buckets.value(of: bucket)) == bucket) }
  }

  @Test func `whole numbers up to 128 and others of few bits are told exactly`() {
    let exact = (-128...128).map(Double.init) + [1000, 4096, 0.5, 0.75, -2.5, 1.984375, 0x1p63, 0x1p-64]
    for x in exact { #expect(Buckets.value(of: Buckets.bucket(of: x)) == x) }
  }

  @Test func `what is below 2^-64 counts as zero, and infinity stays apart from the greatest double`() {
    for x in [0, -0.0, 0x1p-65, -0x1p-65, .leastNonzeroMagnitude] as [Double] {
      #expect(Buckets.bucket(of: x) == 0)
    }
    #expect(Buckets.bucket(of: .greatestFiniteMagnitude) < Buckets.bucket(of: .infinity))
    #expect(Buckets.value(of: Buckets.bucket(of: -.infinity)) == -.infinity)
    #expect(Buckets.bucket(of: .infinity) - Buckets.bucket(of: 0x1p-64) == 64 * (1024 + 64))
  }

  @Test func `a time is told within half a minute`() {
    var random = SeededRandom(seed: 1)
    for _ in 0..<2000 {
      let time = Int64.random(in: -1_000_000...4_000_000_000_000, using: &random)
      #expect(abs(Buckets.time(of: Buckets.bucket(ofTime: time)) - time) <= 30_000)
    }
    #expect(Buckets.time(of: Buckets.bucket(ofTime: 1_767_225_600_000)) == 1_767_225_600_000)
    for end in [Int64.min, .max] {
      let told = Buckets.time(of: Buckets.bucket(ofTime: end))
      #expect(told == end || (told < 0) == (end < 0))
    }
  }

  @Test(
    arguments: [
      (0.5, 4, 2), (0.5, 5, 3), (0, 5, 1), (1, 5, 5), (0.07, 100, 7), (0.95, 100, 95), (0.99, 1, 1),
      (0.1, 10_000_000, 1_000_000), (0.29, 100, 29), (0.291, 100, 30), (1e-300, 7, 1),
    ] as [(Double, Int, Int)])
  func `a quantile's rank is the first that the part does not exceed`(p: Double, count: Int, rank: Int) {
    #expect(Buckets.rank(p, of: count) == rank)
  }

  @Test(arguments: 0..<UInt64(10))
  func `two sketches put together are the sketch of all values`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let strings = StringTable()
    let sketches = Multisets(.numbers)
    for tree in 0..<3 { sketches.make(tree) }
    for _ in 0..<2000 {
      let bucket = Buckets.bucket(of: Double.random(in: -1e6...1e6, using: &random))
      _ = sketches.add(bucket, to: Int.random(in: 0..<2, using: &random), strings)
      _ = sketches.add(bucket, to: 2, strings)
    }
    for entry in sketches.content(0) {
      _ = sketches.add(entry[0], count: Int(entry[1]), to: 1, strings)
    }
    #expect(sketches.content(1) == sketches.content(2), "seed \(seed)")
  }
}
