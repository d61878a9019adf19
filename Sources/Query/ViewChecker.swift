import Events

extension Checker {
  /// The view that a statement asks for.
  mutating func view(_ select: SelectSyntax) throws(SQLError) -> View {
    let canonicaliser = Canonicaliser(schema)
    // The columns are looked at first, so that the first error in the text is the one that is told.
    let body = try body(select, canonicaliser)
    let filter: Filter = if let syntax = select.filter { try condition(syntax) } else { .true }
    let groups = try groupColumns(select.groupBy)
    let finished: View.Body
    switch body {
    case .columns(let columns):
      if let first = select.groupBy.first {
        throw source.error(
          .unsupported, at: first.at, "GROUP BY needs a metric behind SELECT, such as COUNT(*)")
      }
      finished = .pure(canonicaliser.sorted(try withKeyColumns(columns)))
    case .metrics(let metrics, let plain):
      finished = try metricBody(metrics, plain, groups)
    }
    return View(schema: schema, filter: canonicaliser.filter(filter), body: finished)
  }

  /// What stands behind SELECT, one name a thing.
  private enum Items {
    case columns([Named<Expression>])
    case metrics([Named<Metric>], plain: [Named<Int>])
  }

  private struct Named<Thing> {
    let name: String
    let thing: Thing
    let at: Int
  }

  private mutating func body(_ select: SelectSyntax, _ canonicaliser: Canonicaliser) throws(SQLError) -> Items
  {
    var columns: [Named<Expression>] = []
    var metrics: [Named<Metric>] = []
    for item in select.items {
      switch item {
      case .star(let at):
        columns += schema.columns.enumerated().map { i, column in
          Named(name: column.name, thing: .column(i, column.type), at: at)
        }
      case .expression(let syntax, let alias):
        if let metric = try metric(syntax, alias, canonicaliser) {
          metrics.append(Named(name: metric.name, thing: metric, at: alias?.at ?? syntax.at))
        } else {
          let value = canonicaliser.expression(try value(syntax))
          columns.append(
            Named(name: alias?.text ?? defaultName(value), thing: value, at: alias?.at ?? syntax.at))
        }
      }
    }
    try checkNames(columns.map { ($0.name, $0.at) } + metrics.map { ($0.name, $0.at) })
    return metrics.isEmpty
      ? .columns(columns) : .metrics(metrics, plain: try plainColumns(columns))
  }

  private func defaultName(_ value: Expression) -> String {
    if case .column(let column, _) = value { return schema.columns[column].name }
    return Writer(schema).text(value)
  }

  private func checkNames(_ names: [(name: String, at: Int)]) throws(SQLError) {
    var seen: Set<String> = []
    for (name, at) in names {
      if name.utf8.count > QueryLimits.nameBytesMax {
        throw source.error(
          .limit, at: at, "a name is longer than \(QueryLimits.nameBytesMax) bytes; AS gives a shorter one")
      }
      if !seen.insert(name).inserted {
        throw source.error(.syntax, at: at, "\(name) is there twice; AS gives one of them another name")
      }
    }
  }

  // MARK: Pure views

  private func withKeyColumns(_ columns: [Named<Expression>]) throws(SQLError) -> [OutputColumn] {
    var result = columns.map { OutputColumn(name: $0.name, expression: $0.thing, type: $0.thing.type) }
    for key in schema.key {
      let column = schema.columns[key]
      let expression = Expression.column(key, column.type)
      guard let taken = columns.first(where: { $0.name == column.name }) else {
        result.append(OutputColumn(name: column.name, expression: expression, type: column.type))
        continue
      }
      if taken.thing != expression {
        throw source.error(
          .syntax, at: taken.at,
          "\(column.name) is a key column and always in the records, so nothing else can have its name")
      }
    }
    return result
  }

  // MARK: Metric views

