import Events

/// Gives names and types to a tree. `ViewChecker.swift` does so for whole statements.
struct Checker {
  var source: Source
  let schema: Schema
  let definitions: Definitions
  /// nil where names are the table's columns.
  var scope: Scope?
  var budget: Budget
  /// Whether NOW() may stand here: only a filter's answers follow the clock.
  var allowsClock = true
  /// What NOW() stands for (ms since 1970), where it is a constant: in a change of rows, which happens once.
  var now: Int64?

  init(
    source: Source, schema: Schema, _ definitions: Definitions = Definitions(), scope: Scope? = nil,
    budget: Budget = Budget()
  ) {
    self.source = source
    self.schema = schema
    self.definitions = definitions
    self.scope = scope
    self.budget = budget
  }

  func error(_ code: SQLError.Code, _ syntax: Syntax, _ message: String) -> SQLError {
    source.error(code, at: syntax.at, message)
  }

  /// `Severity is an int`, for messages.
  func described(_ expression: Expression) -> String {
    "\(excerpt(expression)) is \(expression.type.withArticle)"
  }

  private func excerpt(_ expression: Expression) -> String {
    let text = Writer(schema).text(expression)
    return text.count <= 40 ? text : text.prefix(40) + "…"
  }

  mutating func countAtom(_ syntax: Syntax) throws(SQLError) {
    budget.atoms += 1
    if budget.atoms > QueryLimits.atomsMax {
      throw error(.limit, syntax, "more than \(QueryLimits.atomsMax) comparisons in one query")
    }
  }

  // MARK: Conditions

  mutating func condition(_ syntax: Syntax) throws(SQLError) -> Filter {
    let value = try value(syntax)
    guard value.type == .bool else {
      let hint = value.type == .string ? "<> ''" : "<> 0"
      throw error(
        .type, syntax, "\(described(value)), and a condition was expected, such as \(excerpt(value)) \(hint)")
    }
    if case .column = value { try countAtom(syntax) }
    return Filter(value)
  }

  private mutating func conditions(_ syntaxes: [Syntax]) throws(SQLError) -> [Filter] {
    var filters: [Filter] = []
    for syntax in syntaxes { filters.append(try condition(syntax)) }
    return filters
  }

  // MARK: Values

  mutating func value(_ syntax: Syntax) throws(SQLError) -> Expression {
    budget.values += 1
    budget.depth += 1
    defer { budget.depth -= 1 }
    if budget.depth > QueryLimits.depthMax { throw tooDeep(syntax) }
    if budget.values > QueryLimits.valuesMax {
      throw error(
        .limit, syntax, "more than \(QueryLimits.valuesMax) values in one query, repeated ones counted")
    }
    switch syntax.form {
    case .int(let n): return .constant(.int(n))
    case .twoTo63: return .constant(.real(0x1p63))
    case .real(let x): return .constant(.real(x))
    case .string(let bytes): return .constant(.string(bytes))
    case .bool(let answer): return .condition(.constant(answer))
    case .name(let name): return try named(name, syntax)
    case .negated(let operand): return try negated(operand)
    case .arithmetic(let operation, let a, let b):
      return .operation(operation, try number(a, operation.rawValue), try number(b, operation.rawValue))
    case .call(let name, let arguments): return try call(name, arguments, syntax)
    case .callOfStar(let name): throw misplacedStar(name, syntax)
    case .callOfDistinct(let name, _): throw misplacedDistinct(name, syntax)
    case .choice(let operand, let branches, let otherwise):
      return try choice(operand, branches, otherwise)
    case .compared(let a, let relation, let b): return .condition(try comparison(a, relation, b))
    case .among(let value, let list): return .condition(try among(value, list))
    case .between(let value, let low, let high): return .condition(try between(value, low, high))
    case .like(let value, let pattern, let escape):
      return .condition(try like(value, pattern, escape))
    case .not(let operand): return .condition(.not(try condition(operand)))
    case .all(let operands): return .condition(.and(try conditions(operands)))
    case .any(let operands): return .condition(.or(try conditions(operands)))
    }
  }

  func tooDeep(_ syntax: Syntax) -> SQLError {
    error(.limit, syntax, "nested deeper than \(QueryLimits.depthMax) levels")
  }

