import Events

/// A value that stands in a query. Strings are UTF-8 bytes: Swift's own comparison would take two
/// spellings of one character for equal, and SQLite does not.
public enum Constant: Hashable, Sendable {
  case int(Int64)
  case real(Double)
  case string([UInt8])

  public init(_ number: Number) {
    switch number {
    case .int(let n): self = .int(n)
    case .real(let x): self = .real(x)
    }
  }

  /// nil for a string.
  public var number: Number? {
    switch self {
    case .int(let n): .int(n)
    case .real(let x): .real(x)
    case .string: nil
    }
  }

  public var bytes: [UInt8]? {
    if case .string(let bytes) = self { return bytes }
    return nil
  }

  public var type: ColumnType {
    switch self {
    case .int: .int
    case .real: .real
    case .string: .string
    }
  }

  /// Negative, zero or positive; numbers stand before strings.
  static func order(_ a: Constant, _ b: Constant) -> Int {
    switch (a, b) {
    case (.string(let a), .string(let b)):
      a.withUnsafeBytes { a in b.withUnsafeBytes { compareBytes(a, $0) } }
    case (.string, _): 1
    case (_, .string): -1
    default: Number.order(a.number!, b.number!)
    }
  }
}

/// How two values stand to each other: a set of "less", "equal" and "greater". There is no NULL, so each
/// of the six comparisons is one such set, and NOT, AND and OR of them are the sets' operations.
public struct Relation: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let less = Relation(rawValue: 1)
  public static let equal = Relation(rawValue: 2)
  public static let greater = Relation(rawValue: 4)
  public static let lessEqual: Relation = [.less, .equal]
  public static let greaterEqual: Relation = [.greater, .equal]
  public static let notEqual: Relation = [.less, .greater]
  static let always: Relation = [.less, .equal, .greater]

  var complement: Relation { Relation.always.subtracting(self) }

  /// The relation of b to a, where this is a's to b.
  var mirrored: Relation {
    var mirrored = intersection(.equal)
    if contains(.less) { mirrored.insert(.greater) }
    if contains(.greater) { mirrored.insert(.less) }
    return mirrored
  }

  /// `order` is negative, zero or positive.
  @inlinable public func holds(_ order: Int) -> Bool {
    rawValue & (order < 0 ? 1 : (order == 0 ? 2 : 4)) != 0
  }

  var text: String {
    switch self {
    case .less: "<"
    case .lessEqual: "<="
    case .equal: "="
    case .greaterEqual: ">="
    case .greater: ">"
    default: "<>"
    }
  }
}

/// A typed value of a row. Column numbers are those of the schema that it was read for.
public indirect enum Expression: Hashable, Sendable {
  case constant(Constant)
  case column(Int, ColumnType)
  case arithmetic(Arithmetic, Expression, Expression)
  case call(Function, [Expression])
  case condition(Filter)
  /// The value of the first branch whose condition holds, else the last one. All are of one type.
  case choice([Branch], Expression)

  public struct Branch: Hashable, Sendable {
    public let when: Filter
    public let then: Expression
  }

  /// An `int` expression that overflows has a real value, as in SQLite.
  public var type: ColumnType {
    switch self {
    case .constant(let constant): constant.type
    case .column(_, let type): type
    case .arithmetic(let operation, let a, let b): Self.type(operation, a.type, b.type)
    case .call(let function, let arguments): function.type(arguments)
    case .condition: .bool
    case .choice(let branches, let otherwise): Self.type(branches, otherwise)
    }
  }

  /// A time and a distance make a time; two times make a distance.
  private static func type(_ operation: Arithmetic, _ a: ColumnType, _ b: ColumnType) -> ColumnType {
    if a == .real || b == .real { return .real }
    switch (operation, a, b) {
    case (.add, .time, .int), (.add, .int, .time), (.subtract, .time, .int): return .time
    default: return .int
    }
  }

  /// Beside times stand whole numbers that are constants, which are times then.
  private static func type(_ branches: [Branch], _ otherwise: Expression) -> ColumnType {
    branches.contains { $0.then.type == .time } ? .time : otherwise.type
  }

  /// What a comparison with a constant may count on.
  var domain: ValueSet.Domain {
    switch self {
    case .column(_, .int), .column(_, .time), .call(.length, _): .integers
    default: type == .string ? .strings : .numbers
    }
  }

  var constant: Constant? {
    if case .constant(let constant) = self { return constant }
    return nil
  }
}

/// A condition on a row: two-valued, since there is no NULL.
public indirect enum Filter: Hashable, Sendable {
  case constant(Bool)
  /// Comparisons with constants, IN and BETWEEN.
  case within(Expression, ValueSet)
  /// The time column with this number, less NOW(), in ms (saturating), is in the set of integers: the answer
  /// changes by time alone.
  case relative(Int, ValueSet)
  /// Two numbers, or two strings, neither constant.
  case compare(Expression, Relation, Expression)
  case like(Expression, LikePattern)
  /// A bool column, or a choice of conditions.
  case holds(Expression)
  /// Both or neither.
  case same(Filter, Filter)
  case not(Filter)
  case and([Filter])
  case or([Filter])

  /// The filter of a request without WHERE.
  public static let `true` = Filter.constant(true)
}

// MARK: - Making

extension Expression {
  /// The operation, done at once where both sides are constant.
  static func operation(_ operation: Arithmetic, _ a: Expression, _ b: Expression) -> Expression {
    if let x = a.constant?.number, let y = b.constant?.number { return .constant(Constant(operation(x, y))) }
    return .arithmetic(operation, a, b)
  }

  /// The call, done at once where all arguments are constant.
  static func application(_ function: Function, _ arguments: [Expression]) -> Expression {
    let constants = arguments.compactMap(\.constant)
    if constants.count == arguments.count { return .constant(function(constants)) }
    return .call(function, arguments)
  }

  /// What stands for SQLite's NULL, such as in a CASE without ELSE.
  static func zero(of type: ColumnType) -> Expression {
    switch type {
    case .int, .time: .constant(.int(0))
    case .real: .constant(.real(0))
    case .string: .constant(.string([]))
    case .bool: .condition(.constant(false))
    }
  }
}

extension Filter {
  /// The time column less NOW() stands to `milliseconds` in this relation.
  static func relative(_ column: Int, _ relation: Relation, _ milliseconds: Number) -> Filter {
    .relative(column, ValueSet(relation, Constant(milliseconds), .integers))
  }

  /// The comparison; with a constant it is a set of values, and of two constants its answer.
  static func comparison(_ a: Expression, _ relation: Relation, _ b: Expression) -> Filter {
    switch (a.constant, b.constant) {
    case (let x?, let y?): .constant(relation.holds(Constant.order(x, y)))
    case (nil, let y?): .within(a, ValueSet(relation, y, a.domain))
    case (let x?, nil): .within(b, ValueSet(relation.mirrored, x, b.domain))
    case (nil, nil): .compare(a, relation, b)
    }
  }

  /// A bool expression as a filter.
  public init(_ expression: Expression) {
    if case .condition(let filter) = expression { self = filter } else { self = .holds(expression) }
  }
}
