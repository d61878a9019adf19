import Base
import Events

/// The rules of docs/events.md once more, as slowly and plainly as can be: a dictionary of rows of values.
struct NaiveTable {
  let schema: Schema
  var rows: [String: [Value]] = [:]
  var time: Int64 = 0

  init(_ schema: Schema) { self.schema = schema }

  subscript(row: [Value], name: String) -> Int64 {
    switch row[schema.index(of: name)!] {
    case .int(let n), .time(let n): n
    default: 0
    }
  }

  /// `event` has a value or nothing for each column.
  mutating func apply(_ event: [String: Value], key: String, recordTime: Int64) {
    var row = rows[key]
    let isNew = row == nil
    if row == nil {
      row = schema.columns.map { $0.defaultsToRecordTime ? .time(recordTime) : $0.default }
      for (index, column) in schema.columns.enumerated() {
        if let value = event[column.name] { row![index] = value }
      }
    } else {
      for (index, column) in schema.columns.enumerated() {
        row![index] = merged(column, row![index], event[column.name])
      }
    }
    let isResolution = isResolution(event, isNew ? nil : row)
    if isResolution { clear(&row!) }
    rows[key] = row!
    if isResolution {
      // Its own time is the event's, or the record's.
      let last = event["LastOccurrence"] == nil ? recordTime : .min
      clearProblems(row!, notAfter: max(last, self[row!, "LastOccurrence"]))
    }
  }

  private func merged(_ column: Column, _ old: Value, _ new: Value?) -> Value {
    switch (column.onDuplicate, old, new) {
    case (.increment, .int(let a), .int(let b)): .int(Int64(clamping: Int128(a) + Int128(b)))
    case (.increment, .int(let a), nil): .int(Int64(clamping: Int128(a) + 1))
    case (_, _, nil), (.keep, _, _): old
    case (.replace, _, let new?): new
    case (.min, _, let new?): isLess(new, old) ? new : old
    case (_, _, let new?): isLess(old, new) ? new : old
    }
  }

  private func isLess(_ a: Value, _ b: Value) -> Bool {
    switch (a, b) {
    case (.int(let a), .int(let b)), (.time(let a), .time(let b)): a < b
    case (.real(let a), .real(let b)): a < b
    case (.string(let a), .string(let b)): Array(a.utf8).lexicographicallyPrecedes(Array(b.utf8))
    default: false
    }
  }

  private func isResolution(_ event: [String: Value], _ row: [Value]?) -> Bool {
    guard let type = schema.index(of: "Type"), schema.index(of: "AlertKey") != nil else { return false }
    return event["Type"].map { $0 == .int(2) } ?? (row?[type] == .int(2))
  }

  private func clear(_ row: inout [Value]) {
    row[schema.index(of: "Severity")!] = .int(0)
    row[schema.index(of: "StateChange")!] = .time(time)
  }

  private mutating func clearProblems(_ resolution: [Value], notAfter last: Int64) {
    let same = ["Node", "AlertGroup", "AlertKey", "Manager"].map { schema.index(of: $0)! }
    for (key, row) in rows
    where self[row, "Type"] == 1 && self[row, "Severity"] != 0
      && self[row, "LastOccurrence"] <= last
      && same.allSatisfy({ row[$0] == resolution[$0] })
    {
      clear(&rows[key]!)
    }
  }

  mutating func runTimers() {
    for (key, row) in rows {
      let isCleared =
        schema.index(of: "StateChange") != nil && self[row, "Severity"] == 0
        && self[row, "StateChange"] > 0 && self[row, "StateChange"] + 120_000 <= time
      let isExpired =
        schema.index(of: "ExpireTime") != nil && self[row, "ExpireTime"] > 0
        && self[row, "ExpireTime"] <= time
      if isCleared || isExpired { rows[key] = nil }
    }
  }

  var dump: [String: String] {
    rows.mapValues { row in
      JSON.object(zip(schema.columns, row).map { JSON.Member($0.name, $1.json) }).text
    }
  }
}

extension Value {
  var json: JSON {
    switch self {
    case .string(let text): .string(text)
    case .int(let n), .time(let n): .int(n)
    case .real(let x): .real(x)
    case .bool(let b): .bool(b)
    }
  }
}
