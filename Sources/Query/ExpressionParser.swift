/// The strength of operators, weakest first (SQLite's `lang_expr.html`, "Operators").
private enum Strength: Int, Comparable {
  case or, and, not, equality, comparison, sum, product, concatenation, sign

  static func < (a: Strength, b: Strength) -> Bool { a.rawValue < b.rawValue }

  /// What the right side of a left-associative operator must exceed.
  var next: Strength { Strength(rawValue: rawValue + 1) ?? self }
}

private enum Operator {
  case compare(Relation)
  case arithmetic(Arithmetic)
  case concatenate
  case or, and, `in`, between, like, `is`
  /// NOT before IN, BETWEEN or LIKE.
  case not
}

extension Parser {
  mutating func expression() throws(SQLError) -> Syntax { try expression(atLeast: .or) }

  private mutating func expression(atLeast least: Strength) throws(SQLError) -> Syntax {
    nesting += 1
    defer { nesting -= 1 }
    if nesting > QueryLimits.depthMax { throw tooDeep(at: token.at) }
    var left = try prefix()
    while let (found, strength) = infix(), strength >= least {
      left = try combine(left, found, strength)
    }
    return left
  }

  private func tooDeep(at: Int) -> SQLError {
    source.error(.limit, at: at, "nested deeper than \(QueryLimits.depthMax) levels")
  }

  private func node(_ form: Syntax.Form, at: Int, over children: [Syntax]) throws(SQLError) -> Syntax {
    let depth = (children.lazy.map(\.depth).max() ?? 0) + 1
    if depth > QueryLimits.depthMax { throw tooDeep(at: at) }
    return Syntax(form: form, at: at, depth: depth)
  }

  // MARK: Before an operator

  private mutating func prefix() throws(SQLError) -> Syntax {
    let at = token.at
    if take(.not) {
      let operand = try expression(atLeast: .not)
      return try node(.not(operand), at: at, over: [operand])
    }
    if take(.minus) {
      let operand = try expression(atLeast: .sign)
      return try node(.negated(operand), at: at, over: [operand])
    }
    if take(.plus) { return try expression(atLeast: .sign) }
    if take(.open) {
      let inner = try expression()
      try demand(.close, "an operator or )")
      return inner
    }
    return try operand()
  }

  private mutating func operand() throws(SQLError) -> Syntax {
    let at = token.at
    let form: Syntax.Form
    switch token.kind {
    case .int(let n): form = .int(n)
    case .twoTo63: form = .twoTo63
    case .real(let x): form = .real(x)
    case .string(let text): form = .string(text)
    case .quoted(let name): form = .name(name)
    case .word(let word): return try wordOperand(word)
    case .sign, .end: throw expected("a column, a value or (")
    }
    advance()
    return try node(form, at: at, over: [])
  }

  private mutating func wordOperand(_ word: String) throws(SQLError) -> Syntax {
    let at = token.at
    switch keyword() {
    case nil: break
    case .true, .false:
      let isTrue = keyword() == .true
      advance()
      return try node(.bool(isTrue), at: at, over: [])
    case .null: throw noNull()
    case .case: return try choice()
    case .select: throw error(.unsupported, "a SELECT inside another is not supported")
    default: throw expected("a column, a value or (")
    }
    advance()
    if isSign(.open) { return try call(word, at: at) }
    if word.uppercased() == "INTERVAL", let interval = try interval() {
      return try node(.int(interval), at: at, over: [])
    }
    return try node(.name(word), at: at, over: [])
  }

  private mutating func call(_ name: String, at: Int) throws(SQLError) -> Syntax {
    try demand(.open)
    if take(.star) {
      try demand(.close)
      return try node(.callOfStar(name), at: at, over: [])
    }
    if take(.distinct) {
      let argument = try expression()
      try demand(.close, "an operator or )")
      return try node(.callOfDistinct(name, argument), at: at, over: [argument])
    }
    let arguments = try arguments(of: name, at: at)
    return try node(.call(name, arguments), at: at, over: arguments)
  }

  /// What other languages write in a call, such as `CAST(a AS INT)`, is of no function of this one: that is told first.
  private mutating func arguments(of name: String, at: Int) throws(SQLError) -> [Syntax] {
    do throws(SQLError) { return try list() } catch {
      let isKnown = Function.names.contains(name.uppercased())
      throw isKnown || error.code != .syntax ? error : source.unknownFunction(name, at: at)
    }
  }

  /// `CASE [operand] WHEN … THEN … [ELSE …] END`. END is no keyword elsewhere: columns may be called so.
  private mutating func choice() throws(SQLError) -> Syntax {
    let at = token.at
    try demand(.case)
    let operand: Syntax? = keyword() == .when ? nil : try expression()
    var branches: [Syntax.Branch] = []
    while take(.when) {
      let when = try expression()
      try demand(.then)
      branches.append(Syntax.Branch(when: when, then: try expression()))
    }
    if branches.isEmpty { throw expected("WHEN") }
    let otherwise: Syntax? = take(.else) ? try expression() : nil
    guard case .word(let word) = token.kind, word.uppercased() == "END" else {
      throw expected(otherwise == nil ? "an operator, WHEN, ELSE or END" : "an operator or END")
    }
    advance()
    return try node(
      .choice(operand: operand, branches, otherwise: otherwise), at: at,
      over: branches.flatMap { [$0.when, $0.then] } + [operand, otherwise].compactMap { $0 })
  }

