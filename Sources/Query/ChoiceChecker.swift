import Events

extension Checker {
  /// CASE, with an operand or without.
  mutating func choice(_ operand: Syntax?, _ branches: [Syntax.Branch], _ otherwise: Syntax?) throws(SQLError)
    -> Expression
  {
    var checked: [(when: Filter, then: Expression)] = []
    for branch in branches {
      let when: Filter
      if let operand {
        when = try comparison(operand, .equal, branch.when)
      } else {
        when = try condition(branch.when)
      }
      checked.append((when, try value(branch.then)))
    }
    let last: Expression? = if let otherwise { try value(otherwise) } else { nil }
    let values = checked.map(\.then) + (last.map { [$0] } ?? [])
    let type = Self.commonType(values)
    let places = branches.map(\.then) + (otherwise.map { [$0] } ?? [])
    var fitted: [Expression] = []
    for (value, place) in zip(values, places) {
      fitted.append(try fit(value, as: values.first { $0.type == type }!, place))
    }
    let zero = Expression.zero(of: type)
    return .choice(
      zip(checked, fitted).map { Expression.Branch(when: $0.when, then: $1) },
      last == nil ? zero : fitted.last!)
  }

  /// The first value's, unless that is a whole number that other branches make a real or a time.
  private static func commonType(_ values: [Expression]) -> ColumnType {
    let first = values[0].type
    guard first == .int else { return first }
    return values.first { $0.type != .int && $0.type.isNumeric }?.type ?? first
  }

  private func fit(_ value: Expression, as other: Expression, _ place: Syntax) throws(SQLError) -> Expression
  {
    if value.type == other.type { return value }
    if case .constant(.int(let n)) = value {
      if other.type == .real { return .constant(.real(Double(n))) }
      if other.type == .time { return value }
    }
    throw error(
      .type, place,
      "\(described(value)), and another branch of this CASE, \(described(other)): all are of one type")
  }
}
