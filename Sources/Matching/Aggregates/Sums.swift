import Events

/// Sums of numbers, one a group: exact, so that what was added and taken away leaves nothing behind. Integers
/// and reals are apart, since an `int` formula that overflowed is real.
struct Sums {
  private var ints: [Int128] = []
  private var reals: [ExactSum] = []
  private var realCounts: [Int] = []
  private let hasInts: Bool
  private let hasReals: Bool

  init(_ argument: Argument) {
    hasInts = argument.type != .real
    hasReals = argument.type == .real || argument.isMixed
  }

  mutating func make(_ group: Int) {
    if hasInts { ints.set(group, 0) }
    if hasReals {
      reals.set(group, ExactSum())
      realCounts.set(group, 0)
    }
  }

  @inline(__always)
  mutating func change(_ input: Argument.Input, _ group: Int, isAdded: Bool) {
    switch input {
    case .int(let n): ints[group] += isAdded ? Int128(n) : -Int128(n)
    case .real(let x):
      if isAdded { reals[group].add(x) } else { reals[group].remove(x) }
      realCounts[group] += isAdded ? 1 : -1
    case .text: preconditionFailure("a string has no sum")
    }
  }

  /// An integer's sum is no value beyond 64 bits, be it one of the numbers or their sum.
  mutating func sum(_ group: Int) -> MetricValue {
    if !hasInts { return Self.value(reals[group].value) }
    guard let sum = Int64(exactly: ints[group]), !hasReals || realCounts[group] == 0 else { return .overflow }
    return .int(sum)
  }

  mutating func mean(_ group: Int, rows: Int) -> MetricValue {
    if rows == 0 { return .null }
    let sum = (hasInts ? Double(ints[group]) : 0) + (hasReals ? reals[group].value : 0)
    return Self.value(sum / Double(rows))
  }

  /// Adding zero makes -0.0 into 0.0, which equals it but is written otherwise.
  private static func value(_ x: Double) -> MetricValue { x.isFinite ? .real(x + 0) : .overflow }
}

extension Array {
  /// Sets an element that is there, or appends it as the next one.
  mutating func set(_ index: Int, _ value: Element) {
    if index == count { append(value) } else { self[index] = value }
  }
}
