import Events

/// What one query may still spend, over all the texts that it is expanded from.
struct Budget {
  var atoms = 0
  var values = 0
  var expansions = 0
  /// Levels of the tree above the value that is looked at.
  var depth = 0
  /// The names that were expanded.
  var uses: Set<String> = []
}

/// What the names of a query's columns stand for where it asks a view.
struct Scope {
  struct Entry {
    let name: String
    let value: Expression
    /// Parts and levels of `value`: a name takes as much of the limits as what it stands for.
    let size: Int
    let depth: Int
  }

  let view: String
  /// In the order of the view's records.
  let entries: [Entry]
  private let places: [String: Int]

  init(view: String, _ columns: [OutputColumn]) {
    self.view = view
    entries = columns.map {
      let (size, depth) = $0.expression.measure
      return Entry(name: $0.name, value: $0.expression, size: size, depth: depth)
    }
    places = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1.name, $0) })
  }

  subscript(name: String) -> Entry? { places[name].map { entries[$0] } }
}

extension Checker {
  /// A column of the table or view, or a named filter.
  mutating func named(_ name: String, _ syntax: Syntax) throws(SQLError) -> Expression {
    if let scope {
      if let entry = scope[name] { return try substituted(entry, syntax) }
    } else if let index = schema.index(of: name) {
      return .column(index, schema.columns[index].type)
    }
    if definitions[name]?.kind == .filter { return .condition(try expandedFilter(name, syntax)) }
    throw unknownColumn(name, at: syntax.at, or: definitions.names(.filter))
  }

  private mutating func substituted(_ entry: Scope.Entry, _ syntax: Syntax) throws(SQLError) -> Expression {
    budget.values += entry.size
    if budget.depth + entry.depth > QueryLimits.depthMax { throw tooDeep(syntax) }
    return entry.value
  }

  /// The filter is about the table's row, whatever view is asked.
  private mutating func expandedFilter(_ name: String, _ syntax: Syntax) throws(SQLError) -> Filter {
    let (outerSource, outerScope) = (source, scope)
    defer { (source, scope) = (outerSource, outerScope) }
    do throws(SQLError) {
      try budget.expand(name, source, at: syntax.at)
      var parser = try Parser(definitions[name]?.text ?? "")
      (source, scope) = (parser.source, nil)
      let inner = try parser.expression()
      try parser.end()
      return try condition(inner)
    } catch {
      throw error.inside(name, outerSource, at: syntax.at)
    }
  }
}

extension Budget {
  mutating func expand(_ name: String, _ source: Source, at: Int) throws(SQLError) {
    expansions += 1
    uses.insert(name)
    if expansions > QueryLimits.expansionsMax {
      throw source.error(
        .limit, at: at, "more than \(QueryLimits.expansionsMax) named filters and views in one query")
    }
  }
}

extension SQLError {
  /// The error as one of the text that used a name.
  func inside(_ name: String, _ source: Source, at: Int) -> SQLError {
    source.error(code, at: at, "in \(name) (\(line):\(column)): \(message)")
  }
}
