import Base
import Testing

struct PartedDictionaryTests {
  @Test func `it has what was put in and not taken out`() {
    var random = SeededRandom(seed: 1)
    var parted = PartedDictionary<String, Int>()
    var model: [String: Int] = [:]
    for step in 0..<20_000 {
      let key = "key-\(Int.random(in: 0..<3_000, using: &random))"
      switch Int.random(in: 0..<4, using: &random) {
      case 0: #expect(parted.removeValue(forKey: key) == model.removeValue(forKey: key))
      case 1:
        parted[key] = nil
        model[key] = nil
      case 2: #expect(parted.updateValue(step, forKey: key) == model.updateValue(step, forKey: key))
      default:
        parted[key] = step
        model[key] = step
      }
      #expect(parted.count == model.count)
      #expect(parted[key] == model[key])
    }
    #expect(parted.values.sorted() == model.values.sorted())
  }
}
