import Base
import Events

/// How far the table is.
public struct TableState: Sendable, Equatable {
  /// The number of each shard's last change.
  public let positions: [Int32: Int64]
  /// The commands before this offset of `<cluster>.commands` are done.
  public let commands: Int64

  public init(positions: [Int32: Int64], commands: Int64) {
    self.positions = positions
    self.commands = commands
  }

  /// It has not told yet.
  public static let unknown = TableState(positions: [:], commands: 0)
}

/// A client's wish that one of its requests is published now, read and not answered yet.
public struct Flush: Sendable, Equatable {
  /// The command's id.
  let id: ByteKey
  public let client: String
  public let name: String
  /// Change numbers by shard: the table must have reached them. None: it must have done the commands before this one.
  public let positions: [Int32: Int64]
  /// 64 bits over what it asks for.
  let content: UInt64
  /// Where it stands on `<cluster>.commands`: no other has this one.
  public let offset: Int64
  let since: Timestamp

  /// Whether the table's state has in it what the client wants to see.
  public func isReached(at state: TableState) -> Bool {
    if positions.isEmpty { return state.commands >= offset }
    return positions.allSatisfy { shard, number in state.positions[shard].map { $0 >= number } ?? false }
  }

  /// Reads a command's `positions`.
  static func positions(_ json: JSON?) throws(Rejection) -> [Int32: Int64] {
    guard let json, json != .null else { return [:] }
    var positions: [Int32: Int64] = [:]
    guard json.members?.count ?? 0 <= positionsMax else {
      throw Rejection(.limit, "\(json.members!.count) positions, at most \(positionsMax) are taken")
    }
    for member in json.members ?? [] {
      guard let shard = Int32(member.name), shard >= 0, let number = member.value.int, number.isCount else {
        throw malformed
      }
      guard positions.updateValue(number, forKey: shard) == nil else {
        throw Rejection(.value, "positions have shard \(shard) twice")
      }
    }
    guard json.members != nil else { throw malformed }
    return positions
  }

  /// As many shards as a cluster may have.
  private static let positionsMax = 1_024

  private static let malformed = Rejection(
    .value, #"positions are change numbers by shard, such as {"2":8812}"#)
}

/// How flushes are answered (docs/bus-contract.md, "Commands"). What they wait for is the publisher's to do.
extension Registry {
  /// Takes a flush among those that wait.
  func wait(for flush: Flush) throws(Rejection) {
    if let fault = fault(of: flush) { throw fault }
    if flushes.count >= settings.flushesMax {
      throw Rejection(.limit, "\(settings.flushesMax) flushes wait already")
    }
    flushes.append(flush)
  }

  /// The set that a flush is about and the stream that its request reads; nil where its request is gone.
  public func target(of flush: Flush) -> (set: String, stream: String)? {
    entry(of: flush).map { ($0.stream.set.id, $0.stream.stream.id) }
  }

  private func entry(of flush: Flush) -> RequestEntry? {
    requestEntries[ByteKey(flush.client + "/" + flush.name)]
  }

  /// Why a flush cannot be done as the requests are now.
  private func fault(of flush: Flush) -> Rejection? {
    guard let entry = entry(of: flush) else {
      return Rejection(.request, "\(excerpt(flush.client)) has no request \(excerpt(flush.name))")
    }
    let mode = entry.stream.stream.mode
    if mode != .net {
      return Rejection(.unsupported, "a stream of mode \(mode.rawValue) waits for no interval")
    }
    return entry.stream.failure
  }

  /// Rejects those that cannot be done, or have waited for too long; `state` is how far the table is. Those at
  /// the offsets `underway` are left alone: they are about to be answered.
  public func settleFlushes(now: Timestamp, at state: TableState, underway: Set<Int64>) -> Effects {
    var draft = Draft(now: now)
    for flush in flushes where !underway.contains(flush.offset) {
      guard let fault = fault(of: flush) ?? impatience(flush, now, state) else { continue }
      counts.rejected[fault.code, default: 0] += 1
      answer(flush, CommandContent.reply(to: flush.client, "rejected", fault), &draft)
    }
    return draft.effects.isEmpty ? Effects() : settle(commands: &draft)
  }

  private func impatience(_ flush: Flush, _ now: Timestamp, _ state: TableState) -> Rejection? {
    let reached = state.positions
    let behind = flush.positions.filter { reached[$0.key] ?? -1 < $0.value }.min { $0.key < $1.key }
    if let behind, state != .unknown, reached[behind.key] == nil {
      return Rejection(.value, "the table has no shard \(behind.key)")
    }
    guard now - flush.since > settings.flushWait else { return nil }
    let limit = "in \(settings.flushWait.milliseconds / 1_000) s"
    if state != .unknown, flush.positions.isEmpty, !flush.isReached(at: state) {
      return Rejection(.timeout, "the commands before it were not done \(limit)")
    }
    guard let behind, let reached = reached[behind.key] else {
      return Rejection(.timeout, "not published \(limit)")
    }
    return Rejection(.timeout, "shard \(behind.key) is at \(reached), not at \(behind.value) \(limit)")
  }

  /// These flushes' sets are published in the transaction that has these effects: each is told how far its
  /// request's stream is with it.
  public func flushed(_ done: [(flush: Flush, seq: Int64)], sweep: Int64, now: Timestamp) -> Effects {
    if done.isEmpty { return Effects() }
    var draft = Draft(now: now)
    for (flush, seq) in done {
      counts.flushed += 1
      let reply = JSON.object(of: [
        "client": .string(flush.client), "status": .string("flushed"), "seq": .int(seq), "sweep": .int(sweep),
      ])
      answer(flush, reply, &draft)
    }
    return settle(commands: &draft)
  }

  private func answer(_ flush: Flush, _ reply: JSON, _ draft: inout Draft) {
    flushes.removeAll { $0.offset == flush.offset }
    say(AnsweredCommand(reply: reply, content: flush.content, offset: flush.offset), to: flush.id, &draft)
  }
}
