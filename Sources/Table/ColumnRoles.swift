import Base
import Events

/// The columns of a schema that the table itself gives a meaning to; found once, by name and type.
struct ColumnRoles {
  /// Problem and clear pairing: `Type` 2 (docs/events.md).
  struct Pairing {
    let type: Int
    let severity: Int
    let lastOccurrence: Int
    let node: Int
    let group: Int
    let key: Int
    let manager: Int
  }

  let pairing: Pairing?
  let severity: Int?
  let stateChange: Int?
  let expireTime: Int?
  /// Columns that a duplicate raises by 1 where its event has no value.
  let increments: [Int]

  init(_ schema: Schema) {
    func find(_ name: String, _ type: ColumnType) -> Int? {
      schema.index(of: name).flatMap { schema.columns[$0].type == type ? $0 : nil }
    }
    severity = find("Severity", .int)
    stateChange = find("StateChange", .time)
    expireTime = find("ExpireTime", .time)
    increments = schema.columns.indices.filter { schema.columns[$0].onDuplicate == .increment }
    if let type = find("Type", .int), let severity, let last = find("LastOccurrence", .time),
      let node = find("Node", .string), let group = find("AlertGroup", .string),
      let key = find("AlertKey", .string), let manager = find("Manager", .string)
    {
      pairing = Pairing(
        type: type, severity: severity, lastOccurrence: last, node: node, group: group, key: key,
        manager: manager)
    } else {
      pairing = nil
    }
  }

  /// By column: a change of it can move a row in the problem chains or the timers.
  func hookColumns(_ count: Int) -> [Bool] {
    var touched = [severity, stateChange, expireTime].compactMap { $0 }
    if let pairing {
      touched += [pairing.type, pairing.node, pairing.group, pairing.key, pairing.manager]
    }
    return (0..<count).map { touched.contains($0) }
  }

  /// When the row has to go, in shard time (ms); `Int64.max` for never.
  func deadline(_ row: Row, clearedKept: Int64) -> Int64 {
    var deadline = Int64.max
    if let severity, let stateChange, row[severity].int == 0, row[stateChange].int > 0 {
      let (sum, overflow) = row[stateChange].int.addingReportingOverflow(clearedKept)
      if !overflow { deadline = sum }
    }
    if let expireTime, row[expireTime].int > 0 { deadline = min(deadline, row[expireTime].int) }
    return deadline
  }
}
