import Base
import Events
import Query

/// What a metric is at one moment, in a form that compares exactly: the JSON texts of two are equal if and
/// only if they are.
enum MetricValue: Equatable {
  case null
  case int(Int64)
  case real(Double)
  /// Nobody's share: whoever keeps it takes one.
  case string(StringTable.Code)
}

/// One metric over all groups of a view; groups are numbered from 0. Exact under any order of `add` and
/// `remove`: what it says depends on the rows that are in it and on nothing else.
final class Aggregate {
  let columns: ColumnSet
  private let function: Query.Metric.Function
  private let argument: CompiledExpression?
  private let order: CellOrder
  private let realOrder: CellOrder
  /// By group, those that the function and the argument's type need. An `int` formula that overflowed is
  /// real, so a formula has both.
  private var ints: [Int128] = []
  private var reals: [ExactSum] = []
  private var realCounts: [Int] = []
  private var values: [CountedHeap] = []
  private var realValues: [CountedHeap] = []
  private let hasInts: Bool
  private let hasReals: Bool
  /// Sums that were outside the 64-bit integers when they were asked for.
  private(set) var overflows = 0

  init(_ metric: Query.Metric) {
    function = metric.function
    let argument = metric.argument.map(CompiledExpression.init)
    self.argument = argument
    columns = ColumnSet(argument?.columnsUsed ?? [])
    let type = argument?.type ?? .int
    let kind: CellOrder.Kind = type == .string ? .string : (type == .real ? .real : .int)
    order = CellOrder(kind: kind, isLeastFirst: function == .min)
    realOrder = CellOrder(kind: .real, isLeastFirst: function == .min)
    hasInts = kind == .int
    hasReals = kind == .real || (kind == .int && argument != nil && argument?.column == nil)
  }

  /// Makes room for a group, empty.
  func makeGroup(_ group: Int) {
    switch function {
    case .count, .countDistinct, .quantile, .histogram: break
    case .sum, .avg:
      if hasInts { Self.set(&ints, group, 0) }
      if hasReals {
        Self.set(&reals, group, ExactSum())
        Self.set(&realCounts, group, 0)
      }
    case .min, .max:
      Self.set(&values, group, CountedHeap())
      if isMixed { Self.set(&realValues, group, CountedHeap()) }
    }
  }

  private var isMixed: Bool { hasInts && hasReals }

  private static func set<T>(_ array: inout [T], _ index: Int, _ value: T) {
    if index == array.count { array.append(value) } else { array[index] = value }
  }

  /// Gives back what an empty group holds.
  func dropGroup(_ group: Int, _ strings: StringTable) {
    guard function == .min || function == .max else { return }
    values[group].removeAll(order, strings)
    if isMixed { realValues[group].removeAll(realOrder, strings) }
  }

  @inline(__always)
  func add(_ row: Row, to group: Int, _ strings: StringTable) {
    switch function {
    case .count, .countDistinct, .quantile, .histogram: break
    case .sum, .avg: sum(row, group, strings, isAdded: true)
    case .min, .max: addValue(row, group, strings)
    }
  }

  @inline(__always)
  func remove(_ row: Row, from group: Int, _ strings: StringTable) {
    switch function {
    case .count, .countDistinct, .quantile, .histogram: break
    case .sum, .avg: sum(row, group, strings, isAdded: false)
    case .min, .max: removeValue(row, group, strings)
    }
  }

  func value(of group: Int, rows: Int, _ strings: StringTable) -> MetricValue {
    switch function {
    case .count, .countDistinct, .quantile, .histogram: return .int(Int64(rows))
    case .sum: return hasInts ? intSum(group) : Self.value(reals[group].value)
    case .avg:
      if rows == 0 { return .null }
      let sum = (hasInts ? Double(ints[group]) : 0) + (hasReals ? reals[group].value : 0)
      return Self.value(sum / Double(rows))
    case .min, .max: return extreme(group, strings)
    }
  }

  // MARK: Sums

