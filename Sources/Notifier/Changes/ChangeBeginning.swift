import Base
import Bus
import Events
import Requests

// How an immediate stream begins: with the first change behind its `active` reply. The reply's transaction says so by
// the changelog's offsets, and these may lie before what was read already: then it is read again, for this stream only.
extension ChangePublisher {
  /// One whose reply is committed. The others go on behind what they have told.
  func begin(_ stream: Stream, from: [Int32: Int64]) {
    let next = running!.next
    let isReadAgain = from.contains { $0.value < next[$0.key] ?? 0 }
    if isReadAgain { for other in running!.catchingUp { other.from = other.rest(at: next) } }
    add(stream, found: .beginning(stream.place, epoch: assignment!.epoch, from: from), &running!)
    if next.isEmpty {
      readOn(at: from.mapValues { ChangePosition(offset: $0, change: nil) }, &running!)
    } else if isReadAgain {
      readOn(at: running!.positions, &running!)
    }
  }

  /// What was read is all taken: streams that are as far as the others have caught up.
  func endCatchingUp(_ reader: any Reader) {
    if running!.catchingUp.isEmpty { return }
    let topic = settings.topics.changelog(settings.schema.table)
    for stream in running!.catchingUp {
      stream.from = stream.from.filter { shard, from in
        // A changelog that was made again may have fewer.
        guard let position = running!.positions[shard] else { return false }
        return reader.position(TopicPartition(topic, shard)) < max(from, position.offset)
      }
      if stream.from.isEmpty { running!.changed.append(stream) }
    }
    running!.catchingUp.removeAll(where: \.from.isEmpty)
  }
}
