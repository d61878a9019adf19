import Base
import CSQLite
import Events
import Query

@testable import Matching

/// A table with two columns of each type.
let samples = Schema(
  table: "samples",
  columns: [
    Column("id", .string), Column("a", .int), Column("b", .int), Column("r", .real), Column("q", .real),
    Column("s", .string), Column("t", .string), Column("flag", .bool), Column("up", .bool),
    Column("at", .time),
  ],
  key: ["id"])

/// The same rows in a row store and in SQLite.
final class Oracle {
  /// NOW(), among the times of the rows.
  static let now: Int64 = 2500

  let strings = StringTable()
  let store: RowStore
  private var database: OpaquePointer?
  private let clock = UnsafeMutablePointer<Int64>.allocate(capacity: 1)
  let rowCount: Int

  init(_ rows: [[Value]]) {
    store = RowStore(schema: samples, strings: strings)
    rowCount = rows.count
    precondition(sqlite3_open(":memory:", &database) == SQLITE_OK)
    execute("PRAGMA case_sensitive_like=ON")
    clock.pointee = Oracle.now
    defineNow(in: database, clock)
    execute(
      """
      CREATE TABLE samples (id TEXT, a INTEGER, b INTEGER, r REAL, q REAL, s TEXT, t TEXT,
        flag INTEGER, up INTEGER, at INTEGER)
      """)
    execute("BEGIN")
    for row in rows { insert(row) }
    execute("COMMIT")
  }

  deinit {
    sqlite3_close(database)
    clock.deallocate()
  }

  private func execute(_ sql: String) {
    precondition(sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK, error)
  }

  private var error: String { String(cString: sqlite3_errmsg(database)) }

  private func insert(_ row: [Value]) {
    let slot = store.makeSlot()
    let marks = row.map { _ in "?" }.joined(separator: ",")
    let statement = prepare("INSERT INTO samples VALUES (\(marks))")
    defer { sqlite3_finalize(statement) }
    for (i, value) in row.enumerated() {
      store.row(slot)[i] = store.cell(value)
      bind(value, Int32(i + 1), statement)
    }
    precondition(sqlite3_step(statement) == SQLITE_DONE, error)
  }

  private func prepare(_ sql: String) -> OpaquePointer? {
    var statement: OpaquePointer?
    precondition(sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK, "\(error): \(sql)")
    return statement
  }

  /// What SQLite has for an expression, row by row; nil is NULL.
  func values(_ sql: String) -> [Scalar?] {
    let statement = prepare("SELECT \(sql) FROM samples ORDER BY rowid")
    defer { sqlite3_finalize(statement) }
    var values: [Scalar?] = []
    while sqlite3_step(statement) == SQLITE_ROW {
      switch sqlite3_column_type(statement, 0) {
      case SQLITE_INTEGER: values.append(.int(sqlite3_column_int64(statement, 0)))
      case SQLITE_FLOAT: values.append(.real(sqlite3_column_double(statement, 0)))
      case SQLITE_TEXT:
        let bytes = UnsafeRawBufferPointer(
          start: sqlite3_column_text(statement, 0), count: Int(sqlite3_column_bytes(statement, 0)))
        values.append(.string(Array(bytes)))
      default: values.append(nil)
      }
    }
    precondition(values.count == rowCount, error)
    return values
  }

  /// SQLite's answers to a filter.
  func answers(_ sql: String) -> [Bool] { values(sql).map { $0 == .int(1) } }

  /// Ours.
  func answers(_ filter: Filter) -> [Bool] {
    let compiled = CompiledFilter(filter)
    return (0..<rowCount).map { compiled.matches(store.row(UInt32($0)), strings, Oracle.now) }
  }

  func values(_ expression: Expression) -> [Scalar] {
    let compiled = CompiledExpression(expression)
    return (0..<rowCount).map { compiled.value(store.row(UInt32($0)), strings) }
  }
}

/// Gives SQLite a NOW() that says what the clock does, which must outlive the database.
func defineNow(in database: OpaquePointer?, _ clock: UnsafeMutablePointer<Int64>) {
  let status = sqlite3_create_function(
    database, "NOW", 0, SQLITE_UTF8, clock,
    { context, _, _ in
      sqlite3_result_int64(context, sqlite3_user_data(context).load(as: Int64.self))
    }, nil, nil)
  precondition(status == SQLITE_OK)
}
