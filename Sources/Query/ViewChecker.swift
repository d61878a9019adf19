import Events

extension Checker {
  /// What a statement asks of the table or of the view that is its scope.
  mutating func view(_ select: SelectSyntax) throws(SQLError) -> (Filter, View.Body) {
    let canonicaliser = Canonicaliser(schema)
    // The columns are looked at first, so that the first error in the text is the one that is told.
    allowsClock = false
    let body = try body(select, canonicaliser)
    allowsClock = true
    let filter: Filter = if let syntax = select.filter { try condition(syntax) } else { .true }
    let groups = try groupColumns(select.groupBy)
    switch body {
    case .columns(let columns):
      if let first = select.groupBy.first {
        throw source.error(
          .unsupported, at: first.at, "GROUP BY needs a metric behind SELECT, such as COUNT(*)")
      }
      return (filter, .pure(canonicaliser.sorted(try withKeyColumns(columns))))
    case .metrics(let metrics, let plain):
      return (filter, try metricBody(metrics, plain, groups))
    }
  }

  /// What stands behind SELECT, one name a thing.
  private enum Items {
    case columns([Named<Expression>])
    case metrics([Named<Metric>], plain: [Named<Int>])
  }

  /// A thing that is selected, and where its name stands, or `*` for it.
  struct Named<Thing> {
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
        columns += allColumns().map { Named(name: $0.name, thing: $0.value, at: at) }
      case .expression(let syntax, let alias):
        if let metric = try metric(syntax, alias, canonicaliser) {
          metrics.append(Named(name: metric.name, thing: metric, at: alias?.at ?? syntax.at))
        } else {
          let value = canonicaliser.expression(try value(syntax))
          let name = alias?.text ?? defaultName(syntax, value)
          columns.append(Named(name: name, thing: value, at: alias?.at ?? syntax.at))
        }
      }
    }
    try checkNames(columns, metrics)
    return metrics.isEmpty
      ? .columns(columns) : .metrics(metrics, plain: try plainColumns(columns, select.groupBy))
  }

  private func allColumns() -> [(name: String, value: Expression)] {
    if let scope { return scope.entries.map { ($0.name, $0.value) } }
    return schema.columns.enumerated().map { ($1.name, .column($0, $1.type)) }
  }

  private func defaultName(_ syntax: Syntax, _ value: Expression) -> String {
    if case .name(let name) = syntax.form { return name }
    return Writer(schema).text(value)
  }

  /// The first in the text that has another's name is the one that is told.
  func checkNames<Column>(_ columns: [Named<Column>], _ metrics: [Named<Metric>]) throws(SQLError) {
    var seen: Set<String> = []
    let names = columns.map { ($0.name, $0.at) } + metrics.map { ($0.name, $0.at) }
    for (name, at) in names.sorted(by: { $0.1 < $1.1 }) {
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
    let function: Metric.Function
    var argument: Expression?
    switch syntax.form {
    case .callOfStar(let name) where name.uppercased() == "COUNT": function = .count
    case .callOfDistinct(let name, let counted) where name.uppercased() == "COUNT":
      function = .countDistinct
      argument = canonicaliser.expression(try value(counted))
    case .call(let name, let arguments) where Metric.Function.names.contains(name.uppercased()):
      let name = name.uppercased()
      let summed = canonicaliser.expression(try metricArgument(name, arguments, syntax))
      function = try metricFunction(name, arguments.dropFirst())
      // There is no NULL that COUNT(c) could leave out.
      argument = function == .count ? nil : summed
    default: return nil
    }
    let name = alias?.text ?? Writer(schema).text(function, argument)
    return Metric(name: name, function: function, argument: argument, type: function.type(argument))
  }

  private mutating func metricArgument(_ name: String, _ arguments: [Syntax], _ syntax: Syntax)
    throws(SQLError) -> Expression
  {
    let fits =
      switch name {
      case "QUANTILE": arguments.count == 2
      case "HISTOGRAM": arguments.count >= 2
      default: arguments.count == 1
      }
    guard fits else {
      let wanted = ["QUANTILE": "2 arguments", "HISTOGRAM": "2 arguments or more"][name] ?? "1 argument"
      throw error(.type, syntax, "\(name) takes \(wanted), and \(arguments.count) are given")
    }
    let value = try value(arguments[0])
    let takesStrings = name == "MIN" || name == "MAX"
    if name == "COUNT" || value.type.isNumeric || takesStrings && value.type == .string { return value }
    let wanted =
      switch name {
      case "MIN", "MAX": "numbers, times or strings"
      case "QUANTILE", "HISTOGRAM": "numbers or times"
      default: "numbers"
      }
    throw error(.type, arguments[0], "\(described(value)), and \(name) takes \(wanted)")
  }

  private mutating func metricFunction(_ name: String, _ parameters: ArraySlice<Syntax>) throws(SQLError)
    -> Metric.Function
  {
    switch name {
    case "COUNT": .count
    case "SUM": .sum
    case "AVG": .avg
    case "MIN": .min
    case "MAX": .max
    case "QUANTILE": .quantile(try part(parameters.first!))
    default: .histogram(try bounds(parameters))
    }
  }

  private mutating func part(_ syntax: Syntax) throws(SQLError) -> Double {
    let part = try constant(syntax, "QUANTILE")
    if part.real >= 0 && part.real <= 1 { return part.real }
    throw error(
      .type, syntax,
      "QUANTILE takes a part from 0 to 1, such as 0.99, and \(Writer.text(Constant(part))) is none")
  }

  private mutating func bounds(_ syntaxes: ArraySlice<Syntax>) throws(SQLError) -> [Number] {
    if syntaxes.count > QueryLimits.histogramBoundsMax {
      let place = syntaxes[syntaxes.startIndex + QueryLimits.histogramBoundsMax]
      throw error(.limit, place, "more than \(QueryLimits.histogramBoundsMax) bounds of a HISTOGRAM")
    }
    var bounds: [Number] = []
    for syntax in syntaxes {
      let bound = try constant(syntax, "HISTOGRAM")
      if let last = bounds.last, Number.order(last, bound) >= 0 {
        let (low, high) = (Writer.text(Constant(last)), Writer.text(Constant(bound)))
        throw error(.type, syntax, "the bounds of a HISTOGRAM ascend, and \(high) stands behind \(low)")
      }
      bounds.append(bound)
    }
    return bounds
  }

  private mutating func constant(_ syntax: Syntax, _ user: String) throws(SQLError) -> Number {
    let value = try value(syntax)
    if let number = value.constant?.number { return number.simplest }
    throw error(.type, syntax, "\(described(value)), and \(user) takes a constant number here")
  }

  /// The columns beside metrics, which can only be the table's own.
  private func plainColumns(_ columns: [Named<Expression>], _ groupBy: [SelectSyntax.Name]) throws(SQLError)
    -> [Named<Int>]
  {
    var plain: [Named<Int>] = []
    for column in columns {
      guard case .column(let index, _) = column.thing else { throw computed(column, groupBy) }
      plain.append(Named(name: column.name, thing: index, at: column.at))
    }
    try checkOnce(plain)
    return plain
  }

  /// Beside metrics something computed is selected. Where GROUP BY has it too, that is the fault to mend.
  private func computed(_ column: Named<Expression>, _ groupBy: [SelectSyntax.Name]) -> SQLError {
    for name in groupBy {
      if let scope, let entry = scope[name.text] {
        if entry.value == column.thing { return computedGroup(name, "in \(scope.view)") }
      } else if name.text == column.name, scope != nil || schema.index(of: name.text) == nil {
        return computedGroup(name, "behind SELECT")
      }
    }
    return source.error(
      .unsupported, at: column.at, "beside metrics only columns of GROUP BY can be selected")
  }

  private func computedGroup(_ name: SelectSyntax.Name, _ place: String) -> SQLError {
    source.error(
      .unsupported, at: name.at,
      "\(name.text) is computed \(place), and GROUP BY takes columns of the table")
  }

  /// A record has each column that it is grouped by once, so that it has one name.
  func checkOnce(_ columns: [Named<Int>]) throws(SQLError) {
    var names: [Int: String] = [:]
    for column in columns {
      if let first = names.updateValue(column.name, forKey: column.thing) {
        throw source.error(
          .unsupported, at: column.at, "\(first) is selected twice beside metrics, here as \(column.name)")
      }
    }
  }

  /// A column's name in what is asked: the table, or a view of it.
  private func nameInText(_ column: Int) -> String {
    let entry = scope?.entries.first {
      if case .column(column, _) = $0.value { true } else { false }
    }
    return entry?.name ?? schema.columns[column].name
  }

  private func groupColumns(_ names: [SelectSyntax.Name]) throws(SQLError) -> [GroupColumn] {
    var columns: [Int: String] = [:]
    for name in names {
      let (index, called) = try groupColumn(name)
      if let first = columns.updateValue(called, forKey: index), first != called {
        throw source.error(
          .unsupported, at: name.at, "\(called) is the same column as \(first), and GROUP BY takes it once")
      }
    }
    return columns.sorted { $0.key < $1.key }.map { GroupColumn(name: $1, column: $0) }
  }

  private func groupColumn(_ name: SelectSyntax.Name) throws(SQLError) -> (Int, String) {
    guard let scope else {
      guard let index = schema.index(of: name.text) else {
        throw unknownColumn(name.text, at: name.at, or: [])
      }
      return (index, name.text)
    }
    guard let entry = scope[name.text] else { throw unknownColumn(name.text, at: name.at, or: []) }
    guard case .column(let index, _) = entry.value else {
      throw computedGroup(name, "in \(scope.view)")
    }
    return (index, name.text)
  }

  /// The groups are in the table's order; `plain` are those that are selected, each once and under a name of its own.
  func metricBody(_ metrics: [Named<Metric>], _ plain: [Named<Int>], _ groups: [GroupColumn])
    throws(SQLError) -> View.Body
  {
    for column in plain where !groups.contains(where: { $0.column == column.thing }) {
      throw source.error(
        .unsupported, at: column.at,
        "\(nameInText(column.thing)) stands beside metrics, so it must be in GROUP BY")
    }
    let groupBy = groups.map { group in
      let alias = plain.first { $0.thing == group.column }?.name
      return GroupColumn(name: alias ?? group.name, column: group.column)
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
    return .metric(metrics: Metric.sorted(metrics.map(\.thing)), groupBy: groupBy)
  }
}

extension Metric.Function {
  static let names = ["COUNT", "SUM", "AVG", "MIN", "MAX", "QUANTILE", "HISTOGRAM"]

  fileprivate func type(_ argument: Expression?) -> OutputType {
    switch self {
    case .count, .countDistinct: .int
    case .sum: argument?.type == .real ? .real : .int
    case .avg: .real
    case .min, .max, .quantile: OutputType(argument?.type ?? .int)
    case .histogram: .ints
    }
  }
}
