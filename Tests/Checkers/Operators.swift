import Base
import Bus
import Events

/// Clients that change rows, each command under an id of its own, which they may send again. What they do can be
/// counted without knowing in which order it was done: a row of theirs has as many in Tally as INSERTs were
/// answered, and as many in Grade as rows were touched by UPDATEs that count it up. Each leaves its id in Summary.
public struct Operators {
  static let client = "o"
  /// The beginning of their rows' keys, which no event has.
  static let rows = "ledger/"

  enum Command {
    case insert(row: String)
    case update(row: String)
    case malformed
  }

  private let world: any World
  private var random: SeededRandom
  /// All that was sent, by its id.
  private(set) var sent: [String: Command] = [:]
  /// Ids that may come again: their replies are kept.
  private var recent: [(id: String, sql: String)] = []

  init(_ world: any World, seed: UInt64) {
    self.world = world
    random = SeededRandom(seed: seed)
  }

  public mutating func send() {
    if let again = recent.randomElement(using: &random), Int.random(in: 0..<3, using: &random) == 0 {
      return append(again.id, again.sql)
    }
    let id = "\(Self.client)/\(sent.count)"
    let row = "\(Self.rows)\(Int.random(in: 0..<3, using: &random))"
    let sql: String
    switch Int.random(in: 0..<9, using: &random) {
    case 0..<4:
      sent[id] = .insert(row: row)
      sql =
        "INSERT INTO alerts (Identifier, Node, Severity, Summary) VALUES ('\(row)', 'edge', 3, '\(id)')"
    case 4..<8:
      sent[id] = .update(row: row)
      let severity = Int.random(in: 1...5, using: &random)
      sql =
        "UPDATE alerts SET Grade = Grade + 1, Severity = \(severity), Summary = '\(id)'"
        + " WHERE Identifier = '\(row)'"
    default:
      sent[id] = .malformed
      sql = "UPDATE alerts SET Grad = 1"
    }
    recent.append((id, sql))
    append(id, sql)
  }

  /// Replies are kept for a week only.
  public mutating func forget() { recent = [] }

  private func append(_ id: String, _ sql: String) {
    let value = JSON.object(of: ["client": .string(Self.client), "sql": .string(sql)]).text
    world.append(topic: world.topics.commands, key: id, value: value)
  }
}
