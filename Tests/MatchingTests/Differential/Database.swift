import Base
import CSQLite
import Events
import Query

@testable import Matching

/// Records of a view by their keys: by column a value as JSON, or nil where nothing is said.
typealias Records = [[UInt8]: [[UInt8]?]]

/// SQLite with the rows of `samples`, and its answers as a stream's records.
final class Database {
  private var handle: OpaquePointer?
  /// By the bytes of their texts: to a `String`, é is é however it is written.
  private var statements: [[UInt8]: OpaquePointer] = [:]
  private let clock = UnsafeMutablePointer<Int64>.allocate(capacity: 1)

  init(now: Int64) {
    clock.pointee = now
    precondition(sqlite3_open(":memory:", &handle) == SQLITE_OK)
    defineNow(in: handle, clock)
    for sql in [
      "PRAGMA case_sensitive_like=ON",
      "CREATE TABLE samples (id TEXT PRIMARY KEY, a INT, b INT, r REAL, q REAL, s TEXT, t TEXT, flag INT, up INT, at INT)",
    ] {
      precondition(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK, error)
    }
  }

  deinit {
    for statement in statements.values { sqlite3_finalize(statement) }
    sqlite3_close(handle)
    clock.deallocate()
  }

  /// What NOW() is.
  var now: Int64 {
    get { clock.pointee }
    set { clock.pointee = newValue }
  }

  private var error: String { String(cString: sqlite3_errmsg(handle)) }

  private func statement(_ sql: String) -> OpaquePointer? {
    if let statement = statements[Array(sql.utf8)] { return statement }
    var statement: OpaquePointer?
    precondition(sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, "\(error): \(sql)")
    statements[Array(sql.utf8)] = statement
    return statement
  }

  // MARK: Rows

  func put(_ row: [Value]) { run("REPLACE INTO samples VALUES (?,?,?,?,?,?,?,?,?,?)", row) }

  func delete(_ key: String) { run("DELETE FROM samples WHERE id = ?", [.string(key)]) }

  private func run(_ sql: String, _ values: [Value]) {
    let statement = statement(sql)
    for (i, value) in values.enumerated() { bind(value, Int32(i + 1), statement) }
    precondition(sqlite3_step(statement) == SQLITE_DONE, error)
    sqlite3_reset(statement)
  }

  // MARK: Records

  /// What a stream of the view should fold to, as far as this says it.
  func records(_ sql: String, _ view: View) -> Records {
    let statement = statement(sql)
    defer { sqlite3_reset(statement) }
    let columns = view.recordColumns
    let places = columns.map { column in
      (0..<sqlite3_column_count(statement)).first {
        String(cString: sqlite3_column_name(statement, $0)) == column.name
      }
    }
    var records: Records = [:]
    while true {
      let outcome = sqlite3_step(statement)
      if outcome == SQLITE_DONE { return records }
      precondition(outcome == SQLITE_ROW, "\(error): \(sql)")
      let values = zip(columns, places).map { column, place in
        place.map { text(statement, $0, column.type) }
      }
      var key = ByteBuffer()
      writeKey(statement, values, places, view, to: &key)
      records[Array(key.bytes)] = values
    }
  }

  private func writeKey(
    _ statement: OpaquePointer?, _ values: [[UInt8]?], _ places: [Int32?], _ view: View,
    to buffer: inout ByteBuffer
  ) {
    // The key, and group columns, come first.
    var count = 1
    if case .metric(_, let groupBy) = view.body { count = groupBy.count }
    switch count {
    case 0: buffer.append(UInt8(ascii: "*"))
    case 1 where sqlite3_column_type(statement, places[0]!) == SQLITE_TEXT:
      buffer.append(bytes(statement, places[0]!))
    case 1: values[0]!.withUnsafeBytes { buffer.append($0) }
    default:
      for (i, value) in values.prefix(count).enumerated() {
        buffer.append(UInt8(ascii: i == 0 ? "[" : ","))
        value!.withUnsafeBytes { buffer.append($0) }
      }
      buffer.append(UInt8(ascii: "]"))
    }
  }

  private func bytes(_ statement: OpaquePointer?, _ column: Int32) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: sqlite3_column_text(statement, column), count: Int(sqlite3_column_bytes(statement, column)))
  }

  /// As JSON.
  private func text(_ statement: OpaquePointer?, _ column: Int32, _ type: OutputType) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 32)
    switch sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER where type == .bool:
      buffer.append(sqlite3_column_int64(statement, column) == 0 ? "false" : "true" as StaticString)
    case SQLITE_INTEGER: buffer.append(decimal: sqlite3_column_int64(statement, column))
    case SQLITE_FLOAT: buffer.append(jsonReal: sqlite3_column_double(statement, column) + 0)
    case SQLITE_NULL: buffer.append("null" as StaticString)
    default:
      // A histogram is a text there.
      if type == .ints {
        buffer.append(bytes(statement, column))
      } else {
        buffer.append(jsonString: bytes(statement, column))
      }
    }
    return Array(buffer.bytes)
  }
}
