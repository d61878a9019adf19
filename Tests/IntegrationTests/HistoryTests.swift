import Base
import Bus
import Client
import ConnectorKit
import Events
import Glibc
import Testing

extension Integration {
  /// `belfry history` on a real Kafka: what members publish, and what tests write in their stead.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct HistoryTests {
    @Test func `a net stream is complete over kills and restarts, by its topic, id and request`() throws {
      let town = try Town()
      try town.start()
      let reply = try town.request("wall", "list", "SELECT Severity, Summary FROM alerts")
      let stream = try town.follow(reply)
      for round in 0..<3 {
        try town.send((0..<20).map { Samples.event("row \(round) \($0)", severity: 3) })
        try stream.wait("round \(round)") { $0.count == 20 * (round + 1) }
        if round < 2 {
          try round == 0 ? town.kill() : town.stop()
          try town.start()
        }
      }
      let (id, topic) = (reply["stream"]?["id"]?.string ?? "", reply["stream"]?["topic"]?.string ?? "")
      for name in [topic, id, "wall/list"] {
        let ran = try town.belfry("history", name)
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(ran.errors == "belfry: complete: 1 to 60, epochs 1 to 3\n")
        let records = try ran.lines.map { try JSON(parsing: $0) }
        #expect(records.compactMap { $0["seq"]?.int } == Array(1...60))
        #expect(records.map { $0["epoch"]?.int } == stream.records.map(\.epoch))
        #expect(records.map { $0["value"] } == stream.records.map(\.value))
      }
      let own = try town.belfry("history", "list", "--client", "wall", "--from", "58")
      #expect(own.status == 0 && own.lines.count == 3, "\(own.errors)")
      #expect(own.errors == "belfry: complete: 58 to 60, epoch 3\n")
      let terminal = try Terminal(
        Belfry.path, ["history", id, "--from", "59"] + town.where, columns: 120)
      #expect(try terminal.child.end() == 0)
      #expect(terminal.written.contains("seq  epoch"), "\(terminal.written)")
      #expect(terminal.written.contains("  row 2 "), "\(terminal.written)")
    }

    @Test func `a metric in a lane is followed until a signal comes`() throws {
      let town = try Town()
      try town.start()
      try town.request("wall", "n", "SELECT COUNT(*) AS n FROM alerts")
      try town.request("wall", "m", "SELECT COUNT(*) AS n FROM alerts WHERE Severity > 1")
      let child = try town.belfryChild("history", "wall/n", "--follow")
      for count in 1...3 {
        try town.send([Samples.event("row \(count)")])
        try eventually("count \(count): \(child.output)") { child.output.contains("{\"n\":\(count)}") }
      }
      child.signal(SIGINT)
      #expect(try child.end() == 0, "\(child.errors)")
      #expect(child.errors.contains("belfry: complete: 1 to "), "\(child.errors)")
      #expect(child.output.split(separator: "\n").allSatisfy { $0.contains("\"key\":\"*\"") })
    }

