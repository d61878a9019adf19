/// A set of values of one ordered domain, as the places where it begins and ends. Every comparison with a
/// constant is one; NOT, AND and OR are complement, intersection and union, and equal sets are equal here.
public struct ValueSet: Hashable, Sendable {
  /// Of what its values are.
  public enum Domain: UInt8, Hashable, Sendable {
    /// 64-bit integers only: `a > 3` and `a >= 4` are one.
    case integers
    /// Integers and reals: real columns, and computed integers, which overflow into reals.
    case numbers
    /// Byte strings; the empty one is the least.
    case strings
  }

  /// A place between two neighbouring values: just below a value or just above it. In the domain of
  /// integers always just below.
  public struct Cut: Hashable, Sendable {
    public let value: Constant
    public let above: Bool

    static func order(_ a: Cut, _ b: Cut) -> Int {
      let order = Constant.order(a.value, b.value)
      return order != 0 ? order : (a.above ? 1 : 0) - (b.above ? 1 : 0)
    }
  }

  enum Place {
    case beforeAll
    case at(Cut)
    case behindAll
  }

  public let domain: Domain
  /// Whether the least values belong to the set.
  public private(set) var startsInside: Bool
  /// Ascending; at each the set ends or begins.
  public private(set) var cuts: [Cut] = []

  /// The cuts ascend.
  init(_ domain: Domain, startsInside: Bool, cuts: [Cut] = []) {
    self.domain = domain
    self.startsInside = startsInside
    self.cuts = cuts
  }

  /// The values that stand to `constant` in this relation.
  init(_ relation: Relation, _ constant: Constant, _ domain: Domain) {
    self.init(domain, startsInside: relation.contains(.less))
    if relation.contains(.less) != relation.contains(.equal) { toggle(Self.place(constant, false, domain)) }
    if relation.contains(.equal) != relation.contains(.greater) { toggle(Self.place(constant, true, domain)) }
  }

  /// These values and no others.
  init(of constants: [Constant], _ domain: Domain) {
    self.init(domain, startsInside: false)
    let sorted = constants.sorted { Constant.order($0, $1) < 0 }
    for (i, constant) in sorted.enumerated()
    where i == 0 || Constant.order(sorted[i - 1], constant) != 0 {
      toggle(Self.place(constant, false, domain))
      toggle(Self.place(constant, true, domain))
    }
  }

  /// Changes sides at a place that is not before the last cut; twice at one place is not at all.
  private mutating func toggle(_ place: Place) {
    switch place {
    case .beforeAll: startsInside.toggle()
    case .behindAll: break
    case .at(let cut):
      if cuts.last == cut { cuts.removeLast() } else { cuts.append(cut) }
    }
  }

  // MARK: Places

  private static func place(_ constant: Constant, _ above: Bool, _ domain: Domain) -> Place {
    switch domain {
    case .integers: integerPlace(constant.number ?? .int(0), above)
    case .numbers: .at(Cut(value: simplest(constant), above: above))
    case .strings: constant == .string([]) && !above ? .beforeAll : .at(Cut(value: constant, above: above))
    }
  }

  private static func simplest(_ constant: Constant) -> Constant {
    constant.number.map { Constant($0.simplest) } ?? constant
  }

  private static func integerPlace(_ number: Number, _ above: Bool) -> Place {
    switch number {
    case .int(let n): return integerPlace(n, above)
    case .real(let x):
      if let whole = Int64(exactly: x) { return integerPlace(whole, above) }
      if x >= 0x1p63 { return .behindAll }
      if x < -0x1p63 { return .beforeAll }
      return integerPlace(Int64(x.rounded(.up)), false)
    }
  }

  private static func integerPlace(_ n: Int64, _ above: Bool) -> Place {
    if above { return n == .max ? .behindAll : .at(Cut(value: .int(n + 1), above: false)) }
    return n == .min ? .beforeAll : .at(Cut(value: .int(n), above: false))
  }

  // MARK: Questions

  public var isEmpty: Bool { cuts.isEmpty && !startsInside }
  public var isFull: Bool { cuts.isEmpty && startsInside }
  var endsInside: Bool { startsInside != (cuts.count % 2 == 1) }

  /// Whether a constant of the domain's type belongs to the set. Logarithmic.
  public func contains(_ constant: Constant) -> Bool {
    var low = 0
    var high = cuts.count
    while low < high {
      let middle = (low + high) / 2
      let order = Constant.order(cuts[middle].value, constant)
      if order < 0 || (order == 0 && !cuts[middle].above) { low = middle + 1 } else { high = middle }
    }
    return startsInside != (low % 2 == 1)
  }

  // MARK: Operations

  public var complement: ValueSet {
    var result = self
    result.startsInside.toggle()
    return result
  }

  func intersection(_ other: ValueSet) -> ValueSet { combined(other) { $0 && $1 } }
  func union(_ other: ValueSet) -> ValueSet { combined(other) { $0 || $1 } }

  /// Its values that are of `domain`: of numbers, those that are integers.
  func inside(_ domain: Domain) -> ValueSet {
    if domain == self.domain { return self }
    var result = ValueSet(domain, startsInside: startsInside)
    for cut in cuts { result.toggle(Self.place(cut.value, cut.above, domain)) }
    return result
  }

  /// One pass over both sets' cuts.
  private func combined(_ other: ValueSet, _ operation: (Bool, Bool) -> Bool) -> ValueSet {
    var (inA, inB) = (startsInside, other.startsInside)
    var inside = operation(inA, inB)
    var result = ValueSet(domain, startsInside: inside)
    var (i, j) = (0, 0)
    while i < cuts.count || j < other.cuts.count {
      let order =
        i == cuts.count ? 1 : (j == other.cuts.count ? -1 : Cut.order(cuts[i], other.cuts[j]))
      let cut = order <= 0 ? cuts[i] : other.cuts[j]
      if order <= 0 {
        inA.toggle()
        i += 1
      }
      if order >= 0 {
        inB.toggle()
        j += 1
      }
      if operation(inA, inB) != inside {
        inside.toggle()
        result.cuts.append(cut)
      }
    }
    return result
  }

  // MARK: Single values

  /// The single values of the set, if it has no others.
  public var points: [Constant]? {
    var points: [Constant] = []
    for part in 0...cuts.count where holds(part: part) {
      guard let values = values(ofPart: part) else { return nil }
      points += values
    }
    return points
  }

  /// Whether the values between two neighbouring cuts belong to the set: part 0 is before the first cut, and there is
  /// one part more than cuts.
  func holds(part: Int) -> Bool { startsInside != (part % 2 == 1) }

  /// The one value of a part, or its two neighbouring integers; nil where it has more.
  func values(ofPart part: Int) -> [Constant]? {
    if part == cuts.count { return nil }
    let high = cuts[part]
    // The least string has nothing before it.
    if part == 0 { return high.value == .string([]) ? [high.value] : nil }
    let low = cuts[part - 1]
    guard case .int(let first) = low.value, !low.above, !high.above, case .int(let last) = high.value
    else { return low.value == high.value ? [low.value] : nil }
    // The distance of two integers may be beyond their range.
    switch last.subtractingReportingOverflow(first) {
    case (1, false): return [low.value]
    case (2, false): return [low.value, .int(first + 1)]
    default: return nil
    }
  }
}
