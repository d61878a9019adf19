import Base
import Bus
import Events
import Testing

@testable import Table

/// A table with its surroundings: what is sent comes back as partitions, so a test can feed, commit, abort,
/// restore and look.
final class Bench {
  struct Sent {
    var topic: String
    var partition: Int32
    var timestamp: Int64
    var key: String?
    var value: String?
    var headers: [(String, String?)]

    func header(_ name: String) -> String? { headers.last { $0.0 == name }?.1 }
    var json: JSON? { value.flatMap { try? JSON(parsing: $0) } }
  }

  let metrics = Metrics()
  let table: EventTable
  let topics = TableTopics(ClusterTopics(cluster: "belfry"), table: "alerts")
  var now = Timestamp(milliseconds: 1_000_000)
  var offsets: [Int32: Int64] = [:]
  var inboxOffsets: [Int32: Int64] = [:]
  /// All that was committed, in order.
  var sent: [Sent] = []
  /// What the last `commit` sent.
  var last: [Sent] = []
  let batch = RecordBatch()

  init(
    _ schema: Schema = .alerts, partitions: Int = 1, serve: [Int32] = [0],
    language: (any CommandLanguage)? = nil, largeCommands: LargeCommands = LargeCommands(),
    _ change: (inout TableSettings) -> Void = { _ in }
  ) {
    var settings = TableSettings(partitions: partitions)
    change(&settings)
    table = EventTable(
      schema: schema, topics: topics, settings: settings, language: language, largeCommands: largeCommands,
      metrics: metrics, log: .silent)
    for shard in serve {
      table.addShard(shard)
      table.startServing(shard, events: 0, inbox: 0)
    }
    if language != nil, serve.contains(0) { table.startCommands(at: 0) }
  }

  /// Puts an event into the batch; its partition follows from nothing but the argument.
  func add(
    _ value: String?, on partition: Int32 = 0, key: String = "hint", at time: Int64? = nil,
    headers: [(String, String)] = []
  ) {
    let offset = offsets[partition, default: 0]
    offsets[partition] = offset + 1
    append(topics.events, partition, offset, key, value, time, headers)
  }

  func addInbox(
    _ value: String?, on partition: Int32 = 0, kind: String?, at time: Int64? = nil,
    headers: [(String, String)] = []
  ) {
    let offset = inboxOffsets[partition, default: 0]
    inboxOffsets[partition] = offset + 1
    let kinds = kind.map { [("belfry-kind", $0)] } ?? []
    append(topics.inbox, partition, offset, nil, value, time, headers + kinds)
  }

  func append(
    _ topic: String, _ partition: Int32, _ offset: Int64, _ key: String?, _ value: String?, _ time: Int64?,
    _ headers: [(String, String)]
  ) {
    let index = batch.index(ofTopic: topic)
    Self.bytes(key) { key in
      Self.bytes(value) { value in
        batch.append(
          topic: index, partition: partition, offset: offset,
          timestamp: Timestamp(milliseconds: time ?? now.milliseconds), key: key, value: value)
      }
    }
    for (name, value) in headers { batch.appendHeader(name, value) }
  }

  static func bytes(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> Void) {
    guard let text else { return body(nil) }
    Array(text.utf8).withUnsafeBytes { body($0) }
  }

  /// Gives the batch to the table.
  func apply() {
    table.apply(batch, now: now)
    batch.removeAll()
  }

  /// Applies what was added, runs timers, finishes and commits.
  @discardableResult
  func commit(eventsEnd: ((Int32) -> Int64?)? = nil) -> [TopicPartition: Int64] {
    apply()
    table.runTimers(now: now)
    table.beginCommands(now: now)
    table.applyPendingClears(eventsEnd: eventsEnd ?? { self.offsets[$0, default: 0] })
    let (out, positions) = table.finish()
    last = Self.read(out)
    sent += last
    table.committed()
    return positions
  }

  func send(_ values: String...) {
    for value in values { add(value) }
    commit()
  }

  static func read(_ batch: RecordBatch) -> [Sent] {
    batch.records.map { record in
      let headers = (0..<batch.headerCount(record)).map { index in
        let header = batch.header(record, at: index)
        return (
          String(decoding: header.name, as: UTF8.self),
          header.value.map { String(decoding: $0, as: UTF8.self) }
        )
      }
      return Sent(
        topic: batch.topic(record), partition: record.partition, timestamp: record.timestamp.milliseconds,
        key: batch.keyText(record), value: batch.valueText(record), headers: headers)
    }
  }

  var lastChanges: [Sent] { last.filter { $0.topic == topics.changelog } }
  var lastInbox: [Sent] { last.filter { $0.topic == topics.inbox } }
  var lastDead: [Sent] { last.filter { $0.topic == topics.dlq } }

  /// The rows as text by key.
  var dump: [String: String] { Self.dump(table) }

  static func dump(_ table: EventTable) -> [String: String] {
    var dump: [String: String] = [:]
    for slot in 0..<table.packed.slotLimit where table.slots[Int(slot)].isLive {
      dump[table.strings.string(table.slots[Int(slot)].key)] = text(table, table.cells(slot))
    }
    return dump
  }

  static func text(_ table: EventTable, _ row: Row) -> String {
    var buffer = ByteBuffer()
    RowWriter(table.schema).write(row, table.strings, to: &buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  func value(_ key: String, _ column: String) -> Value? {
    Array(key.utf8).withUnsafeBytes { table.slot(ofKey: $0) }.map {
      table.rows.value(table.cells($0)[table.schema.index(of: column)!], table.schema.index(of: column)!)
    }
  }

  /// A second table with the same shards, restored from what this one sent.
  func restored() -> Bench {
    let other = Bench(table.schema, partitions: table.settings.partitions, serve: [])
    for shard in table.ledShards { other.table.addShard(shard) }
    for record in sent where record.topic == topics.changelog {
      other.append(
        record.topic, record.partition, 0, record.key, record.value, record.timestamp,
        record.headers.map { ($0.0, $0.1!) })
    }
    other.table.restore(other.batch)
    other.batch.removeAll()
    return other
  }
}

extension EventTable {
  /// Gives back what all rows hold, when nothing is open or dirty: then no string may be left.
  func releaseRows() {
    for slot in 0..<packed.slotLimit where slots[Int(slot)].key != 0 {
      if slots[Int(slot)].isLive {
        rows.releaseStrings(cells(slot))
        packed.remove(slot)
      }
      freeSlot(slot)
    }
  }
}
