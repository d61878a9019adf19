import Events

/// The table `alerts` after docs/events.md, written as plainly as can be and knowing nothing of `Table`:
/// one event after the other, in the order in which they were sent.
struct NaiveAlerts {
  /// What a row's StateChange must be: a clear's time is the table's own.
  enum StateChange { case never, always, either }

  private(set) var rows: [String: AlertRow] = [:]
  private(set) var stateChange: [String: StateChange] = [:]

  private static let texts = [
    "Identifier", "Node", "NodeAlias", "Manager", "Agent", "AlertGroup", "AlertKey", "Summary", "Location",
    "Customer", "Service", "Url", "ExtendedAttr",
  ]
  private static let numbers = [
    "Serial", "Severity", "FirstOccurrence", "LastOccurrence", "InternalLast", "StateChange", "Type", "Tally",
    "Class", "Grade", "OwnerUID", "OwnerGID", "Acknowledged", "ExpireTime",
  ]

  /// JSON null is a missing field. `time`: the record's.
  mutating func apply(_ event: AlertRow, time: Int64) {
    let event = event.filter { $0.value != .null }
    let key = event.text("Identifier")
    let isResolution = (event["Type"] ?? rows[key]?["Type"]) == .int(2)
    let row = rows[key].map { Self.duplicate($0, event) } ?? Self.new(event, time)
    if stateChange[key] == .always { stateChange[key] = .either }
    rows[key] = row
    // Its own time is the event's, or the record's.
    if isResolution { resolve(key, at: event["LastOccurrence"]?.int ?? time) }
  }

  private static func new(_ event: AlertRow, _ time: Int64) -> AlertRow {
    var row: AlertRow = [:]
    for name in texts { row[name] = .string("") }
    for name in numbers { row[name] = .int(0) }
    row["Tally"] = .int(1)
    row["FirstOccurrence"] = .int(time)
    row["LastOccurrence"] = .int(time)
    let unknown = event.filter { row[$0.key] == nil }.sorted { $0.key < $1.key }
    row.merge(event.filter { row[$0.key] != nil }) { $1 }
    if !unknown.isEmpty {
      row["ExtendedAttr"] = .string(JSON.object(unknown.map { JSON.Member($0.key, $0.value) }).text)
    }
    return row
  }

  /// Every column keeps but these.
  private static func duplicate(_ row: AlertRow, _ event: AlertRow) -> AlertRow {
    var row = row
    row["Severity"] = event["Severity"] ?? row["Severity"]
    row["Summary"] = event["Summary"] ?? row["Summary"]
    row["LastOccurrence"] = .int(max(row.number("LastOccurrence"), event.number("LastOccurrence")))
    row["Tally"] = .int(row.number("Tally") + (event["Tally"]?.int ?? 1))
    return row
  }

  private mutating func resolve(_ key: String, at time: Int64) {
    clear(key)
    let resolution = rows[key]!
    let same = ["Node", "AlertGroup", "AlertKey", "Manager"]
    for (other, row) in rows
    where row.number("Type") == 1 && row.number("Severity") != 0
      && row.number("LastOccurrence") <= max(time, resolution.number("LastOccurrence"))
      && same.allSatisfy({ row[$0] == resolution[$0] })
    {
      clear(other)
    }
  }

  private mutating func clear(_ key: String) {
    rows[key]!["Severity"] = .int(0)
    stateChange[key] = .always
  }

  /// All that was cleared so far has been deleted.
  mutating func forgetCleared() {
    for (key, row) in rows where row.number("Severity") == 0 && stateChange[key] == .always {
      rows[key] = nil
      stateChange[key] = nil
    }
  }

  mutating func expire(at now: Int64) {
    rows = rows.filter { $0.value.number("ExpireTime") == 0 || $0.value.number("ExpireTime") > now }
  }

  /// What is wrong with the real rows; nil if nothing. (Operators' rows are not of events.)
  func difference(to real: [String: AlertRow]) -> String? {
    let real = real.filter { !$0.key.hasPrefix(Operators.rows) }
    for key in Set(rows.keys).union(real.keys).sorted() {
      guard let mine = rows[key] else { return "row \(key) should not be there: \(text(real[key]!))" }
      guard let there = real[key] else { return "row \(key) is missing: \(text(mine))" }
      if let fault = difference(mine, there, stateChange[key] ?? .never) { return "row \(key): \(fault)" }
    }
    return nil
  }

  private func difference(_ mine: AlertRow, _ there: AlertRow, _ change: StateChange) -> String? {
    for name in Set(mine.keys).union(there.keys).sorted() where name != "StateChange" {
      if mine[name] == there[name] { continue }
      return "\(name) is \(there[name]?.text ?? "missing"), expected \(mine[name]?.text ?? "nothing")"
    }
    let isSet = there.number("StateChange") > 0
    return switch change {
    case .never where isSet: "StateChange is set, though nothing was cleared"
    case .always where !isSet: "StateChange is not set, though it was cleared"
    default: nil
    }
  }

  private func text(_ row: AlertRow) -> String {
    row.sorted { $0.key < $1.key }.filter { $0.value != .int(0) && $0.value != .string("") }
      .map { "\($0.key)=\($0.value.text)" }.joined(separator: " ")
  }
}
