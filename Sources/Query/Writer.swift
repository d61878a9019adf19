import Events

/// A filter and its text, by which canonical parts are ordered and told apart.
struct Written {
  let filter: Filter
  let text: String
  /// What AND, OR, NOT and an equation are made of.
  let parts: [Written]

  static func constant(_ answer: Bool) -> Written {
    Written(filter: .constant(answer), text: answer ? "TRUE" : "FALSE", parts: [])
  }
}

/// Writes trees as SQL, in ASCII. What it writes is read back as the same tree.
struct Writer {
  private let schema: Schema
  private let names: [String]

  init(_ schema: Schema) {
    self.schema = schema
    names = schema.columns.map { Self.name($0.name) }
  }

  // MARK: Views

  func text(table: String, _ filter: Filter) -> String {
    filter == .true ? Self.name(table) : Self.name(table) + " WHERE " + text(filter)
  }

  func text(_ body: View.Body) -> String {
    switch body {
    case .pure(let columns):
      "SELECT " + columns.map { text($0.expression, named: $0.name) }.joined(separator: ", ")
    case .metric(let metrics, let groupBy):
      "SELECT "
        + (groupBy.map { text(.column($0.column, .int), named: $0.name) }
        + metrics.map { aliased(text($0.function, $0.argument), as: $0.name) })
        .joined(separator: ", ")
    }
  }

  func groupText(_ body: View.Body) -> String {
    guard case .metric(_, let groupBy) = body, !groupBy.isEmpty else { return "" }
    return " GROUP BY " + groupBy.map { names[$0.column] }.joined(separator: ", ")
  }

  func text(_ function: Metric.Function, _ argument: Expression?) -> String {
    let argument = argument.map(text) ?? "*"
    return switch function {
    case .count: "COUNT(\(argument))"
    case .countDistinct: "COUNT(DISTINCT \(argument))"
    case .sum: "SUM(\(argument))"
    case .avg: "AVG(\(argument))"
    case .min: "MIN(\(argument))"
    case .max: "MAX(\(argument))"
    case .quantile(let part): "QUANTILE(\(argument), \(part))"
    case .histogram(let bounds):
      "HISTOGRAM(\(argument), \(bounds.map { Self.text(Constant($0)) }.joined(separator: ", ")))"
    }
  }

  private func text(_ expression: Expression, named name: String) -> String {
    if case .column(let column, _) = expression, schema.columns[column].name == name { return names[column] }
    return aliased(text(expression), as: name)
  }

  private func aliased(_ text: String, as name: String) -> String {
    text == name ? text : text + " AS " + Self.name(name)
  }

  // MARK: Values

  func text(_ expression: Expression) -> String {
    switch expression {
    case .constant(let constant): Self.text(constant)
    case .column(let column, _): names[column]
    case .arithmetic(let operation, let a, let b): "\(operand(a)) \(operation.rawValue) \(operand(b))"
    case .call(.concatenate, let arguments): "\(operand(arguments[0])) || \(operand(arguments[1]))"
    case .call(let function, let arguments):
      "\(function.rawValue)(\(arguments.map(text).joined(separator: ", ")))"
    case .condition(let filter): text(filter)
    case .choice(let branches, let otherwise):
      "CASE " + branches.map { "WHEN \(text($0.when)) THEN \(text($0.then)) " }.joined()
        + "ELSE \(text(otherwise)) END"
    }
  }

  /// In parentheses where it is made of several parts.
  private func operand(_ expression: Expression) -> String {
    switch expression {
    case .constant, .column, .choice: text(expression)
    case .call(let function, _) where function != .concatenate: text(expression)
    case .arithmetic, .call, .condition: "(\(text(expression)))"
    }
  }

  static func text(_ constant: Constant) -> String {
    switch constant {
    case .int(let n): String(n)
    case .real(let x): x.isFinite ? x.description : (x < 0 ? "-9e999" : "9e999")
    case .string(let bytes): quoted(bytes, "'")
    }
  }

  static func name(_ name: String) -> String {
    var plain = Keyword(name) == nil
    for (i, byte) in name.utf8.enumerated() {
      let letter = byte < 0x80 && Lexer.startsWord(byte)
      if !letter && !(i > 0 && byte >= 0x30 && byte <= 0x39) { plain = false }
    }
    return plain && !name.isEmpty ? name : quoted(Array(name.utf8), "\"")
  }

