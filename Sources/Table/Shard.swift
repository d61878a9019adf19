import Base
import Bus
import Events

/// What a transaction moves in a shard besides its rows: saved at its start, put back when it is aborted.
struct ShardState: Equatable {
  /// Next offsets to be applied of the events and the inbox partition.
  var events: Int64 = 0
  var inbox: Int64 = 0
  /// Next offset of the commands to be begun; shard 0 has it.
  var commands: Int64 = 0
  /// The number of the last change.
  var change: Int64 = 0
  /// Shard time (docs/events.md), ms.
  var time: Int64 = 0
}

/// A change that is the last of its shard so far: kept back, as the positions travel on the last one.
struct HeldChange: ~Copyable {
  /// Key, value, old values and trace, one after the other.
  var bytes = ByteBuffer(capacity: 2048)
  var keyEnd = 0
  /// -1 where the row was deleted.
  var valueEnd = -1
  /// -1 where the row is new.
  var beforeEnd = -1
  /// -1 where there is none.
  var traceEnd = -1
  var number: Int64 = 0
  var time: Int64 = 0
  var isHeld = false
}

/// One partition's part of the table: everything but the rows, which lie in the table's store.
final class Shard {
  let number: Int32
  var isServing = false
  var state = ShardState()
  /// The state at the end of the last committed transaction.
  var committed = ShardState()
  /// What the newest `belfry-consumed` of the changelog said.
  var consumed: (events: Int64, inbox: Int64)?
  var commandsConsumed: Int64?
  /// The next inbox offset to be read: behind what waits in `pending`.
  var inboxRead: Int64 = 0
  /// Inbox records read but not applied.
  var pending = PendingRecords()
  var held = HeldChange()
  var timers = TimerHeap()
  var problems = ProblemChains()
  /// The open transaction's resolutions, as JSON objects one after the other, and where each ends.
  var clears = ByteBuffer(capacity: 1024)
  var clearEnds: [Int] = []

  init(_ number: Int32) { self.number = number }

  /// Takes the clock and a record's time into the shard's; a record beyond the horizon does not count (ms).
  @inline(__always)
  func advanceTime(record: Int64, now: Int64, horizon: Int64) {
    state.time = max(state.time, now)
    if record <= horizon { state.time = max(state.time, record) }
  }
}

/// Inbox records of a shard, oldest first, that wait until a clear or a command before them (or they themselves)
/// may be applied; and commands that wait to be begun.
struct PendingRecords {
  private(set) var batch = RecordBatch(capacity: 256)
  private var offsets: [Int64] = []
  private var head = 0
  /// The events offset that the oldest record, a clear or a command, waits for; nil until it was asked for.
  var watermark: Int64?

  var isEmpty: Bool { head == batch.count }
  var count: Int { batch.count - head }
  var byteCount: Int { batch.byteCount }
  var first: RecordBatch.Record {
    var record = batch.records[head]
    record.offset = offsets[head]
    return record
  }

  mutating func append(_ record: RecordBatch.Record, in other: RecordBatch) {
    let topic = batch.index(ofTopic: other.topic(record))
    batch.append(copyOf: record, in: other, topic: topic, partition: record.partition)
    offsets.append(record.offset)
  }

  mutating func removeFirst() {
    head += 1
    watermark = nil
    if isEmpty { removeAll() } else if head >= 1024 && head * 2 > batch.count { compact() }
  }

  mutating func removeAll() {
    batch.removeAll()
    offsets.removeAll(keepingCapacity: true)
    head = 0
    watermark = nil
  }

  private mutating func compact() {
    let rest = RecordBatch(capacity: batch.byteCount)
    for record in batch.records[head...] {
      let topic = rest.index(ofTopic: batch.topic(record))
      rest.append(copyOf: record, in: batch, topic: topic, partition: record.partition)
    }
    batch = rest
    offsets.removeFirst(head)
    head = 0
  }
}
