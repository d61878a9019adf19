import Events
import Query

/// A value as it comes out of an expression.
public enum Scalar: Hashable, Sendable {
  /// Times too, in ms.
  case int(Int64)
  /// Also of an `int` expression that overflowed.
  case real(Double)
  case bool(Bool)
  /// UTF-8.
  case string([UInt8])

  public init(_ number: Number) {
    switch number {
    case .int(let n): self = .int(n)
    case .real(let x): self = .real(x)
    }
  }
}

/// A filter made ready for many rows of its schema: flat arrays, no allocation a row unless a function
/// makes a string. Immutable; any thread may use it, each with the string table of its rows.
public struct CompiledFilter: Sendable {
  /// The numbers of the columns that it reads, ascending: a change of others cannot change its answer.
  public let columnsUsed: [Int]
  private let program: Program
  private let entry: Int32

  public init(_ filter: Filter) {
    var compiler = Compiler()
    entry = compiler.compile(filter, then: Program.accept, otherwise: Program.reject)
    program = compiler.program
    columnsUsed = filter.columnsUsed
  }

  /// `now` is NOW(), in ms since 1970; it matters only to filters that `readsTheClock`.
  @inline(__always)
  public func matches(_ row: Row, _ strings: StringTable, _ now: Int64) -> Bool {
    program.run(entry, row, strings, now)
  }
}

/// A value's formula made ready for many rows of its schema. Immutable; any thread may use it.
public struct CompiledExpression: Sendable {
  public let type: ColumnType
  /// The column's number where the expression is no more than one: its cell is the value.
  public let column: Int?
  public let columnsUsed: [Int]
  private let program: Program
  private let node: Int32

  public init(_ expression: Expression) {
    var compiler = Compiler()
    node = compiler.compile(expression)
    program = compiler.program
    type = expression.type
    columnsUsed = expression.columnsUsed
    if case .column(let column, _) = expression { self.column = column } else { column = nil }
  }

  /// Allocates for a string, else not. Values of records never read the clock.
  public func value(_ row: Row, _ strings: StringTable) -> Scalar {
    switch type {
    case .int, .time, .real: Scalar(program.number(node, row, strings, 0))
    case .bool: .bool(program.truth(node, row, strings, 0))
    case .string: .string(program.string(node, row, strings, 0))
    }
  }
}
