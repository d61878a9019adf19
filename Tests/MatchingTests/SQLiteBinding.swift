import CSQLite
import Events

/// Gives a statement's parameter, counted from 1, a value.
func bind(_ value: Value, _ at: Int32, _ statement: OpaquePointer?) {
  switch value {
  case .int(let n), .time(let n): sqlite3_bind_int64(statement, at, n)
  case .real(let x): sqlite3_bind_double(statement, at, x)
  case .bool(let b): sqlite3_bind_int64(statement, at, b ? 1 : 0)
  case .string(let text):
    let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    sqlite3_bind_text(statement, at, text, Int32(text.utf8.count), transient)
  }
}
