/// A function as an OR of ANDs, each of literals of different variables; no literals are TRUE.
struct Cover {
  typealias Term = [Diagram.Literal]

  var terms: [Term]
  /// What they make together.
  var node: Diagram.Node
}

extension Diagram {
  /// A cover of at least `lower` and at most `upper`, which `lower` implies: near to irredundant, and the same for
  /// the same functions whatever they were made from. After Minato's and Morreale's construction, with sets
  /// of values in place of a variable and its negation. nil past the limit of terms.
  mutating func cover(_ lower: Node, _ upper: Node) -> Cover? {
    if lower == Self.never { return Cover(terms: [], node: Self.never) }
    if upper == Self.always { return Cover(terms: [[]], node: Self.always) }
    if isExhausted { return nil }
    let level = min(levels[Int(lower)], levels[Int(upper)])
    let values = 0..<widths[level]
    let uppers = values.map { branch(upper, level, $0) }
    let shared = uppers.reduce(Self.always) { and($0, $1) }
    var covered = values.map { _ in Self.never }
    var terms: [Cover.Term] = []
    // What holds for some values only needs a literal.
    for value in ascending(uppers) {
      let open = andNot(andNot(branch(lower, level, value), shared), covered[value])
      if open == Self.never { continue }
      let holding = values.filter { implies(open, uppers[$0]) }
      let bound = holding.reduce(Self.always) { and($0, uppers[$1]) }
      guard let part = cover(open, bound) else { return nil }
      let literal = Literal(level: level, mask: holding.reduce(0) { $0 | 1 << UInt64($1) })
      terms += part.terms.map { [literal] + $0 }
      for value in holding { covered[value] = or(covered[value], part.node) }
      if terms.count > QueryLimits.diagramTermsMax { return nil }
    }
    let open = values.reduce(Self.never) { or($0, andNot(branch(lower, level, $1), covered[$1])) }
    guard let common = cover(open, shared) else { return nil }
    terms += common.terms
    if isExhausted || terms.count > QueryLimits.diagramTermsMax { return nil }
    return Cover(terms: terms, node: node(level) { $0.or(covered[$1], common.node) })
  }

  /// The values, each before those whose functions it implies, and otherwise in their order: so what is covered
  /// for one covers as much as it can of the others.
  private mutating func ascending(_ uppers: [Node]) -> [Int] {
    var left = Array(uppers.indices)
    var order: [Int] = []
    while !left.isEmpty {
      var next = 0
      for (i, value) in left.enumerated()
      where uppers[value] != uppers[left[next]] && implies(uppers[value], uppers[left[next]]) { next = i }
      order.append(left.remove(at: next))
    }
    return order
  }

  /// The terms' parts that share no variable with each other, in the order of their first variables.
  static func components(_ terms: [Cover.Term]) -> [[Cover.Term]] {
    var parts: [(levels: UInt64, terms: [Cover.Term])] = []
    for term in terms {
      var levels = term.reduce(UInt64(0)) { $0 | 1 << UInt64($1.level) }
      var joined: [Cover.Term] = []
      parts.removeAll { part in
        if part.levels & levels == 0 { return false }
        levels |= part.levels
        joined += part.terms
        return true
      }
      parts.append((levels, joined + [term]))
    }
    return parts.map(\.terms)
  }
}