    @Test func `gap, repeat, fenced and foreign records are said, with places and status 1`() throws {
      let stream = try HandWritten()
      try stream.write(1, 1...3)
      try stream.write(1, 3...4)
      try stream.write(3, 5...5)
      try stream.write(2, 6...6)
      try stream.write(3, 8...9)
      try stream.write([nil])
      let ran = try stream.history()
      #expect(ran.status == 1)
      #expect(
        ran.errors == "belfry: incomplete: 1 to 9, epochs 1 to 3; 1 gap of 2 in all; 1 repeat;"
          + " 1 record of a replaced publisher dropped; 1 record that is not the stream's;"
          + " first: repeat: dropped epoch 1, seq 3 (offset 4)\n")
      let said = try ran.lines.map { try JSON(parsing: $0) }.filter { $0["event"] != nil }.map(\.text)
      #expect(
        said == [
          #"{"event":"repeat","seq":3,"epoch":1,"offset":4}"#,
          #"{"event":"fenced","seq":6,"epoch":2,"offset":9}"#,
          #"{"event":"gap","seq":8,"epoch":3,"offset":11,"first":6,"last":7}"#,
          #"{"event":"foreign","offset":14}"#,
        ])
    }

    @Test func `behind a record of a former life the whole next life comes`() throws {
      let stream = try HandWritten()
      try stream.write(1, 1...5)
      try stream.write(2, 1...7)
      let again = try stream.history("--after", "1:5:4")
      #expect(again.status == 0)
      #expect(again.errors == "belfry: complete: 1 to 7, epoch 2; 1 restart from 1\n")
      #expect(try stream.history("--after", "1:3").errors.contains("complete: 4 to 7, epochs 1 to 2"))
      #expect(try stream.history("--from", "6").errors == "belfry: complete: 6 to 7, epoch 2\n")
      #expect(try stream.history("--from", "6", "--after", "1:5").status == 1)
      #expect(try stream.history("--after", "1:0").status == 2)
    }

    @Test func `hostile records are counted, and reading goes on`() throws {
      let stream = try HandWritten()
      let hostile = [("x", "1"), ("1", "-1"), ("1", "99999999999999999999"), ("0", "0"), ("", "")]
      try stream.write(hostile.map { ["belfry-epoch": $0.0, "belfry-seq": $0.1] })
      try stream.write(1, 1...1, value: "no JSON \u{1B}[31m")
      try stream.write(1, 2...2, value: nil)
      try stream.write(1, 3...3, value: #"{"op":"u","source":{}}"#)
      try stream.write(1, 4...4)
      let ran = try stream.history()
      #expect(ran.status == 1)
      #expect(
        ran.errors.contains("1 to 4, epoch 1; 2 unreadable records; 5 records that are not the stream's"))
      #expect(!ran.output.contains("\u{1B}") && !ran.errors.contains("\u{1B}"))
      #expect(ran.lines.count == 5 + 4)
    }

    @Test func `the end is not reached before an open transaction ends`() throws {
      let stream = try HandWritten()
      try stream.write(1, 1...2)
      let producer = try stream.open(1, 3...4)
      let child = try stream.historyChild()
      try eventually("the records before it: \(child.errors)") { child.output.contains("\"seq\":2") }
      #expect(child.status == nil && !child.output.contains("\"seq\":3"))
      try producer.commit()
      #expect(try child.end() == 0, "\(child.errors)")
      #expect(child.errors == "belfry: complete: 1 to 4, epoch 1\n")
      // What was aborted never was, and leaves no hole.
      try stream.open(2, 5...7).abort()
      try stream.write(3, 5...5)
      #expect(try stream.history().errors == "belfry: complete: 1 to 5, epochs 1 to 3\n")
    }

    @Test func `a topic whose records are gone is a gap, its compaction none`() throws {
      let stream = try HandWritten(["cleanup.policy": "compact"])
      // What is aborted leaves its offsets without records, as what is compacted does.
      let aborted = try stream.open(1, 1...3)
      try aborted.flush(timeout: .seconds(30))
      try aborted.abort()
      aborted.close()
      try stream.write(1, 4...6)
      let ran = try stream.history()
      #expect(ran.status == 0)
      #expect(ran.errors == "belfry: complete: 4 to 6, epoch 1; 3 superseded records compacted away\n")
      #expect(ran.output.hasPrefix(#"{"event":"compacted","seq":4,"epoch":1,"offset":4,"first":1,"last":3}"#))
      let kept = try HandWritten()
      try kept.write(1, 4...6)
      let gap = try kept.history()
      #expect(gap.status == 1 && gap.errors.contains("1 gap of 3 in all"), "\(gap.errors)")
      #expect(try kept.history("--from", "4").status == 0)
    }

    @Test func `what is no stream is named`() throws {
      let town = try Town()
      try town.start()
      for (name, words) in [
        ("nothing", "there is no topic, stream or request nothing"),
        ("no such/thing", "there is no topic, stream or request no such/thing"),
        (town.topics.events, "topic \(town.topics.events) has 3 partitions, a stream's has one"),
        (town.topics.viewLanes, "name the stream in it"),
      ] {
        let ran = try town.belfry("history", name)
        #expect(ran.status == 1 && ran.output.isEmpty && ran.errors.contains(words), "\(ran)")
      }
      #expect(try town.belfry("history", "a", "--from", "0").status == 2)
    }

    @Test func `a reader goes on from a position, whatever its offset says`() throws {
      let stream = try HandWritten()
      try stream.write(1, 1...50)
      let bus = try KafkaBus(bootstrap: try Broker.running.bootstrap)
      defer { bus.close() }
      let point = try #require(SequencePoint(epoch: 1, seq: 20))
      for offset in [20, 3, nil, 7000] as [Int64?] {
        let reader = try HistoryReader(
          StreamAddress(topic: stream.topic), bus: bus,
          start: .after(StreamPosition(point, offset: offset)))
        defer { reader.close() }
        var seqs: [Int64] = []
        try eventually("the end") {
          for case .entry(let entry) in try reader.poll(timeout: .milliseconds(50)) {
            seqs.append(entry.position.point.seq)
          }
          return try reader.isAtEnd()
        }
        #expect(seqs == Array(21...50))
      }
    }
  }
}

