import Events

/// A change of the definitions.
public enum Statement: Hashable, Sendable {
  case create(Definition)
  case drop(Definition.Kind, name: String)
}

/// Reads `CREATE FILTER name AS filter`, `CREATE VIEW name AS SELECT …` or `DROP FILTER|VIEW name`, and
/// checks it against the tables and the definitions that there are: what is returned can be applied to them.
/// Any thread may call; throws the first error with its place.
///
/// A definition's text must be readable now (a filter's on one of the tables at least), its name must be
/// free, and what others stand on is not dropped.
public func parseStatement(_ sql: String, in catalog: some Catalog, _ definitions: Definitions)
  throws(SQLError) -> Statement
{
  var parser = try Parser(sql)
  var reader = StatementReader(catalog: catalog, definitions: definitions)
  if parser.take(word: "CREATE") { return try reader.create(&parser) }
  if parser.take(word: "DROP") { return try reader.drop(&parser) }
  throw parser.expected("INSERT, UPDATE, DELETE, CREATE or DROP")
}

private struct StatementReader {
  let catalog: any Catalog
  let definitions: Definitions

  mutating func create(_ parser: inout Parser) throws(SQLError) -> Statement {
    let kind = try parser.definitionKind()
    let name = try newName(kind, &parser)
    try parser.demand(.as)
    let start = parser.token.at
    let uses = kind == .filter ? try usesOfFilter(&parser) : try usesOfView(&parser)
    let definition = Definition(kind: kind, name: name.text, text: parser.text(from: start), uses: uses)
    guard definitions.count < QueryLimits.definitionsMax,
      definitions.bytes + Definitions.bytes(definition) <= QueryLimits.definitionBytesMax
    else {
      throw parser.source.error(
        .limit, at: name.at,
        "more than \(QueryLimits.definitionsMax) definitions, or \(QueryLimits.definitionBytesMax) bytes of them"
      )
    }
    return .create(definition)
  }

  private func newName(_ kind: Definition.Kind, _ parser: inout Parser) throws(SQLError) -> SelectSyntax.Name
  {
    let name = try parser.name("a name")
    func taken(_ message: String) -> SQLError { parser.source.error(.name, at: name.at, message) }
    if name.text.utf8.count > QueryLimits.nameBytesMax {
      throw parser.source.error(
        .limit, at: name.at, "a name is longer than \(QueryLimits.nameBytesMax) bytes")
    }
    if let old = definitions[name.text] {
      throw taken("there is a \(old.kind.rawValue) \(name.text) already; DROP it first")
    }
    for table in catalog.tableNames {
      if table == name.text { throw taken("\(name.text) is a table") }
      if kind == .filter, catalog.schema(ofTable: table)?.index(of: name.text) != nil {
        throw taken("\(name.text) is a column of \(table)")
      }
    }
    return name
  }

  /// The filter must fit a table; if it fits none, the error is that of the table whose columns it names.
  private func usesOfFilter(_ parser: inout Parser) throws(SQLError) -> [String] {
    let syntax = try parser.expression()
    try parser.end()
    var failure: SQLError?
    for table in catalog.tableNames {
      guard let schema = catalog.schema(ofTable: table) else { continue }
      var checker = Checker(source: parser.source, schema: schema, definitions)
      do throws(SQLError) {
        let filter = try checker.condition(syntax)
        try checkWritten(filter, on: schema, parser.source, at: syntax.at)
        return checker.budget.uses.sorted()
      } catch {
        if failure == nil || failure?.code == .unknownColumn { failure = error }
      }
    }
    throw failure ?? parser.source.error(.unknownTable, at: 0, "there are no tables")
  }

  private func checkWritten(_ filter: Filter, on schema: Schema, _ source: Source, at offset: Int)
    throws(SQLError)
  {
    let writer = Writer(schema)
    let text = "SELECT * FROM " + writer.text(table: schema.table, canonical(filter, on: schema))
    do throws(SQLError) { _ = try parseView(text, in: catalog) } catch {
      throw source.tooLarge("AS", at: offset, error)
    }
  }

  private func usesOfView(_ parser: inout Parser) throws(SQLError) -> [String] {
    let select = try parser.selectStatement()
    var reader = ViewReader(catalog: catalog, definitions: definitions)
    let view = try reader.view(select, parser.source)
    try view.checkWritten(select, parser.source)
    return reader.budget.uses.sorted()
  }

  func drop(_ parser: inout Parser) throws(SQLError) -> Statement {
    let kind = try parser.definitionKind()
    let name = try parser.name("a name")
    try parser.end()
    let found = definitions[name.text]?.kind
    guard found == kind else {
      let hint =
        found.map { "; it is a \($0.rawValue)" } ?? suggestion(for: name.text, among: definitions.names(kind))
      throw parser.source.error(.name, at: name.at, "there is no \(kind.rawValue) \(name.text)\(hint)")
    }
    let users = definitions.users(of: name.text)
    if !users.isEmpty {
      let shown = users.prefix(3).joined(separator: ", ") + (users.count > 3 ? ", …" : "")
      throw parser.source.error(.name, at: name.at, "\(name.text) is used by \(shown)")
    }
    return .drop(kind, name: name.text)
  }
}

extension Parser {
  /// Words that are no keywords of queries are taken so.
  mutating func take(word: String) -> Bool {
    guard case .word(let found) = token.kind, found.uppercased() == word else { return false }
    advance()
    return true
  }

  fileprivate mutating func definitionKind() throws(SQLError) -> Definition.Kind {
    if take(word: "FILTER") { return .filter }
    if take(word: "VIEW") { return .view }
    throw expected("FILTER or VIEW")
  }

  /// The text from a token to the end, without a last semicolon.
  fileprivate func text(from start: Int) -> String {
    let last = tokens.last { $0.kind != .end && $0.kind != .sign(.semicolon) }
    return String(decoding: source.bytes[start..<max(start, last?.range.upperBound ?? start)], as: UTF8.self)
  }
}
