import Base
import TestSeeds
import Testing

@testable import Matching

struct SieveTests {
  private static let trials = Trials("make fuzz FILTER=SieveTests CASES=1 SEED=", otherwise: 8)

  private func bytes(_ count: Int, of alphabet: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    (0..<count).map { _ in alphabet.randomElement(using: &random)! }
  }

  /// Few grams of wide alphabets, many of narrow ones; texts up to some blocks, whose last is not a whole one.
  @Test(arguments: [1, 20, 400], trials.shares)
  func `every gram is found at each of its places`(_ count: Int, _ share: Int) {
    Self.trials.forEach(in: share) { find(count, $0, $1) }
  }

  private func find(_ count: Int, _ seed: UInt64, _ again: String) {
    var random = SeededRandom(seed: seed)
    let alphabet = seed % 2 == 0 ? Array(UInt8.min...UInt8.max) : Array("0123456789-: aef".utf8)
    var sieve = Sieve()
    sieve.reset(capacity: 512)
    defer { sieve.free() }
    var grams: [[UInt8]] = []
    for _ in 0..<count {
      let gram = bytes(Int.random(in: 1...TextKey.gramMax, using: &random), of: alphabet, &random)
      grams.append(gram)
      sieve.insert(gram.withUnsafeBytes { TextKey.make($0, 0, gram.count) })
    }
    var (asked, passed) = (0, 0)
    for _ in 0..<400 {
      var text = bytes(Int.random(in: 1...90, using: &random), of: alphabet, &random)
      let gram = grams.randomElement(using: &random)!
      if text.count >= gram.count {
        let at = Int.random(in: 0...text.count - gram.count, using: &random)
        text.replaceSubrange(at..<at + gram.count, with: gram)
      }
      let size = gram.count
      let places = min(text.count - size + 1, 64)
      if places < 1 { continue }
      text.withUnsafeBytes { text in
        let found = sieve.places(text.baseAddress!, places, size: size)
        #expect(places == 64 || found >> UInt64(places) == 0, "\(again)")
        for i in 0..<places {
          let key = TextKey.gram(text.baseAddress! + i, size)
          #expect(key == TextKey.make(text, i, size))
          let isThere = grams.contains { $0.elementsEqual(text[i..<i + size]) }
          let mayBeThere = found >> UInt64(i) & 1 != 0
          #expect(sieve.mayContain(key) || !mayBeThere)
          #expect(mayBeThere || !isThere, "\(again): \(Array(text)) at \(i)")
          (asked, passed) = (asked + 1, passed + (mayBeThere && !isThere ? 1 : 0))
        }
      }
    }
    #expect(passed * 10 < asked, "\(again): \(passed) of \(asked) looks are for nothing")
  }

  private func key(_ random: inout SeededRandom) -> UInt64 {
    let gram = bytes(TextKey.gramMax, of: Array(UInt8.min...UInt8.max), &random)
    return gram.withUnsafeBytes { TextKey.make($0, 0, TextKey.gramMax) }
  }

  @Test func `grams that went are forgotten, and their lengths at once`() {
    var random = SeededRandom(seed: 1)
    var partition = Partition(name: Partition.Name(kind: .grams, column: 1), hasReals: false)
    defer { partition.free() }
    let child = IndexNode.make(IndexNode())
    defer { child.deindex() }
    for _ in 0..<40 { partition.insert(key(&random), child) }
    let short = Array("x".utf8).withUnsafeBytes { TextKey.make($0, 0, 1) }
    partition.insert(short, child)
    #expect(partition.sizes == 1 << 4 | 1 << 1)
    partition.remove(short)
    #expect(partition.sizes == 1 << 4)
    for _ in 0..<20_000 {
      let key = key(&random)
      partition.insert(key, child)
      partition.remove(key)
    }
    let passed = (0..<1_000).count { _ in partition.sieve.mayContain(key(&random)) }
    #expect(passed < 200, "\(passed) of 1,000 looks are for nothing")
    #expect(partition.sieve.capacity < 500)
  }

  @Test func `grams that were common once are forgotten when there are too many`() {
    var random = SeededRandom(seed: 1)
    var common = CommonGrams()
    defer { common.free() }
    for _ in 0..<10 * CommonGrams.countMax { common.insert(key(&random)) }
    let last = key(&random)
    common.insert(last)
    #expect(common.contains(last))
    #expect((0..<1_000).count { _ in common.contains(key(&random)) } < 200)
  }
}
