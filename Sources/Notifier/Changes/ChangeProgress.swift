import Base
import Bus
import Events
import Requests

/// What `<cluster>.progress` says of a stream of every change.
struct ChangeState: Equatable {
  /// Whether the stream goes on with the next change.
  enum Phase: String {
    case following
    /// Its snapshot is on it in part only.
    case snapshot
    /// It is over a limit.
    case failed
    /// It stored for clients that are away until its limit was reached.
    case full
  }

  /// What is stored for clients that are away.
  struct Stored: Equatable {
    var since: Timestamp
    /// Of keys, values and headers.
    var bytes: Int64
  }

  var epoch: Int64
  var seq: Int64
  var creation: Int64
  var phase: Phase
  /// By shard: the change numbers that its snapshot held, up to which changes are skipped.
  var positions: [Int32: Int64]
  /// By shard: the next offset of the changelog, where the stream is not as far as the seat's record says of all
  /// others, or begins behind that.
  var from: [Int32: Int64] = [:]
  var stored: Stored?

  /// A stream that begins with the changes at these offsets: what the transaction of its first reply says of it.
  static func beginning(_ place: StreamPlace, epoch: Int64, from: [Int32: Int64]) -> ChangeState {
    ChangeState(epoch: epoch, seq: 0, creation: place.creation, phase: .following, positions: [:], from: from)
  }
}

/// How far a shard's changelog is published: the next offset, and the number of the last change before it.
struct ChangePosition: Equatable {
  var offset: Int64
  /// nil: not known yet, since no change was read and no snapshot has told.
  var change: Int64?
}

/// The publisher of changes' side of `<cluster>.progress`.
struct ChangeProgress {
  private(set) var streams: [String: ChangeState] = [:]
  private(set) var positions: [Int32: ChangePosition] = [:]
  /// The number of the last transaction.
  private(set) var number: Int64 = 0
  private(set) var time = Timestamp.zero

  /// Takes over a record, read in order. False: it has numbers that cannot be, and counts for nothing.
  mutating func restore(key: String, value: JSON?, seat: String, now: Timestamp) -> Bool {
    guard let value else {
      streams[key] = nil
      return true
    }
    if key == "*/\(seat)" { return restoreSeat(value, now) }
    guard let positions = value["positions"] else { return true }  // a net stream
    let state = ChangeState(
      epoch: value["epoch"]?.int ?? 0, seq: value["seq"]?.int ?? 0, creation: value["creation"]?.int ?? 0,
      phase: value["phase"]?.string.flatMap(ChangeState.Phase.init(rawValue:)) ?? .following,
      positions: Self.numbers(positions), from: Self.numbers(value["from"] ?? .null),
      stored: Self.stored(value))
    guard [state.epoch, state.seq, state.creation].allSatisfy(\.isCount) else { return false }
    // Another seat writes how a life begins, and may be before the last word on the former one.
    if state.creation >= streams[key]?.creation ?? 0 { streams[key] = state }
    return true
  }

  private mutating func restoreSeat(_ value: JSON, _ now: Timestamp) -> Bool {
    let number = value["sweep"]?.int ?? 0
    guard number.isCount else { return false }
    self.number = number
    let written = Timestamp(milliseconds: value["time"]?.int ?? 0)
    if written <= now + Progress.timeAheadMax { time = max(time, written) }
    let changes = Self.numbers(value["positions"] ?? .null)
    positions = [:]
    for (shard, offset) in Self.numbers(value["offsets"] ?? .null) {
      positions[shard] = ChangePosition(offset: offset, change: changes[shard])
    }
    return true
  }

  private static func stored(_ value: JSON) -> ChangeState.Stored? {
    guard let since = value["stored_ms"]?.int, let bytes = value["stored_bytes"]?.int, bytes.isCount else {
      return nil
    }
    return ChangeState.Stored(since: Timestamp(milliseconds: since), bytes: bytes)
  }

  private static func numbers(_ json: JSON) -> [Int32: Int64] {
    var numbers: [Int32: Int64] = [:]
    for member in json.members ?? [] {
      guard let shard = Int32(member.name), let number = member.value.int, number.isCount else { continue }
      numbers[shard] = number
    }
    return numbers
  }

  /// A transaction is about to be made: its number and time.
  mutating func next(now: Timestamp) -> (number: Int64, time: Timestamp) {
    number += 1
    time = max(time, now)
    return (number, time)
  }

  static func record(_ state: ChangeState, number: Int64, time: Timestamp) -> JSON {
    .object(of: [
      "epoch": .int(state.epoch), "seq": .int(state.seq), "sweep": .int(number),
      "creation": .int(state.creation), "time": .int(time.milliseconds),
      "phase": .string(state.phase.rawValue), "positions": object(state.positions),
      "from": state.from.isEmpty ? nil : object(state.from),
      "stored_ms": state.stored.map { .int($0.since.milliseconds) },
      "stored_bytes": state.stored.map { .int($0.bytes) },
    ])
  }

  static func record(
    _ positions: [Int32: ChangePosition], epoch: Int64, number: Int64, time: Timestamp
  ) -> JSON {
    .object(of: [
      "sweep": .int(number), "epoch": .int(epoch), "time": .int(time.milliseconds),
      "positions": object(positions.compactMapValues(\.change)),
      "offsets": object(positions.mapValues(\.offset)),
    ])
  }

  private static func object(_ numbers: [Int32: Int64]) -> JSON {
    .object(numbers.sorted { $0.key < $1.key }.map { JSON.Member(String($0.key), .int($0.value)) })
  }
}
