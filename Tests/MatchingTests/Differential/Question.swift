/// A view in two dialects.
struct Question {
  /// What stands behind SELECT; where SQLite has no exact answer it has none.
  struct Output {
    let name: String
    let ours: String
    let theirs: String?
    /// It is a quantile of these values, and ours may be off by what it states. SQLite has a row's place among them
    /// as `<name>_place`, and their count as `<name>_count`.
    var ordered: String?

    /// In its dialect, with its name.
    func named(_ text: String) -> String { text == name ? text : "\(text) AS \(name)" }
  }

  var isList: Bool
  var outputs: [Output]
  var groups: [String]
  var filter: Written
  /// Of a view that this one is over; nil: it is over the table.
  var below: Written?
  /// The filter is a named one.
  var isNamed: Bool

  /// Statements that come before `ours`.
  var definitions: [String] {
    (below.map { ["CREATE VIEW below AS SELECT * FROM samples WHERE \($0.ours)"] } ?? [])
      + (isNamed ? ["CREATE FILTER named AS \(filter.ours)"] : [])
  }

  var ours: String {
    "SELECT \((groups + outputs.map { $0.named($0.ours) }).joined(separator: ", ")) FROM \(below == nil ? "samples" : "below")"
      + " WHERE \(isNamed ? "named" : filter.ours)\(groupText)"
  }

  /// What records' keys are made of, and the outputs that SQLite can say.
  var theirs: String {
    let keys = isList ? ["id"] : groups
    let said = outputs.compactMap { output in output.theirs.map(output.named) }
    // Without groups there is one record, whatever it says.
    let columns = keys.isEmpty && said.isEmpty ? ["COUNT(*)"] : keys + said
    return "SELECT \(columns.joined(separator: ", ")) FROM \(rows)\(groupText)"
  }

  /// Whether SQLite has each output exactly.
  var isExact: Bool { outputs.allSatisfy { $0.theirs != nil && $0.ordered == nil } }

  /// The rows that the filter passes, with their places for the quantiles.
  private var rows: String {
    let filter = below.map { Written("$0 AND $1", $0, self.filter) } ?? self.filter
    let passed = "samples WHERE \(filter.theirs)"
    let partition = groups.isEmpty ? "" : "PARTITION BY \(groups.joined(separator: ", "))"
    let places = outputs.compactMap { output in
      output.ordered.map {
        "ROW_NUMBER() OVER (\(partition) ORDER BY \($0)) AS \(output.name)_place,"
          + " COUNT(*) OVER (\(partition)) AS \(output.name)_count"
      }
    }
    return places.isEmpty ? passed : "(SELECT *, \(places.joined(separator: ", ")) FROM \(passed))"
  }

  private var groupText: String { groups.isEmpty ? "" : " GROUP BY " + groups.joined(separator: ", ") }

  /// Questions that are this one without some part of it, the largest parts first.
  var simpler: [Question] {
    var all: [Question] = []
    func add(_ change: (inout Question) -> Void) {
      var copy = self
      change(&copy)
      all.append(copy)
    }
    if below != nil { add { $0.below = nil } }
    if filter.ours != "TRUE" { add { $0.filter = Written("TRUE") } }
    if isNamed { add { $0.isNamed = false } }
    for i in outputs.indices where outputs.count > 1 { add { $0.outputs.remove(at: i) } }
    for i in groups.indices { add { $0.groups.remove(at: i) } }
    return all
  }
}

extension Generator {
  mutating func question() -> Question {
    allowsClock = true
    let filter =
      below(3) == 0 ? Written(pick(["a > 0", "flag", "TRUE", "s = 'a'", "b IN (1, 2)"])) : condition(2)
    let under = below(6) == 0 ? condition(1) : nil
    allowsClock = false
    let isList = below(3) == 0
    var question = Question(
      isList: isList, outputs: [], groups: [], filter: filter, below: under, isNamed: below(6) == 0)
    if isList {
      question.outputs =
        some(of: Self.columns, 1...4).map { .init(name: $0, ours: $0, theirs: $0) } + computed()
    } else {
      question.outputs = some(of: Self.metrics, 1...4) + summaries()
      question.groups = some(of: ["s", "flag", "at", "r", "t", "b"], 0...3)
    }
    return question
  }

  /// One of many: a count, or rows, of a filter that the index finds by one way or two.
  mutating func plainQuestion() -> Question {
    let isList = below(3) == 0
    let filter =
      below(4) == 0 ? Written("($0 OR $1)", plainConjunction(), plainConjunction()) : plainConjunction()
    let output =
      isList
      ? Question.Output(name: "a", ours: "a", theirs: "a")
      : Question.Output(name: "n", ours: "COUNT(*)", theirs: "COUNT(*)")
    return Question(
      isList: isList, outputs: [output], groups: [], filter: filter, below: nil, isNamed: false)
  }

