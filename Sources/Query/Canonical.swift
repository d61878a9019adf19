import Events

/// The canonical form of a filter on a table: filters that become equal have equal answers on every row,
/// and the usual spellings of one filter become equal. Idempotent. Time: the size of its text,
/// times its levels and a logarithm.
///
/// Constants are folded, NOT stands only before LIKE, bool columns and equations of conditions, AND and OR
/// are flat, sorted and without repetition, comparisons are sets of values, those of one value merged;
/// absorption, contradictions and tautologies are found where two parts of one AND or OR show them.
public func canonical(_ filter: Filter, on schema: Schema) -> Filter {
  Canonicaliser(schema).filter(filter)
}

extension Filter {
  /// As SQL, in ASCII; of canonical filters equal text means equal filters.
  public func text(on schema: Schema) -> String { Writer(schema).text(self) }
}

extension Expression {
  public func text(on schema: Schema) -> String { Writer(schema).text(self) }
}

struct Canonicaliser {
  let writer: Writer
  let schema: Schema

  init(_ schema: Schema) {
    self.schema = schema
    writer = Writer(schema)
  }

  func filter(_ filter: Filter) -> Filter {
    let merged = self.filter(filter, negated: false).filter
    return diagramForm(of: merged) ?? merged
  }

  // MARK: Values

  func expression(_ expression: Expression) -> Expression {
    switch expression {
    case .constant(.real(let x)) where x == 0: .constant(.real(0))  // -0.0 too
    case .constant, .column: expression
    case .arithmetic(let operation, let a, let b):
      arithmetic(operation, self.expression(a), self.expression(b))
    case .call(let function, let arguments): .application(function, arguments.map(self.expression))
    case .condition(let inner): condition(filter(inner))
    case .choice(let branches, let otherwise): choice(branches, self.expression(otherwise))
    }
  }

  private func condition(_ filter: Filter) -> Expression {
    if case .holds(let value) = filter { return value }
    return .condition(filter)
  }

  /// Branches that are never reached, or change nothing, are left out; neighbours with one value are one.
  private func choice(_ branches: [Expression.Branch], _ last: Expression) -> Expression {
    var kept: [Expression.Branch] = []
    var otherwise = last
    for branch in branches {
      let when = filter(branch.when)
      if when == .constant(false) { continue }
      let then = expression(branch.then)
      if when == .constant(true) {
        otherwise = then
        break
      }
      if let before = kept.last, before.then == then {
        kept[kept.count - 1] = Expression.Branch(when: filter(.or([before.when, when])), then: then)
      } else {
        kept.append(Expression.Branch(when: when, then: then))
      }
    }
    while let branch = kept.last, branch.then == otherwise { kept.removeLast() }
    return kept.isEmpty ? otherwise : .choice(kept, otherwise)
  }

  private func arithmetic(_ operation: Arithmetic, _ a: Expression, _ b: Expression) -> Expression {
    let swap = operation.commutes && precedes(writer.text(b), writer.text(a))
    return swap ? .operation(operation, b, a) : .operation(operation, a, b)
  }

  /// Of texts of filters and values, which are ASCII: the order of their characters is that of their bytes.
  private func precedes(_ a: String, _ b: String) -> Bool { a < b }

  // MARK: Conditions

  private func filter(_ filter: Filter, negated: Bool) -> Written {
    switch filter {
    case .constant(let answer): .constant(answer != negated)
    case .within(let value, let set): within(expression(value), negated ? set.complement : set)
    case .relative(let column, let set): relative(column, negated ? set.complement : set)
    case .compare(let a, let relation, let b):
      compare(expression(a), negated ? relation.complement : relation, expression(b))
    case .like(let value, let pattern): like(expression(value), pattern, negated)
    case .holds(let value): holds(expression(value), negated)
    case .same(let a, let b):
      same(self.filter(a, negated: false), self.filter(b, negated: false), negated)
    case .not(let inner): self.filter(inner, negated: !negated)
    case .and(let parts): junction(parts.map { self.filter($0, negated: negated) }, isAnd: !negated)
    case .or(let parts): junction(parts.map { self.filter($0, negated: negated) }, isAnd: negated)
    }
  }

  fileprivate func within(_ value: Expression, _ set: ValueSet) -> Written {
    if let constant = value.constant { return .constant(set.contains(constant)) }
    if case .choice(let branches, let last) = value {
      return choice(branches, last) { .within($0, set.inside($0.domain)) }
    }
    // What was computed may have turned out to be a column.
    let set = set.inside(value.domain)
    if set.isEmpty { return .constant(false) }
    return set.isFull ? .constant(true) : writer.written(.within(value, set))
  }