/// A history's topic that is written by hand, in transactions, as a publisher would.
final class HandWritten {
  let topic: String
  private let bus: KafkaBus

  init(_ properties: [String: String] = ["cleanup.policy": "delete"]) throws {
    topic = "history\(Scratch.next())-\(getpid())"
    bus = try KafkaBus(bootstrap: try Broker.running.bootstrap)
    try bus.createTopics([TopicSpec(topic, partitions: 1, properties: properties)])
  }

  deinit { bus.close() }

  private func batch(_ records: [(value: String?, headers: KeyValuePairs<String, String>)]) -> RecordBatch {
    let batch = RecordBatch()
    for (number, record) in records.enumerated() {
      batch.append(
        topic: topic, partition: 0, timestamp: Timestamp(milliseconds: 1_700_000_000_000),
        key: "row \(number)", value: record.value, headers: record.headers)
    }
    return batch
  }

  /// One transaction that is still open.
  func open(_ epoch: Int64, _ seqs: ClosedRange<Int64>, value: String? = "{\"a\":1}") throws
    -> any TransactionalProducer
  {
    let producer = try bus.makeProducer(transactionalID: topic)
    try producer.initialise()
    try producer.begin()
    try producer.send(
      batch(seqs.map { (value, ["belfry-epoch": "\(epoch)", "belfry-seq": "\($0)", "belfry-sweep": "1"]) }))
    return producer
  }

  func write(_ epoch: Int64, _ seqs: ClosedRange<Int64>, value: String? = "{\"a\":1}") throws {
    let producer = try open(epoch, seqs, value: value)
    try producer.commit()
    producer.close()
  }

  /// From anybody, outside any transaction.
  func write(_ headers: [KeyValuePairs<String, String>?]) throws {
    let producer = try bus.makeProducer()
    defer { producer.close() }
    try producer.send(batch(headers.map { ("{}", $0 ?? [:]) }))
    try producer.flush(timeout: .seconds(30))
  }

  /// Topics of a cluster without a member, on which the request is answered with this stream. Gives its name.
  func answer(_ request: String) throws -> String {
    let topics = ClusterTopics(cluster: "\(topic)-cluster")
    try bus.createTopics(
      [topics.requests, topics.replies].map { TopicSpec($0, partitions: 1, properties: [:]) })
    let stream = JSON.object(of: [
      "id": .string("a"), "topic": .string(topic), "partition": .int(0), "key_prefix": .string(""),
    ])
    try Session(bus: bus, topics: topics, clock: SystemClock()).send(
      topic: topics.replies, key: request,
      value: JSON.object(of: ["status": .string("active"), "stream": stream]).text)
    return topics.cluster
  }

  private var words: [String] {
    get throws { ["history", topic, "--bootstrap", try Broker.running.bootstrap] }
  }

  func history(_ more: String...) throws -> Belfry.Ran { try Belfry.run(words + more) }
  func historyChild() throws -> Child { try Child(Belfry.path, words) }
}
