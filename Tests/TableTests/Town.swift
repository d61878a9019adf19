import Base
import Bus
import Events
import Testing

@testable import Table

/// A table between topics that are arrays: delivers at random, commits or aborts at random, and checks all
/// that must hold at each end of a transaction.
struct Town {
  struct Entry {
    var key: String?
    var value: String?
    var time: Int64
    var kind: String?
    /// For the naive table; nil: garbage.
    var event: [String: Value]?
  }

  var random: SeededRandom
  let bench: Bench
  var naive: NaiveTable
  var events: [[Entry]]
  var inbox: [[Entry]]
  var next: [TopicPartition: Int64] = [:]
  /// Who follows by drains alone.
  var mirror: [String: String] = [:]
  /// Who follows by the changelog alone, and its change numbers.
  var follower: [String: String] = [:]
  var numbers: [Int32: Int64] = [:]
  var delivered: [(entry: Entry, partition: Int32, isInbox: Bool)] = []
  /// Sent in the open transaction.
  var ahead: [Bench.Sent] = []
  var garbage = 0
  var dead = 0

  init(seed: UInt64, schema: Schema, partitions: Int) {
    random = SeededRandom(seed: seed)
    bench = Bench(schema, partitions: partitions, serve: Array(0..<Int32(partitions)))
    naive = NaiveTable(schema)
    events = Array(repeating: [], count: partitions)
    inbox = events
  }

  var table: EventTable { bench.table }

  mutating func produce(_ event: [String: Value]) {
    let partition = Int.random(in: 0..<events.count, using: &random)
    let members = table.schema.columns.compactMap { column in
      event[column.name].map { JSON.Member(column.name, $0.json) }
    }
    let isGarbage = Int.random(in: 0..<12, using: &random) == 0
    let time = bench.now.milliseconds - Int64.random(in: 0..<5, using: &random)
    var text = JSON.object(members).text
    if isGarbage {
      text.removeLast()
      garbage += 1
    }
    events[partition].append(Entry(key: "k", value: text, time: time, event: isGarbage ? nil : event))
  }