  /// What stands behind the word INTERVAL, in ms; nil where the word is a column's name.
  private mutating func interval() throws(SQLError) -> Int64? {
    switch token.kind {
    case .string(let text):
      do throws(IntervalError) {
        let milliseconds = try milliseconds(ofInterval: text)
        advance()
        return milliseconds
      } catch {
        throw self.error(.syntax, error.message)
      }
    case .int, .real:
      throw error(.syntax, "found \(found) where a string was expected, such as INTERVAL '5 minutes'")
    default: return nil
    }
  }

  /// Expressions up to the closing parenthesis, which is taken too; there may be none.
  private mutating func list() throws(SQLError) -> [Syntax] {
    var elements: [Syntax] = []
    if take(.close) { return elements }
    repeat {
      if elements.count == QueryLimits.listElementsMax {
        throw error(.limit, "more than \(QueryLimits.listElementsMax) values in a list")
      }
      elements.append(try expression())
    } while take(.comma)
    try demand(.close, "a comma or )")
    return elements
  }

  private func noNull() -> SQLError {
    error(
      .unsupported,
      "there is no NULL here: a column without a value has its default; compare with that, such as '' or 0")
  }

  // MARK: Operators between two operands

  private func infix() -> (Operator, Strength)? {
    switch token.kind {
    case .sign(let sign): Self.infix(sign)
    case .word:
      switch keyword() {
      case .or: (.or, .or)
      case .and: (.and, .and)
      case .in: (.in, .equality)
      case .between: (.between, .equality)
      case .like: (.like, .equality)
      case .is: (.is, .equality)
      case .not: (.not, .equality)
      default: nil
      }
    default: nil
    }
  }

  private static func infix(_ sign: Sign) -> (Operator, Strength)? {
    switch sign {
    case .equal, .doubleEqual: (.compare(.equal), .equality)
    case .notEqual, .bangEqual: (.compare(.notEqual), .equality)
    case .less: (.compare(.less), .comparison)
    case .lessEqual: (.compare(.lessEqual), .comparison)
    case .greater: (.compare(.greater), .comparison)
    case .greaterEqual: (.compare(.greaterEqual), .comparison)
    case .plus: (.arithmetic(.add), .sum)
    case .minus: (.arithmetic(.subtract), .sum)
    case .star: (.arithmetic(.multiply), .product)
    case .slash: (.arithmetic(.divide), .product)
    case .percent: (.arithmetic(.remainder), .product)
    case .concatenate: (.concatenate, .concatenation)
    case .open, .close, .comma, .semicolon: nil
    }
  }

  private mutating func combine(_ left: Syntax, _ found: Operator, _ strength: Strength) throws(SQLError)
    -> Syntax
  {
    let at = token.at
    switch found {
    case .or, .and: return try junction(left, found, strength)
    case .is:
      if keyword(1) == .null || (keyword(1) == .not && keyword(2) == .null) { throw noNull() }
      throw error(.unsupported, "IS is not supported: there is no NULL here, so = and <> do the same")
    case .not:
      advance()
      guard let (inner, _) = infix(), inner.canBeNegated else { throw expected("IN, BETWEEN or LIKE") }
      let positive = try combine(left, inner, strength)
      return try node(.not(positive), at: at, over: [positive])
    case .in: return try among(left)
    case .between: return try between(left)
    case .like: return try like(left)
    case .compare, .arithmetic, .concatenate: break
    }
    advance()
    let right = try expression(atLeast: strength.next)
    let form: Syntax.Form =
      switch found {
      case .compare(let relation): .compared(left, relation, right)
      case .arithmetic(let operation): .arithmetic(operation, left, right)
      default: .call("||", [left, right])
      }
    return try node(form, at: at, over: [left, right])
  }

  /// A run of ANDs or of ORs is one node, so that a long one is not a deep one.
  private mutating func junction(_ left: Syntax, _ found: Operator, _ strength: Strength) throws(SQLError)
    -> Syntax
  {
    let at = token.at
    let isAnd = strength == .and
    var operands = [left]
    while take(isAnd ? .and : .or) { operands.append(try expression(atLeast: strength.next)) }
    return try node(isAnd ? .all(operands) : .any(operands), at: at, over: operands)
  }

  private mutating func among(_ left: Syntax) throws(SQLError) -> Syntax {
    let at = token.at
    advance()
    try demand(.open, "( and a list of values")
    let elements = try list()
    return try node(.among(left, elements), at: at, over: [left] + elements)
  }

  private mutating func between(_ left: Syntax) throws(SQLError) -> Syntax {
    let at = token.at
    advance()
    let low = try expression(atLeast: .comparison)
    try demand(.and)
    let high = try expression(atLeast: .comparison)
    return try node(.between(left, low, high), at: at, over: [left, low, high])
  }

  private mutating func like(_ left: Syntax) throws(SQLError) -> Syntax {
    let at = token.at
    advance()
    let pattern = try expression(atLeast: .comparison)
    let escape: Syntax? = take(.escape) ? try expression(atLeast: .comparison) : nil
    return try node(.like(left, pattern: pattern, escape: escape), at: at, over: [left, pattern])
  }
}

extension Operator {
  fileprivate var canBeNegated: Bool {
    switch self {
    case .in, .between, .like: true
    default: false
    }
  }
}
