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
      case .update(let row):
        try demand(status == "done" && (0...1).contains(rows), "command \(id), an UPDATE: \(reply.text)")
        grades[row, default: 0] += rows
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
}
