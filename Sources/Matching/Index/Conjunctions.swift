import Events
import Query

/// Takes filters apart into what the index can use: a conjunction of tests that is the whole filter, and a
/// few conjunctions, its *paths*, of which one holds wherever the filter does.
struct Conjunctions {
  let rows: RowStore
  let computed: ComputedColumns
  /// A filter with more paths has one without tests: it is evaluated for each change of what it reads.
  let pathsMax: Int

  /// A path in the making.
  struct Path {
    var atoms: [Filter]
    var columns: ColumnSet { ColumnSet(atoms.flatMap(\.columnsUsed)) }
  }

  // MARK: The whole

  /// The parts of its AND, or itself.
  func atoms(of filter: Filter) -> [Filter] {
    switch filter {
    case .constant(true): []
    case .and(let parts): parts.flatMap { atoms(of: $0) }
    default: [filter]
    }
  }

  /// Tests that together are the atoms, cheap ones first. Who takes them frees them.
  func tests(of atoms: [Filter]) -> Run<RowTest> {
    let tests = atoms.flatMap { implied(by: $0) + [test(of: $0)].compactMap(\.self) }
    for test in tests where test.column >= rows.width { computed.retain(Int(test.column)) }
    return Run(tests.sorted { $0.kind.rawValue < $1.kind.rawValue })
  }

  // MARK: Paths

  /// The paths of a filter, and whether their OR is the filter and not merely implied by it.
  func paths(of filter: Filter) -> (paths: [Path], areExact: Bool) {
    let cover = cover(filter)
    guard cover.count > 1, cover.count <= pathsMax else { return ([], false) }
    return (cover, isExact(filter))
  }

  private func isExact(_ filter: Filter) -> Bool {
    guard case .or(let parts) = filter else { return false }
    return parts.allSatisfy { part in atoms(of: part).allSatisfy { isUsable($0) } }
  }

  /// The AND: its own comparisons where one of them leads somewhere, else the best of its ORs with them.
  private func cover(_ filter: Filter) -> [Path] {
    let parts = atoms(of: filter)
    let own = parts.filter { isUsable($0) }
    if own.contains(where: { isSelective($0) }) { return [Path(atoms: own)] }
    var best: [Path]?
    for case .or(let branches) in parts {
      let paths = branches.flatMap { cover($0) }
      let isBetter = paths.count < best?.count ?? pathsMax + 1
      if isBetter, paths.allSatisfy({ !$0.atoms.isEmpty }) { best = paths }
    }
    guard let best else { return [Path(atoms: own)] }
    if !own.isEmpty, !best.allSatisfy({ $0.atoms.contains { isSelective($0) } }) { return [Path(atoms: own)] }
    return best.map { Path(atoms: $0.atoms + own) }
  }

  private func isUsable(_ atom: Filter) -> Bool {
    switch atom {
    case .within(.column, let set) where set.domain != .strings: true
    case .within(let value, let set):
      text(value) != nil && (Self.points(set) != nil || bounds(of: atom) != nil)
    case .like(let value, _): text(value) != nil
    case .holds(.column): true
    case .not(.holds(.column)): true
    default: false
    }
  }

  /// Whether it tells most rows apart, whatever the others are.
  private func isSelective(_ atom: Filter) -> Bool {
    switch atom {
    case .within(_, let set): Self.points(set).map { !$0.isNegated } ?? false
    case .like(_, let pattern): pattern.code.contains { $0 < LikePattern.one }
    default: false
    }
  }

  // MARK: Tests

  /// The string column that has a value: the table's, or one that is computed.
  private func text(_ value: Expression) -> Int? {
    if case .column(let column, let type) = value { return type == .string ? column : nil }
    return computed.column(of: value)
  }

  /// nil where it always holds.
  private func test(of atom: Filter) -> RowTest? {
    if atom == .constant(true) { return nil }
    return comparison(atom) ?? .program(CompiledFilter(atom), of: string(readBy: atom), computed.memo)
  }

  /// The one string column that an atom reads, if it reads nothing else.
  private func string(readBy atom: Filter) -> Int? {
    let columns = atom.columnsUsed
    return columns.count == 1 && rows.schema.columns[columns[0]].type == .string ? columns[0] : nil
  }

  private func comparison(_ atom: Filter) -> RowTest? {
    switch atom {
    case .within(.column(let column, let type), let set) where type != .string: within(column, type, set)
    case .within(let value, let set): text(value).flatMap { strings($0, set) }
    case .holds(.column(let column, _)): RowTest(kind: .integers, column: UInt16(column), low: 1, high: 1)
    case .not(.holds(.column(let column, _))): RowTest(kind: .integers, column: UInt16(column))
    case .like(let value, let pattern): text(value).map { like($0, pattern, isNegated: false) }
    case .not(.like(let value, let pattern)): text(value).map { like($0, pattern, isNegated: true) }
    default: nil
    }
  }