  private func sum(_ row: Row, _ group: Int, _ strings: StringTable, isAdded: Bool) {
    guard let argument else { return }
    if let column = argument.column {
      if hasInts {
        ints[group] += isAdded ? Int128(row[column].int) : -Int128(row[column].int)
      } else {
        sum(row[column].real, group, isAdded)
      }
      return
    }
    switch argument.value(row, strings) {
    case .int(let n) where hasInts: ints[group] += isAdded ? Int128(n) : -Int128(n)
    case .int(let n): sum(Double(n), group, isAdded)
    case .real(let x): sum(x, group, isAdded)
    case .bool, .string: preconditionFailure("no number")
    }
  }

  @inline(__always)
  private func sum(_ value: Double, _ group: Int, _ isAdded: Bool) {
    if isAdded { reals[group].add(value) } else { reals[group].remove(value) }
    realCounts[group] += isAdded ? 1 : -1
  }

  /// Null outside the integers, be it one of the numbers or their sum.
  private func intSum(_ group: Int) -> MetricValue {
    if let sum = Int64(exactly: ints[group]), !hasReals || realCounts[group] == 0 { return .int(sum) }
    overflows += 1
    return .null
  }

  /// JSON has no infinities. Adding zero makes -0.0 into 0.0, which equals it but is written otherwise.
  private static func value(_ x: Double) -> MetricValue { x.isFinite ? .real(x + 0) : .null }

  // MARK: Extremes

  private func addValue(_ row: Row, _ group: Int, _ strings: StringTable) {
    guard let argument else { return }
    if let column = argument.column {
      let cell = order.kind == .real ? Self.cell(row[column].real) : row[column]
      if values[group].add(cell, order, strings), order.kind == .string { strings.retain(cell.code) }
      return
    }
    switch argument.value(row, strings) {
    case .string(let text):
      let code = text.withUnsafeBytes { strings.intern($0) }
      if !values[group].add(Cell(code), order, strings) { strings.release(code) }
    case .int(let n) where hasInts: _ = values[group].add(Cell(int: n), order, strings)
    case .int(let n): _ = values[group].add(Self.cell(Double(n)), order, strings)
    case .real(let x) where isMixed: _ = realValues[group].add(Self.cell(x), realOrder, strings)
    case .real(let x): _ = values[group].add(Self.cell(x), order, strings)
    case .bool: preconditionFailure("no bool has an order")
    }
  }

  private func removeValue(_ row: Row, _ group: Int, _ strings: StringTable) {
    guard let argument else { return }
    if let column = argument.column {
      let cell = order.kind == .real ? Self.cell(row[column].real) : row[column]
      return values[group].remove(cell, order, strings)
    }
    switch argument.value(row, strings) {
    case .string(let text):
      let code = text.withUnsafeBytes { strings.intern($0) }
      values[group].remove(Cell(code), order, strings)
      strings.release(code)
    case .int(let n) where hasInts: values[group].remove(Cell(int: n), order, strings)
    case .int(let n): values[group].remove(Self.cell(Double(n)), order, strings)
    case .real(let x) where isMixed: realValues[group].remove(Self.cell(x), realOrder, strings)
    case .real(let x): values[group].remove(Self.cell(x), order, strings)
    case .bool: preconditionFailure("no bool has an order")
    }
  }

  /// One zero: -0.0 equals 0.0, and would be another cell.
  private static func cell(_ x: Double) -> Cell { (x + 0).bitPattern }

  private func extreme(_ group: Int, _ strings: StringTable) -> MetricValue {
    let first = values[group].first(order, strings).map(value)
    guard isMixed, let real = realValues[group].first(realOrder, strings)?.real else { return first ?? .null }
    guard case .int(let n)? = first else { return Self.value(real) }
    let order = Number.order(.int(n), .real(real))
    return (function == .min ? order <= 0 : order >= 0) ? .int(n) : Self.value(real)
  }

  private func value(_ cell: Cell) -> MetricValue {
    switch order.kind {
    case .int: .int(cell.int)
    case .real: Self.value(cell.real)
    case .string: .string(cell.code)
    }
  }
}
