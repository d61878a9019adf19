import Base
import Glibc

/// Seeded draws: the same rows, filters and changes on every machine.
struct Draw {
  private var random: SeededRandom

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  mutating func below(_ limit: Int) -> Int { Int(random.next().multipliedFullWidth(by: UInt64(limit)).high) }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  mutating func bits() -> UInt64 { random.next() }
  mutating func unit() -> Double { Double(random.next() >> 11) / Double(1 << 53) }

  /// 0 ..< limit by Zipf's law with exponent 1, by the inverse of its continuous form.
  mutating func zipf(_ limit: Int) -> Int { min(Int(pow(Double(limit), unit())) - 1, limit - 1) }
}