  /// `others` are the names that may stand there beside columns'.
  func unknownColumn(_ name: String, at offset: Int, or others: [String]) -> SQLError {
    let columns = scope?.entries.map(\.name) ?? schema.columns.map(\.name)
    var hint = suggestion(for: name, among: columns + others)
    if definitions[name]?.kind == .view { hint = "; it is a view, which stands behind FROM" }
    if offset < source.bytes.count, source.bytes[offset] == UInt8(ascii: "\"") {
      hint += "; strings are written in single quotes"
    }
    return source.error(
      .unknownColumn, at: offset, "\(scope?.view ?? schema.table) has no column \(name)\(hint)")
  }

  private mutating func negated(_ operand: Syntax) throws(SQLError) -> Expression {
    if case .twoTo63 = operand.form { return .constant(.int(.min)) }
    let value = try number(operand, "-")
    if case .constant(.real(let x)) = value { return .constant(.real(0 - x)) }
    return .operation(.subtract, .constant(.int(0)), value)
  }

  private mutating func number(_ syntax: Syntax, _ user: String) throws(SQLError) -> Expression {
    let value = try value(syntax)
    if value.type.isNumeric { return value }
    throw error(.type, syntax, "\(described(value)), and \(user) takes numbers")
  }

  private mutating func string(_ syntax: Syntax, _ user: String) throws(SQLError) -> Expression {
    let value = try value(syntax)
    if value.type == .string { return value }
    throw error(.type, syntax, "\(described(value)), and \(user) takes strings")
  }

  // MARK: Calls

  private mutating func call(_ name: String, _ arguments: [Syntax], _ syntax: Syntax) throws(SQLError)
    -> Expression
  {
    if let now, isNow(name) {
      if let first = arguments.first { throw error(.type, first, "NOW takes no arguments") }
      return .constant(.int(now))
    }
    guard let function = Function(rawValue: name.uppercased()) else {
      throw isNow(name) ? misplacedNow(syntax) : unknownFunction(name, syntax)
    }
    let parameters = function.parameters
    let least = parameters.count - function.optionalParameters
    guard arguments.count >= least, arguments.count <= parameters.count else {
      let wanted = least == parameters.count ? "\(least)" : "\(least) or \(parameters.count)"
      throw error(
        .type, syntax,
        "\(function.rawValue) takes \(wanted) argument\(wanted == "1" ? "" : "s"), and \(arguments.count) are given"
      )
    }
    var values: [Expression] = []
    for (argument, parameter) in zip(arguments, parameters) {
      values.append(try self.argument(argument, parameter, function.rawValue))
    }
    return .application(function, values)
  }

  private mutating func argument(_ syntax: Syntax, _ parameter: Function.Parameter, _ user: String)
    throws(SQLError) -> Expression
  {
    switch parameter {
    case .string: return try string(syntax, user)
    case .number: return try number(syntax, user)
    case .int:
      let value = try number(syntax, user)
      if value.type != .real { return value }
      throw error(.type, syntax, "\(described(value)), and \(user) takes an int here")
    }
  }

  private func unknownFunction(_ name: String, _ syntax: Syntax) -> SQLError {
    let upper = name.uppercased()
    if Metric.Function.names.contains(upper) {
      return error(
        .unsupported, syntax, "\(upper) stands alone behind SELECT, not inside an expression or a filter")
    }
    return source.unknownFunction(name, at: syntax.at)
  }

  private func misplacedStar(_ name: String, _ syntax: Syntax) -> SQLError {
    if name.uppercased() == "COUNT" { return unknownFunction(name, syntax) }
    return error(.syntax, syntax, "only COUNT takes *")
  }

  func misplacedDistinct(_ name: String, _ syntax: Syntax) -> SQLError {
    if name.uppercased() == "COUNT" { return unknownFunction(name, syntax) }
    return error(.unsupported, syntax, "only COUNT takes DISTINCT")
  }

  // MARK: Comparisons

  mutating func comparison(_ a: Syntax, _ relation: Relation, _ b: Syntax) throws(SQLError)
    -> Filter
  {
    if let offset = try offsetFromNow(b) { return try relative(a, relation, offset, now: b) }
    if let offset = try offsetFromNow(a) { return try relative(b, relation.mirrored, offset, now: a) }
    let (x, y) = try comparable(try value(a), try value(b), place: b)
    try countAtom(a)
    guard x.type == .bool else { return .comparison(x, relation, y) }
    switch relation {
    case .equal: return .same(Filter(x), Filter(y))
    case .notEqual: return .not(.same(Filter(x), Filter(y)))
    default: throw error(.type, b, "conditions are equal or not; \(relation.text) takes numbers or strings")
    }
  }

