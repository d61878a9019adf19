import Events

extension Canonicaliser {
  /// The form that all filters with the same answers have, as far as those follow from how its atoms stand to
  /// each other, and from how sets of one value do; nil for a filter that has it already, and past a limit.
  ///
  /// The atoms of `filter` are canonical. Each value that is compared with constants is one variable of
  /// a diagram, each other atom too. The diagram depends on what the filter means and not on how it is written,
  /// and so does what is read from it.
  func diagramForm(of filter: Filter) -> Filter? {
    guard let variables = Variables(of: filter, writer) else { return nil }
    var reader = DiagramReader(variables: variables, canonicaliser: self)
    guard let form = reader.form(of: filter), form.isWithinLimits else { return nil }
    return form.filter
  }
}

extension Written {
  /// Whether it may stand for whatever was written.
  fileprivate var isWithinLimits: Bool {
    var atoms = 0
    var cuts = 0
    filter.walk(
      {
        switch $0 {
        case .within(_, let set), .relative(_, let set):
          atoms += 1
          cuts += set.cuts.count
        case .compare, .like, .holds: atoms += 1
        case .constant, .same, .not, .and, .or: break
        }
      }, { _ in })
    return atoms <= QueryLimits.diagramFormAtomsMax && cuts <= QueryLimits.diagramCutsMax
      && text.utf8.count <= QueryLimits.textBytesMax
  }
}

/// Makes a filter's diagram, and a filter from a diagram.
private struct DiagramReader {
  let variables: Variables
  let canonicaliser: Canonicaliser
  var diagram: Diagram

  init(variables: Variables, canonicaliser: Canonicaliser) {
    self.variables = variables
    self.canonicaliser = canonicaliser
    diagram = Diagram(widths: variables.widths)
  }

  mutating func form(of filter: Filter) -> Written? {
    let root = node(filter)
    let form = form(root)
    return diagram.isExhausted ? nil : form
  }

  // MARK: Filter to diagram

  private mutating func node(_ filter: Filter) -> Diagram.Node {
    switch filter {
    case .constant(let answer): return answer ? Diagram.always : Diagram.never
    case .within, .relative, .compare, .like, .holds(.column):
      let literal = variables.literal(filter)
      return diagram.literal(literal.level, literal.mask)
    case .holds(.choice(let branches, let otherwise)):
      var node = node(Filter(otherwise))
      for branch in branches.reversed() {
        let (when, then) = (self.node(branch.when), self.node(Filter(branch.then)))
        node = diagram.or(diagram.and(when, then), diagram.andNot(node, when))
      }
      return node
    case .holds(let value): return node(Filter(value))
    case .same(let a, let b):
      let (x, y) = (node(a), node(b))
      let neither = diagram.not(diagram.or(x, y))
      return diagram.or(diagram.and(x, y), neither)
    case .not(let inner): return diagram.not(node(inner))
    case .and(let parts): return parts.reduce(Diagram.always) { diagram.and($0, node($1)) }
    case .or(let parts): return parts.reduce(Diagram.never) { diagram.or($0, node($1)) }
    }
  }

  // MARK: Diagram to filter

  /// First single atoms that are factors or terms of the whole, then parts that share no variable, and what
  /// cannot be taken apart as an OR of ANDs or an AND of ORs, whichever has fewer atoms.
  private mutating func form(_ node: Diagram.Node) -> Written? {
    if diagram.isExhausted { return nil }
    if node <= Diagram.always { return .constant(node == Diagram.always) }
    for absorbing in [Diagram.never, Diagram.always] {
      let literals = diagram.literals(of: node, absorbing: absorbing)
      if literals.isEmpty { continue }
      let rest = diagram.rest(of: node, without: literals, absorbing: absorbing)
      guard let form = form(rest) else { return nil }
      return canonicaliser.junction(
        literals.map(written) + [form], isAnd: absorbing == Diagram.never)
    }
    let inverse = diagram.not(node)
    let terms = diagram.cover(node, node)?.terms
    let clauses = diagram.cover(inverse, inverse)?.terms
    if diagram.isExhausted { return nil }
    return apart(clauses, isAnd: true) ?? apart(terms, isAnd: false) ?? shorter(terms, clauses)
  }

  /// The parts of an AND (given by the terms of its negation) or of an OR that share no variable.
  private mutating func apart(_ terms: [Cover.Term]?, isAnd: Bool) -> Written? {
    let components = Diagram.components(terms ?? [])
    if components.count < 2 { return nil }
    var parts: [Written] = []
    for component in components {
      let node = component.reduce(Diagram.never) { diagram.or($0, self.node($1)) }
      guard let part = form(isAnd ? diagram.not(node) : node) else { return nil }
      parts.append(part)
    }
    return canonicaliser.junction(parts, isAnd: isAnd)
  }

  private mutating func node(_ term: Cover.Term) -> Diagram.Node {
    term.reversed().reduce(Diagram.always) {
      diagram.and($0, diagram.literal($1.level, $1.mask))
    }
  }

  private func shorter(_ terms: [Cover.Term]?, _ clauses: [Cover.Term]?) -> Written? {
    func atoms(_ terms: [Cover.Term]?) -> Int { terms.map { $0.reduce(0) { $0 + $1.count } } ?? .max }
    if let terms, atoms(terms) <= atoms(clauses) {
      let parts = terms.map { canonicaliser.junction($0.map(written), isAnd: true) }
      return canonicaliser.junction(parts, isAnd: false)
    }
    guard let clauses else { return nil }
    let parts = clauses.map { clause in
      canonicaliser.junction(
        clause.map {
          written(Diagram.Literal(level: $0.level, mask: diagram.inverse($0.mask, $0.level)))
        }, isAnd: false)
    }
    return canonicaliser.junction(parts, isAnd: true)
  }

  private func written(_ literal: Diagram.Literal) -> Written {
    canonicaliser.writer.written(variables.filter(literal))
  }
}
