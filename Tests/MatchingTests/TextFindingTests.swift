import Base
import CTextSearch
import TestSeeds
import Testing

struct TextFindingTests {
  private static let trials = Trials("make fuzz FILTER=TextFindingTests CASES=1 SEED=", otherwise: 4)

  /// Of two letters, so that most places look right and are not; at every length about the blocks' edges.
  @Test(arguments: trials.shares)
  func `a text has what it has at any place, and nothing else`(_ share: Int) {
    Self.trials.forEach(in: share) { find($0, $1) }
  }

  private func find(_ seed: UInt64, _ again: String) {
    var random = SeededRandom(seed: seed)
    var (had, had16) = (0, 0)
    for size in 0...80 {
      for _ in 0..<40 {
        let text = (0..<size).map { _ in UInt8.random(in: 97...98, using: &random) }
        var wanted = (0..<Int.random(in: 1...9, using: &random)).map { _ in
          UInt8.random(in: 97...98, using: &random)
        }
        if Bool.random(using: &random), size >= wanted.count {
          let at = Int.random(in: 0...size - wanted.count, using: &random)
          wanted = Array(text[at..<at + wanted.count])
        }
        let places = size - wanted.count + 1
        let isThere =
          places > 0 && (0..<places).contains { text[$0..<$0 + wanted.count].elementsEqual(wanted) }
        let has = text.withUnsafeBytes { text_has($0.baseAddress, size, wanted, wanted.count) }
        #expect(has == isThere, "\(again): \(wanted) in \(text)")
        had += isThere ? 1 : 0
        had16 += isThere && places >= 16 ? 1 : 0
      }
    }
    #expect(had > 1000 && had16 > 500)
  }
}
