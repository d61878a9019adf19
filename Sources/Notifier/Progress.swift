import Base
import Bus
import Events
import Requests

/// What `<cluster>.progress` says of one stream.
struct StreamState: Sendable, Equatable {
  var epoch: Int64
  /// The sequence count of its last published record.
  var seq: Int64
  /// The stream's creation number: a progress record of an earlier life does not count.
  var creation: Int64
}

/// The publisher's side of `<cluster>.progress`: each living stream's count, and the last sweep.
struct Progress {
  private(set) var streams: [String: StreamState] = [:]
  /// Streams that published in the present epoch and ended in it: their next life needs a higher one. Older
  /// ones need not be remembered, since every start and every new claim is above all that was published.
  private(set) var ended: Set<String> = []
  /// The number of the last sweep.
  private(set) var sweep: Int64 = 0
  /// The largest epoch and time in any record.
  private(set) var epoch: Int64 = 0
  private(set) var time = Timestamp.zero

  /// A time further ahead of the clock does not count: Kafka, too, takes no records from so far ahead.
  static let timeAheadMax = Duration.seconds(3_600)

  /// Takes over a record, read in order. False: it has numbers that cannot be, and counts for nothing.
  mutating func restore(key: String, value: JSON?, now: Timestamp) -> Bool {
    guard let value else {
      streams[key] = nil
      return true
    }
    let state = StreamState(
      epoch: value["epoch"]?.int ?? 0, seq: value["seq"]?.int ?? 0, creation: value["creation"]?.int ?? 0)
    // Streams of every change are told of by another seat, whose transactions have numbers of their own.
    let isOfChanges = value["offsets"] != nil || !key.hasPrefix("*/") && value["positions"] != nil
    let number = isOfChanges ? 0 : value["sweep"]?.int ?? 0
    guard [state.epoch, state.seq, state.creation, number].allSatisfy(\.isCount) else { return false }
    epoch = max(epoch, state.epoch)
    sweep = max(sweep, number)
    let written = Timestamp(milliseconds: value["time"]?.int ?? 0)
    if written <= now + Self.timeAheadMax { time = max(time, written) }
    // The publisher of changes may have its last word on a life when the next one has begun.
    if !key.hasPrefix("*/"), state.creation >= streams[key]?.creation ?? 0 { streams[key] = state }
    return true
  }

  mutating func set(_ id: String, _ state: StreamState) { streams[id] = state }
  mutating func set(sweep: Int64, time: Timestamp) {
    self.sweep = sweep
    self.time = time
  }

  /// A stream's life is over: its record is to be removed, its count does not go on.
  mutating func end(_ id: String, epoch: Int64) {
    if streams.removeValue(forKey: id)?.epoch == epoch { ended.insert(id) }
  }

  /// The same of a stream of every change, whose counts are not kept here: it may have published in this epoch.
  mutating func endChanges(_ id: String) {
    streams[id] = nil
    ended.insert(id)
  }

  /// A higher epoch was claimed.
  mutating func epochRose() { ended = [] }

  /// Ids of records that are of no living stream, in order.
  func leftOver(_ living: [StreamPlace]) -> [String] {
    let creations = Dictionary(uniqueKeysWithValues: living.map { ($0.id, $0.creation) })
    return streams.filter { creations[$0.key] != $0.value.creation }.map(\.key).sorted()
  }

  /// The count of a stream in its present life.
  func seq(_ place: StreamPlace) -> Int64 {
    guard let state = streams[place.id], state.creation == place.creation else { return 0 }
    return state.seq
  }

  static func record(_ state: StreamState, sweep: Int64, time: Timestamp) -> JSON {
    .object(of: [
      "epoch": .int(state.epoch), "seq": .int(state.seq), "sweep": .int(sweep),
      "creation": .int(state.creation), "time": .int(time.milliseconds),
    ])
  }
}
