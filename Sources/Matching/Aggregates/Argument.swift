import Events
import Query

/// A metric's argument made ready for many rows.
struct Argument {
  /// A value as aggregates take it. A bool is 0 or 1; a real has one zero (-0.0 equals 0.0).
  enum Input: Equatable {
    case int(Int64)
    case real(Double)
    case text(StringTable.Code)
  }

  let type: ColumnType
  let columns: ColumnSet
  private let expression: CompiledExpression
  private let column: Int?

  init(_ argument: Query.Expression) {
    expression = CompiledExpression(argument)
    column = expression.column
    type = expression.type
    columns = ColumnSet(expression.columnsUsed)
  }

  /// It gives integers and reals: an `int` formula that overflows is real.
  var isMixed: Bool { column == nil && (type == .int || type == .time) }

  /// The row's value. It must be given to `end` after use.
  @inline(__always)
  func value(_ row: Row, _ strings: StringTable) -> Input {
    guard let column else { return evaluate(row, strings) }
    switch type {
    case .int, .time, .bool: return .int(row[column].int)
    case .real: return .real(row[column].real + 0)
    case .string: return .text(row[column].code)
    }
  }

  private func evaluate(_ row: Row, _ strings: StringTable) -> Input {
    switch expression.value(row, strings) {
    case .int(let n): type == .real ? .real(Double(n)) : .int(n)
    case .real(let x): .real(x + 0)
    case .bool(let b): .int(b ? 1 : 0)
    case .string(let text): .text(text.withUnsafeBytes { strings.intern($0) })
    }
  }

  /// A column's text is held by its row; a formula's only here.
  @inline(__always)
  func end(_ input: Input, _ strings: StringTable) {
    if column == nil, case .text(let code) = input { strings.release(code) }
  }
}
