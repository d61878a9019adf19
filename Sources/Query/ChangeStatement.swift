import Events

/// A change of rows as a client asked for it: `INSERT`, `UPDATE` or `DELETE`. It stands alone: named filters are
/// expanded, and NOW() is the time at which it was read.
public struct ChangeStatement: Sendable {
  /// A column and what it becomes; the value is of the column's type, or an integer for a time.
  public struct Assignment: Hashable, Sendable {
    public let column: Int
    public let value: Expression
  }

  public enum Kind: Hashable, Sendable {
    /// New rows, or duplicates of those that are there: each the values of some columns, the key's among them.
    case insert([[Value]])
    case update([Assignment])
    case delete
  }

  /// A column's value in a row that is inserted.
  public struct Value: Hashable, Sendable {
    public let column: Int
    public let value: Events.Value
  }

  public let schema: Schema
  public let kind: Kind
  /// Which rows an `UPDATE` or `DELETE` touches, in canonical form.
  public let filter: Filter
  /// The names of the definitions that it was expanded from, ascending.
  public let uses: [String]

  /// The SQL of an `UPDATE` or `DELETE`, which reads back as the same change without any definitions. ASCII only.
  public var text: String {
    let writer = Writer(schema)
    let place = writer.text(table: schema.table, filter)
    switch kind {
    case .insert: preconditionFailure("rows that are inserted go on as events")
    case .delete: return "DELETE FROM \(place)"
    case .update(let assignments):
      let set = assignments.map { writer.text(.column($0.column, .int)) + " = " + writer.text($0.value) }
      let condition = place.dropFirst(Writer.name(schema.table).count)
      return "UPDATE \(Writer.name(schema.table)) SET \(set.joined(separator: ", "))\(condition)"
    }
  }
}

/// Whether a command's SQL is a change of rows, by its first word: all else is the registry's. Two readers ask,
/// and each command is answered by exactly one of them. O(blanks and comments before the first word).
public func isChange(_ sql: String) -> Bool {
  var rest = Array(sql.utf8)[...]
  while skipBlank(&rest) || skipComment(&rest) {}
  let word = rest.prefix { Lexer.startsWord($0) || $0 == UInt8(ascii: "$") || ($0 >= 0x30 && $0 <= 0x39) }
  return ["INSERT", "UPDATE", "DELETE"].contains(String(decoding: word, as: UTF8.self).uppercased())
}

private func skipBlank(_ text: inout ArraySlice<UInt8>) -> Bool {
  guard let first = text.first, [0x20, 0x09, 0x0A, 0x0D, 0x0C].contains(first) else { return false }
  text.removeFirst()
  return true
}

private func skipComment(_ text: inout ArraySlice<UInt8>) -> Bool {
  if text.starts(with: "--".utf8) {
    text = text.drop { $0 != UInt8(ascii: "\n") }
    return true
  }
  guard text.starts(with: "/*".utf8) else { return false }
  text = text.dropFirst(2)
  while !text.isEmpty, !text.starts(with: "*/".utf8) { text.removeFirst() }
  text = text.dropFirst(2)
  return true
}

/// Reads `INSERT INTO table (columns) VALUES (…), …`, `UPDATE table SET column = value, … [WHERE filter]` or
/// `DELETE FROM table [WHERE filter]`. `now` (ms since 1970) is what NOW() stands for, anywhere in it. Any thread
/// may call; throws the first error with its place. One whose canonical text would pass the limits is refused.
public func parseChange(
  _ sql: String, in catalog: some Catalog, _ definitions: Definitions = Definitions(), now: Int64
) throws(SQLError) -> ChangeStatement {
  var parser = try Parser(sql)
  let syntax = try parser.changeStatement()
  guard let schema = catalog.schema(ofTable: syntax.table.text) else {
    let hint = suggestion(for: syntax.table.text, among: catalog.tableNames)
    let isView = definitions[syntax.table.text]?.kind == .view
    throw parser.source.error(
      .unknownTable, at: syntax.table.at,
      isView
        ? "\(syntax.table.text) is a view; rows are changed in their table"
        : "there is no table \(syntax.table.text)\(hint)")
  }
  var checker = Checker(source: parser.source, schema: schema, definitions)
  checker.now = now
  let change = try checker.change(syntax)
  try change.checkWritten(syntax, parser.source)
  return change
}

extension ChangeStatement {
  /// The shards read its text. `syntax` is what was asked, in `source`: the error is told of the part of it whose
  /// canonical form is too large.
  fileprivate func checkWritten(_ syntax: ChangeSyntax, _ source: Source) throws(SQLError) {
    if case .insert = kind { return }
    guard let fault = fault() else { return }
    let whole = ChangeStatement(schema: schema, kind: kind, filter: .true, uses: uses)
    if case .update(let assignments) = syntax.kind, whole.fault() != nil {
      throw source.tooLarge("SET", at: assignments.first?.column.at ?? syntax.table.at, fault)
    }
    throw source.tooLarge("WHERE", at: syntax.filter?.at ?? syntax.table.at, fault)
  }

  /// What stands against reading its text.
  private func fault() -> SQLError? {
    do throws(SQLError) {
      var parser = try Parser(text)
      var checker = Checker(source: parser.source, schema: schema)
      checker.now = 0
      _ = try checker.change(try parser.changeStatement())
      return nil
    } catch { return error }
  }
}