  /// Delivers some of what is there, and ends the transaction one way or the other.
  mutating func turn() {
    let before = snapshot()
    delivered.removeAll()
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      deliver()
      if Bool.random(using: &random) { sendAhead() }
    }
    let isExtra = Bool.random(using: &random)
    if isExtra { table.runTimers(now: bench.now) }
    if Int.random(in: 0..<3, using: &random) == 0 {
      if Bool.random(using: &random) { _ = table.finish() }
      abort(before)
    } else {
      commit()
    }
  }

  private mutating func deliver() {
    for partition in events.indices {
      deliver(events[partition], TopicPartition(bench.topics.events, Int32(partition)), isInbox: false)
      deliver(inbox[partition], TopicPartition(bench.topics.inbox, Int32(partition)), isInbox: true)
    }
    bench.apply()
  }

  private mutating func deliver(_ log: [Entry], _ partition: TopicPartition, isInbox: Bool) {
    let from = Int(next[partition, default: 0])
    let to = min(log.count, from + Int.random(in: 0...6, using: &random))
    for offset in from..<max(from, to) {
      let entry = log[offset]
      bench.append(
        partition.topic, partition.partition, Int64(offset), entry.key, entry.value, entry.time,
        entry.kind.map { [("belfry-kind", $0)] } ?? [])
      delivered.append((entry, partition.partition, isInbox))
    }
    next[partition] = Int64(max(from, to))
  }

  private func snapshot() -> [String] {
    [
      "\(bench.dump.sorted { $0.key < $1.key })", "\(table.strings.count)", "\(table.strings.bytesHeld)",
      "\(table.led.map(\.state))", "\(table.rowCount)", "\(table.dirtyRows)",
      "\(table.led.map(\.problems.count))",
    ]
  }

  private mutating func abort(_ before: [String]) {
    let positions = table.aborted()
    ahead = []
    #expect(snapshot() == before)
    for (partition, offset) in positions { next[partition] = offset }
  }

  /// What is sent before the end of the transaction is a part of it.
  private mutating func sendAhead() {
    ahead += Bench.read(table.unsent)
    table.sent()
    #expect(table.openRecords >= ahead.count)
  }

  private mutating func commit() {
    table.runTimers(now: bench.now)
    let (out, positions) = table.finish()
    let sent = ahead + Bench.read(out)
    ahead = []
    bench.sent += sent
    table.committed()
    for (partition, offset) in positions { #expect(next[partition, default: 0] == offset) }
    for record in sent where record.topic == bench.topics.inbox {
      let original = delivered.first { $0.entry.value == record.value }!
      inbox[Int(record.partition)].append(
        Entry(
          key: record.key, value: record.value, time: record.timestamp, kind: record.header("belfry-kind"),
          event: original.entry.event))
    }
    dead += sent.count { $0.topic == bench.topics.dlq }
    follow(sent.filter { $0.topic == bench.topics.changelog })
    fold()
    if Bool.random(using: &random) { drain() }
    #expect(bench.dump == naive.dump)
    #expect(follower == naive.dump)
  }

  private mutating func fold() {
    naive.time = max(naive.time, bench.now.milliseconds)
    for (entry, partition, isInbox) in delivered {
      guard let event = entry.event, case .string(let key)? = event["Identifier"] else { continue }
      let shard = Array(key.utf8).withUnsafeBytes { Base.partition(ofKey: $0, count: events.count) }
      if shard == partition || isInbox { naive.apply(event, key: key, recordTime: entry.time) }
    }
    naive.runTimers()
  }

  /// Applies changelog records as a reader without state of its own would check them.
  private mutating func follow(_ changes: [Bench.Sent]) {
    for (index, change) in changes.enumerated() {
      #expect(Int64(change.header("belfry-change")!) == numbers[change.partition, default: 0] + 1)
      numbers[change.partition, default: 0] += 1
      let old = follower[change.key!].map { try! JSON(parsing: $0) }
      let before = change.header("belfry-before").map { try! JSON(parsing: $0) }
      #expect((old == nil) == (before == nil))
      for member in before?.members ?? [] { #expect(old?[member.name] == member.value) }
      if change.value == nil { #expect(before == old) }
      follower[change.key!] = change.value
      let isLast = !changes[(index + 1)...].contains { $0.partition == change.partition }
      #expect((change.header("belfry-consumed") != nil) == isLast)
    }
  }

  mutating func drain() {
    var seen: Set<String> = []
    var mirror = mirror
    let table = table
    table.drain { key, before, after in
      let key = table.strings.string(key)
      #expect(seen.insert(key).inserted)
      #expect(mirror[key] == before.map { Bench.text(table, $0) })
      mirror[key] = after.map { Bench.text(table, $0) }
    }
    self.mirror = mirror
    #expect(mirror == bench.dump)
  }

  /// Delivers the rest, and checks what must hold at the end of everything.
  mutating func end() {
    while next.isEmpty || (next.contains { Int($0.value) < log(of: $0.key).count }) { turn() }
    drain()
    #expect(dead == garbage)
    let restored = bench.restored()
    #expect(restored.dump == bench.dump)
    for shard in table.ledShards {
      #expect(restored.table.changeNumber(shard) == table.changeNumber(shard))
    }
    #expect(restored.table.strings.bytesHeld == table.strings.bytesHeld)
    restored.table.releaseRows()
    #expect(restored.table.strings.count == 0)
    table.releaseRows()
    #expect(table.strings.count == 0)
    #expect(table.strings.bytesHeld == 0)
  }

  private func log(of partition: TopicPartition) -> [Entry] {
    (partition.topic == bench.topics.events ? events : inbox)[Int(partition.partition)]
  }
}
