import Base
import Bus
import Events

// Records that go elsewhere: to their right shard, or to the dead letters.
extension EventTable {
  /// Sends an event to its shard as it came, with its headers and its time.
  func forward(
    _ record: RecordBatch.Record, _ batch: RecordBatch, to target: Int32, isForwarded: Bool
  ) {
    out.append(
      copyOf: record, in: batch, topic: out.index(ofTopic: topics.inbox), partition: target)
    if !isForwarded { out.appendHeader(ChangeHeader.kind, InboxKind.event.bytes) }
    counts.openForwarded += 1
  }

  /// Sends a record to the dead letters, byte for byte with its headers, and says why.
  func reject(
    _ record: RecordBatch.Record, _ batch: RecordBatch, _ refusal: Refusal, stage: String,
    isForwarded: Bool = false
  ) {
    out.append(
      topic: out.index(ofTopic: topics.dlq), partition: 0, timestamp: record.timestamp,
      key: batch.key(record), value: batch.value(record))
    // The last header of a forwarded event is the one that `forward` added.
    for index in 0..<batch.headerCount(record) - (isForwarded ? 1 : 0) {
      let header = batch.header(record, at: index)
      out.appendHeader(header.name, header.value)
    }
    out.appendHeader("belfry.error.code", refusal.code.rawValue)
    out.appendHeader("belfry.error.message", String(refusal.message.prefix(errorMessageMax)))
    out.appendHeader("belfry.error.topic", batch.topic(record))
    out.appendHeader("belfry.error.partition", String(record.partition))
    out.appendHeader("belfry.error.offset", String(record.offset))
    out.appendHeader("belfry.error.stage", stage)
    counts.openRejected.append(refusal.code)
  }
}

/// Characters of an error's message in a header.
private let errorMessageMax = 500
