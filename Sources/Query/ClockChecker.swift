import Events

/// NOW() stands only in `column op NOW() +/- constant`: then it is known when a row's answer changes.
extension Checker {
  func isNow(_ name: String) -> Bool { name.uppercased() == "NOW" }

  /// The constant that a form of NOW() adds to it, in ms; nil for what is no such form.
  mutating func offsetFromNow(_ syntax: Syntax) throws(SQLError) -> Number? {
    if now != nil { return nil }
    switch syntax.form {
    case .call(let name, let arguments) where isNow(name):
      if let first = arguments.first { throw error(.type, first, "NOW takes no arguments") }
      return .int(0)
    case .arithmetic(.add, let a, let b):
      if let offset = try offsetFromNow(a) { return Arithmetic.add(offset, try constantNumber(b)) }
      if let offset = try offsetFromNow(b) { return Arithmetic.add(offset, try constantNumber(a)) }
      return nil
    case .arithmetic(.subtract, let a, let b):
      guard let offset = try offsetFromNow(a) else { return nil }
      return Arithmetic.subtract(offset, try constantNumber(b))
    default: return nil
    }
  }

  private mutating func constantNumber(_ syntax: Syntax) throws(SQLError) -> Number {
    let value = try value(syntax)
    if let number = value.constant?.number { return number }
    throw error(.unsupported, syntax, "to NOW() only a constant is added, such as INTERVAL '5 minutes'")
  }

  /// The comparison of a time column with NOW() and what is added to it.
  mutating func relative(_ syntax: Syntax, _ relation: Relation, _ offset: Number, now: Syntax)
    throws(SQLError) -> Filter
  {
    if !allowsClock {
      throw error(
        .unsupported, now, "NOW() can stand behind WHERE only: a record does not change by time alone")
    }
    let value = try value(syntax)
    try countAtom(syntax)
    guard case .column(let column, .time) = value else {
      throw error(
        .type, syntax, "\(described(value)), and NOW() is compared with a time column, as in \(nowExample)")
    }
    return .relative(column, relation, offset)
  }

  func misplacedNow(_ syntax: Syntax) -> SQLError {
    error(.unsupported, syntax, "NOW() stands only in comparisons such as \(nowExample)")
  }

  /// With a column of this table, where it has one.
  private var nowExample: String {
    let column = schema.columns.last { $0.type == .time }.map { Writer.name($0.name) } ?? "column"
    return "\(column) < NOW() - INTERVAL '5 minutes'"
  }
}