  /// A third are ranges only, which the index sorts where there are many.
  private mutating func plainConjunction() -> Written {
    if below(3) == 0 {
      return below(3) > 0 ? plainRange() : Written("($0 AND $1)", plainRange(), plainTime())
    }
    return below(2) == 0 ? plainAtom() : Written("($0 AND $1)", plainAtom(), plainAtom())
  }

  private mutating func plainRange() -> Written {
    let number = below(2000) - 1000
    return Written(
      below(2) == 0
        ? "a BETWEEN \(number) AND \(number + below(400))" : "a \(pick(["<", "<=", ">", ">="])) \(number)")
  }

  private mutating func plainTime() -> Written {
    Written("at \(pick(["<", ">="])) $0", below(2) == 0 ? Written("\(below(12) * 500)") : moment())
  }

  private mutating func plainAtom() -> Written {
    let text = pick(["s", "s", "t"])
    switch below(7) {
    case 0: return Written("\(text) = \(Self.quoted(pick(Self.texts)))")
    case 1: return Written("\(text) IN (\(Self.quoted(pick(Self.texts))), \(Self.quoted(pick(Self.texts))))")
    case 2: return Written("\(text) LIKE '\(piece(fromStart: true))%'")
    case 3: return Written("\(text) LIKE '%\(piece(fromStart: false))%'")
    case 4: return Written("b = \(below(6))")
    case 5: return plainRange()
    default: return plainTime()
    }
  }

  /// Of a text that rows have.
  private mutating func piece(fromStart: Bool) -> String {
    let text = pick(Self.texts).filter { !"'%_".contains($0) }
    let start = fromStart ? 0 : below(max(1, text.count))
    return String(text.dropFirst(start).prefix(1 + below(8)))
  }

  private mutating func some<T>(of choices: [T], _ count: ClosedRange<Int>) -> [T] {
    Array(choices.shuffled(using: &random).prefix(Int.random(in: count, using: &random)))
  }

  private static let columns = ["a", "b", "r", "q", "s", "t", "flag", "up", "at"]

  /// Columns with formulas of every construct.
  private mutating func computed() -> [Question.Output] {
    (0..<below(3)).map { i in
      let value = below(2) == 0 ? number(2) : string(2)
      return Question.Output(name: "c\(i)", ours: value.ours, theirs: value.theirs)
    }
  }

  /// Metrics of such formulas, as far as SQLite has one answer.
  private mutating func summaries() -> [Question.Output] {
    (0..<below(2)).map { i in
      let name = "f\(i)"
      switch below(4) {
      case 0:
        let value = below(2) == 0 ? number(2) : string(2)
        return Question.Output(
          name: name, ours: "COUNT(DISTINCT \(value.ours))", theirs: "COUNT(DISTINCT \(value.theirs))")
      case 1:
        let (value, metric) = (string(2), pick(["MIN", "MAX"]))
        return Question.Output(
          name: name, ours: "\(metric)(\(value.ours))", theirs: "\(metric)(\(value.theirs))")
      case 2: return Self.quantile(number(1), pick(["0", "0.3", "0.5", "0.99", "1"]), name)
      default:
        return Self.histogram(
          number(1), pick([["0"], ["-1.5", "2", "1e18"], ["-9e18", "0.5", "3", "1e19"]]), name)
      }
    }
  }

