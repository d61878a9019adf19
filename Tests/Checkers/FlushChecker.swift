import Bus
import Events

/// Compares flushes with their answers, and says what these promise to whoever reads the streams
/// (`StreamChecker` holds them to it).
struct FlushChecker {
  /// In this sweep, on these streams, these changes are seen.
  struct Promise {
    let id: String
    let sweep: Int64
    /// The stream that was flushed, and where it is then.
    let stream: String
    let seq: Int64
    /// That stream and those that are linked with it.
    let streams: [String]
    /// By shard.
    let changes: [Int: Int64]
  }

  /// By sweep.
  private(set) var promises: [Int64: [Promise]] = [:]
  private(set) var flushed = 0

  init(_ world: any World, _ flushes: [String: Screen.Flush], _ requests: RequestChecker) throws(Fault) {
    var replies: [String: Set<String>] = [:]
    for record in world.history(world.topics.replies, 0) {
      guard let key = record.keyText, flushes[key] != nil else { continue }
      replies[key, default: []].insert(record.valueText ?? "null")
    }
    let before = Self.changesBefore(world, flushes)
    for (id, flush) in flushes.sorted(by: { $0.key < $1.key }) {
      let found = replies[id] ?? []
      // Sent again, it is answered again as it was.
      guard found.count == 1, let reply = try? JSON(parsing: found.first!) else {
        throw Fault("flush \(id) has the answers \(found.sorted())")
      }
      try take(id, flush, reply, requests.streamOf, before[id] ?? [:])
    }
  }

  /// Of flushes without positions, by shard, the changes of the commands that lie before their first records.
  private static func changesBefore(_ world: any World, _ flushes: [String: Screen.Flush])
    -> [String: [Int: Int64]]
  {
    let replies = folded(world.history(world.topics.replies, 0))
    var done: [Int: Int64] = [:]
    var before: [String: [Int: Int64]] = [:]
    for record in world.history(world.topics.commands, 0) {
      guard let key = record.keyText else { continue }
      if let flush = flushes[key] {
        if flush.waitsForCommands, before[key] == nil { before[key] = done }
        continue
      }
      let reply = replies[key].flatMap { $0 }.flatMap { try? JSON(parsing: $0) }
      for position in reply?["positions"]?.members ?? [] {
        guard let shard = Int(position.name), let number = position.value.int else { continue }
        done[shard] = max(done[shard] ?? 0, number)
      }
    }
    return before
  }

  private mutating func take(
    _ id: String, _ flush: Screen.Flush, _ reply: JSON, _ streamOf: [String: String], _ before: [Int: Int64]
  ) throws(Fault) {
    let code = reply["error"]?["code"]?.string
    let isFlushed = reply["status"]?.string == "flushed"
    let isRight =
      switch flush.answer {
      case .flushed: isFlushed
      case .flushedOrLate: isFlushed || code == "timeout"
      case .rejected(let expected): code == expected
      }
    try demand(isRight, "flush \(id) of \(flush.name): \(reply.text), expected \(flush.answer)")
    if !isFlushed { return }
    func stream(_ name: String) throws(Fault) -> String {
      guard let stream = streamOf["\(Screen.client)/\(name)"] else { throw Fault("\(name) does not stand") }
      return stream
    }
    guard let sweep = reply["sweep"]?.int, let seq = reply["seq"]?.int else {
      throw Fault("flush \(id): \(reply.text)")
    }
    flushed += 1
    promises[sweep, default: []].append(
      Promise(
        id: id, sweep: sweep, stream: try stream(flush.name), seq: seq,
        streams: try flush.linked.map { name throws(Fault) in try stream(name) },
        changes: flush.changes.merging(before) { max($0, $1) }))
  }
}
