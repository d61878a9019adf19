/// A view that is asked for once.
public struct Question: Sendable {
  public let view: View
  /// `EXPLAIN SELECT …`: asked is what becomes of the view, not its rows.
  public let isExplained: Bool
}

/// Reads `SELECT …` or `EXPLAIN SELECT …`, as `parseView` does.
public func parseQuestion(
  _ sql: String, in catalog: some Catalog, _ definitions: Definitions = Definitions()
) throws(SQLError) -> Question {
  var parser = try Parser(sql)
  let isExplained = parser.take(word: "EXPLAIN")
  return Question(view: try readView(&parser, catalog, definitions), isExplained: isExplained)
}
