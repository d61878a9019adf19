import Base
import Bus
import Events
import Query
import Testing

@testable import Notifier
@testable import Requests

/// From the changelog to the streams of every change.
@Suite struct ChangePublisherTests {
  private let grave = "SELECT Severity FROM alerts WHERE Severity >= 4"

  @Test func `a history begins with the view's rows and goes on with every change`() throws {
    let teller = try Teller()
    for (key, severity) in [("a", 5), ("b", 4), ("c", 1), ("d", 4)] { teller.put(key, Int64(severity)) }
    let history = try teller.start(.all, grave)
    try teller.run()
    #expect(teller.told(history).lines == ["r a ->5 first", "r b ->4 true", "r d ->4 last"])
    teller.put("c", 4)
    teller.put("c", 5)
    teller.put("c", 5)
    teller.put("c", 3)
    teller.put("e", 1)
    teller.put("a", nil)
    try teller.run()
    let changes = teller.told(history).dropFirst(3)
    #expect(changes.filter { $0.key == "c" }.map(\.line) == ["c c ->4", "u c 4->5", "d c 5->"])
    #expect(changes.filter { $0.key == "a" }.map(\.line) == ["d a 5->"])
    #expect(changes.count == 4)
    #expect(teller.told(history).isContiguous)
  }