  /// A condition on a CASE is a CASE of conditions.
  private func choice(_ branches: [Expression.Branch], _ last: Expression, _ test: (Expression) -> Filter)
    -> Written
  {
    let tested = Expression.choice(
      branches.map { Expression.Branch(when: $0.when, then: .condition(test($0.then))) },
      .condition(test(last)))
    return filter(.holds(tested), negated: false)
  }

  fileprivate func relative(_ column: Int, _ set: ValueSet) -> Written {
    if set.isEmpty { return .constant(false) }
    return set.isFull ? .constant(true) : writer.written(.relative(column, set))
  }

  fileprivate func compare(_ a: Expression, _ relation: Relation, _ b: Expression) -> Written {
    if relation.isEmpty { return .constant(false) }
    if relation == .always { return .constant(true) }
    if a == b { return .constant(relation.contains(.equal)) }
    if a.constant != nil || b.constant != nil {
      guard case .within(let value, let set) = Filter.comparison(a, relation, b) else {
        return writer.written(.comparison(a, relation, b))
      }
      return within(value, set)
    }
    let swap = precedes(writer.text(b), writer.text(a))
    return writer.written(swap ? .compare(b, relation.mirrored, a) : .compare(a, relation, b))
  }

  private func like(_ value: Expression, _ pattern: LikePattern, _ negated: Bool) -> Written {
    if let literal = pattern.literal {
      let set = ValueSet(of: [.string(literal)], .strings)
      return within(value, negated ? set.complement : set)
    }
    if pattern.matchesAll { return .constant(!negated) }
    if case .choice(let branches, let last) = value {
      let like = choice(branches, last) { .like($0, pattern) }
      return negated ? filter(like.filter, negated: true) : like
    }
    if let text = value.constant?.bytes {
      let matches = pattern.code.withUnsafeBytes { code in text.withUnsafeBytes { matchesLike(code, $0) } }
      return .constant(matches != negated)
    }
    let like = writer.written(.like(value, pattern))
    return negated ? not(like) : like
  }

  private func holds(_ value: Expression, _ negated: Bool) -> Written {
    if case .condition(let inner) = value { return filter(inner, negated: negated) }
    let holds = writer.written(.holds(value))
    return negated ? not(holds) : holds
  }

  private func not(_ part: Written) -> Written {
    writer.written(.not(part.filter), of: [part])
  }

  /// Both sides are canonical. A NOT before either moves outwards.
  private func same(_ a: Written, _ b: Written, _ negated: Bool) -> Written {
    if case .constant(let answer) = a.filter { return filter(b.filter, negated: answer == negated) }
    if case .constant(let answer) = b.filter { return filter(a.filter, negated: answer == negated) }
    let (x, flippedX) = positive(a)
    let (y, flippedY) = positive(b)
    let negated = negated != (flippedX != flippedY)
    if x.text == y.text { return .constant(!negated) }
    let sides = precedes(y.text, x.text) ? [y, x] : [x, y]
    let pair = writer.written(.same(sides[0].filter, sides[1].filter), of: sides)
    return negated ? not(pair) : pair
  }

  /// A canonical filter or its negation, whichever has less NOT; and whether it is the negation.
  private func positive(_ part: Written) -> (Written, flipped: Bool) {
    switch part.filter {
    case .not: (part.parts[0], true)
    case .within(let value, let set) where set.startsInside:
      (writer.written(.within(value, set.complement)), true)
    case .relative(let column, let set) where set.startsInside:
      (writer.written(.relative(column, set.complement)), true)
    case .compare(let a, let relation, let b) where relation.contains(.less):
      (writer.written(.compare(a, relation.complement, b)), true)
    default: (part, false)
    }
  }

  // MARK: AND and OR

  /// The conjunction or disjunction of canonical parts.
  func junction(_ parts: [Written], isAnd: Bool) -> Written {
    var merger = Merger(isAnd: isAnd)
    for part in parts { merger.add(part) }
    guard let merged = merger.merged(self) else { return .constant(!isAnd) }
    let all = SortedParts(merged)
    if all.hasOpposites { return .constant(!isAnd) }
    let kept = all.parts.filter { !all.absorbs($0, isAnd: isAnd) }
    switch kept.count {
    case 0: return .constant(isAnd)
    case 1: return kept[0]
    default:
      let filters = kept.map(\.filter)
      return writer.written(isAnd ? .and(filters) : .or(filters), of: kept)
    }
  }
}

