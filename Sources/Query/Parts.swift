extension Expression {
  /// The numbers of the columns that it reads, ascending.
  public var columnsUsed: [Int] { Query.columnsUsed(by: walk) }

  /// Shows it and all its parts, each before its own parts.
  func walk(_ seeFilter: (Filter) -> Void, _ seeValue: (Expression) -> Void) {
    seeValue(self)
    switch self {
    case .constant, .column: break
    case .arithmetic(_, let a, let b):
      a.walk(seeFilter, seeValue)
      b.walk(seeFilter, seeValue)
    case .call(_, let arguments): for argument in arguments { argument.walk(seeFilter, seeValue) }
    case .condition(let filter): filter.walk(seeFilter, seeValue)
    case .choice(let branches, let otherwise):
      for branch in branches {
        branch.when.walk(seeFilter, seeValue)
        branch.then.walk(seeFilter, seeValue)
      }
      otherwise.walk(seeFilter, seeValue)
    }
  }
}

extension Expression {
  /// Its parts, counted, and their levels inside each other.
  var measure: (size: Int, depth: Int) {
    let below: [(size: Int, depth: Int)] =
      switch self {
      case .constant, .column: []
      case .arithmetic(_, let a, let b): [a.measure, b.measure]
      case .call(_, let arguments): arguments.map(\.measure)
      case .condition(let filter): [filter.measure]
      case .choice(let branches, let otherwise):
        branches.flatMap { [$0.when.measure, $0.then.measure] } + [otherwise.measure]
      }
    return Query.measure(below)
  }
}

extension Filter {
  var measure: (size: Int, depth: Int) {
    let below: [(size: Int, depth: Int)] =
      switch self {
      case .constant, .relative: []
      case .within(let value, _), .like(let value, _), .holds(let value): [value.measure]
      case .compare(let a, _, let b): [a.measure, b.measure]
      case .same(let a, let b): [a.measure, b.measure]
      case .not(let filter): [filter.measure]
      case .and(let filters), .or(let filters): filters.map(\.measure)
      }
    return Query.measure(below)
  }
}

private func measure(_ below: [(size: Int, depth: Int)]) -> (size: Int, depth: Int) {
  below.reduce((1, 1)) { ($0.0 + $1.size, max($0.1, $1.depth + 1)) }
}

extension Filter {
  /// The numbers of the columns that it reads, ascending.
  public var columnsUsed: [Int] { Query.columnsUsed(by: walk) }

  /// A comparison of a time column with NOW().
  public struct ClockTest: Hashable, Sendable {
    /// The column's number.
    public let column: Int
    /// Where it holds: of the column's value less NOW(), in ms.
    public let set: ValueSet
  }

  /// All its comparisons with NOW(), those inside CASE too: its answer for a row can change without the row
  /// only when the time passes a cut of one of them.
  public var clockTests: [ClockTest] {
    var tests: [ClockTest] = []
    walk(
      { if case .relative(let column, let set) = $0 { tests.append(ClockTest(column: column, set: set)) } },
      { _ in })
    return tests
  }

  public var readsTheClock: Bool { !clockTests.isEmpty }

  /// Shows it and all its parts, each before its own parts.
  func walk(_ seeFilter: (Filter) -> Void, _ seeValue: (Expression) -> Void) {
    seeFilter(self)
    switch self {
    case .constant, .relative: break
    case .within(let value, _), .like(let value, _), .holds(let value): value.walk(seeFilter, seeValue)
    case .compare(let a, _, let b):
      a.walk(seeFilter, seeValue)
      b.walk(seeFilter, seeValue)
    case .same(let a, let b):
      a.walk(seeFilter, seeValue)
      b.walk(seeFilter, seeValue)
    case .not(let filter): filter.walk(seeFilter, seeValue)
    case .and(let filters), .or(let filters): for filter in filters { filter.walk(seeFilter, seeValue) }
    }
  }
}

private func columnsUsed(by walk: ((Filter) -> Void, (Expression) -> Void) -> Void) -> [Int] {
  var columns: [Int] = []
  walk(
    { if case .relative(let column, _) = $0 { columns.append(column) } },
    { if case .column(let column, _) = $0 { columns.append(column) } })
  if columns.count < 2 { return columns }
  columns.sort()
  return columns.indices.filter { $0 == 0 || columns[$0] != columns[$0 - 1] }.map { columns[$0] }
}