  @Test func `a record is Debezium's envelope with where it is, and the event's trace`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    try teller.run()
    teller.put("a", 4)
    teller.put("a", 5, trace: "00-1-2-01")
    try teller.run()
    let record = try #require(teller.told(history).last)
    let row = { (n: Int64) in JSON.object(of: ["Identifier": .string("a"), "Severity": .int(n)]) }
    #expect(record.value["before"] == row(4))
    #expect(record.value["after"] == row(5))
    let source = try #require(record.value["source"])
    #expect(source["connector"]?.string == "belfry")
    #expect(source["name"]?.string == "belfry")
    #expect(source["table"]?.string == "alerts")
    #expect(source["snapshot"]?.string == "false")
    #expect(source["sequence"]?.string == #"["1","2"]"#)
    #expect(source["change"]?.int == 2)
    #expect(record.trace == "00-1-2-01")
    #expect(record.epoch == 1 && record.isLast)
  }

  @Test func `a snapshot of one row is its last, and one of none goes on at once`() throws {
    let teller = try Teller()
    teller.put("a", 5)
    let one = try teller.start(.all, grave)
    let none = try teller.start(.all, "SELECT Severity FROM alerts WHERE Severity = 77")
    try teller.run()
    #expect(teller.told(one).lines == ["r a ->5 last"])
    #expect(teller.told(none).isEmpty)
    #expect(teller.progress[none.id]?["phase"]?.string == "following")
    teller.put("a", 77)
    try teller.run()
    #expect(teller.told(none).lines == ["c a ->77"])
    #expect(teller.told(one).lines == ["r a ->5 last", "u a 5->77"])
  }

  @Test func `an immediate stream has every change as a flat row, and none from before`() throws {
    let teller = try Teller()
    teller.put("a", 5)
    let live = try teller.start(.immediate, grave, .lane)
    try teller.run()
    #expect(teller.told(live).isEmpty)
    teller.put("a", 4)
    teller.put("a", 5)
    teller.put("a", 1)
    teller.put("a", 0)
    try teller.run()
    #expect(teller.told(live).lines == ["a 4", "a 5", "a -"])
    #expect(teller.told(live).isContiguous)
    #expect(live.place.topic == "belfry.lanes.live")
  }

  @Test func `what changes while the rows are asked for comes behind them, once`() throws {
    let teller = try Teller()
    teller.put("a", 4)
    let first = try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    teller.answers = false
    let history = try teller.start(.all, grave)
    teller.put("a", 5)
    teller.put("b", 4)
    try teller.run()
    #expect(teller.told(history).isEmpty)
    #expect(teller.told(first).count == 3, "others are not held up")
    teller.answers = true
    try teller.turn()
    teller.put("a", 6)
    try teller.run()
    #expect(teller.told(history).lines == ["r a ->5 first", "r b ->4 last", "u a 5->6"])
  }

  @Test func `what the rows hold is not told again where it is read behind them`() throws {
    let teller = try Teller()
    teller.put("a", 4)
    try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    teller.bus.faults.late = 1
    teller.put("a", 5)
    teller.put("b", 4)
    let history = try teller.start(.all, grave)
    try teller.run()
    #expect(teller.told(history).lines == ["r a ->5 first", "r b ->4 last"])
    teller.bus.faults.late = 0
    teller.put("a", 6)
    try teller.run()
    #expect(teller.told(history).lines == ["r a ->5 first", "r b ->4 last", "u a 5->6"])
  }

  @Test func `an answer of a table that is behind is asked for again`() throws {
    let teller = try Teller()
    teller.put("a", 4)
    try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    teller.isBehind = true
    let history = try teller.start(.all, grave)
    try teller.run()
    #expect(teller.told(history).isEmpty)
    teller.isBehind = false
    try teller.run()
    #expect(teller.told(history).lines == ["r a ->4 last"])
  }

  /// As is that of a member that stood still, and does not know yet that others lead its shards.
  @Test func `rows that are older than the changelog begin no stream, also where none was read`() throws {
    for aborts in [0, 30] {
      let teller = try Teller()
      teller.put("a", 4)
      teller.put("a", 5)
      try teller.abort("a", times: aborts)
      teller.isBehind = true
      let history = try teller.start(.all, grave)
      try teller.run()
      #expect(teller.told(history).isEmpty, "\(aborts)")
      teller.isBehind = false
      try teller.run()
      teller.put("a", 6)
      try teller.run()
      #expect(teller.told(history).lines == ["r a ->5 last", "u a 5->6"], "\(aborts)")
    }
  }

  @Test func `a restart goes on behind the last change that was published`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    let live = try teller.start(.immediate, grave)
    try teller.run()
    for n in 4..<9 {
      teller.put("a", Int64(n))
      try teller.run(.milliseconds(300))
      teller.restart()
    }
    try teller.run()
    #expect(teller.told(history).lines == ["c a ->4", "u a 4->5", "u a 5->6", "u a 6->7", "u a 7->8"])
    #expect(teller.told(history).isContiguous)
    #expect(teller.told(history).map(\.epoch) == teller.told(history).map(\.epoch).sorted())
    #expect(teller.told(live).lines == ["a 4", "a 5", "a 6", "a 7", "a 8"])
  }

  @Test func `a second publisher of every change ends the first, and each change is told once`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    try teller.run()
    let turnFormer = teller.takeOver()
    try teller.run()
    teller.put("a", 4)
    #expect { for _ in 0..<10 { try turnFormer() } } throws: { ($0 as? BusError)?.remedy == .fenced }
    try teller.run()
    #expect(teller.told(history).lines == ["c a ->4"])
  }

  @Test func `changes that were lost are said on every history stream, with their bounds`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    let other = try teller.start(.all, "SELECT Severity FROM alerts WHERE Severity = 77", .lane)
    let live = try teller.start(.immediate, grave)
    try teller.run()
    teller.put("a", 4)
    try teller.run()
    teller.lose("a", 5)
    teller.lose("a", 6)
    teller.put("a", 7)
    try teller.run()
    #expect(teller.told(history).lines == ["c a ->4", "m gap 2-3", "u a 6->7"])
    #expect(teller.told(other).lines == ["m gap 2-3"])
    #expect(teller.told(history)[1].value["notice"]?["shard"]?.int == Int64(Teller.shard("a")))
    #expect(teller.told(live).lines == ["a 4", "a 7"])
    #expect(teller.metrics.prometheusText().contains("belfry_live_gaps_total 2"))
    teller.append("a", "{", before: nil)
    try teller.run()
    #expect(teller.told(history).last?.line == "m gap 5-5", "one that cannot be read is lost, too")
  }

  @Test func `of lost changes those are said that a stream's rows do not hold`() throws {
    let teller = try Teller()
    teller.put("a", 4)
    try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    teller.answers = false
    let history = try teller.start(.all, grave)
    try teller.run()
    teller.lose("a", 5)
    teller.holdMoment()
    teller.lose("a", 6)
    teller.put("a", 7)
    try teller.run()
    teller.answers = true
    try teller.run()
    #expect(teller.told(history).lines == ["r a ->5 last", "m gap 3-3", "u a 6->7"])
  }

  @Test func `a large snapshot is spread over transactions, and one that was interrupted starts again`()
    throws
  {
    let teller = try Teller { $0.snapshotBytesMax = 100 }
    for n in 0..<10 { teller.put("k\(n)", 4) }
    let history = try teller.start(.all, grave)
    while teller.told(history).count < 4 { try teller.turn() }
    let some = teller.told(history)
    #expect(some.count < 10)
    #expect(teller.progress[history.id]?["phase"]?.string == "snapshot")
    teller.restart()
    teller.put("k3", nil)
    try teller.run()
    let lines = teller.told(history).dropFirst(some.count).map(\.line)
    #expect(lines.first == "m snapshot")
    #expect(lines[1] == "r k0 ->4 first")
    #expect(lines.last == "r k9 ->4 last")
    #expect(lines.count == 10)
    #expect(teller.told(history).isContiguous)
    #expect(Set(teller.told(history).map(\.sweep)).count >= 5)
  }

  @Test func `a stream whose record is too large stands still, and everything else goes on`() throws {
    let teller = try Teller()
    let summaries = try teller.start(.all, "SELECT Summary, Severity FROM alerts")
    let severities = try teller.start(.all, grave)
    try teller.run()
    teller.put("a", 4)
    teller.put("a", 5, summary: String(repeating: "x", count: 9 << 20))
    teller.put("a", 6)
    try teller.run()
    #expect(teller.told(summaries).lines == ["c a ->4"])
    #expect(teller.told(severities).lines == ["c a ->4", "u a 4->5", "u a 5->6"])
    let failures = teller.news.compactMap { if case .failed(let failure) = $0 { failure } else { nil } }
    #expect(failures.map(\.stream) == [summaries.id])
    teller.restart()
    try teller.run()
    #expect(teller.told(summaries).lines == ["c a ->4", "m snapshot", "r a ->6 last"])
  }

  @Test func `a stream that ended is not written to any more once that is said`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    try teller.run()
    teller.put("a", 4)
    try teller.run()
    teller.put("a", 5)
    teller.stop(history)
    try teller.run()
    #expect(teller.told(history).lines == ["c a ->4"])
    let stopped = teller.news.contains { if case .stopped(history.place) = $0 { true } else { false } }
    #expect(stopped)
    teller.put("b", 5)
    let again = try teller.start(.all, grave, .lane)
    try teller.run()
    #expect(teller.told(again).lines == ["r a ->5 first", "r b ->5 last"])
  }

  @Test func `what is aborted is published once`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    try teller.run()
    for n in 0..<5 {
      teller.put("a", 4 + Int64(n))
      teller.bus.inject(n % 2 == 0 ? .abortable : .lostAnswer)
      try teller.run()
    }
    #expect(teller.told(history).count == 5)
    #expect(teller.told(history).isContiguous)
    teller.put("a", 20)
    teller.bus.inject(.recreate)
    do throws(BusError) { try teller.run() } catch { teller.reset() }
    try teller.run()
    #expect(teller.told(history).last?.line == "u a 8->20")
    #expect(teller.told(history).count == 6 && teller.told(history).isContiguous)
  }

  @Test func `many streams and changes are published in transactions of a bounded size`() throws {
    let teller = try Teller { $0.transactionRecordsMax = 10 }
    let histories = try (0..<3).map {
      try teller.start(.all, "SELECT Severity FROM alerts WHERE Severity >= \($0)")
    }
    try teller.run()
    for n in 0..<50 { teller.put("k\(n % 7)", Int64(3 + n)) }
    try teller.run(.seconds(5))
    for history in histories {
      let told = teller.told(history)
      #expect(told.count == 50 && told.isContiguous)
      for (_, run) in Dictionary(grouping: told, by: \.sweep) {
        #expect(run.count <= 4 && run.filter(\.isLast).map(\.seq) == [run.map(\.seq).max()!])
      }
    }
  }

  @Test func `of a changelog that was made again nothing is passed over, however often one dies`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    try teller.run()
    for n in 4..<9 { teller.put("a", Int64(n)) }
    try teller.run()
    let bus = teller.cluster.connect()
    try bus.deleteTopics([topics.changelog("alerts")])
    try bus.ensureTopics(topics.specs(table: "alerts", partitions: Teller.shards))
    teller.answers = false
    teller.restart()
    try teller.run()
    for n in 10..<20 { teller.put("a", Int64(n)) }
    teller.answers = true
    teller.restart()
    try teller.run()
    #expect(Array(teller.told(history).dropFirst(5)).lines == ["m snapshot", "r a ->19 last"])
  }

  @Test func `what is said late of a former life is not taken for the next one's`() {
    func place(_ creation: Int64) -> StreamPlace {
      StreamPlace(
        id: "0123456789abcdef", creation: creation, mode: .all, placement: .own, isAgain: creation > 1,
        RegistrySettings())
    }
    let counts = ChangeCounts()
    counts.set([(place(1), StreamProgress(seq: 7, epoch: 1))])
    counts.begin(place(2))
    #expect(counts[place(1).id] == nil)
    counts.set([(place(1), StreamProgress(seq: 9, epoch: 1))])
    counts.remove(place(1))
    #expect(counts[place(1).id] == nil)
    counts.set([(place(2), StreamProgress(seq: 1, epoch: 2))])
    counts.remove(place(1))
    #expect(counts[place(1).id]?.seq == 1)
  }

  @Test func `streams whose records are forgotten leave room for all that they took`() {
    let items = ChangeItems()
    for stream in 0..<3 {
      "key".utf8.withContiguousStorageIfAvailable {
        items.append(
          .init(stream: stream, operation: .read, time: .zero), key: UnsafeRawBufferPointer($0), before: nil,
          after: UnsafeRawBufferPointer($0), trace: nil)
      }
    }
    items.removeAll(ofStreams: [0, 2])
    #expect(items.count == 1 && items.byteCount == 18)
    items.removeAll(ofStreams: [1])
    #expect(items.isEmpty && items.byteCount == 0)
  }

  @Test func `a transaction that is full is not waited for`() throws {
    let teller = try Teller {
      $0.transactionRecordsMax = 10
      $0.commitInterval = .seconds(60)
    }
    let history = try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    for n in 0..<45 { teller.put("k\(n)", Int64(n)) }
    try teller.run()
    #expect(teller.told(history).count >= 40)
    #expect(Set(teller.told(history).map(\.sweep)).count >= 4)
  }

  @Test func `where one change is too much for all its streams, those that do not fit stand still`() throws {
    let teller = try Teller { $0.changeBytesMax = 2_000 }
    let streams = try (0..<9).map {
      try teller.start(.all, "SELECT Summary, Severity FROM alerts WHERE Severity >= \($0)")
    }
    try teller.run()
    teller.put("a", 50, summary: String(repeating: "x", count: 800))
    try teller.run()
    teller.put("a", 51)
    try teller.run()
    let failed = Set(
      teller.news.compactMap { if case .failed(let failure) = $0 { failure.stream } else { nil } })
    #expect((1..<9).contains(failed.count))
    for stream in streams {
      #expect(teller.told(stream).lines == (failed.contains(stream.id) ? [] : ["c a ->50", "u a 50->51"]))
    }
  }

  @Test func `a partition that does not answer keeps rows back, and no changes of other streams`() throws {
    // What is not asked for yet is not held, so that this is never full.
    let teller = try Teller { $0.heldBytesMax = 1 }
    let other = (0..<9).map { "k\($0)" }.first { Teller.shard($0) != Teller.shard("a") }!
    teller.put(other, 1)
    let live = try teller.start(.immediate, grave)
    try teller.run()
    teller.put("a", 4)
    try teller.run()
    let lost = TopicPartition(topics.changelog("alerts"), Teller.shard(other))
    teller.bus.faults.leaderless = [lost]
    let history = try teller.start(.all, grave)
    for n in 5..<9 {
      teller.put("a", Int64(n))
      try turn(teller, for: .seconds(3))
    }
    #expect(teller.told(live).lines == (4..<9).map { "a \($0)" })
    teller.bus.faults.leaderless = []
    try teller.run(.seconds(60))
    teller.put("a", 9)
    try teller.run()
    #expect(teller.told(history).lines == ["r a ->8 last", "u a 8->9"])
  }

  /// As a supervisor does, who waits where nothing answers.
  private func turn(_ teller: Teller, for duration: Duration) throws {
    let end = teller.cluster.clock.elapsed() + duration
    while teller.cluster.clock.elapsed() < end {
      do throws(BusError) { try teller.turn() } catch { try #require(error.remedy == .retry) }
    }
  }

  // MARK: Clients that are away

  @Test func `a stream stores up to its limit, says so, and begins anew when a client is back`() throws {
    let teller = try Teller { $0.storedBytesMax = 3_000 }
    let history = try teller.start(.all, grave)
    try teller.run()
    teller.store(history)
    var n: Int64 = 4
    while !teller.told(history).contains(where: { $0.line == "m limit" }) {
      teller.put("a", n)
      n += 1
      try teller.run(.milliseconds(300))
      if n == 7 { teller.restart() }  // what is stored is counted over restarts
    }
    #expect((8...20).contains(n))
    let stored = teller.told(history).count
    #expect(stored == Int(n) - 3, "everything up to the limit is there")
    #expect(
      teller.news.contains { if case .full(let full) = $0 { full.stream == history.id } else { false } })
    teller.put("a", 77)
    try teller.run()
    teller.restart()
    teller.put("a", 78)
    try teller.run()
    #expect(teller.told(history).count == stored, "nothing is collected past the limit")
    teller.takeUp(history)
    try teller.run()
    teller.put("a", 79)
    try teller.run()
    let since = teller.told(history).dropFirst(stored).map(\.line)
    #expect(since == ["m snapshot", "r a ->78 last", "u a 78->79"])
    #expect(teller.told(history).isContiguous)
  }

  @Test func `that a stream is full is said behind its notice, also after a restart`() throws {
    let teller = try Teller { $0.storedBytesMax = 1 }
    let history = try teller.start(.all, grave)
    teller.store(history)
    try teller.run()
    teller.put("a", 5)
    for _ in 0..<2 {
      let known = teller.news.count
      while !teller.news.dropFirst(known).contains(where: { if case .full = $0 { true } else { false } }) {
        try teller.turn()
      }
      #expect(teller.told(history).lines == ["c a ->5", "m limit"])
      #expect(teller.told(history).last?.value["notice"]?["text"]?.string?.contains("1 bytes") == true)
      #expect(teller.counts[history.id]?.seq == 2)
      teller.restart()
    }
  }

  @Test func `a notice says which limit was reached`() throws {
    let teller = try Teller { $0.storedAgeMax = .seconds(5) }
    let history = try teller.start(.all, grave)
    teller.store(history)
    try teller.run(.seconds(10))
    #expect(teller.told(history).lines == ["m limit"])
    #expect(teller.told(history).last?.value["notice"]?["text"]?.string?.contains("5000 ms") == true)
  }

  @Test func `that the limit was reached is told, though a client is back at that moment`() throws {
    let teller = try Teller { $0.storedBytesMax = 1 }
    let history = try teller.start(.all, grave)
    try teller.run()
    teller.store(history)
    teller.put("a", 4)
    while teller.told(history).isEmpty { try teller.turn() }
    try teller.turn()
    #expect(teller.told(history).lines == ["c a ->4"], "the next transaction's time has not come")
    teller.takeUp(history)
    teller.put("a", 5)
    try teller.run()
    #expect(teller.told(history).lines == ["c a ->4", "m limit", "m snapshot", "r a ->5 last"])
  }

  @Test func `what lay on a topic that was deleted is not stored any more`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    try teller.run()
    teller.store(history)
    teller.put("a", 4, summary: String(repeating: "x", count: 100))
    teller.put("a", 5)
    teller.put("a", 6)
    try teller.run()
    let before = teller.progress[history.id]?["stored_bytes"]?.int ?? 0
    try teller.cluster.connect().deleteTopics([history.place.topic])
    teller.cluster.clock.advance(by: teller.settings.topicsInterval)
    try teller.run()
    #expect(teller.told(history).lines == ["m snapshot", "r a ->6 last"])
    let after = teller.progress[history.id]?["stored_bytes"]?.int ?? .max
    #expect(before > 0 && after < before, "\(before), then \(after)")
  }

  @Test func `what is stored for too long is over the limit, too; a client in time gets all of it`() throws {
    let teller = try Teller()
    let late = try teller.start(.all, grave)
    let early = try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    teller.store(late)
    teller.store(early)
    teller.put("a", 5)
    try teller.run()
    teller.takeUp(early)
    try teller.run()
    teller.cluster.clock.advance(by: .seconds(4 * 86_400))
    teller.put("a", 6)
    try teller.run()
    #expect(teller.told(late).lines == ["c a ->5", "m limit"])
    #expect(teller.told(early).lines == ["c a ->5", "u a 5->6"])
  }

  // MARK: Deleted topics

  @Test func `a topic that is deleted is made again with the rows, and nothing else stops`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    let live = try teller.start(.immediate, grave)
    let other = try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    teller.put("a", 4)
    teller.put("b", 5)
    try teller.run()
    try teller.bus.deleteTopics([history.place.topic, live.place.topic])
    teller.put("a", 6)
    try teller.run(.seconds(5))
    #expect(teller.told(history).lines == ["m snapshot", "r a ->6 first", "r b ->5 last"])
    #expect(teller.told(history).map(\.seq) == [3, 4, 5])
    #expect(teller.told(live).lines == ["a 6"])
    #expect(teller.told(other).lines == ["c a ->4", "c b ->5", "u a 4->6"])
    #expect(teller.told(other).isContiguous)
    #expect(teller.metrics.prometheusText().contains("belfry_live_topics_made_again_total 2"))
    try teller.bus.deleteTopics([history.place.topic])
    try teller.run(.seconds(15))
    #expect(
      teller.told(history).lines == ["m snapshot", "r a ->6 first", "r b ->5 last"], "also without a change")
  }

  @Test func `a topic that the brokers do not let be made again ends its stream only`() throws {
    let teller = try Teller()
    let refused = [try teller.start(.all, grave), try teller.start(.immediate, grave)]
    let other = try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    let names = refused.map(\.place.topic)
    try teller.bus.deleteTopics(names)
    teller.cluster.topicPolicy = { names.contains($0) ? "no more" : nil }
    teller.put("a", 4)
    try teller.run(.seconds(5))
    let told = teller.news.compactMap { if case .refused(let failure) = $0 { failure.stream } else { nil } }
    #expect(told.sorted() == refused.map(\.id).sorted())
    teller.restart()
    teller.put("a", 5)
    try teller.run()
    #expect(teller.told(other).lines == ["c a ->4", "u a 4->5"])
  }

  @Test func `lanes that are deleted are made again with their histories' rows, and nothing else stops`()
    throws
  {
    let teller = try Teller()
    let history = try teller.start(.all, grave, .lane)
    let quiet = try teller.start(.all, "SELECT Summary FROM alerts WHERE Severity >= 4", .lane)
    let live = try teller.start(.immediate, grave, .lane)
    let other = try teller.start(.all, grave)
    try teller.run()
    teller.put("a", 4)
    try teller.run()
    try teller.bus.deleteTopics([topics.historyLanes, topics.liveLanes])
    teller.put("a", 6)
    try teller.run(.seconds(5))
    let anew = ["m snapshot", "r a ->6 last"]
    #expect(teller.told(history).lines == anew)
    #expect(teller.told(history).map(\.seq) == [2, 3])
    #expect(teller.told(quiet).map(\.seq) == [2, 3])
    #expect(teller.told(live).lines == ["a 6"])
    #expect(teller.told(other).lines == ["c a ->4", "u a 4->6"])
    #expect(teller.cluster.spec(topics.historyLanes)?.properties["retention.ms"] == "604800000")
    #expect(teller.metrics.value("belfry_live_topics_made_again_total") == 2)
    try teller.bus.deleteTopics([topics.historyLanes])
    try teller.run(.seconds(15))
    #expect(teller.told(history).lines == anew, "also without a change")
    try teller.bus.deleteTopics([topics.historyLanes])
    teller.restart()
    try teller.run()
    #expect(teller.told(history).lines == anew, "also while nobody published")
    #expect(teller.told(history).map(\.seq) == [6, 7])
  }

  @Test func `what is stored is counted once, though another stream's topic was deleted`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    let other = try teller.start(.all, "SELECT Severity FROM alerts")
    try teller.run()
    teller.store(history)
    try teller.run()
    try teller.bus.deleteTopics([other.place.topic])
    teller.put("a", 6)
    try teller.run(.seconds(5))
    #expect(teller.told(history).lines == ["c a ->6"])
    let once = teller.progress[history.id]?["stored_bytes"]?.int ?? 0
    teller.put("a", 7)
    try teller.run()
    let twice = teller.progress[history.id]?["stored_bytes"]?.int ?? 0
    #expect(once > 0 && twice > 2 * once && twice < 3 * once, "\(once), \(twice)")
  }

  @Test func `a topic that was made again while nobody published begins with the rows`() throws {
    let teller = try Teller()
    let history = try teller.start(.all, grave)
    try teller.run()
    teller.put("a", 4)
    try teller.run()
    try teller.bus.deleteTopics([history.place.topic])
    try teller.bus.ensureTopics([history.place.topicSpec])
    teller.restart()
    try teller.run()
    #expect(teller.told(history).lines == ["m snapshot", "r a ->4 last"])
  }
}
