import Base
import Events
import Testing

@testable import Matching

struct MultisetTests {
  private let strings = StringTable()

  @Test(arguments: [8, 40, 300, 100_000], 0..<UInt64(5))
  func `multisets have what was added and not taken away, in its order`(range: Int, seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let sets = Multisets(.numbers)
    var counts: [[Int64: Int64]] = [[:], [:], [:]]
    for tree in counts.indices { sets.make(tree) }
    for step in 0..<4000 {
      let tree = Int.random(in: 0..<3, using: &random)
      let grows = step / 1000 % 2 == 0
      if counts[tree].isEmpty || Int.random(in: 0..<5, using: &random) > (grows ? 1 : 3) {
        let key = Int64.random(in: -Int64(range)...Int64(range), using: &random)
        #expect(sets.add(key, to: tree, strings) == (counts[tree][key] == nil), "seed \(seed)")
        counts[tree][key, default: 0] += 1
      } else if let key = counts[tree].keys.sorted().randomElement(using: &random) {
        #expect(sets.remove(key, from: tree, strings) == (counts[tree][key] == 1), "seed \(seed)")
        counts[tree][key] = counts[tree][key] == 1 ? nil : counts[tree][key]! - 1
      }
      if step % 50 > 0 { continue }
      for (tree, counts) in counts.enumerated() {
        let wanted = counts.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
        #expect(sets.content(tree) == wanted, "seed \(seed), step \(step)")
        #expect(sets.first(tree) == wanted.first?[0] && sets.last(tree) == wanted.last?[0])
        #expect(sets.distinct(tree) == wanted.count)
      }
      #expect(sets.count == counts.reduce(0) { $0 + $1.count })
    }
  }

  @Test(arguments: ["up", "down", "outwards"])
  func `the least is known while a large multiset is emptied from below, and its memory is used again`(
    order: String
  ) {
    let count: Int64 = 20_000
    let sets = Multisets(.numbers)
    sets.make(0)
    var nodes = 0
    for round in 0..<2 {
      for i in 0..<count {
        let key = order == "up" ? i : (order == "down" ? -i : (i % 2 == 0 ? i : -i))
        _ = sets.add(key, to: 0, strings)
      }
      if round == 0 { nodes = sets.nodeCount }
      for left in (1...count).reversed() {
        #expect(sets.distinct(0) == left)
        guard let first = sets.first(0), sets.remove(first, from: 0, strings) else { break }
        if let next = sets.first(0), next <= first { Issue.record("\(next) comes after \(first)") }
      }
      #expect(sets.first(0) == nil && sets.last(0) == nil && sets.count == 0)
    }
    #expect(sets.nodeCount == nodes)
  }

  @Test(arguments: 0..<UInt64(10))
  func `strings stand in the order of their bytes`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let sets = Multisets(.texts)
    sets.make(0)
    var texts: [String] = []
    for step in 0..<2000 {
      if texts.isEmpty || Int.random(in: 0..<(step < 1200 ? 5 : 3), using: &random) > 1 {
        let text = "\(Int.random(in: 0...300, using: &random))"
        let code = strings.intern(text)
        if !sets.add(Int64(code), to: 0, strings) { strings.release(code) }
        texts.append(text)
      } else {
        let text = texts.remove(at: Int.random(in: 0..<texts.count, using: &random))
        let code = strings.intern(text)
        if sets.remove(Int64(code), from: 0, strings) { strings.release(code) }
        strings.release(code)
      }
      if step % 3 == 0 {
        #expect(sets.first(0).map { strings.string(UInt32($0)) } == texts.min(), "seed \(seed)")
        #expect(sets.last(0).map { strings.string(UInt32($0)) } == texts.max(), "seed \(seed)")
      }
    }
    sets.removeAll(0) { strings.release(UInt32($0)) }
    #expect(strings.count == 0 && sets.count == 0)
  }
}

extension Multisets {
  /// What is in a multiset: its values in their order, with their counts.
  func content(_ tree: Int) -> [[Int64]] {
    var content: [[Int64]] = []
    forEach(tree) { key, count in
      content.append([key, Int64(count)])
      return true
    }
    return content
  }
}
