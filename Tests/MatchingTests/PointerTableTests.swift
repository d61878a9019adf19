import Base
import Testing

@testable import Matching

struct PointerTableTests {
  /// Beyond what one has without parts, and back to nothing.
  @Test(arguments: [100, 20_000])
  func `it has what was put in and not taken out`(_ most: Int) {
    var random = SeededRandom(seed: UInt64(most))
    var table = PointerTable<Int>()
    defer { table.free() }
    let targets = UnsafeMutablePointer<Int>.allocate(capacity: 16)
    defer { targets.deallocate() }
    // Some share all but their highest bits, some all but their lowest.
    func key() -> UInt64 {
      let number = UInt64.random(in: 0..<UInt64(most) * 2, using: &random)
      return Bool.random(using: &random) ? number : number << 40
    }
    var model: [UInt64: UnsafeMutablePointer<Int>] = [:]
    func check() {
      #expect(table.count == model.count)
      for (key, target) in model { #expect(table.find(key) == target) }
      var keys: [UInt64] = []
      table.visitKeys { keys.append($0) }
      #expect(keys.count == model.count && Set(keys) == Set(model.keys))
      for _ in 0..<1_000 {
        let key = key()
        #expect(table.find(key) == model[key])
      }
    }
    for round in 0..<4 {
      let isGrowing = round % 2 == 0
      while isGrowing ? model.count < most : model.count > most / 50 {
        let key = isGrowing ? key() : model.keys.first!
        if isGrowing, model[key] == nil, UInt64.random(in: 0..<8, using: &random) > 0 {
          model[key] = targets + Int(key % 16)
          table.insert(key, model[key]!)
        } else if model.removeValue(forKey: key) != nil {
          table.remove(key)
        }
      }
      check()
    }
  }
}
