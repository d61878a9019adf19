import Base
import Bus
import Events

/// Clients that change rows, each command under an id of its own, which they may send again. What they do can be
/// counted without knowing in which order it was done: a row of theirs has as many in Tally as INSERTs were
/// answered, and as many in Grade as rows were touched by UPDATEs that count it up.
struct Operators {
  /// The beginning of their rows' keys, which no event has.
  static let rows = "ledger/"

  enum Command {
    case insert(row: String)
    case update(row: String)
    case malformed
  }

  private let cluster: SimulatedCluster
  private let topic: String
  private var random: SeededRandom
  /// All that was sent, by its id.
  private(set) var sent: [String: Command] = [:]
  /// Ids that may come again: their replies are kept.
  private var recent: [(id: String, sql: String)] = []

  init(_ cluster: SimulatedCluster, topic: String, seed: UInt64) {
    self.cluster = cluster
    self.topic = topic
    random = SeededRandom(seed: seed)
  }

  mutating func send() {
    if let again = recent.randomElement(using: &random), Int.random(in: 0..<3, using: &random) == 0 {
      return append(again.id, again.sql)
    }
    let id = "o/\(sent.count)"
    let row = "\(Self.rows)\(Int.random(in: 0..<3, using: &random))"
    let sql: String
    switch Int.random(in: 0..<9, using: &random) {
    case 0..<4:
      sent[id] = .insert(row: row)
      sql = "INSERT INTO alerts (Identifier, Node, Severity) VALUES ('\(row)', 'edge', 3)"
    case 4..<8:
      sent[id] = .update(row: row)
      sql = "UPDATE alerts SET Grade = Grade + 1 WHERE Identifier = '\(row)'"
    default:
      sent[id] = .malformed
      sql = "UPDATE alerts SET Grad = 1"
    }
    recent.append((id, sql))
    append(id, sql)
  }

  /// Replies are kept for a week only.
  mutating func forget() { recent = [] }

  private func append(_ id: String, _ sql: String) {
    let value = JSON.object(of: ["client": .string("o"), "sql": .string(sql)]).text
    cluster.append(topic: topic, partition: 0, key: id, value: value)
  }
}

/// Compares rows with the answers that their operators got: each command was done once.
struct CommandChecker {
  private(set) var answered = 0

  init(_ simulation: Simulation, _ table: TableChecker) throws(Fault) {
    let replies = folded(simulation.cluster.history(simulation.topics.replies, 0))
    var tallies: [String: Int64] = [:]
    var grades: [String: Int64] = [:]
    for (id, command) in simulation.commands.sorted(by: { $0.key < $1.key }) {
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
