import Events

/// Reads whole statements: finds what stands behind FROM, and expands it where it is a view.
struct ViewReader {
  let catalog: any Catalog
  let definitions: Definitions
  var budget = Budget()

  init(catalog: any Catalog, definitions: Definitions) {
    self.catalog = catalog
    self.definitions = definitions
  }

  mutating func view(_ select: SelectSyntax, _ source: Source) throws(SQLError) -> View {
    if let schema = catalog.schema(ofTable: select.table.text) {
      return try view(select, source, schema, scope: nil, inner: .true)
    }
    guard definitions[select.table.text]?.kind == .view else { throw unknownTable(select.table, source) }
    let inner = try expanded(select.table, source)
    switch inner.body {
    case .pure(let columns):
      let scope = Scope(view: select.table.text, columns)
      return try view(select, source, inner.schema, scope: scope, inner: inner.filter)
    case .metric:
      let checker = Checker(source: source, schema: inner.schema, definitions)
      let body = try checker.part(of: inner, select)
      return View(schema: inner.schema, filter: inner.filter, body: body, uses: budget.uses.sorted())
    }
  }

  private mutating func view(
    _ select: SelectSyntax, _ source: Source, _ schema: Schema, scope: Scope?, inner: Filter
  ) throws(SQLError) -> View {
    var checker = Checker(source: source, schema: schema, definitions, scope: scope, budget: budget)
    let (filter, body) = try checker.view(select)
    budget = checker.budget
    let whole = Canonicaliser(schema).filter(inner == .true ? filter : .and([inner, filter]))
    return View(schema: schema, filter: whole, body: body, uses: budget.uses.sorted())
  }

  private func unknownTable(_ name: SelectSyntax.Name, _ source: Source) -> SQLError {
    let hint = suggestion(for: name.text, among: catalog.tableNames + definitions.names(.view))
    let isFilter = definitions[name.text] != nil ? "; it is a filter, which stands behind WHERE" : hint
    return source.error(.unknownTable, at: name.at, "there is no table \(name.text)\(isFilter)")
  }

  private mutating func expanded(_ name: SelectSyntax.Name, _ source: Source) throws(SQLError) -> View {
    do throws(SQLError) {
      try budget.expand(name.text, source, at: name.at)
      var parser = try Parser(definitions[name.text]?.text ?? "")
      return try view(try parser.selectStatement(), parser.source)
    } catch {
      throw error.inside(name.text, source, at: name.at)
    }
  }
}

extension Checker {
  /// What is selected of a metric view: all, or some of its columns, under their names or others. Its groups
  /// are always there.
  func part(of view: View, _ select: SelectSyntax) throws(SQLError) -> View.Body {
    guard case .metric(let metrics, let groupBy) = view.body else { return view.body }
    let name = select.table.text
    if let place = select.filter?.at ?? select.groupBy.first?.at {
      throw source.error(
        .unsupported, at: place, "\(name) is a summary: its groups are not filtered or grouped again")
    }
    var chosen: [Named<Metric>] = []
    var columns: [Named<Int>] = []
    for item in select.items {
      switch item {
      case .star(let at):
        columns += groupBy.map { Named(name: $0.name, thing: $0.column, at: at) }
        chosen += metrics.map { Named(name: $0.name, thing: $0, at: at) }
      case .expression(let syntax, let alias):
        guard case .name(let column) = syntax.form else {
          throw error(.unsupported, syntax, "\(name) is a summary: its columns are selected as they are")
        }
        let (called, at) = (alias?.text ?? column, alias?.at ?? syntax.at)
        if let metric = metrics.first(where: { $0.name == column }) {
          chosen.append(Named(name: called, thing: metric.named(called), at: at))
        } else if let group = groupBy.first(where: { $0.name == column }) {
          columns.append(Named(name: called, thing: group.column, at: at))
        } else {
          let hint = suggestion(for: column, among: (groupBy.map(\.name) + metrics.map(\.name)))
          throw error(.unknownColumn, syntax, "\(name) has no column \(column)\(hint)")
        }
      }
    }
    try checkNames(columns, chosen)
    try checkOnce(columns)
    if chosen.isEmpty {
      throw source.error(.unsupported, at: select.table.at, "\(name) is a summary: select one of its metrics")
    }
    return try metricBody(chosen, columns, groupBy)
  }
}

extension Metric {
  func named(_ name: String) -> Metric {
    Metric(name: name, function: function, argument: argument, type: type)
  }

  static func sorted(_ metrics: [Metric]) -> [Metric] {
    metrics.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }
}