  /// nil where the expression is no metric.
  private mutating func metric(
    _ syntax: Syntax, _ alias: SelectSyntax.Name?, _ canonicaliser: Canonicaliser
  ) throws(SQLError) -> Metric? {
    let argument: Expression?
    let function: Metric.Function
    switch syntax.form {
    case .callOfStar(let name) where name.uppercased() == "COUNT": (function, argument) = (.count, nil)
    case .call(let name, let arguments):
      guard let named = Metric.Function(rawValue: name.uppercased()) else { return nil }
      function = named
      argument = canonicaliser.expression(try metricArgument(function, arguments, syntax))
    default: return nil
    }
    // There is no NULL that COUNT(c) could leave out.
    let counted = function == .count ? nil : argument
    let type = function.type(counted)
    let name = alias?.text ?? Writer(schema).text(function, counted)
    return Metric(name: name, function: function, argument: counted, type: type)
  }

  private mutating func metricArgument(
    _ function: Metric.Function, _ arguments: [Syntax], _ syntax: Syntax
  ) throws(SQLError) -> Expression {
    guard arguments.count == 1 else {
      throw error(
        .type, syntax, "\(function.rawValue) takes 1 argument, and \(arguments.count) are given")
    }
    let value = try value(arguments[0])
    let fits =
      switch function {
      case .count: true
      case .sum, .avg: value.type.isNumeric
      case .min, .max: value.type != .bool
      }
    if fits { return value }
    throw error(
      .type, arguments[0],
      "\(Writer(schema).text(value)) is \(value.type.withArticle), and \(function.rawValue) takes numbers"
        + (function == .min || function == .max ? " or strings" : ""))
  }

  /// The columns beside metrics, which can only be the table's own.
  private func plainColumns(_ columns: [Named<Expression>]) throws(SQLError) -> [Named<Int>] {
    var plain: [Named<Int>] = []
    for column in columns {
      guard case .column(let index, _) = column.thing else {
        throw source.error(
          .unsupported, at: column.at, "beside metrics only columns of GROUP BY can be selected")
      }
      if plain.contains(where: { $0.thing == index }) {
        throw source.error(
          .unsupported, at: column.at, "\(schema.columns[index].name) is selected twice beside metrics")
      }
      plain.append(Named(name: column.name, thing: index, at: column.at))
    }
    return plain
  }

  private func groupColumns(_ names: [SelectSyntax.Name]) throws(SQLError) -> [Int] {
    var columns: Set<Int> = []
    for name in names { columns.insert(try columnIndex(name.text, at: name.at)) }
    return columns.sorted()
  }

  private func metricBody(_ metrics: [Named<Metric>], _ plain: [Named<Int>], _ groups: [Int])
    throws(SQLError) -> View.Body
  {
    for column in plain where !groups.contains(column.thing) {
      let name = schema.columns[column.thing].name
      throw source.error(
        .unsupported, at: column.at, "\(name) stands beside metrics, so it must be in GROUP BY")
    }
    let groupBy = groups.map { index in
      let alias = plain.first { $0.thing == index }?.name
      return GroupColumn(name: alias ?? schema.columns[index].name, column: index)
    }
    for (i, group) in groupBy.enumerated() {
      let metric = metrics.first { $0.name == group.name }
      if let metric {
        throw source.error(.syntax, at: metric.at, "\(group.name) is the name of a column of GROUP BY, too")
      }
      if groupBy[..<i].contains(where: { $0.name == group.name }) {
        let at = plain.first { $0.name == group.name }?.at ?? 0
        throw source.error(
          .syntax, at: at, "\(group.name) is there twice, since GROUP BY columns are included")
      }
    }
    let sorted = metrics.map(\.thing).sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    return .metric(metrics: sorted, groupBy: groupBy)
  }
}

extension Metric.Function {
  fileprivate func type(_ argument: Expression?) -> ColumnType {
    guard let argument else { return .int }
    switch self {
    case .count: return .int
    case .sum: return argument.type == .real ? .real : .int
    case .avg: return .real
    case .min, .max: return argument.type
    }
  }
}
