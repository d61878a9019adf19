import Base
import Events
import Query

/// An UPDATE or DELETE made ready for many rows of its schema. Immutable; any thread may use it, each with the
/// rows and strings that it owns.
public struct CompiledChange: Sendable {
  /// Row keys that are looked up at most, where a filter names whole keys; with more, all rows are looked at.
  public static let keysMax = 10_000

  public let isDeletion: Bool
  /// The keys of the only rows that it can touch, as their records have them; nil: it may touch any.
  public let keys: [[UInt8]]?
  private let filter: CompiledFilter
  private let assignments: [(column: Int, type: ColumnType, value: CompiledExpression)]

  /// Traps for an INSERT, whose rows are events.
  public init(_ change: ChangeStatement) {
    let types = change.schema.columns.map(\.type)
    switch change.kind {
    case .insert: preconditionFailure("an INSERT changes no rows by a filter")
    case .delete: (isDeletion, assignments) = (true, [])
    case .update(let list):
      isDeletion = false
      assignments = list.map { ($0.column, types[$0.column], CompiledExpression($0.value)) }
    }
    filter = CompiledFilter(change.filter)
    keys = change.filter.rowKeys(of: change.schema)
  }

  /// Leaves of `slots` those whose rows, as `row` gives them, the filter holds for. One pass.
  public func keepMatches(
    _ slots: inout [RowStore.Slot], _ strings: StringTable, row: (RowStore.Slot) -> Row
  ) {
    slots.removeAll { !filter.matches(row($0), strings, 0) }
  }

  /// Puts the new values over a copy of the row, `next`, which has a share of each string in which it then differs
  /// from the row. Whole numbers beyond 64 bits, and reals beyond the doubles, stop at the ends of the range.
  public func assign(_ row: Row, to next: UnsafeMutablePointer<Cell>, _ strings: StringTable) {
    for (column, type, value) in assignments {
      switch (value.value(row, strings), type) {
      case (.string(let text), _):
        let code = text.withUnsafeBytes { strings.intern($0) }
        if code == row[column].code { strings.release(code) } else { next[column] = Cell(code) }
      case (.bool(let answer), _): next[column] = answer ? 1 : 0
      case (.int(let n), .real): next[column] = Double(n).bitPattern
      case (.int(let n), _): next[column] = Cell(int: n)
      case (.real(let x), .real):
        let limit = Double.greatestFiniteMagnitude
        next[column] = min(max(x, -limit), limit).bitPattern
      case (.real(let x), _): next[column] = Cell(int: Number.real(x).truncated)
      }
    }
  }
}

extension Filter {
  /// The keys of all rows that it can hold for, where it names the values of every key column; nil where it does
  /// not, or where they are more than `CompiledChange.keysMax`.
  fileprivate func rowKeys(of schema: Schema) -> [[UInt8]]? {
    if self == .constant(false) { return [] }
    let parts: [Filter] = if case .and(let parts) = self { parts } else { [self] }
    var tuples: [[Constant]] = [[]]
    for column in schema.key {
      guard [.string, .int, .time].contains(schema.columns[column].type),
        let values = parts.lazy.compactMap({ $0.values(of: column) }).first,
        tuples.count * values.count <= CompiledChange.keysMax
      else { return nil }
      tuples = tuples.flatMap { tuple in values.map { tuple + [$0] } }
    }
    return tuples.map { rowKey(of: $0) }
  }

  /// The single values that a column must have.
  private func values(of column: Int) -> [Constant]? {
    guard case .within(.column(column, _), let set) = self else { return nil }
    return set.points
  }
}

/// As `EventDecoder.writeKey` makes it of an event.
private func rowKey(of values: [Constant]) -> [UInt8] {
  if values.count == 1, let text = values[0].bytes { return text }
  var buffer = ByteBuffer(capacity: 64)
  for (index, value) in values.enumerated() {
    if values.count > 1 { buffer.append(index == 0 ? UInt8(ascii: "[") : UInt8(ascii: ",")) }
    if let text = value.bytes {
      text.withUnsafeBytes { buffer.append(jsonString: $0) }
    } else {
      buffer.append(decimal: value.number?.truncated ?? 0)
    }
  }
  if values.count > 1 { buffer.append(UInt8(ascii: "]")) }
  return Array(buffer.bytes)
}
