import Events

/// Where tables are looked up.
public protocol Catalog {
  func schema(ofTable name: String) -> Schema?
  /// For suggestions in errors.
  var tableNames: [String] { get }
}

/// What a field of a record holds.
public enum OutputType: String, Hashable, Sendable {
  case string, int, real, bool, time
  /// A JSON array of integers: of a HISTOGRAM, one more than its bounds.
  case ints = "int[]"

  public init(_ type: ColumnType) {
    switch type {
    case .string: self = .string
    case .int: self = .int
    case .real: self = .real
    case .bool: self = .bool
    case .time: self = .time
    }
  }
}

/// A field of a view's records.
public struct RecordColumn: Hashable, Sendable {
  public let name: String
  public let type: OutputType

  public init(name: String, type: OutputType) {
    self.name = name
    self.type = type
  }
}

/// A column of a pure view's records.
public struct OutputColumn: Hashable, Sendable {
  public let name: String
  /// Most often `.column`.
  public let expression: Expression
  public let type: ColumnType
}

/// A summary of the rows that pass a view's filter.
public struct Metric: Hashable, Sendable {
  public enum Function: Hashable, Sendable {
    case count
    /// `COUNT(DISTINCT e)`: different values, of any type (bool too).
    case countDistinct
    case sum, avg, min, max
    /// The value below which this part of the values lies: from 0, the least, to 1, the greatest.
    case quantile(Double)
    /// How many values are below the first bound; for each bound but the last, how many are at least it and
    /// below the next; how many are at least the last. The bounds ascend, and there is at least one.
    case histogram([Number])
  }

  /// As its AS says, or its canonical spelling: `COUNT(*)`, `SUM(Tally)`.
  public let name: String
  public let function: Function
  /// nil for COUNT: there is no NULL that it could leave out.
  public let argument: Expression?
  public let type: OutputType
}

/// A column that a metric view's records are grouped by.
public struct GroupColumn: Hashable, Sendable {
  public let name: String
  /// Its number in the schema.
  public let column: Int
}

/// What a request asks for, in canonical form: two spellings of one question are the same view.
public struct View: Sendable {
  public enum Body: Hashable, Sendable {
    /// The key columns first, then the table's columns in their order, then what is computed, by name.
    case pure([OutputColumn])
    /// Metrics by name; group columns in the table's order.
    case metric(metrics: [Metric], groupBy: [GroupColumn])
  }

  public let schema: Schema
  /// In canonical form; `Filter.true` without WHERE.
  public let filter: Filter
  public let body: Body
  /// Canonical text of table and filter. Views with equal texts are of one request set. ASCII only, so
  /// that equal Strings are equal bytes.
  public let filterText: String
  /// Canonical text of the whole view, itself SQL. Views with equal texts are one primary. ASCII only.
  public let text: String

  /// The names of the definitions that it was expanded from, ascending.
  public let uses: [String]

  init(schema: Schema, filter: Filter, body: Body, uses: [String]) {
    self.uses = uses
    self.schema = schema
    self.filter = filter
    self.body = body
    let writer = Writer(schema)
    filterText = writer.text(table: schema.table, filter)
    text = writer.text(body) + " FROM " + filterText + writer.groupText(body)
  }

  /// The numbers of the table's columns that its filter or its records read, ascending.
  public var columnsUsed: [Int] {
    let values: [Int] =
      switch body {
      case .pure(let columns): columns.flatMap(\.expression.columnsUsed)
      case .metric(let metrics, let groupBy):
        groupBy.map(\.column) + metrics.flatMap { $0.argument?.columnsUsed ?? [] }
      }
    return Set(filter.columnsUsed + values).sorted()
  }

  /// The fields of its records, in their order.
  public var recordColumns: [RecordColumn] {
    switch body {
    case .pure(let columns): columns.map { RecordColumn(name: $0.name, type: OutputType($0.type)) }
    case .metric(let metrics, let groupBy):
      groupBy.map { RecordColumn(name: $0.name, type: OutputType(schema.columns[$0.column].type)) }
        + metrics.map { RecordColumn(name: $0.name, type: $0.type) }
    }
  }
}

extension View {
  /// Its text must be readable as the same view. `select` is what was asked, in `source`: the error is told of the
  /// part of it whose canonical form is too large.
  func checkWritten(_ select: SelectSyntax, _ source: Source) throws(SQLError) {
    guard let fault = fault() else { return }
    let items = View(schema: schema, filter: .true, body: body, uses: uses)
    if items.fault() != nil {
      throw source.tooLarge("SELECT", at: select.items.first?.at ?? select.table.at, fault)
    }
    guard let filter = select.filter else { throw source.tooLarge("FROM", at: select.table.at, fault) }
    throw source.tooLarge("WHERE", at: filter.at, fault)
  }

  /// What stands against reading its text.
  private func fault() -> SQLError? {
    do throws(SQLError) {
      var parser = try Parser(text)
      let select = try parser.selectStatement()
      var checker = Checker(source: parser.source, schema: schema)
      _ = try checker.view(select)
      return nil
    } catch { return error }
  }
}

extension SelectSyntax.Item {
  fileprivate var at: Int {
    switch self {
    case .star(let at): at
    case .expression(let syntax, _): syntax.at
    }
  }
}

extension Source {
  /// `fault` is one of the canonical text, which whoever wrote `part` has not seen: its place there means nothing.
  func tooLarge(_ part: String, at offset: Int, _ fault: SQLError) -> SQLError {
    error(.limit, at: offset, "behind \(part) the canonical form is too large: \(fault.message)")
  }
}

/// Reads a `SELECT`, in which the named filters and views are expanded. Any thread may call; throws the
/// first error with its place. The text of a view that is returned reads back as the same view, without
/// any definitions: one whose text would pass the limits is refused.
public func parseView(
  _ sql: String, in catalog: some Catalog, _ definitions: Definitions = Definitions()
) throws(SQLError) -> View {
  var parser = try Parser(sql)
  return try readView(&parser, catalog, definitions)
}

func readView(_ parser: inout Parser, _ catalog: any Catalog, _ definitions: Definitions) throws(SQLError)
  -> View
{
  var reader = ViewReader(catalog: catalog, definitions: definitions)
  let select = try parser.selectStatement()
  let view = try reader.view(select, parser.source)
  try view.checkWritten(select, parser.source)
  return view
}

/// Reads a condition alone, as it stands behind WHERE. The result is not yet `canonical`.
public func parseFilter(_ sql: String, on schema: Schema) throws(SQLError) -> Filter {
  var parser = try Parser(sql)
  let syntax = try parser.expression()
  try parser.end()
  var checker = Checker(source: parser.source, schema: schema)
  return try checker.condition(syntax)
}

/// Reads a value alone, as it stands behind SELECT.
public func parseExpression(_ sql: String, on schema: Schema) throws(SQLError) -> Expression {
  var parser = try Parser(sql)
  let syntax = try parser.expression()
  try parser.end()
  var checker = Checker(source: parser.source, schema: schema)
  checker.allowsClock = false
  return try checker.value(syntax)
}
