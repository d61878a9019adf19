import Base
import Bus
import Events
import Testing

@testable import Table

@Suite struct InboxTests {
  static let here = ShardTests.keys(0)
  static let there = ShardTests.keys(1)
  static let clear =
    #"{"clears":[{"Node":"n","AlertGroup":"","AlertKey":"k","Manager":"","LastOccurrence":10}]}"#

  @Test func `what a resolution has to clear goes to the other shards, one message each`() {
    let bench = Bench(partitions: 3, serve: [0])
    let keys = ShardTests.keys(0, partitions: 3)
    bench.send(PairingTests.resolution(keys[0]), PairingTests.resolution(keys[1], node: #"q\""#))
    #expect(bench.lastInbox.map(\.partition) == [1, 2])
    for message in bench.lastInbox {
      #expect(message.header("belfry-kind") == "clear")
      #expect(message.key == nil)
      #expect(
        message.value
          == #"{"clears":[{"Node":"n","AlertGroup":"","AlertKey":"k","Manager":"","LastOccurrence":10},"#
          + #"{"Node":"q\"","AlertGroup":"","AlertKey":"k","Manager":"","LastOccurrence":10}]}"#)
    }
    #expect(bench.metrics.value("belfry_clears_sent_total") == 2)
  }

  @Test func `shards of one member send each other what they have to clear, but not themselves`() {
    let bench = Bench(partitions: 2, serve: [0, 1])
    bench.add(PairingTests.resolution(Self.here[0], node: "zero"), on: 0)
    bench.add(PairingTests.resolution(Self.there[0], node: "one"), on: 1)
    bench.commit()
    let nodes = bench.lastInbox.map { $0.json?["clears"]?.array?.map { $0["Node"]?.string } }
    #expect(bench.lastInbox.map(\.partition) == [0, 1])
    #expect(nodes == [["one"], ["zero"]])
  }

  @Test func `clears that would make too large a message go in several`() {
    let bench = Bench(partitions: 2, serve: [0]) { $0.clearMessageBytesMax = 200 }
    for key in Self.here.prefix(5) { bench.add(PairingTests.resolution(key)) }
    bench.commit()
    #expect(bench.lastInbox.count == 3)
    #expect(bench.lastInbox.flatMap { $0.json?["clears"]?.array ?? [] }.count == 5)
  }

  @Test func `a clear waits until the events that were there when it was read are applied`() {
    let bench = Bench(partitions: 2, serve: [0])
    var asked = 0
    let end: (Int32) -> Int64? = { shard in
      #expect(shard == 0)
      asked += 1
      return asked == 1 ? nil : 2
    }
    bench.addInbox(Self.clear, kind: "clear")
    bench.addInbox(#"{"Identifier":"\#(Self.here[3])"}"#, kind: "event")
    var positions = bench.commit(eventsEnd: end)
    #expect(positions[TopicPartition("belfry.inbox", 0)] == 0)
    #expect(bench.table.hasPendingInbox)
    bench.add(PairingTests.problem(Self.here[0]))
    positions = bench.commit(eventsEnd: end)
    #expect(positions[TopicPartition("belfry.inbox", 0)] == 0)
    #expect(bench.value(Self.here[0], "Severity") == .int(5))
    bench.add(PairingTests.problem(Self.here[1]))
    positions = bench.commit(eventsEnd: end)
    #expect(positions[TopicPartition("belfry.inbox", 0)] == 2)
    #expect(asked == 2)
    #expect(bench.value(Self.here[0], "Severity") == .int(0))
    #expect(bench.value(Self.here[1], "Severity") == .int(0))
    #expect(bench.value(Self.here[3], "Tally") == .int(1))
    #expect(!bench.table.hasPendingInbox)
    #expect(bench.metrics.value("belfry_clears_applied_total") == 1)
  }

  @Test func `a clear need not wait for an event behind a transaction's marker`() {
    let bench = Bench(partitions: 2, serve: [0])
    bench.addInbox(Self.clear, kind: "clear")
    bench.add(PairingTests.problem(Self.here[0]))
    bench.commit { _ in 2 }
    #expect(bench.table.hasPendingInbox)
    bench.table.eventsReached(0, offset: 2)
    bench.commit { _ in 2 }
    #expect(bench.value(Self.here[0], "Severity") == .int(0))
  }

  @Test func `after an abort what waited is read again`() {
    let bench = Bench(partitions: 2, serve: [0])
    bench.addInbox(Self.clear, kind: "clear")
    bench.commit { _ in 1 }
    bench.add(PairingTests.problem(Self.here[0]))
    bench.apply()
    bench.table.applyPendingClears { _ in 1 }
    #expect(bench.value(Self.here[0], "Severity") == .int(0))
    let positions = bench.table.aborted()
    #expect(positions[TopicPartition("belfry.inbox", 0)] == 0)
    #expect(positions[TopicPartition("belfry.events", 0)] == 0)
    #expect(bench.dump.isEmpty)
    bench.offsets = [:]
    bench.inboxOffsets = [:]
    bench.add(PairingTests.problem(Self.here[0]))
    bench.addInbox(Self.clear, kind: "clear")
    bench.commit { _ in 1 }
    #expect(bench.value(Self.here[0], "Severity") == .int(0))
  }

  @Test func `an inbox behind a waiting clear is to be paused at the limit`() {
    let bench = Bench(partitions: 2, serve: [0]) { $0.pendingRecordsMax = 3 }
    bench.addInbox(Self.clear, kind: "clear")
    bench.addInbox(#"{"Identifier":"\#(Self.here[0])"}"#, kind: "event")
    bench.commit { _ in 1 }
    #expect(bench.table.inboxToPause.isEmpty)
    bench.addInbox(#"{"Identifier":"\#(Self.here[0])"}"#, kind: "event")
    bench.commit { _ in 1 }
    #expect(bench.table.inboxToPause == [TopicPartition("belfry.inbox", 0)])
    bench.add(PairingTests.problem(Self.here[1]))
    bench.commit { _ in 1 }
    #expect(bench.table.inboxToPause.isEmpty)
    #expect(bench.value(Self.here[0], "Tally") == .int(2))
  }

  @Test func `a long queue behind waiting clears keeps order and offsets`() {
    let bench = Bench(partitions: 2, serve: [0])
    for round in 0..<3000 {
      bench.addInbox(Self.clear, kind: "clear")
      bench.addInbox(#"{"Identifier":"\#(Self.here[0])","Summary":"\#(round)"}"#, kind: "event")
    }
    var asked: Int64 = 0
    // Each clear waits for one event more, so that the queue is emptied bit by bit.
    let end: (Int32) -> Int64? = { _ in
      asked += 1
      return asked
    }
    for step in 1...3000 {
      bench.add(#"{"Identifier":"\#(Self.here[1])"}"#)
      let positions = bench.commit(eventsEnd: end)
      #expect(positions[TopicPartition("belfry.inbox", 0)] == Int64(step * 2))
    }
    #expect(bench.value(Self.here[0], "Tally") == .int(3000))
    #expect(bench.value(Self.here[0], "Summary") == .string("2999"))
  }

  @Test func `problems and resolutions of all shards meet`() {
    let bench = Bench(partitions: 2, serve: [0, 1])
    bench.add(PairingTests.problem(Self.here[0]), on: 0)
    bench.add(PairingTests.problem(Self.there[0]), on: 1)
    bench.add(PairingTests.resolution(Self.there[1]), on: 1)
    bench.commit()
    #expect(bench.value(Self.here[0], "Severity") == .int(5))
    #expect(bench.value(Self.there[0], "Severity") == .int(0))
    let message = bench.lastInbox[0]
    bench.addInbox(message.value, on: message.partition, kind: message.header("belfry-kind"))
    bench.commit()
    #expect(bench.value(Self.here[0], "Severity") == .int(0))
  }
}
