import CSQLite
import Events
import Testing

/// SQLite with the same rows: what a filter must give, by somebody else's reading of it.
final class Oracle {
  private var database: OpaquePointer?
  private let booleans: Set<String>

  /// `columns`: name and SQLite's type. `booleans`: columns of 0 and 1 that we give as true and false.
  init(table: String, columns: [(name: String, type: String)], booleans: Set<String>, rows: [JSON]) throws {
    self.booleans = booleans
    try #require(sqlite3_open(":memory:", &database) == SQLITE_OK)
    try execute("PRAGMA case_sensitive_like = ON")
    let declared = columns.map { "\"\($0.name)\" \($0.type)" }.joined(separator: ", ")
    try execute("CREATE TABLE \(table) (\(declared))")
    for row in rows {
      let values = columns.map { Self.literal(row[$0.name] ?? .null) }.joined(separator: ", ")
      try execute("INSERT INTO \(table) VALUES (\(values))")
    }
  }

  /// Somebody else's database, to be read.
  init(file path: String) throws {
    booleans = []
    try #require(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, nil) == SQLITE_OK, "\(path)")
    sqlite3_busy_timeout(database, 10_000)
  }

  deinit { sqlite3_close(database) }

  private static func literal(_ value: JSON) -> String {
    switch value {
    case .bool(let b): b ? "1" : "0"
    case .string(let text):
      "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    default: value.text
    }
  }

  private var error: String { String(cString: sqlite3_errmsg(database)) }

  func execute(_ sql: String) throws {
    try #require(sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK, "\(error): \(sql)")
  }

  /// The rows, each an object with its members sorted by name.
  func rows(_ sql: String) throws -> [JSON] {
    var statement: OpaquePointer?
    try #require(sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK, "\(error): \(sql)")
    defer { sqlite3_finalize(statement) }
    var found: [JSON] = []
    while sqlite3_step(statement) == SQLITE_ROW {
      found.append(
        .object(
          (0..<sqlite3_column_count(statement)).map { at in
            let name = String(cString: sqlite3_column_name(statement, at))
            return JSON.Member(name, value(statement, at, isBoolean: booleans.contains(name)))
          }))
    }
    return found
  }

  private func value(_ statement: OpaquePointer?, _ at: Int32, isBoolean: Bool) -> JSON {
    switch sqlite3_column_type(statement, at) {
    case SQLITE_INTEGER:
      let number = sqlite3_column_int64(statement, at)
      return isBoolean ? .bool(number == 1) : .int(number)
    case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, at))
    case SQLITE_TEXT: return .string(String(cString: sqlite3_column_text(statement, at)))
    default: return .null
    }
  }
}

/// Rows in an order of their own, members sorted: two answers are the same where these are.
func normal(_ rows: [JSON]) -> [String] {
  rows.map { row in
    let members = (row.members ?? []).sorted { $0.name < $1.name }
    return JSON.object(members.map { JSON.Member($0.name, rounded($0.value)) }).text
  }.sorted()
}

/// Sums of reals may be added up in another order: 12 digits must be the same.
private func rounded(_ value: JSON) -> JSON {
  guard case .real(let x) = value, x != 0, x.isFinite else { return value }
  let scale = 1e12 / (x.magnitude * 1)
  return .real((x * scale).rounded() / scale)
}
