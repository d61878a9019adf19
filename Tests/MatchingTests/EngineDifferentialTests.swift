import Base
import CSQLite
import Events
import Query
import Testing

@testable import Matching

/// What readers have folded against the same question asked anew, of us and of SQLite.
struct EngineDifferentialTests {
  @Test(arguments: 0..<UInt64(60))
  func `what a reader folds is what the view is, and what SQLite has`(_ seed: UInt64) throws {
    var history = History(seed: seed)
    for step in 0..<60 { try history.step("seed \(seed), step \(step)") }
    try history.finish("seed \(seed), end")
  }
}

/// A random history of rows and streams.
private struct History {
  let world = World()
  let database = Database()
  var generator: Generator
  var questions: [String: Question] = [:]
  var ids: [String] = []
  var streamsMade = 0

  /// A view in both dialects; those whose sums SQLite cannot do exactly have none in SQLite's.
  struct Question {
    let ours: String
    let theirs: String?
  }

  init(seed: UInt64) {
    generator = Generator(seed: seed)
    world.engine.now = Oracle.now
  }

  mutating func step(_ context: Comment) throws {
    switch generator.below(10) {
    case 0 where ids.count < 12: try addStream()
    case 1 where ids.count > 3:
      let id = ids.remove(at: generator.below(ids.count))
      world.remove(id)
    case 2, 3: try collect(context)
    default: for _ in 0...generator.below(6) { change() }
    }
  }

  /// After all streams and rows have gone nobody holds a string.
  mutating func finish(_ context: Comment) throws {
    try collect(context, all: true)
    let isRowsFirst = generator.below(2) == 0
    if isRowsFirst { for key in world.keys { world.delete(key) } }
    if generator.below(2) == 0 { try collect(context, all: true) }
    for id in ids { world.remove(id) }
    for key in world.keys { world.delete(key) }
    #expect(world.strings.count == 0, context)
  }

  // MARK: Rows

  private mutating func change() {
    let key = "row\(generator.below(25))"
    if generator.below(4) == 0 { return world.delete(key) }
    guard var row = world.values[key], generator.below(3) > 0 else { return world.set(key, row(key)) }
    let new = self.row(key)
    for _ in 0...generator.below(2) {
      let column = 1 + generator.below(new.count - 1)
      row[column] = new[column]
    }
    world.set(key, row)
  }

  /// Sums of `a` and `r` are exact in doubles, so that SQLite's are; `b` and `q` are anything.
  private mutating func row(_ key: String) -> [Value] {
    var row = generator.rows(1)[0]
    row[0] = .string(key)
    row[1] = .int(Int64(generator.below(2000) - 1000))
    row[3] = .real(Double(generator.below(64) - 32) / 8)
    return row
  }

  // MARK: Streams

  private mutating func addStream() throws {
    streamsMade += 1
    let id = "s\(streamsMade)"
    let question = question()
    try world.add(id, question.ours)
    questions[id] = question
    ids.append(id)
  }

  private mutating func question() -> Question {
    let filter =
      generator.below(3) == 0 ? Written(generator.pick(["a > 0", "flag", "TRUE"])) : generator.condition(2)
    if generator.below(3) == 0 { return list(filter) }
    let metrics = some(of: Self.metrics, atLeast: 1)
    let groups = some(of: ["s", "flag", "at", "r", "t", "b"], atLeast: 0).prefix(3)
    let isExact = metrics.allSatisfy { $0.theirs != nil }
    let group = groups.isEmpty ? "" : " GROUP BY " + groups.joined(separator: ", ")
    let ours = groups + metrics.map(\.ours)
    let theirs = groups + metrics.map { $0.theirs ?? "0" }
    return Question(
      ours: "SELECT \(ours.joined(separator: ", ")) FROM samples WHERE \(filter.ours)\(group)",
      theirs: isExact
        ? "SELECT \(theirs.joined(separator: ", ")) FROM samples WHERE \(filter.theirs)\(group)" : nil)
  }

  private mutating func list(_ filter: Written) -> Question {
    let columns = some(
      of: [
        "a", "b", "r", "q", "s", "t", "flag", "up", "at", "a + b AS x", "LOWER(s) || t AS y", "r * 2 AS z",
      ],
      atLeast: 1)
    func sql(_ filter: String) -> String {
      "SELECT id, \(columns.joined(separator: ", ")) FROM samples WHERE \(filter)"
    }
    return Question(ours: sql(filter.ours), theirs: sql(filter.theirs))
  }

