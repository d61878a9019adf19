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

/// The publisher's side of `<cluster>.progress`: each stream's count, and the last sweep.
struct Progress {
  private(set) var streams: [String: StreamState] = [:]
  /// The number of the last sweep.
  private(set) var sweep: Int64 = 0
  /// The largest epoch and time in any record.
  private(set) var epoch: Int64 = 0
  private(set) var time = Timestamp.zero

  /// Takes over a record, read in order.
  mutating func restore(key: String, value: JSON) {
    epoch = max(epoch, value["epoch"]?.int ?? 0)
    time = max(time, Timestamp(milliseconds: value["time"]?.int ?? 0))
    sweep = max(sweep, value["sweep"]?.int ?? 0)
    guard !key.hasPrefix("*/") else { return }
    streams[key] = StreamState(
      epoch: value["epoch"]?.int ?? 0, seq: value["seq"]?.int ?? 0, creation: value["creation"]?.int ?? 0)
  }

  mutating func set(_ id: String, _ state: StreamState) { streams[id] = state }
  mutating func set(sweep: Int64, time: Timestamp) {
    self.sweep = sweep
    self.time = time
  }

  /// An ended stream's count does not go on; its epoch stays known, since its next life needs a higher one.
  mutating func forgetCount(of id: String) { streams[id]?.seq = 0 }

  mutating func forgetCounts(except living: [StreamPlace]) {
    let creations = Dictionary(uniqueKeysWithValues: living.map { ($0.id, $0.creation) })
    for (id, state) in streams where creations[id] != state.creation { forgetCount(of: id) }
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
