import Base
import Bus
import Events
import Matching
import Requests

/// Turns what was collected into one sweep's records: sequence counts, headers, `belfry-last`, progress.
/// Pure; what it returns is to be committed in one transaction.
struct Sweep {
  /// Bytes of a record's key and value: what a batch and a record carry besides (headers, the batch's own
  /// fields) has room up to the limit of topic and producer.
  static let recordBytesMax = ClusterTopics.recordBytesMax - 4096

  let topics: ClusterTopics
  let epoch: Int64
  let number: Int64
  let time: Timestamp

  struct Outcome {
    var batch: RecordBatch
    var states: [(id: String, state: StreamState)] = []
    /// Records on streams, progress not counted.
    var published = 0
    /// Streams that cannot be published; nothing of them is in the batch.
    var failures: [StreamFailure] = []
    /// The sweep's own record is in the batch.
    var isTold = false
  }

  /// A record to be published on one stream.
  private struct Item {
    var key: UnsafeRawBufferPointer
    var value: UnsafeRawBufferPointer?
  }

  /// All records of the sweep. `contents` are the streams' topics as they were found at the start: a
  /// stream whose content is still there is published as the difference to it.
  func records(
    of collected: Collected, streams: [String: Stream], sets: [String], progress: Progress,
    registryPosition: Int64, contents: inout Contents
  ) -> Outcome {
    let batch = collected.batch
    var outcome = Outcome(batch: RecordBatch(capacity: max(4096, batch.byteCount * 2)))
    for run in batch.streams {
      guard let stream = streams[run.id] else { continue }
      let items = batch.records[run.records].map { Item(key: batch.key($0), value: batch.value($0)) }
      if let reason = failure(of: run.id, items, contents) {
        outcome.failures.append(StreamFailure(stream: run.id, reason: reason))
        continue
      }
      if let found = contents.take(run.id), !found.isEmpty {
        publishDifference(items, to: found, stream.place, progress, &outcome)
      } else {
        publish(items, stream.place, progress, &outcome)
      }
    }
    appendSweep(collected.state.positions, sets: sets, registryPosition: registryPosition, to: &outcome)
    return outcome
  }

  /// Why a stream's records cannot be published.
  private func failure(of id: String, _ items: [Item], _ contents: Contents) -> String? {
    if contents.tooLarge.contains(id) {
      return "with it the streams' topics hold more than \(contents.keysMax) keys"
    }
    let large = items.first { $0.key.count + ($0.value?.count ?? 0) > Self.recordBytesMax }
    return large.map { item in
      "the record of \(String(decoding: item.key.prefix(100), as: UTF8.self)) has"
        + " \(item.key.count + (item.value?.count ?? 0)) bytes, at most \(Self.recordBytesMax) can be sent"
    }
  }

  /// The end of streams in lanes: nulls for the keys that they have there. Empty where they have none.
  func ending(
    _ places: [StreamPlace], progress: Progress, registryPosition: Int64, contents: inout Contents
  ) -> Outcome {
    var outcome = Outcome(batch: RecordBatch())
    for place in places {
      publishDifference([], to: contents.take(place.id) ?? [:], place, progress, &outcome)
    }
    if outcome.published > 0 {
      appendSweep([:], sets: [], registryPosition: registryPosition, to: &outcome)
    }
    return outcome
  }

  /// Only what differs; keys that are on the topic and no longer in the view become null.
  private func publishDifference(
    _ items: [Item], to found: [[UInt8]: Fingerprint], _ place: StreamPlace, _ progress: Progress,
    _ outcome: inout Outcome
  ) {
    var left = found
    let changed = items.filter { item in
      let there = left.removeValue(forKey: Array(item.key))
      guard let value = item.value else { return there != nil }
      return there != Fingerprint(value)
    }
    var gone = ByteBuffer()
    var ranges: [Range<Int>] = []
    for key in left.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      let start = gone.count
      key.withUnsafeBytes { gone.append($0) }
      ranges.append(start..<gone.count)
    }
    publish(changed + ranges.map { Item(key: gone[$0], value: nil) }, place, progress, &outcome)
  }

  private func publish(_ items: [Item], _ place: StreamPlace, _ progress: Progress, _ outcome: inout Outcome)
  {
    if items.isEmpty { return }
    let batch = outcome.batch
    let topic = batch.index(ofTopic: place.topic)
    var seq = progress.seq(place)
    var prefixed = ByteBuffer(capacity: 256)
    for (index, item) in items.enumerated() {
      seq += 1
      prefixed.removeAll()
      prefixed.append(place.keyPrefix)
      prefixed.append(item.key)
      batch.append(
        topic: topic, partition: place.partition, timestamp: time, key: prefixed.bytes, value: item.value)
      batch.appendHeader("belfry-epoch", String(epoch))
      batch.appendHeader("belfry-seq", String(seq))
      batch.appendHeader("belfry-sweep", String(number))
      if index == items.count - 1 { batch.appendHeader("belfry-last", "1") }
    }
    let state = StreamState(epoch: epoch, seq: seq, creation: place.creation)
    outcome.states.append((place.id, state))
    outcome.published += items.count
    batch.append(
      topic: topics.progress, partition: 0, timestamp: time, key: place.id,
      value: Progress.record(state, sweep: number, time: time).text)
  }

  /// The sweep's own record: a quiet stream is told apart from a dead server by it.
  private func appendSweep(
    _ positions: [Int32: Int64], sets: [String], registryPosition: Int64, to outcome: inout Outcome
  ) {
    let positions = positions.sorted { $0.key < $1.key }.map {
      JSON.Member(String($0.key), .int($0.value))
    }
    let value = JSON.object(of: [
      "sweep": .int(number), "epoch": .int(epoch), "time": .int(time.milliseconds),
      "positions": .object(positions), "registry": .int(registryPosition),
      "sets": .array(sets.map { .string($0) }),
    ])
    outcome.batch.append(
      topic: topics.progress, partition: 0, timestamp: time, key: "*/\(topics.publishSeat)", value: value.text
    )
    outcome.isTold = true
  }
}