  /// The two sides, if they are of one kind; 1 and 0 beside a condition are TRUE and FALSE.
  private func comparable(_ a: Expression, _ b: Expression, place: Syntax) throws(SQLError)
    -> (Expression, Expression)
  {
    switch (a.type, b.type) {
    case (.bool, .bool), (.string, .string): return (a, b)
    case (let s, let t) where s.isNumeric && t.isNumeric: return (a, b)
    case (.bool, _): if let answer = b.asTruth { return (a, answer) }
    case (_, .bool): if let answer = a.asTruth { return (answer, b) }
    default: break
    }
    throw error(.type, place, mismatch(a, b))
  }

  private func mismatch(_ a: Expression, _ b: Expression) -> String {
    var message = "\(described(a)) and \(described(b)): they cannot be compared"
    if a.type == .string, let number = b.constant {
      message += "; write '\(Writer.text(number))' for a string"
    } else if b.type == .string, a.type.isNumeric, b.constant != nil {
      message += "; numbers have no quotes"
    } else if a.type == .bool {
      message += "; a bool is TRUE or FALSE"
    }
    return message
  }

  private mutating func among(_ syntax: Syntax, _ list: [Syntax]) throws(SQLError) -> Filter {
    let tested = try value(syntax)
    try countAtom(syntax)
    if tested.type == .bool {
      throw error(.type, syntax, "\(described(tested)), and IN takes numbers or strings")
    }
    var constants: [Constant] = []
    var others: [Filter] = []
    for element in list {
      if let offset = try offsetFromNow(element) {
        others.append(try relative(syntax, .equal, offset, now: element))
        continue
      }
      let (x, y) = try comparable(tested, try value(element), place: element)
      if let constant = y.constant, tested.constant == nil {
        constants.append(constant)
        continue
      }
      if y.constant == nil { try countOtherThanConstant(element, tested) }
      others.append(.comparison(x, .equal, y))
    }
    if !constants.isEmpty { others.append(.within(tested, ValueSet(of: constants, tested.domain))) }
    return others.count == 1 ? others[0] : .or(others)
  }

  /// An element that is no constant repeats the value that is looked for, which must be small for that.
  private mutating func countOtherThanConstant(_ element: Syntax, _ tested: Expression) throws(SQLError) {
    try countAtom(element)
    switch tested {
    case .column, .constant: return
    case .arithmetic, .call, .condition, .choice:
      throw error(
        .unsupported, element, "before IN stands a computed value, so the list takes constants only")
    }
  }

  private mutating func between(_ syntax: Syntax, _ low: Syntax, _ high: Syntax) throws(SQLError) -> Filter {
    let first = try comparison(syntax, .greaterEqual, low)
    return .and([first, try comparison(syntax, .lessEqual, high)])
  }

  private mutating func like(_ syntax: Syntax, _ pattern: Syntax, _ escape: Syntax?) throws(SQLError)
    -> Filter
  {
    let tested = try string(syntax, "LIKE")
    try countAtom(syntax)
    let written = try string(pattern, "LIKE")
    guard let text = written.constant?.bytes else {
      throw error(
        .unsupported, pattern, "the pattern of LIKE is a constant string, and \(excerpt(written)) is none")
    }
    var escapeText: [UInt8]?
    if let escape {
      let written = try string(escape, "ESCAPE")
      escapeText = written.constant?.bytes
      guard let bytes = escapeText, bytes.withUnsafeBytes(Function.length) == 1 else {
        throw error(.type, escape, "ESCAPE takes one character, and \(excerpt(written)) is none")
      }
    }
    guard let parsed = LikePattern(text, escape: escapeText) else {
      throw error(.syntax, pattern, "the pattern ends in its ESCAPE character, which then escapes nothing")
    }
    return .like(tested, parsed)
  }
}

extension ColumnType {
  var isNumeric: Bool { self != .string && self != .bool }

  var withArticle: String { self == .int ? "an int" : "a \(rawValue)" }
}

extension Expression {
  /// The integers 1 and 0 as conditions.
  var asTruth: Expression? {
    guard case .constant(.int(let n)) = self, n == 0 || n == 1 else { return nil }
    return .condition(.constant(n == 1))
  }
}
