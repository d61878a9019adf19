import Base
import Bus
import Events

/// An operator's screen: views of the rows that operators change, due so seldom that only a flush shows a change soon.
/// It reads answers as they come, and flushes behind those of changes: from then on it relies on seeing them.
public struct Screen {
  static let client = "s"
  /// What the ids of its flushes begin with.
  private static let ids = "f/"

  /// A flush that was sent.
  struct Flush {
    /// How it must be answered.
    enum Answer: Equatable {
      case flushed
      /// Published, or given up after its time: there was trouble.
      case flushedOrLate
      case rejected(String)
    }

    let name: String
    var answer: Answer
    /// By shard: changes that had been answered when it was sent.
    let changes: [Int: Int64]
    /// It named no positions: what the commands before it did is to be seen, too.
    let waitsForCommands: Bool
    /// Views that were linked with its own by then.
    let linked: [String]
  }

  /// Those that are linked, in the order of `screenViews`; the last one is not.
  private static let names = ["list", "count", "low", "groups"]
  private static let unlinked = "groups"

  private let world: any World
  private var random: SeededRandom
  /// All that was sent, by its id.
  private(set) var sent: [String: Flush] = [:]
  private var hasAsked = false
  /// What lies below this offset of the replies was read; and what they said: views that stand, changes that are
  /// done, by shard; flushes that wait still.
  private var heard: Int64 = 0
  private var standing: Set<String> = []
  private var done: [Int: Int64] = [:]
  private var waiting: Set<String> = []
  /// Ids that may come again.
  private var recent: [(id: String, value: String)] = []
  /// The changes up to which all views were flushed in quiet.
  private var shown: [Int: Int64] = [:]

  init(_ world: any World, seed: UInt64) {
    self.world = world
    random = SeededRandom(seed: seed)
  }

  public mutating func send() {
    if !hasAsked { return ask() }
    hear()
    if let again = recent.randomElement(using: &random), chance(5) { return append(again.id, again.value) }
    if chance(12) { return flush("none", .rejected("request")) }
    guard let name = standing.sorted().randomElement(using: &random) else { return }
    // No shard comes so far.
    if chance(20) { return flush(name, .rejected("timeout"), positions: [0: 1_000_000_000]) }
    flush(name, .flushedOrLate, positions: chance(3) ? nil : done)
  }

  /// In quiet: what was changed since is to be seen, and nothing keeps it from that.
  public mutating func settle() {
    hear()
    guard waiting.isEmpty, !standing.isEmpty, shown != done else { return }
    for name in standing.sorted() { flush(name, .flushed, positions: done) }
    shown = done
  }

  /// What it waits for; nil where that is nothing.
  public var awaited: String? {
    if let id = waiting.min() { return "the answer to flush \(id)" }
    return standing.isEmpty || shown == done ? nil : "a flush of what was changed last"
  }

  /// Commands and replies are kept for a week only.
  public mutating func forget() { recent = [] }

  private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  private mutating func ask() {
    hasAsked = true
    for (name, view) in zip(Self.names, screenViews) {
      let link = name == Self.unlinked ? nil : JSON.string("desk")
      let request = JSON.object(of: [
        "client": .string(Self.client), "name": .string(name), "sql": .string(view.spellings[0]),
        "interval_ms": .int(world.pace.lease.milliseconds), "link": link,
      ])
      world.append(topic: world.topics.requests, key: "\(Self.client)/\(name)", value: request.text)
    }
  }

  private mutating func hear() {
    for record in world.found(world.topics.replies, from: heard) {
      heard = record.offset + 1
      guard let key = record.keyText, let reply = record.valueText.flatMap({ try? JSON(parsing: $0) }) else {
        continue
      }
      let status = reply["status"]?.string
      if key.hasPrefix(Self.ids) { waiting.remove(key) }
      if key.hasPrefix("\(Self.client)/"), status == "active" {
        standing.insert(String(key.dropFirst(Self.client.count + 1)))
      }
      if key.hasPrefix("\(Operators.client)/"), status == "done" {
        for position in reply["positions"]?.members ?? [] {
          done[Int(position.name)!, default: 0].raise(to: position.value.int!)
        }
      }
    }
  }

  private mutating func flush(_ name: String, _ answer: Flush.Answer, positions: [Int: Int64]? = nil) {
    let id = "\(Self.ids)\(sent.count)"
    let linked = name == Self.unlinked ? [name] : standing.filter { $0 != Self.unlinked }.sorted()
    sent[id] = Flush(
      name: name, answer: answer, changes: done, waitsForCommands: positions == nil, linked: linked)
    let members = positions.map { $0.sorted { $0.key < $1.key } }?.map {
      JSON.Member(String($0.key), .int($0.value))
    }
    let value = JSON.object(of: [
      "client": .string(Self.client), "flush": .string(name), "positions": members.map { .object($0) },
    ])
    recent.append((id, value.text))
    append(id, value.text)
  }

  private mutating func append(_ id: String, _ value: String) {
    waiting.insert(id)
    world.append(topic: world.topics.commands, key: id, value: value)
  }
}

extension Int64 {
  fileprivate mutating func raise(to other: Int64) { self = Swift.max(self, other) }
}