  private static let metrics: [(ours: String, theirs: String?)] = [
    ("COUNT(*) AS m0", "COUNT(*) AS m0"),
    ("SUM(a) AS m1", "COALESCE(SUM(a), 0) AS m1"),
    ("SUM(r) AS m2", "TOTAL(r) AS m2"),
    ("AVG(a) AS m3", "AVG(a) AS m3"),
    ("AVG(r) AS m4", "AVG(r) AS m4"),
    ("MIN(b) AS m5", "MIN(b) AS m5"),
    ("MAX(q) AS m6", "MAX(q) AS m6"),
    ("MIN(s) AS m7", "MIN(s) AS m7"),
    ("MAX(t) AS m8", "MAX(t) AS m8"),
    ("MAX(at) AS m9", "MAX(at) AS m9"),
    ("MIN(LOWER(s) || t) AS m10", "MIN(LOWER(s) || t) AS m10"),
    ("SUM(a * 3 + LENGTH(s)) AS m11", "COALESCE(SUM(a * 3 + LENGTH(s)), 0) AS m11"),
    ("AVG(r * 2) AS m12", "AVG(r * 2) AS m12"),
    ("MAX(a + r) AS m13", "MAX(a + r) AS m13"),
    ("SUM(b) AS m14", nil), ("SUM(q) AS m15", nil), ("AVG(q) AS m16", nil), ("AVG(b + a) AS m17", nil),
    ("SUM(b * a) AS m18", nil), ("MIN(b + a) AS m19", nil), ("MAX(b * a) AS m20", nil),
    ("COUNT(DISTINCT b) AS m21", "COUNT(DISTINCT b) AS m21"),
    ("COUNT(DISTINCT q) AS m22", "COUNT(DISTINCT q) AS m22"),
    ("COUNT(DISTINCT s) AS m23", "COUNT(DISTINCT s) AS m23"),
    ("COUNT(DISTINCT up) AS m24", "COUNT(DISTINCT up) AS m24"),
    ("COUNT(DISTINCT UPPER(s) || t) AS m25", "COUNT(DISTINCT UPPER(s) || t) AS m25"),
    ("COUNT(DISTINCT b * b / 4) AS m26", "COUNT(DISTINCT b * b / 4) AS m26"),
    ("COUNT(DISTINCT a > r) AS m27", "COUNT(DISTINCT a > r) AS m27"),
    histogram("a", ["-500", "-1.5", "0", "100", "1e30"], "m28"),
    histogram("b", ["-9223372036854775808", "0", "9007199254740992.5", "9223372036854775807"], "m29"),
    histogram("q", ["-1e300", "0", "0.5", "9007199254740993", "9223372036854775807"], "m30"),
    histogram("b * 2", ["-1e19", "0", "9223372036854775807", "9223372036854775808"], "m31"),
    histogram("at", ["1000", "3000"], "m32"),
    ("QUANTILE(a, 0.5) AS m33", nil), ("QUANTILE(q, 0.95) AS m34", nil), ("QUANTILE(b, 0.25) AS m35", nil),
    ("QUANTILE(at, 1) AS m36", nil), ("QUANTILE(b * a, 0.1) AS m37", nil),
    ("QUANTILE(b * a, 0.9) AS m38", nil), ("MAX(b * a + 1) AS m39", nil),
  ]

  /// In SQLite's words, which compares integers with reals exactly as well.
  private static func histogram(_ value: String, _ bounds: [String], _ name: String) -> (String, String?) {
    let conditions =
      ["\(value) < \(bounds[0])"]
      + zip(bounds, bounds.dropFirst()).map { "\(value) >= \($0) AND \(value) < \($1)" }
      + ["\(value) >= \(bounds.last!)"]
    let counts = conditions.map { "COALESCE(SUM(CASE WHEN \($0) THEN 1 ELSE 0 END), 0)" }
    return (
      "HISTOGRAM(\(value), \(bounds.joined(separator: ", "))) AS \(name)",
      "'[' || \(counts.joined(separator: " || ',' || ")) || ']' AS \(name)"
    )
  }

  private mutating func some<T>(of choices: [T], atLeast least: Int) -> [T] {
    let count = least + generator.below(4)
    return Array(choices.shuffled(using: &generator.random).prefix(count))
  }

  // MARK: Checks