  private func like(_ column: Int, _ pattern: LikePattern, isNegated: Bool) -> RowTest {
    let code = pattern.code
    let isText = { (bytes: ArraySlice<UInt8>) in bytes.allSatisfy { $0 < LikePattern.one } }
    if code.last == LikePattern.many {
      if isText(code.dropLast()) { return .text(.prefix, code.dropLast(), column, isNegated: isNegated) }
      let middle = code.dropFirst().dropLast()
      if code.first == LikePattern.many, isText(middle) {
        return .text(.contains, middle, column, isNegated: isNegated)
      }
    }
    return .like(code, column, isNegated: isNegated, computed.memo)
  }

  private func within(_ column: Int, _ type: ColumnType, _ set: ValueSet) -> RowTest? {
    switch type {
    case .int, .time:
      interval(.integers, column, set) { $0.value.number?.truncated ?? 0 } ?? bits(column, set)
    case .real: interval(.reals, column, set, Self.key)
    case .bool, .string: nil
    }
  }

  /// What holds wherever a range of strings does, and leads to it: what its strings begin with, and where they
  /// lie in the order of beginnings. None where it is open on both sides.
  private func implied(by atom: Filter) -> [RowTest] {
    guard let (column, low, high) = bounds(of: atom) else { return [] }
    let range = RowTest(
      kind: .texts, column: UInt16(column), low: low?.withUnsafeBytes(RowTest.key(ofText:)) ?? .min,
      high: high?.withUnsafeBytes(RowTest.key(ofText:)) ?? .max)
    let shared = zip(low ?? [], high ?? []).prefix { $0 == $1 }.map(\.0)
    return shared.isEmpty ? [range] : [.text(.prefix, shared, column, isNegated: false), range]
  }

  /// The column of a range of strings, and its ends; nil for another atom, and for a range that is open on both sides.
  private func bounds(of atom: Filter) -> (column: Int, low: [UInt8]?, high: [UInt8]?)? {
    guard case .within(let value, let set) = atom, set.domain == .strings, Self.points(set) == nil,
      let column = text(value)
    else { return nil }
    let low = set.startsInside ? nil : set.cuts.first?.value.bytes
    let high = set.startsInside == (set.cuts.count % 2 == 0) ? nil : set.cuts.last?.value.bytes
    return low == nil && high == nil ? nil : (column, low, high)
  }

  private func strings(_ column: Int, _ set: ValueSet) -> RowTest? {
    guard let (points, isNegated) = Self.points(set) else { return nil }
    let codes = points.map { point in
      Cell((point.bytes ?? []).withUnsafeBytes { rows.strings.intern($0) })
    }
    if codes.count != 1 { return .elements(codes, column, isNegated: isNegated) }
    return RowTest(
      kind: .integers, isNegated: isNegated, column: UInt16(column), low: codes[0].int, high: codes[0].int)
  }

  /// A set that is one interval, or the outside of one.
  private func interval(
    _ kind: RowTest.Kind, _ column: Int, _ set: ValueSet, _ place: (ValueSet.Cut) -> Int64
  ) -> RowTest? {
    let cuts = set.cuts.map(place)
    var test = RowTest(kind: kind, column: UInt16(column), low: .min, high: .max)
    switch (cuts.count, set.startsInside) {
    case (1, true): test.high = cuts[0] - 1
    case (1, false): test.low = cuts[0]
    case (2, let isOutside): (test.low, test.high, test.isNegated) = (cuts[0], cuts[1] - 1, isOutside)
    default: return nil
    }
    return test
  }

  /// A set of integers that lie close together, or the outside of one; any other set of single ones.
  private func bits(_ column: Int, _ set: ValueSet) -> RowTest? {
    guard let (points, isNegated) = Self.points(set) else { return nil }
    let values = points.compactMap { $0.number?.truncated }
    guard let first = values.first, let last = values.last else { return nil }
    let (width, overflow) = last.subtractingReportingOverflow(first)
    guard !overflow, width < 64 else {
      return .elements(values.map { Cell(int: $0) }, column, isNegated: isNegated)
    }
    let bits = values.reduce(into: UInt64(0)) { $0 |= 1 << UInt64($1 - first) }
    return RowTest(
      kind: .bits, isNegated: isNegated, column: UInt16(column), low: first, high: Int64(bitPattern: bits))
  }

  /// The key of the first real behind a cut.
  private static func key(_ cut: ValueSet.Cut) -> Int64 {
    let number = cut.value.number ?? .int(0)
    let nearest = RowTest.key(ofReal: number.real.bitPattern)
    let order = Number.order(number, .real(number.real))
    if order == 0 { return cut.above ? nearest + 1 : nearest }
    return order > 0 ? nearest + 1 : nearest
  }

  // MARK: Points

  /// The single values of a set that has no others, or that has all others.
  static func points(_ set: ValueSet) -> (values: [Constant], isNegated: Bool)? {
    if set.isEmpty || set.isFull { return nil }
    if let values = set.points { return (values, false) }
    return set.complement.points.map { ($0, true) }
  }
}