  /// Between quotes; with `U&` before them where there are characters beyond ASCII.
  private static func quoted(_ bytes: [UInt8], _ quote: Character) -> String {
    let mark = quote.asciiValue ?? 0
    let ascii = bytes.allSatisfy { $0 < 0x80 }
    if ascii && !bytes.contains(mark) {
      return String(unsafeUninitializedCapacity: bytes.count + 2) { text in
        text[0] = mark
        for (i, byte) in bytes.enumerated() { text[i + 1] = byte }
        text[bytes.count + 1] = mark
        return bytes.count + 2
      }
    }
    var text = ascii ? "" : "U&"
    text.append(quote)
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar {
      case quote.unicodeScalars.first!: text += "\(quote)\(quote)"
      case "\\" where !ascii: text += "\\\\"
      case _ where scalar.isASCII: text.unicodeScalars.append(scalar)
      default: text += escaped(scalar)
      }
    }
    text.append(quote)
    return text
  }

  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    let width = digits.count > 4 ? 6 : 4
    return (width > 4 ? "\\+" : "\\") + String(repeating: "0", count: width - digits.count) + digits
  }

  // MARK: Conditions

  func text(_ filter: Filter) -> String { written(filter).text }

  func written(_ filter: Filter) -> Written {
    switch filter {
    case .same(let a, let b): written(filter, of: [written(a), written(b)])
    case .not(let inner): written(filter, of: [written(inner)])
    case .and(let parts), .or(let parts): written(filter, of: parts.map(written))
    default: written(filter, of: [])
    }
  }

  /// The same from the texts of its parts.
  func written(_ filter: Filter, of parts: [Written]) -> Written {
    Written(filter: filter, text: text(filter, of: parts), parts: parts)
  }

  private func text(_ filter: Filter, of parts: [Written]) -> String {
    switch filter {
    case .constant(let answer): answer ? "TRUE" : "FALSE"
    case .within(let value, let set): text(operand(value), set, Self.text)
    case .relative(let column, let set): text(names[column], set, Self.textFromNow)
    case .compare(let a, let relation, let b): "\(operand(a)) \(relation.text) \(operand(b))"
    case .like(let value, let pattern): text(value, "LIKE", pattern)
    case .holds(let value): text(value)
    case .same: "(\(parts[0].text)) = (\(parts[1].text))"
    case .not(.like(let value, let pattern)): text(value, "NOT LIKE", pattern)
    case .not(.same): "(\(parts[0].parts[0].text)) <> (\(parts[0].parts[1].text))"
    case .not: "NOT \(enclosed(parts[0]))"
    case .and: parts.map(enclosed).joined(separator: " AND ")
    case .or: parts.map(enclosed).joined(separator: " OR ")
    }
  }

  /// In parentheses where AND or OR would tear it apart.
  private func enclosed(_ part: Written) -> String {
    switch part.filter {
    case .and, .or: "(\(part.text))"
    case .within(_, let set) where !isOnePiece(set): "(\(part.text))"
    case .relative(_, let set) where !isOnePiece(set): "(\(part.text))"
    default: part.text
    }
  }

  private func text(_ value: Expression, _ word: String, _ pattern: LikePattern) -> String {
    let (written, needsEscape) = pattern.written
    let text = "\(operand(value)) \(word) \(Self.quoted(written, "'"))"
    return needsEscape ? text + " ESCAPE '\\'" : text
  }

  /// Whether a set's text is one comparison, or a pair of them in its own parentheses.
  private func isOnePiece(_ set: ValueSet) -> Bool {
    let ends = set.cuts.count + (set.startsInside ? 1 : 0) + (set.endsInside ? 1 : 0)
    return ends == 2 || set.points != nil || set.complement.points != nil
  }

  /// A constant that is compared with a time column less NOW(), on NOW()'s side.
  private static func textFromNow(_ constant: Constant) -> String {
    guard case .int(let offset) = constant, offset != 0 else { return "NOW()" }
    return "NOW() \(offset < 0 ? "-" : "+") \(offset.magnitude)"
  }

  private typealias Spelling = (Constant) -> String

  private func text(_ value: String, _ set: ValueSet, _ written: Spelling) -> String {
    if let points = set.points { return text(value, points, one: "=", several: "IN", written) }
    if let points = set.complement.points {
      return text(value, points, one: "<>", several: "NOT IN", written)
    }
    var singles: [Constant] = []
    var texts: [String] = []
    for part in 0...set.cuts.count where set.holds(part: part) {
      if let values = set.values(ofPart: part) {
        singles += values
      } else {
        let low = part == 0 ? nil : set.cuts[part - 1]
        let high = part == set.cuts.count ? nil : set.cuts[part]
        texts.append(text(value, from: low, to: high, set.domain, written))
      }
    }
    if !singles.isEmpty { texts.append(text(value, singles, one: "=", several: "IN", written)) }
    return texts.joined(separator: " OR ")
  }

  private func text(_ value: String, _ points: [Constant], one: String, several: String, _ written: Spelling)
    -> String
  {
    if points.count == 1 { return "\(value) \(one) \(written(points[0]))" }
    return "\(value) \(several) (\(points.map(written).joined(separator: ", ")))"
  }

  /// One interval; an end that is nil is open.
  private func text(
    _ value: String, from low: ValueSet.Cut?, to high: ValueSet.Cut?, _ domain: ValueSet.Domain,
    _ written: Spelling
  )
    -> String
  {
    let lower = low.map { "\(value) \($0.above ? ">" : ">=") \(written($0.value))" }
    guard let high else { return lower ?? "TRUE" }
    let last = domain.last(before: high)
    let upper = "\(value) " + (last.map { "<= \(written($0))" } ?? "< \(written(high.value))")
    guard let low, let lower else { return upper }
    if let last, !low.above { return "\(value) BETWEEN \(written(low.value)) AND \(written(last))" }
    return "(\(lower) AND \(upper))"
  }
}

extension ValueSet.Domain {
  /// The greatest value before a cut, where there is one.
  fileprivate func last(before cut: ValueSet.Cut) -> Constant? {
    // An integer's cut is never at the least one: nothing lies before that.
    if self == .integers, case .int(let next) = cut.value { return .int(next &- 1) }
    return cut.above ? cut.value : nil
  }
}
