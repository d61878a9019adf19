import Bus
import Events

/// Compares rows with the answers that their operators got: each command was done once.
struct CommandChecker {
  private(set) var answered = 0

  init(_ world: any World, _ table: TableChecker, _ commands: [String: Operators.Command])
    throws(Fault)
  {
    let replies = folded(world.history(world.topics.replies, 0))
    var tallies: [String: Int64] = [:]
    var grades: [String: Int64] = [:]
    for (id, command) in commands.sorted(by: { $0.key < $1.key }) {
      guard let reply = replies[id].flatMap({ $0 }).flatMap({ try? JSON(parsing: $0) }) else {
        throw Fault("command \(id) has no reply")
      }
      let status = reply["status"]?.string ?? "none"
      let rows = reply["rows"]?.int ?? -1
      answered += 1
      switch command {
      case .insert(let row):
        try demand(status == "done" && rows == 1, "command \(id), an INSERT: \(reply.text)")
        tallies[row, default: 0] += 1
        try checkPositions(id, row, reply, table)
      case .update(let row):
        try demand(status == "done" && (0...1).contains(rows), "command \(id), an UPDATE: \(reply.text)")
        grades[row, default: 0] += rows
        if rows > 0 { try checkPositions(id, row, reply, table) }
      case .malformed: try demand(status == "rejected", "command \(id) is nonsense: \(reply.text)")
      }
    }
    let rows = table.rows.filter { $0.key.hasPrefix(Operators.rows) }
    try demand(Set(rows.keys) == Set(tallies.keys), "rows \(rows.keys.sorted()), by INSERTs \(tallies)")
    for (key, row) in rows.sorted(by: { $0.key < $1.key }) {
      let (tally, grade) = (row.number("Tally"), row.number("Grade"))
      try demand(tally == tallies[key]!, "\(key) was inserted \(tally) times, answered were \(tallies[key]!)")
      try demand(
        grade == grades[key, default: 0],
        "\(key) was counted up to \(grade), by the answers \(grades[key, default: 0])")
    }
  }

  /// The answer tells where the change is: behind the change of this number in the row's shard it is made.
  private func checkPositions(_ id: String, _ row: String, _ reply: JSON, _ table: TableChecker) throws(Fault)
  {
    let positions = reply["positions"]?.members ?? []
    guard positions.count == 1, let shard = Int(positions[0].name), let number = positions[0].value.int,
      table.changes.indices.contains(shard), number > 0, number <= table.changes[shard].count
    else { throw Fault("command \(id): its positions are none: \(reply.text)") }
    let change = table.changes[shard].prefix(Int(number)).last { $0.row?.text("Summary") == id }
    try demand(
      change?.key == row, "command \(id) is not among the first \(number) changes of shard \(shard)")
  }
}
