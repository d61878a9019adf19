import Events

/// Gives names and types to changes of rows.
extension Checker {
  mutating func change(_ syntax: ChangeSyntax) throws(SQLError) -> ChangeStatement {
    let canonicaliser = Canonicaliser(schema)
    let kind: ChangeStatement.Kind
    switch syntax.kind {
    case .insert(let columns, let rows): kind = .insert(try inserted(columns, rows, canonicaliser))
    case .update(let assignments): kind = .update(try self.assignments(assignments, canonicaliser))
    case .delete: kind = .delete
    }
    let filter: Filter = if let condition = syntax.filter { try self.condition(condition) } else { .true }
    return ChangeStatement(
      schema: schema, kind: kind, filter: canonicaliser.filter(filter), uses: budget.uses.sorted())
  }

  /// The column of a name, which must not be among those before it.
  private func newColumn(_ name: SelectSyntax.Name, _ others: [Int]) throws(SQLError) -> Int {
    guard let column = schema.index(of: name.text) else {
      throw unknownColumn(name.text, at: name.at, or: [])
    }
    if others.contains(column) {
      throw source.error(.syntax, at: name.at, "\(name.text) is given twice")
    }
    return column
  }

  // MARK: UPDATE

  private mutating func assignments(
    _ syntaxes: [(column: SelectSyntax.Name, value: Syntax)], _ canonicaliser: Canonicaliser
  ) throws(SQLError) -> [ChangeStatement.Assignment] {
    var assignments: [ChangeStatement.Assignment] = []
    for (name, syntax) in syntaxes {
      let column = try newColumn(name, assignments.map(\.column))
      if schema.key.contains(column) {
        throw source.error(
          .unsupported, at: name.at,
          "\(name.text) is of the row's key, which stays: DELETE the row and INSERT another")
      }
      let value = canonicaliser.expression(try value(syntax))
      assignments.append(
        ChangeStatement.Assignment(column: column, value: try fitted(value, to: column, syntax)))
    }
    return assignments.sorted { $0.column < $1.column }
  }

  /// A value that a column takes. Constants are coerced as an event's fields are; beside that, 1 and 0 are TRUE
  /// and FALSE, as in comparisons.
  private func fitted(_ value: Expression, to column: Int, _ syntax: Syntax) throws(SQLError) -> Expression {
    let type = schema.columns[column].type
    switch (type, value.type) {
    case (.string, .string), (.bool, .bool), (.int, .int), (.int, .time), (.time, .int), (.time, .time):
      return value
    case (.bool, .int): if let truth = value.asTruth { return truth }
    case (.int, .real), (.time, .real):
      if let number = value.constant?.number {
        return .constant(.int(try whole(number.real, column, syntax)))
      }
    case (.real, .int), (.real, .time), (.real, .real):
      guard let number = value.constant?.number?.real else { return value }
      if number.isFinite { return .constant(.real(number)) }
      throw error(.type, syntax, "the number is too large for \(schema.columns[column].name), a real")
    default: break
    }
    throw error(
      .type, syntax, "\(described(value)), and \(schema.columns[column].name) takes \(type.withArticle)")
  }

  private func whole(_ number: Double, _ column: Int, _ syntax: Syntax) throws(SQLError) -> Int64 {
    let name = schema.columns[column].name
    guard number.rounded(.towardZero) == number else {
      throw error(.type, syntax, "\(name) takes whole numbers, and \(number) is none")
    }
    guard abs(number) <= 0x1p53 else {
      throw error(
        .type, syntax, "\(number) is beyond 2^53, where reals have gaps, and \(name) takes integers")
    }
    return Int64(number)
  }

  // MARK: INSERT

  private mutating func inserted(
    _ names: [SelectSyntax.Name], _ rows: [ChangeSyntax.Row], _ canonicaliser: Canonicaliser
  ) throws(SQLError) -> [[ChangeStatement.Value]] {
    var columns: [Int] = []
    for name in names { columns.append(try newColumn(name, columns)) }
    if let missing = schema.key.first(where: { !columns.contains($0) }) {
      throw source.error(
        .syntax, at: names[0].at,
        "\(schema.columns[missing].name), of the row's key, is not among the columns")
    }
    var result: [[ChangeStatement.Value]] = []
    for row in rows { result.append(try inserted(columns, row, canonicaliser)) }
    return result
  }

  private mutating func inserted(
    _ columns: [Int], _ row: ChangeSyntax.Row, _ canonicaliser: Canonicaliser
  ) throws(SQLError) -> [ChangeStatement.Value] {
    guard row.values.count == columns.count else {
      throw source.error(
        .syntax, at: row.at, "the row has \(row.values.count) values for \(columns.count) columns")
    }
    var values: [ChangeStatement.Value] = []
    for (column, syntax) in zip(columns, row.values) {
      let value = try fitted(canonicaliser.expression(try value(syntax)), to: column, syntax)
      guard let constant = value.value(of: schema.columns[column].type) else {
        throw error(.unsupported, syntax, "VALUES takes constants: there is no row yet that could be read")
      }
      values.append(ChangeStatement.Value(column: column, value: constant))
    }
    if values.allSatisfy({ !schema.key.contains($0.column) || $0.value == .string("") }) {
      throw source.error(.type, at: row.at, "the row's key is empty")
    }
    return values
  }
}

extension Expression {
  /// What a constant that fits a column is there; nil for what is no constant.
  fileprivate func value(of type: ColumnType) -> Value? {
    switch (type, self) {
    case (.string, .constant(.string(let bytes))): .string(String(decoding: bytes, as: UTF8.self))
    case (.int, .constant(.int(let n))): .int(n)
    case (.time, .constant(.int(let n))): .time(n)
    case (.real, .constant(.real(let x))): .real(x)
    case (.bool, .condition(.constant(let answer))): .bool(answer)
    default: nil
    }
  }
}
