/// Reads statements. Operators and their strength are SQLite's; `ExpressionParser.swift` has them.
struct Parser {
  let source: Source
  let tokens: [Token]
  var position = 0
  /// Expressions that are being read inside each other.
  var nesting = 0

  init(_ text: String) throws(SQLError) {
    source = try Source(text)
    tokens = try Lexer.tokens(of: source)
  }

  // MARK: Tokens

  var token: Token { tokens[position] }

  mutating func advance() {
    if position < tokens.count - 1 { position += 1 }
  }

  var found: String { token.kind == .end ? "the end" : source.excerpt(token.range) }

  func error(_ code: SQLError.Code, _ message: String) -> SQLError {
    source.error(code, at: token.at, message)
  }

  func expected(_ what: String) -> SQLError { error(.syntax, "found \(found) where \(what) was expected") }

  func isSign(_ sign: Sign) -> Bool { token.kind == .sign(sign) }

  mutating func take(_ sign: Sign) -> Bool {
    guard isSign(sign) else { return false }
    advance()
    return true
  }

  mutating func demand(_ sign: Sign, _ what: String? = nil) throws(SQLError) {
    if !take(sign) { throw expected(what ?? sign.rawValue) }
  }

  /// The keyword that a token is, in upper case.
  func keyword(_ ahead: Int = 0) -> Keyword? {
    let at = min(position + ahead, tokens.count - 1)
    guard case .word(let word) = tokens[at].kind else { return nil }
    return Keyword(word)
  }

  mutating func take(_ keyword: Keyword) -> Bool {
    guard self.keyword() == keyword else { return false }
    advance()
    return true
  }

  mutating func demand(_ keyword: Keyword) throws(SQLError) {
    if !take(keyword) { throw expected(keyword.rawValue) }
  }

  mutating func name(_ what: String) throws(SQLError) -> SelectSyntax.Name {
    let at = token.at
    switch token.kind {
    case .quoted(let text):
      advance()
      return SelectSyntax.Name(text: text, at: at)
    case .word(let text):
      if let keyword = keyword() {
        throw error(
          .syntax,
          "found \(keyword.rawValue) where \(what) was expected; a name that is a keyword is written \"\(text)\""
        )
      }
      advance()
      return SelectSyntax.Name(text: text, at: at)
    default: throw expected(what)
    }
  }

  // MARK: SELECT

  mutating func selectStatement() throws(SQLError) -> SelectSyntax {
    if !take(.select) {
      if case .word(let word) = token.kind, Keyword.otherStatements.contains(word.uppercased()) {
        throw error(.unsupported, "\(word.uppercased()) is no question: a request is SELECT … FROM …")
      }
      throw expected("SELECT")
    }
    if keyword() == .distinct {
      throw error(.unsupported, "DISTINCT is not supported: rows have keys already")
    }
    let items = try selectItems()
    try demand(.from)
    let table = try name("a table")
    let filter: Syntax? = take(.where) ? try expression() : nil
    let groupBy = try groupColumns()
    try end()
    return SelectSyntax(items: items, table: table, filter: filter, groupBy: groupBy)
  }

  private mutating func selectItems() throws(SQLError) -> [SelectSyntax.Item] {
    var items: [SelectSyntax.Item] = []
    repeat {
      if items.count == QueryLimits.selectItemsMax {
        throw error(
          .limit,
          "more than \(QueryLimits.selectItemsMax) columns behind SELECT, with those of the key and of GROUP BY"
        )
      }
      items.append(try selectItem())
    } while take(.comma)
    return items
  }

  private mutating func selectItem() throws(SQLError) -> SelectSyntax.Item {
    let at = token.at
    if take(.star) { return .star(at: at) }
    let value = try expression()
    let alias: SelectSyntax.Name? = take(.as) ? try name("a name") : nil
    if alias == nil, keyword() == nil, !isSign(.comma), token.kind != .end {
      throw expected("AS, a comma or FROM")
    }
    return .expression(value, alias: alias)
  }

  private mutating func groupColumns() throws(SQLError) -> [SelectSyntax.Name] {
    guard take(.group) else { return [] }
    try demand(.by)
    var names: [SelectSyntax.Name] = []
    repeat {
      if names.count == QueryLimits.groupColumnsMax {
        throw error(.limit, "more than \(QueryLimits.groupColumnsMax) columns behind GROUP BY")
      }
      names.append(try name("a column"))
    } while take(.comma)
    return names
  }

  /// Nothing but one semicolon may follow.
  mutating func end() throws(SQLError) {
    _ = take(.semicolon)
    if token.kind == .end { return }
    if let keyword = keyword(), Keyword.unsupportedClauses.contains(keyword) {
      throw error(
        .unsupported, "\(keyword.rawValue) is not supported: a view is SELECT … FROM … WHERE … GROUP BY …")
    }
    throw expected("the end")
  }
}

/// The words that cannot be names unless they are quoted.
enum Keyword: String, CaseIterable {
  case select = "SELECT"
  case from = "FROM"
  case `where` = "WHERE"
  case group = "GROUP"
  case by = "BY"
  case `as` = "AS"
  case and = "AND"
  case or = "OR"
  case not = "NOT"
  case `in` = "IN"
  case between = "BETWEEN"
  case like = "LIKE"
  case escape = "ESCAPE"
  case null = "NULL"
  case `true` = "TRUE"
  case `false` = "FALSE"
  case `is` = "IS"
  case distinct = "DISTINCT"
  case `case` = "CASE"
  case when = "WHEN"
  case then = "THEN"
  case `else` = "ELSE"
  case order = "ORDER"
  case having = "HAVING"
  case limit = "LIMIT"
  case join = "JOIN"
  case union = "UNION"

  static let unsupportedClauses: Set<Keyword> = [.order, .having, .limit, .join, .union]
  static let otherStatements: Set<String> = [
    "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "WITH", "EXPLAIN", "PRAGMA",
  ]
  private static let longest = 8
  private static let byWord = Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })

  /// Keywords are known in any case.
  init?(_ word: String) {
    guard word.utf8.count <= Self.longest, let keyword = Self.byWord[word.uppercased()] else { return nil }
    self = keyword
  }
}