  /// Sums of `a` and `r` are exact in doubles, so that SQLite's are; `b` and `q` are anything.
  private static let metrics: [Question.Output] = [
    both("COUNT(*)", "m0"), both("SUM(a)", "m1", "COALESCE(SUM(a), 0)"), both("SUM(r)", "m2", "TOTAL(r)"),
    both("AVG(a)", "m3"), both("AVG(r)", "m4"), both("MIN(b)", "m5"), both("MAX(q)", "m6"),
    both("MIN(s)", "m7"), both("MAX(t)", "m8"), both("MAX(at)", "m9"), both("MIN(LOWER(s) || t)", "m10"),
    both("SUM(a * 3 + LENGTH(s))", "m11", "COALESCE(SUM(a * 3 + LENGTH(s)), 0)"),
    both("AVG(r * 2)", "m12"), both("MAX(a + r)", "m13"),
    both("COUNT(DISTINCT b)", "m14"), both("COUNT(DISTINCT q)", "m15"), both("COUNT(DISTINCT s)", "m16"),
    both("COUNT(DISTINCT up)", "m17"), both("COUNT(DISTINCT UPPER(s) || t)", "m18"),
    both("COUNT(DISTINCT b * b / 4)", "m19"), both("COUNT(DISTINCT a > r)", "m20"),
    both("SUM(CASE WHEN flag THEN a END)", "m21", "COALESCE(SUM(CASE WHEN flag THEN a ELSE 0 END), 0)"),
    histogram(Written("a"), ["-500", "-1.5", "0", "100", "1e30"], "m22"),
    histogram(
      Written("b"), ["-9223372036854775808", "0", "9007199254740992.5", "9223372036854775807"], "m23"),
    histogram(Written("q"), ["-1e300", "0", "0.5", "9007199254740993", "9223372036854775807"], "m24"),
    histogram(Written("b * 2"), ["-1e19", "0", "9223372036854775807", "9223372036854775808"], "m25"),
    histogram(Written("at"), ["1000", "3000"], "m26"),
    sum("b", "m27"), sum("b * a", "m28"), extreme("MIN", "b + a", "m29"), extreme("MAX", "b * a", "m30"),
    quantile(Written("a"), "0.5", "m31"), quantile(Written("q"), "0.95", "m32"),
    quantile(Written("b"), "0.25", "m33"), quantile(Written("at"), "1", "m34"),
    quantile(Written("b * a"), "0.1", "m35"), quantile(Written("a"), "0", "m36"),
    // SQLite's are rounded.
    ours("SUM(q)", "m37"), ours("AVG(q)", "m38"), ours("AVG(b + a)", "m39"),
  ]

  private static func both(_ metric: String, _ name: String, _ theirs: String? = nil) -> Question.Output {
    Question.Output(name: name, ours: metric, theirs: theirs ?? metric)
  }

  private static func ours(_ metric: String, _ name: String) -> Question.Output {
    Question.Output(name: name, ours: metric, theirs: nil)
  }

  /// Exact by halves of 32 bits; null where it is no 64-bit integer, or one of its values is none.
  private static func sum(_ value: String, _ name: String) -> Question.Output {
    let integer = "(CASE typeof(\(value)) WHEN 'integer' THEN \(value) ELSE 0 END)"
    let low = "COALESCE(SUM(\(integer) & 4294967295), 0)"
    let high = "(COALESCE(SUM(\(integer) >> 32), 0) + (\(low) >> 32))"
    let isNone =
      "\(high) NOT BETWEEN -2147483648 AND 2147483647 OR COUNT(CASE typeof(\(value)) WHEN 'real' THEN 1 END) > 0"
    return Question.Output(
      name: name, ours: "SUM(\(value))",
      theirs: "CASE WHEN \(isNone) THEN NULL ELSE (\(high) << 32) | (\(low) & 4294967295) END")
  }

  /// Of an integer and a real that are equal, the integer.
  private static func extreme(_ metric: String, _ value: String, _ name: String) -> Question.Output {
    let (any, integer) = (
      "\(metric)(\(value))", "\(metric)(CASE typeof(\(value)) WHEN 'integer' THEN \(value) END)"
    )
    return Question.Output(
      name: name, ours: any, theirs: "CASE WHEN \(integer) = \(any) THEN \(integer) ELSE \(any) END")
  }

  /// The least value that the part does not exceed.
  private static func quantile(_ value: Written, _ part: String, _ name: String) -> Question.Output {
    Question.Output(
      name: name, ours: "QUANTILE(\(value.ours), \(part))",
      theirs: "MIN(CASE WHEN \(name)_place >= \(name)_count * \(part) - 1e-9 THEN \(value.theirs) END)",
      ordered: value.theirs)
  }

  /// SQLite compares integers with reals exactly, as we do.
  private static func histogram(_ value: Written, _ bounds: [String], _ name: String) -> Question.Output {
    let conditions =
      ["\(value.theirs) < \(bounds[0])"]
      + zip(bounds, bounds.dropFirst()).map { "\(value.theirs) >= \($0) AND \(value.theirs) < \($1)" }
      + ["\(value.theirs) >= \(bounds.last!)"]
    let counts = conditions.map { "COALESCE(SUM(CASE WHEN \($0) THEN 1 ELSE 0 END), 0)" }
    return Question.Output(
      name: name, ours: "HISTOGRAM(\(value.ours), \(bounds.joined(separator: ", ")))",
      theirs: "'[' || \(counts.joined(separator: " || ',' || ")) || ']'")
  }
}
