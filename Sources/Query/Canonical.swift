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
  /// Whether the parts of an AND or OR are merged, sorted and compared, and not just put together.
  private var merges = true

  init(_ schema: Schema) {
    self.schema = schema
    writer = Writer(schema, remembers: true)
  }

  /// The diagram needs atoms only in their canonical form: what is merged, sorted and found by texts is for what
  /// has no diagram, or no need of one.
  func filter(_ filter: Filter) -> Filter {
    var reader = self
    reader.merges = false
    let flat = reader.filter(filter, negated: false)
    if let form = diagramForm(of: flat) { return form }
    let merged = self.filter(flat, negated: false)
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

  private func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

  // MARK: Conditions

  private func filter(_ filter: Filter, negated: Bool) -> Filter {
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

  private func within(_ value: Expression, _ set: ValueSet) -> Filter {
    if let constant = value.constant { return .constant(set.contains(constant)) }
    if case .choice(let branches, let last) = value {
      return choice(branches, last) { .within($0, set.inside($0.domain)) }
    }
    // What was computed may have turned out to be a column.
    let set = set.inside(value.domain)
    if set.isEmpty { return .constant(false) }
    return set.isFull ? .constant(true) : .within(value, set)
  }

  /// A condition on a CASE is a CASE of conditions.
  private func choice(_ branches: [Expression.Branch], _ last: Expression, _ test: (Expression) -> Filter)
    -> Filter
  {
    let tested = Expression.choice(
      branches.map { Expression.Branch(when: $0.when, then: .condition(test($0.then))) },
      .condition(test(last)))
    return filter(.holds(tested), negated: false)
  }

  private func relative(_ column: Int, _ set: ValueSet) -> Filter {
    if set.isEmpty { return .constant(false) }
    return set.isFull ? .constant(true) : .relative(column, set)
  }

  private func compare(_ a: Expression, _ relation: Relation, _ b: Expression) -> Filter {
    if relation.isEmpty { return .constant(false) }
    if relation == .always { return .constant(true) }
    if a == b { return .constant(relation.contains(.equal)) }
    if a.constant != nil || b.constant != nil {
      guard case .within(let value, let set) = Filter.comparison(a, relation, b) else {
        return .comparison(a, relation, b)
      }
      return within(value, set)
    }
    let swap = precedes(writer.text(b), writer.text(a))
    return swap ? .compare(b, relation.mirrored, a) : .compare(a, relation, b)
  }

  private func like(_ value: Expression, _ pattern: LikePattern, _ negated: Bool) -> Filter {
    if let literal = pattern.literal {
      let set = ValueSet(of: [.string(literal)], .strings)
      return within(value, negated ? set.complement : set)
    }
    if pattern.matchesAll { return .constant(!negated) }
    if case .choice(let branches, let last) = value {
      let like = choice(branches, last) { .like($0, pattern) }
      return negated ? filter(.not(like), negated: false) : like
    }
    if let text = value.constant?.bytes {
      let matches = pattern.code.withUnsafeBytes { code in text.withUnsafeBytes { matchesLike(code, $0) } }
      return .constant(matches != negated)
    }
    return negated ? .not(.like(value, pattern)) : .like(value, pattern)
  }

  private func holds(_ value: Expression, _ negated: Bool) -> Filter {
    if case .condition(let inner) = value { return filter(inner, negated: negated) }
    return negated ? .not(.holds(value)) : .holds(value)
  }

  /// Both sides are canonical. A NOT before either moves outwards.
  private func same(_ a: Filter, _ b: Filter, _ negated: Bool) -> Filter {
    if case .constant(let answer) = a { return filter(b, negated: answer == negated) }
    if case .constant(let answer) = b { return filter(a, negated: answer == negated) }
    let (x, flippedX) = positive(a)
    let (y, flippedY) = positive(b)
    let negated = negated != (flippedX != flippedY)
    if x == y { return .constant(!negated) }
    if !merges { return negated ? .not(.same(x, y)) : .same(x, y) }
    let pair: Filter = precedes(writer.text(y), writer.text(x)) ? .same(y, x) : .same(x, y)
    return negated ? .not(pair) : pair
  }

  /// A canonical filter or its negation, whichever has less NOT; and whether it is the negation.
  private func positive(_ filter: Filter) -> (Filter, flipped: Bool) {
    switch filter {
    case .not(let inner): (inner, true)
    case .within(let value, let set) where set.startsInside: (.within(value, set.complement), true)
    case .relative(let column, let set) where set.startsInside: (.relative(column, set.complement), true)
    case .compare(let a, let relation, let b) where relation.contains(.less):
      (.compare(a, relation.complement, b), true)
    default: (filter, false)
    }
  }

  // MARK: AND and OR

  /// The conjunction or disjunction of canonical parts.
  func junction(_ parts: [Filter], isAnd: Bool) -> Filter {
    if !merges { return flattened(parts, isAnd: isAnd) }
    var merger = Merger(isAnd: isAnd)
    for part in parts { merger.add(part) }
    guard let merged = merger.merged(self) else { return .constant(!isAnd) }
    var byText: [String: Filter] = [:]
    for part in merged { byText[writer.text(part)] = part }
    let all = byText.values.allSatisfy(\.isBare) ? [] : Set(byText.values)
    if hasOpposites(all) { return .constant(!isAnd) }
    let kept = all.isEmpty ? byText : byText.filter { !isAbsorbed($0.value, by: all, isAnd: isAnd) }
    return joined(kept.sorted { precedes($0.key, $1.key) }.map(\.value), isAnd: isAnd)
  }

  private func flattened(_ parts: [Filter], isAnd: Bool) -> Filter {
    var flat: [Filter] = []
    for part in parts {
      switch part {
      case .constant(let answer): if answer != isAnd { return part }
      case .and(let inner) where isAnd: flat += inner
      case .or(let inner) where !isAnd: flat += inner
      default: flat.append(part)
      }
    }
    return joined(flat, isAnd: isAnd)
  }

  private func joined(_ parts: [Filter], isAnd: Bool) -> Filter {
    switch parts.count {
    case 0: .constant(isAnd)
    case 1: parts[0]
    default: isAnd ? .and(parts) : .or(parts)
    }
  }

  /// x and NOT x.
  private func hasOpposites(_ parts: Set<Filter>) -> Bool {
    parts.contains { part in
      guard case .not(let inner) = part else { return false }
      return parts.contains(inner)
    }
  }

  /// x AND (x OR y) is x; x OR (x AND y) is x.
  private func isAbsorbed(_ part: Filter, by parts: Set<Filter>, isAnd: Bool) -> Bool {
    let inner: [Filter]
    switch part {
    case .or(let filters) where isAnd: inner = filters
    case .and(let filters) where !isAnd: inner = filters
    default: return false
    }
    return inner.contains { parts.contains($0) }
  }
}

extension Filter {
  /// Nothing in it can be the opposite of another part, or be absorbed by one.
  fileprivate var isBare: Bool {
    switch self {
    case .not, .and, .or: false
    default: true
    }
  }
}

/// Gathers the parts of one AND or OR and merges what speaks of the same values.
private struct Merger {
  private struct Pair: Hashable {
    let a: Expression
    let b: Expression
  }

  let isAnd: Bool
  private var sets: [Expression: [ValueSet]] = [:]
  private var relativeSets: [Int: [ValueSet]] = [:]
  private var relations: [Pair: Relation] = [:]
  private var others: [Filter] = []
  private var decided = false

  init(isAnd: Bool) { self.isAnd = isAnd }

  mutating func add(_ part: Filter) {
    switch part {
    case .and(let inner) where isAnd: for part in inner { add(part) }
    case .or(let inner) where !isAnd: for part in inner { add(part) }
    case .constant(let answer): if answer != isAnd { decided = true }
    case .within(let value, let set): sets[value, default: []].append(set)
    case .relative(let column, let set): relativeSets[column, default: []].append(set)
    case .compare(let a, let relation, let b):
      let pair = Pair(a: a, b: b)
      relations[pair] =
        relations[pair].map { isAnd ? $0.intersection(relation) : $0.union(relation) } ?? relation
    default: others.append(part)
    }
  }

  /// Halves first, so that a thousand points are not copied a thousand times.
  private func combined(_ sets: ArraySlice<ValueSet>) -> ValueSet {
    guard sets.count > 1 else { return sets[sets.startIndex] }
    let middle = (sets.startIndex + sets.endIndex) / 2
    let (a, b) = (combined(sets[..<middle]), combined(sets[middle...]))
    return isAnd ? a.intersection(b) : a.union(b)
  }

  private func decides(_ set: ValueSet) -> Bool { isAnd ? set.isEmpty : set.isFull }
  private func isIdle(_ set: ValueSet) -> Bool { isAnd ? set.isFull : set.isEmpty }

  /// The merged parts in no order; nil if one of them decides the whole.
  func merged(_ canonicaliser: Canonicaliser) -> [Filter]? {
    if decided { return nil }
    var parts = others
    for (value, several) in sets {
      let set = combined(several[...])
      if decides(set) { return nil }
      if !isIdle(set) { parts.append(.within(value, set)) }
    }
    for (column, several) in relativeSets {
      let set = combined(several[...])
      if decides(set) { return nil }
      if !isIdle(set) { parts.append(.relative(column, set)) }
    }
    for (pair, relation) in relations {
      if relation == (isAnd ? [] : .always) { return nil }
      if relation != (isAnd ? .always : []) { parts.append(.compare(pair.a, relation, pair.b)) }
    }
    return parts
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
      $0.rank != $1.rank ? $0.rank < $1.rank : precedes($0.column.name, $1.column.name)
    }.map(\.column)
  }
}