/// Parts of one AND or OR in the order of their texts, each once.
private struct SortedParts {
  let parts: [Written]

  init(_ parts: [Written]) {
    var sorted: [Written] = []
    for part in parts.sorted(by: { $0.text < $1.text }) where part.text != sorted.last?.text {
      sorted.append(part)
    }
    self.parts = sorted
  }

  private func contains(_ text: String) -> Bool {
    var (low, high) = (0, parts.count)
    while low < high {
      let middle = (low + high) / 2
      if parts[middle].text < text { low = middle + 1 } else { high = middle }
    }
    return low < parts.count && parts[low].text == text
  }

  /// x and NOT x.
  var hasOpposites: Bool {
    parts.contains { part in
      guard case .not = part.filter else { return false }
      return contains(part.parts[0].text)
    }
  }

  /// x AND (x OR y) is x; x OR (x AND y) is x.
  func absorbs(_ part: Written, isAnd: Bool) -> Bool {
    switch part.filter {
    case .or where isAnd: part.parts.contains { contains($0.text) }
    case .and where !isAnd: part.parts.contains { contains($0.text) }
    default: false
    }
  }
}

/// Gathers the parts of one AND or OR and merges what speaks of the same values.
private struct Merger {
  let isAnd: Bool
  private var bySubject: [Variables.Subject: [Written]] = [:]
  private var others: [Written] = []
  private var decided = false

  init(isAnd: Bool) { self.isAnd = isAnd }

  mutating func add(_ part: Written) {
    switch part.filter {
    case .and where isAnd: for part in part.parts { add(part) }
    case .or where !isAnd: for part in part.parts { add(part) }
    case .constant(let answer): if answer != isAnd { decided = true }
    case .within, .relative, .compare: bySubject[Variables.Subject(part.filter), default: []].append(part)
    default: others.append(part)
    }
  }

  /// The merged parts in no order; nil if one of them decides the whole.
  func merged(_ canonicaliser: Canonicaliser) -> [Written]? {
    if decided { return nil }
    var parts = others
    for several in bySubject.values {
      let part = several.count == 1 ? several[0] : merged(several, canonicaliser)
      guard case .constant(let answer) = part.filter else {
        parts.append(part)
        continue
      }
      if answer != isAnd { return nil }
    }
    return parts
  }

  /// Parts about the same values as one.
  private func merged(_ parts: [Written], _ canonicaliser: Canonicaliser) -> Written {
    switch parts[0].filter {
    case .within(let value, _): canonicaliser.within(value, combined(parts.compactMap(\.filter.set)[...]))
    case .relative(let column, _):
      canonicaliser.relative(column, combined(parts.compactMap(\.filter.set)[...]))
    case .compare(let a, let first, let b):
      canonicaliser.compare(
        a, parts.compactMap(\.filter.relation).reduce(first) { isAnd ? $0.intersection($1) : $0.union($1) }, b
      )
    default: parts[0]
    }
  }

  /// Halves first, so that a thousand points are not copied a thousand times.
  private func combined(_ sets: ArraySlice<ValueSet>) -> ValueSet {
    guard sets.count > 1 else { return sets[sets.startIndex] }
    let middle = (sets.startIndex + sets.endIndex) / 2
    let (a, b) = (combined(sets[..<middle]), combined(sets[middle...]))
    return isAnd ? a.intersection(b) : a.union(b)
  }
}

extension Filter {
  fileprivate var set: ValueSet? {
    switch self {
    case .within(_, let set), .relative(_, let set): set
    default: nil
    }
  }

  fileprivate var relation: Relation? {
    if case .compare(_, let relation, _) = self { return relation }
    return nil
  }
}

extension Canonicaliser {
  /// The order of a pure view's columns: key columns, the table's columns, what is computed; then by name.
  func sorted(_ columns: [OutputColumn]) -> [OutputColumn] {
    let ranked = columns.map { column -> (rank: Int, column: OutputColumn) in
      guard case .column(let index, _) = column.expression else { return (Int.max, column) }
      let isKey = column.name == schema.columns[index].name
      let key = isKey ? schema.key.firstIndex(of: index) : nil
      return (key ?? schema.key.count + index, column)
    }
    return ranked.sorted {
      $0.rank != $1.rank
        ? $0.rank < $1.rank : $0.column.name.utf8.lexicographicallyPrecedes($1.column.name.utf8)
    }.map(\.column)
  }
}
