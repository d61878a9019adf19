import Events
import Query

/// Lays filters and values out as a program.
struct Compiler {
  var program = Program()

  // MARK: Filters

  /// Lays a filter out so that it goes on at `then` where it holds and at `otherwise` where not; returns
  /// where it begins. What follows is laid out first, so that its place is known.
  mutating func compile(_ filter: Filter, then: Int32, otherwise: Int32) -> Int32 {
    switch filter {
    case .constant(let answer): return answer ? then : otherwise
    case .not(let inner): return compile(inner, then: otherwise, otherwise: then)
    case .and(let parts):
      return parts.reversed().reduce(then) { next, part in compile(part, then: next, otherwise: otherwise) }
    case .or(let parts):
      return parts.reversed().reduce(otherwise) { next, part in compile(part, then: then, otherwise: next) }
    case .holds(let value): return holds(value, then, otherwise)
    case .within(let value, let set): return within(value, set, then, otherwise)
    case .relative(let column, let set): return relative(column, set, then, otherwise)
    case .like(let value, let pattern):
      let node = compile(value)
      let literal = add(pattern.code)
      return add(
        Program.Test(kind: .like, value: node, first: literal, ifTrue: then, ifFalse: otherwise))
    case .compare(let a, let relation, let b):
      return add(
        Program.Test(
          kind: a.type == .string ? .stringCompare : .numberCompare, relation: relation,
          value: compile(a), first: compile(b), ifTrue: then, ifFalse: otherwise))
    case .same(let a, let b):
      // Runs of their own: laid out twice, equations inside equations would double with each level.
      let first = compile(a, then: Program.accept, otherwise: Program.reject)
      let last = compile(b, then: Program.accept, otherwise: Program.reject)
      return add(Program.Test(kind: .same, first: first, last: last, ifTrue: then, ifFalse: otherwise))
    }
  }

  private mutating func holds(_ value: Expression, _ then: Int32, _ otherwise: Int32) -> Int32 {
    switch value {
    case .condition(let inner): return compile(inner, then: then, otherwise: otherwise)
    case .column(let column, _):
      return add(
        Program.Test(kind: .boolColumn, value: Int32(column), ifTrue: then, ifFalse: otherwise))
    case .choice(let branches, let last):
      let start = compile(Filter(last), then: then, otherwise: otherwise)
      return branches.reversed().reduce(start) { next, branch in
        let chosen = compile(Filter(branch.then), then: then, otherwise: otherwise)
        return compile(branch.when, then: chosen, otherwise: next)
      }
    default: preconditionFailure("no bool expression: \(value)")
    }
  }

  private mutating func within(_ value: Expression, _ set: ValueSet, _ then: Int32, _ otherwise: Int32)
    -> Int32
  {
    if set.isEmpty { return otherwise }
    if set.isFull { return then }
    if case .column(let column, let type) = value {
      if set.domain == .integers { return integers(column, set, then, otherwise) }
      if type == .string, set.points?.count == 1 { return equal(column, set, then, otherwise) }
    }
    var test = Program.Test(
      kind: set.domain == .strings ? .stringSet : .numberSet, startsInside: set.startsInside,
      value: compile(value), ifTrue: then, ifFalse: otherwise)
    let range = set.domain == .strings ? addStringCuts(set.cuts) : addNumberCuts(set.cuts)
    (test.first, test.last) = (Int32(range.lowerBound), Int32(range.upperBound))
    return add(test)
  }

  /// One interval is two comparisons, and so is the outside of one; others are searched.
  private mutating func integers(_ column: Int, _ set: ValueSet, _ then: Int32, _ otherwise: Int32) -> Int32 {
    let cuts = set.cuts.map { $0.value.number?.truncated ?? 0 }
    var test = Program.Test(
      kind: .integerRange, startsInside: set.startsInside, value: Int32(column), ifTrue: then,
      ifFalse: otherwise)
    switch (cuts.count, set.startsInside) {
    case (1, let below): (test.low, test.high) = below ? (.min, cuts[0] - 1) : (cuts[0], .max)
    case (2, let outside):
      (test.low, test.high) = (cuts[0], cuts[1] - 1)
      if outside { swap(&test.ifTrue, &test.ifFalse) }
    default:
      test.kind = .integerSet
      test.first = Int32(program.integers.count)
      program.integers += cuts
      test.last = Int32(program.integers.count)
    }
    return add(test)
  }