  private mutating func collect(_ context: Comment, all: Bool = false) throws {
    let due = all ? ids : ids.filter { _ in generator.below(2) == 0 }
    _ = world.collect(due)
    database.fill(world)
    for id in due {
      let folded = world.folded[id]!
      let values = try folded.map { try JSON(parsing: $0.value) }
      let question = questions[id]!
      let here: Comment = "\(context): \(question.ours)"
      #expect(
        values.map { exact($0.text) }.sorted() == (try world.evaluated(id)).map { exact($0.text) }.sorted(),
        here)
      for (key, value) in folded { #expect(key == exact(self.key(id, try JSON(parsing: value))), here) }
      guard let sql = question.theirs else { continue }
      let columns = world.views[id]!.recordColumns
      let rows = values.map { value in columns.map { Self.text(value[$0.name]!) } }
      #expect(rows.sorted { $0.lexicographicallyPrecedes($1) } == database.rows(sql, columns), here)
    }
  }

  private func key(_ id: String, _ value: JSON) -> String {
    guard case .metric(_, let groups) = world.views[id]!.body else { return value["id"]!.string! }
    let parts = groups.map { value[$0.name]! }
    if parts.isEmpty { return "*" }
    return parts.count > 1 ? JSON.array(parts).text : parts[0].string ?? parts[0].text
  }

  private static func text(_ value: JSON) -> String {
    if case .bool(let b) = value { return b ? "1" : "0" }
    if case .string(let text) = value { return "'" + exact(text) }
    // SQLite has a histogram as a text.
    if case .array = value { return "'" + value.text }
    return value.text
  }
}

/// SQLite with the world's rows.
private final class Database {
  private var handle: OpaquePointer?

  init() {
    precondition(sqlite3_open(":memory:", &handle) == SQLITE_OK)
    execute("PRAGMA case_sensitive_like=ON")
    defineNow(in: handle)
    execute(
      "CREATE TABLE samples (id TEXT, a INT, b INT, r REAL, q REAL, s TEXT, t TEXT, flag INT, up INT, at INT)"
    )
  }

  deinit { sqlite3_close(handle) }

  private func execute(_ sql: String) {
    precondition(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK, error)
  }

  private var error: String { String(cString: sqlite3_errmsg(handle)) }

  func fill(_ world: World) {
    execute("BEGIN; DELETE FROM samples")
    for key in world.keys {
      let statement = prepare("INSERT INTO samples VALUES (?,?,?,?,?,?,?,?,?,?)")
      for (i, value) in world.values[key]!.enumerated() { bind(value, Int32(i + 1), statement) }
      precondition(sqlite3_step(statement) == SQLITE_DONE, error)
      sqlite3_finalize(statement)
    }
    execute("COMMIT")
  }

  private func bind(_ value: Value, _ at: Int32, _ statement: OpaquePointer?) {
    switch value {
    case .int(let n), .time(let n): sqlite3_bind_int64(statement, at, n)
    case .real(let x): sqlite3_bind_double(statement, at, x)
    case .bool(let b): sqlite3_bind_int64(statement, at, b ? 1 : 0)
    case .string(let text):
      let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
      sqlite3_bind_text(statement, at, text, Int32(text.utf8.count), transient)
    }
  }

  private func prepare(_ sql: String) -> OpaquePointer? {
    var statement: OpaquePointer?
    precondition(sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, "\(error): \(sql)")
    return statement
  }

  /// The rows' values as texts, sorted, in the order of our columns.
  func rows(_ sql: String, _ columns: [RecordColumn]) -> [[String]] {
    let statement = prepare(sql)
    defer { sqlite3_finalize(statement) }
    var names: [String: Int32] = [:]
    for i in 0..<sqlite3_column_count(statement) {
      names[String(cString: sqlite3_column_name(statement, i))] = i
    }
    var rows: [[String]] = []
    while true {
      let outcome = sqlite3_step(statement)
      if outcome == SQLITE_DONE { break }
      precondition(outcome == SQLITE_ROW, "\(error): \(sql)")
      rows.append(columns.map { text(statement, names[$0.name]!) })
    }
    return rows.sorted { $0.lexicographicallyPrecedes($1) }
  }

  private func text(_ statement: OpaquePointer?, _ column: Int32) -> String {
    switch sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER: "\(sqlite3_column_int64(statement, column))"
    case SQLITE_FLOAT: "\(sqlite3_column_double(statement, column))"
    case SQLITE_NULL: "null"
    default:
      "'"
        + exact(
          String(
            decoding: UnsafeRawBufferPointer(
              start: sqlite3_column_text(statement, column),
              count: Int(sqlite3_column_bytes(statement, column))), as: UTF8.self))
    }
  }
}
