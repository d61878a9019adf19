import Base
import Bus
import Requests

/// What is on the topics of the living streams, folded: read at a start, so that a stream goes on with the
/// difference to what its readers already have. Of each value its fingerprint is kept.
struct Contents {
  /// Keys of all streams together, some 120 bytes each.
  static let keysMax = 20_000_000

  /// Per stream: its keys, without the lane's prefix, and their values.
  private var values: [String: [[UInt8]: Fingerprint]] = [:]
  /// Streams whose keys were too many: what is on their topics is not known.
  private(set) var tooLarge: Set<String> = []
  private var keys = 0
  private(set) var keysMax = Self.keysMax

  /// Reads the streams' own topics and lanes up to their true end.
  static func read(
    _ places: [StreamPlace], _ bus: any Bus, _ clock: any Clock, keysMax: Int = Self.keysMax
  ) throws(BusError) -> Contents {
    var contents = Contents()
    contents.keysMax = keysMax
    var start: [TopicPartition: Int64] = [:]
    var ownStream: [String: String] = [:]
    for place in places {
      contents.values[place.id] = [:]
      start[TopicPartition(place.topic, place.partition)] = earliestOffset
      if place.placement == .own { ownStream[place.topic] = place.id }
    }
    if start.isEmpty { return contents }
    try bus.readToEnd(start, clock: clock) { batch throws(BusError) in
      for record in batch.records {
        guard let key = batch.key(record) else { continue }
        if let own = ownStream[batch.topic(record)] {
          contents.fold(own, key, batch.value(record))
        } else if let (id, rest) = split(key) {
          contents.fold(id, rest, batch.value(record))
        }
      }
    }
    return contents
  }

  /// `<id>/<key>` of a lane.
  private static func split(_ key: UnsafeRawBufferPointer) -> (String, UnsafeRawBufferPointer)? {
    guard let slash = key.firstIndex(of: UInt8(ascii: "/")) else { return nil }
    return (
      String(decoding: key[..<slash], as: UTF8.self), UnsafeRawBufferPointer(rebasing: key[(slash + 1)...])
    )
  }

  private mutating func fold(_ id: String, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
    guard let before = values[id]?.count else { return }
    values[id]![Array(key)] = value.map { Fingerprint($0) }
    keys += values[id]!.count - before
    guard keys > keysMax else { return }
    tooLarge.insert(id)
    _ = take(id)
  }

  /// Takes over what was read later, of streams that begin again.
  mutating func adopt(_ other: Contents) {
    for (id, found) in other.values {
      _ = take(id)
      values[id] = found
      keys += found.count
    }
    tooLarge.formUnion(other.tooLarge)
  }

  /// The stream's content, once; nil when the stream did not exist at the start, was too large or was taken
  /// already.
  mutating func take(_ id: String) -> [[UInt8]: Fingerprint]? {
    guard let taken = values.removeValue(forKey: id) else { return nil }
    keys -= taken.count
    return taken
  }
}