  private mutating func relative(_ column: Int, _ set: ValueSet, _ then: Int32, _ otherwise: Int32) -> Int32 {
    if set.isEmpty { return otherwise }
    if set.isFull { return then }
    let first = program.integers.count
    program.integers += set.cuts.map { $0.value.number?.truncated ?? 0 }
    return add(
      Program.Test(
        kind: .relative, startsInside: set.startsInside, value: Int32(column), first: Int32(first),
        last: Int32(program.integers.count), ifTrue: then, ifFalse: otherwise))
  }

  private mutating func equal(_ column: Int, _ set: ValueSet, _ then: Int32, _ otherwise: Int32) -> Int32 {
    let text = set.cuts[0].value.bytes ?? []
    return add(
      Program.Test(
        kind: .stringEqual, value: Int32(column), first: add(text), ifTrue: then, ifFalse: otherwise,
        low: text.withUnsafeBytes(Program.prefix), high: Int64(text.count)))
  }

  private mutating func addNumberCuts(_ cuts: [ValueSet.Cut]) -> Range<Int> {
    let first = program.numbers.count
    program.numbers += cuts.map { Program.NumberCut(value: $0.value.number ?? .int(0), above: $0.above) }
    return first..<program.numbers.count
  }

  private mutating func addStringCuts(_ cuts: [ValueSet.Cut]) -> Range<Int> {
    let first = program.literals.count
    for cut in cuts { _ = add(cut.value.bytes ?? [], above: cut.above) }
    return first..<program.literals.count
  }

  // MARK: Values

  mutating func compile(_ value: Expression) -> Int32 {
    switch value {
    case .constant(.string(let text)): return add(Program.Node(kind: .literal, a: add(text)))
    case .constant(let constant):
      program.numbers.append(Program.NumberCut(value: constant.number ?? .int(0), above: false))
      return add(Program.Node(kind: .number, a: Int32(program.numbers.count - 1)))
    case .column(let column, let type):
      return add(Program.Node(kind: Self.kind(ofColumn: type), a: Int32(column)))
    case .arithmetic(let operation, let a, let b):
      return add(Program.Node(kind: .arithmetic, arithmetic: operation, a: compile(a), b: compile(b)))
    case .call(let function, let arguments):
      var node = Program.Node(kind: .call, function: function, a: compile(arguments[0]))
      if arguments.count > 1 { node.b = compile(arguments[1]) }
      if arguments.count > 2 { node.c = compile(arguments[2]) }
      return add(node)
    case .condition(let filter):
      let entry = compile(filter, then: Program.accept, otherwise: Program.reject)
      return add(Program.Node(kind: .condition, a: entry))
    case .choice(let branches, let otherwise):
      let last = compile(otherwise)
      return branches.reversed().reduce(last) { next, branch in
        let chosen = compile(branch.then)
        let entry = compile(branch.when, then: Program.accept, otherwise: Program.reject)
        return add(Program.Node(kind: .choice, a: entry, b: chosen, c: next))
      }
    }
  }

  private static func kind(ofColumn type: ColumnType) -> Program.NodeKind {
    switch type {
    case .int, .time: .integerColumn
    case .real: .realColumn
    case .bool: .boolColumn
    case .string: .stringColumn
    }
  }

  // MARK: Pools

  private mutating func add(_ test: Program.Test) -> Int32 {
    program.tests.append(test)
    return Int32(program.tests.count - 1)
  }

  private mutating func add(_ node: Program.Node) -> Int32 {
    program.nodes.append(node)
    return Int32(program.nodes.count - 1)
  }

  private mutating func add(_ text: [UInt8], above: Bool = false) -> Int32 {
    program.literals.append(
      Program.Literal(offset: program.bytes.count, count: text.count, above: above))
    program.bytes += text
    return Int32(program.literals.count - 1)
  }
}
