/// `INSERT`, `UPDATE` or `DELETE` as it was written.
struct ChangeSyntax {
  enum Kind {
    case insert(columns: [SelectSyntax.Name], rows: [Row])
    case update([(column: SelectSyntax.Name, value: Syntax)])
    case delete
  }

  /// What stands between two parentheses behind VALUES.
  struct Row {
    let values: [Syntax]
    let at: Int
  }

  let kind: Kind
  let table: SelectSyntax.Name
  var filter: Syntax?
}

extension Parser {
  mutating func changeStatement() throws(SQLError) -> ChangeSyntax {
    if take(word: "INSERT") { return try insert() }
    if take(word: "UPDATE") { return try update() }
    if take(word: "DELETE") { return try delete() }
    throw expected("INSERT, UPDATE or DELETE")
  }

  private mutating func insert() throws(SQLError) -> ChangeSyntax {
    if !take(word: "INTO") { throw expected("INTO") }
    let table = try name("a table")
    try demand(.open, "( and the columns that have values")
    var columns: [SelectSyntax.Name] = []
    repeat { columns.append(try name("a column")) } while take(.comma)
    try demand(.close, "a comma or )")
    if keyword() == .select { throw error(.unsupported, "rows come from VALUES, not from a SELECT") }
    if !take(word: "VALUES") { throw expected("VALUES") }
    var rows: [ChangeSyntax.Row] = []
    repeat {
      if rows.count == QueryLimits.insertRowsMax {
        throw error(.limit, "more than \(QueryLimits.insertRowsMax) rows in one INSERT")
      }
      rows.append(try row())
    } while take(.comma)
    try endOfChange("INSERT INTO … (…) VALUES (…), …")
    return ChangeSyntax(kind: .insert(columns: columns, rows: rows), table: table)
  }

  private mutating func row() throws(SQLError) -> ChangeSyntax.Row {
    let at = token.at
    try demand(.open, "( and a row's values")
    var values: [Syntax] = []
    repeat { values.append(try expression()) } while take(.comma)
    try demand(.close, "a comma or )")
    return ChangeSyntax.Row(values: values, at: at)
  }

  private mutating func update() throws(SQLError) -> ChangeSyntax {
    let table = try name("a table")
    if !take(word: "SET") { throw expected("SET") }
    var assignments: [(column: SelectSyntax.Name, value: Syntax)] = []
    repeat {
      let column = try name("a column")
      try demand(.equal)
      assignments.append((column, try expression()))
    } while take(.comma)
    let filter = try condition()
    try endOfChange("UPDATE … SET … WHERE …")
    return ChangeSyntax(kind: .update(assignments), table: table, filter: filter)
  }

  private mutating func delete() throws(SQLError) -> ChangeSyntax {
    try demand(.from)
    let table = try name("a table")
    let filter = try condition()
    try endOfChange("DELETE FROM … WHERE …")
    return ChangeSyntax(kind: .delete, table: table, filter: filter)
  }

  private mutating func condition() throws(SQLError) -> Syntax? { take(.where) ? try expression() : nil }

  /// Nothing but one semicolon may follow.
  private mutating func endOfChange(_ form: String) throws(SQLError) {
    _ = take(.semicolon)
    if token.kind == .end { return }
    if let keyword = keyword(), Keyword.unsupportedClauses.contains(keyword) {
      throw error(.unsupported, "\(keyword.rawValue) is not supported: a change is \(form)")
    }
    throw expected("the end")
  }
}
