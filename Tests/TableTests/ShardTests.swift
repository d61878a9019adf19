import Base
import Bus
import Events
import Testing

@testable import Table

@Suite struct ShardTests {
  /// Keys that lie in a shard of two.
  static func keys(_ shard: Int32, partitions: Int = 2) -> [String] {
    (0..<100).map { "id\($0)" }.filter { key in
      Array(key.utf8).withUnsafeBytes { Base.partition(ofKey: $0, count: partitions) } == shard
    }
  }

  @Test func `an event in the wrong partition is forwarded as it came`() {
    let bench = Bench(partitions: 2, serve: [0, 1])
    let value = #"{ "Identifier" : "\#(Self.keys(1)[0])" }"#
    bench.add(
      value, on: 0, key: "theirs", at: 999_123, headers: [("traceparent", "00-7"), ("belfry-kind", "clear")])
    let positions = bench.commit()
    #expect(bench.dump.isEmpty)
    let sent = bench.lastInbox[0]
    #expect(bench.last.count == 1)
    #expect(sent.partition == 1)
    #expect(sent.key == "theirs")
    #expect(sent.value == value)
    #expect(sent.timestamp == 999_123)
    #expect(sent.header("traceparent") == "00-7")
    #expect(sent.header("belfry-kind") == "event")
    #expect(positions[TopicPartition("belfry.events", 0)] == 1)
    #expect(bench.metrics.value("belfry_forwarded_total") == 1)
  }

  @Test func `a forwarded event is applied with its own time`() {
    let bench = Bench(partitions: 2, serve: [1])
    let key = Self.keys(1)[0]
    bench.addInbox(
      #"{"Identifier":"\#(key)"}"#, on: 1, kind: "event", at: 998_000, headers: [("traceparent", "00-7")])
    bench.commit()
    #expect(bench.value(key, "FirstOccurrence") == .time(998_000))
    #expect(bench.lastChanges[0].header("traceparent") == "00-7")
    #expect(bench.lastChanges[0].header("belfry-consumed") == #"{"events":0,"inbox":1}"#)
  }

  @Test func `a forwarded event that fails is a dead letter without the header of the forwarding`() {
    let bench = Bench()
    bench.addInbox("{", kind: "event", headers: [("a", "b")])
    bench.commit()
    #expect(bench.lastDead[0].headers.prefix(2).map(\.0) == ["a", "belfry.error.code"])
    #expect(bench.lastDead[0].header("belfry.error.topic") == "belfry.inbox")
  }

  @Test func `positions of every shard are committed, moved or not`() {
    let bench = Bench(partitions: 3, serve: [0, 2])
    let positions = bench.commit()
    #expect(
      positions == [
        TopicPartition("belfry.events", 0): 0, TopicPartition("belfry.inbox", 0): 0,
        TopicPartition("belfry.events", 2): 0, TopicPartition("belfry.inbox", 2): 0,
      ])
  }

  @Test func `records before a shard's position and of other shards are skipped`() {
    let bench = Bench(partitions: 2, serve: [])
    bench.table.addShard(0)
    bench.table.startServing(0, events: 2, inbox: 1)
    let key = Self.keys(0)[0]
    for _ in 0..<3 { bench.add(#"{"Identifier":"\#(key)"}"#) }
    bench.add(#"{"Identifier":"\#(key)"}"#, on: 1)
    for _ in 0..<2 { bench.addInbox(#"{"Identifier":"\#(key)"}"#, kind: "event") }
    bench.append("other", 0, 9, nil, "x", nil, [])
    bench.append("belfry.events", -1, 9, nil, "x", nil, [])
    bench.append("belfry.events", 700, 9, nil, "x", nil, [])
    bench.commit()
    #expect(bench.value(key, "Tally") == .int(2))
    #expect(bench.metrics.value("belfry_records_skipped_total") == 7)
  }

  @Test func `a restored shard goes on where its changelog ended`() {
    let bench = Bench()
    bench.send(#"{"Identifier":"a"}"#, #"{"Identifier":"b"}"#)
    bench.addInbox(#"{"Identifier":"a"}"#, kind: "event", at: 1_030_000)
    bench.commit()
    let other = bench.restored()
    #expect(other.table.consumedByChangelog(0)! == (events: 2, inbox: 1))
    #expect(other.dump == bench.dump)
    #expect(other.metrics.value("belfry_rows") == 2)
    other.table.startServing(0, events: 2, inbox: 1)
    other.offsets = [0: 2]
    other.send(#"{"Identifier":"a"}"#)
    #expect(other.lastChanges[0].header("belfry-change") == "4")
    #expect(other.lastChanges[0].timestamp == 1_030_000)
    #expect(other.value("a", "Tally") == .int(3))
  }

  @Test func `a changelog that nobody wrote restores nothing and harms nothing`() {
    let bench = Bench(serve: [])
    bench.table.addShard(0)
    let topic = bench.topics.changelog
    bench.append(topic, 0, 0, nil, "{}", nil, [])
    bench.append(topic, 0, 1, "", "{}", nil, [("belfry-change", "x"), ("belfry-consumed", "{")])
    bench.append(topic, 0, 2, "a", "{", nil, [("belfry-change", "99999999999999999999")])
    bench.append(topic, 0, 3, "gone", nil, nil, [])
    bench.append(topic, 5, 4, "a", "{}", nil, [])
    bench.append(topic, 0, 5, "a", #"{"Identifier":"a","Old":1}"#, nil, [("belfry-change", "7")])
    bench.table.restore(bench.batch)
    #expect(bench.dump.count == 1)
    #expect(bench.metrics.value("belfry_restore_errors_total") == 5)
    #expect(bench.table.changeNumber(0) == 7)
    #expect(bench.table.consumedByChangelog(0) == nil)
    #expect(bench.value("a", "ExtendedAttr") == .string(""))
  }

  @Test func `a record too far ahead of the clock does not move the shard's time`() {
    let bench = Bench()
    bench.add(#"{"Identifier":"a"}"#, at: 1_060_001)
    bench.commit()
    #expect(bench.lastChanges[0].timestamp == 1_000_000)
    bench.add(#"{"Identifier":"a"}"#, at: 1_060_000)
    bench.commit()
    #expect(bench.lastChanges[0].timestamp == 1_060_000)
    bench.now = Timestamp(milliseconds: 900_000)
    bench.add(#"{"Identifier":"a"}"#, at: 5)
    bench.commit()
    #expect(bench.lastChanges[0].timestamp == 1_060_000)
  }
}
