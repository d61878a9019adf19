import Base
import Bus
import Events
import Requests

/// Writes the records of streams of every change: the Debezium envelope of a history stream, the flat rows of an
/// immediate one, and their headers (docs/bus-contract.md, "Every change").
struct ChangeRecords: ~Copyable {
  /// `"connector":…,"table":…`: what is the same in every record's source.
  private let source: [UInt8]
  private let epoch: Int64
  private let epochText: String
  private let number: String
  /// When the transaction was made.
  private let time: Timestamp
  private var value = ByteBuffer(capacity: 1024)
  private var key = ByteBuffer(capacity: 256)

  /// Bytes of an envelope besides its images, at most.
  static let envelopeBytesMax = 2048

  init(topics: ClusterTopics, table: String, epoch: Int64, number: Int64, time: Timestamp) {
    let members = JSON.object(of: [
      "connector": .string("belfry"), "name": .string(topics.cluster), "db": .string(topics.cluster),
      "table": .string(table),
    ])
    source = Array(members.text.utf8.dropLast())
    self.epoch = epoch
    epochText = String(epoch)
    self.number = String(number)
    self.time = time
  }

  mutating func append(
    _ item: ChangeItems.Item, in items: ChangeItems, of place: StreamPlace, seq: Int64, isLast: Bool,
    to batch: RecordBatch
  ) {
    key.removeAll()
    key.append(place.keyPrefix)
    key.append(items.key(item))
    let topic = batch.index(ofTopic: place.topic)
    if place.mode == .all {
      writeEnvelope(item, items, seq)
      batch.append(
        topic: topic, partition: place.partition, timestamp: time, key: key.bytes, value: value.bytes)
    } else {
      batch.append(
        topic: topic, partition: place.partition, timestamp: time, key: key.bytes, value: items.after(item))
    }
    batch.appendHeader("belfry-epoch", epochText)
    batch.appendHeader("belfry-seq", String(seq))
    batch.appendHeader("belfry-sweep", number)
    if isLast { batch.appendHeader("belfry-last", "1") }
    if let trace = items.trace(item) { batch.appendHeader("traceparent", trace) }
  }

  private mutating func writeEnvelope(_ item: ChangeItems.Item, _ items: ChangeItems, _ seq: Int64) {
    let isNotice = item.head.operation == .notice
    value.removeAll()
    value.append(#"{"before":"# as StaticString)
    append(items.before(item))
    value.append(#","after":"# as StaticString)
    append(isNotice ? nil : items.after(item))
    value.append(#","op":""# as StaticString)
    value.append(item.head.operation.rawValue)
    value.append(#"","ts_ms":"# as StaticString)
    value.append(decimal: time.milliseconds)
    if isNotice {
      value.append(#","notice":"# as StaticString)
      append(items.after(item))
    }
    value.append(#","source":"# as StaticString)
    source.withUnsafeBytes { value.append($0) }
    value.append(#","ts_ms":"# as StaticString)
    value.append(decimal: item.head.time.milliseconds)
    value.append(#","snapshot":""# as StaticString)
    value.append(item.head.mark.rawValue)
    value.append(#"","sequence":"[\""# as StaticString)
    value.append(decimal: epoch)
    value.append(#"\",\""# as StaticString)
    value.append(decimal: seq)
    value.append(#"\"]""# as StaticString)
    if item.head.change > 0 {
      value.append(#","shard":"# as StaticString)
      value.append(decimal: Int64(item.head.shard))
      value.append(#","change":"# as StaticString)
      value.append(decimal: item.head.change)
    }
    value.append("}}" as StaticString)
  }

  private mutating func append(_ image: UnsafeRawBufferPointer?) {
    if let image { value.append(image) } else { value.append("null" as StaticString) }
  }
}
