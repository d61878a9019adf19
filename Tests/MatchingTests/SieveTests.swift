import Base
import Testing

@testable import Matching

struct SieveTests {
  private func bytes(_ count: Int, of alphabet: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    (0..<count).map { _ in alphabet.randomElement(using: &random)! }
  }

  /// Few grams of wide alphabets, many of narrow ones; texts up to some blocks, whose last is not a whole one.
  @Test(arguments: [1, 20, 400], 0..<UInt64(8))
  func `every gram is found at each of its places`(_ count: Int, _ seed: UInt64) {
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
        #expect(places == 64 || found >> UInt64(places) == 0, "seed \(seed)")
        for i in 0..<places {
          let key = TextKey.gram(text.baseAddress! + i, size)
          #expect(key == TextKey.make(text, i, size))
          let isThere = grams.contains { $0.elementsEqual(text[i..<i + size]) }
          let mayBeThere = found >> UInt64(i) & 1 != 0
          #expect(sieve.mayContain(key) || !mayBeThere)
          #expect(mayBeThere || !isThere, "seed \(seed): \(Array(text)) at \(i)")
          (asked, passed) = (asked + 1, passed + (mayBeThere && !isThere ? 1 : 0))
        }
      }
    }
    #expect(passed * 10 < asked, "seed \(seed): \(passed) of \(asked) looks are for nothing")
  }
}
