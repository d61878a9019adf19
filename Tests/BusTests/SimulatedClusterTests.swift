import Base
import Bus
import BusConformance
import Testing

@Suite struct SimulatedClusterTests {
  private func cluster(_ properties: [String: String] = [:]) throws -> SimulatedCluster {
    let cluster = SimulatedCluster(seed: 7)
    try cluster.connect().createTopics([TopicSpec("t", partitions: 1, properties: properties)])
    return cluster
  }

  private func lines(_ cluster: SimulatedCluster, _ isolation: Isolation = .committed) -> [String] {
    cluster.records("t", 0, isolation).map { record in
      "\(record.offset) \(record.keyText ?? "null")=\(record.valueText ?? "null")"
    }
  }

  @Test func `a transaction's marker takes an offset`() throws {
    let cluster = try cluster()
    let producer = try cluster.connect().makeProducer(transactionalID: "seat")
    try producer.initialise()
    for value in ["a", "b"] {
      try producer.begin()
      let batch = RecordBatch()
      batch.append(topic: "t", partition: 0, timestamp: cluster.clock.now(), key: "k", value: value)
      try producer.send(batch)
      try producer.commit()
    }
    #expect(lines(cluster) == ["0 k=a", "2 k=b"])
    #expect(cluster.endOffset("t", 0, .committed) == 4)
  }

  @Test func `reading to the end ends there, though nothing was to be seen and the time is over`() throws {
    let cluster = try cluster()
    let bus = cluster.connect()
    let producer = try bus.makeProducer(transactionalID: "seat")
    try producer.initialise()
    try producer.begin()
    let batch = RecordBatch()
    batch.append(topic: "t", partition: 0, timestamp: cluster.clock.now(), key: "k", value: "aborted")
    try producer.send(batch)
    try producer.abort()
    var count = 0
    try bus.readToEnd([TopicPartition("t", 0): earliestOffset], clock: cluster.clock, timeout: .zero) {
      count += $0.count
    }
    #expect(count == 0)
  }

  @Test func `compaction keeps the last of each key where it was`() throws {
    let cluster = try cluster()
    for (key, value) in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("c", nil), ("b", "2"), ("a", "3")] {
      cluster.append(topic: "t", key: key, value: value)
    }
    cluster.compact("t")
    #expect(lines(cluster) == ["2 a=2", "4 c=null", "5 b=2", "6 a=3"], "the last is being written still")
    cluster.compact("t", keepTombstones: false)
    #expect(lines(cluster) == ["2 a=2", "5 b=2", "6 a=3"])
    let bus = cluster.connect()
    var count = 0
    try bus.readToEnd([TopicPartition("t", 0): earliestOffset], clock: cluster.clock) { count += $0.count }
    #expect(count == 3)
    #expect(cluster.history("t", 0).map(\.offset) == Array(0...6), "who read all the time knows all")
  }

  @Test func `compaction stops at an open transaction, and drops what was aborted`() throws {
    let cluster = try cluster()
    let producer = try cluster.connect().makeProducer(transactionalID: "seat")
    try producer.initialise()
    func send(_ value: String) throws {
      let batch = RecordBatch()
      batch.append(topic: "t", partition: 0, timestamp: cluster.clock.now(), key: "a", value: value)
      try producer.send(batch)
    }
    cluster.append(topic: "t", key: "a", value: "first")
    cluster.append(topic: "t", key: "a", value: "kept")
    try producer.begin()
    try send("aborted")
    try producer.abort()
    try producer.begin()
    try send("open")
    cluster.append(topic: "t", key: "a", value: "behind")
    cluster.compact("t")
    #expect(lines(cluster, .uncommitted) == ["1 a=kept", "4 a=open", "5 a=behind"])
    try producer.abort()
    #expect(lines(cluster) == ["1 a=kept", "5 a=behind"])
  }

  @Test func `compaction leaves alone what is younger than the topic's lag`() throws {
    let cluster = try cluster(["min.compaction.lag.ms": "60000"])
    for value in ["1", "2"] { cluster.append(topic: "t", key: "a", value: value) }
    cluster.clock.advance(by: .seconds(61))
    for value in ["3", "4"] { cluster.append(topic: "t", key: "a", value: value) }
    cluster.compact("t")
    #expect(lines(cluster) == ["1 a=2", "2 a=3", "3 a=4"])
  }

  @Test func `the brokers stamp a topic that is configured so, and a record without a time`() throws {
    let cluster = try cluster(["message.timestamp.type": "LogAppendTime"])
    try cluster.connect().createTopics([TopicSpec("u", partitions: 1, properties: [:])])
    let producer = try cluster.connect().makeProducer()
    let batch = RecordBatch()
    for (topic, time) in [("t", 5), ("u", 5), ("u", 0)] as [(String, Int64)] {
      batch.append(
        topic: topic, partition: 0, timestamp: Timestamp(milliseconds: time), key: "k", value: "v")
    }
    try producer.send(batch)
    let now = cluster.clock.now()
    #expect(cluster.records("t", 0, .committed).map(\.timestamp) == [now])
    #expect(cluster.records("u", 0, .committed).map(\.timestamp) == [Timestamp(milliseconds: 5), now])
  }

  @Test func `every cut of a poll is tried`() throws {
    var cuts: Set<[Int]> = []
    for seed in 0..<200 as Range<UInt64> {
      let cluster = SimulatedCluster(seed: seed)
      let bus = cluster.connect()
      try bus.createTopics([TopicSpec("t", partitions: 1, properties: [:])])
      for _ in 0..<4 { cluster.append(topic: "t", key: "k", value: "v") }
      let reader = try bus.makeReader([TopicPartition("t", 0): 0], isolation: .committed)
      var cut: [Int] = []
      let batch = RecordBatch()
      while cut.reduce(0, +) < 4 {
        batch.removeAll()
        try reader.poll(into: batch, max: 8, timeout: .zero)
        cut.append(batch.count)
      }
      cuts.insert(cut)
    }
    #expect(cuts.count == 8, "4 records can be cut in 8 ways")
  }

  @Test func `a partition that is not there gives nothing until it is, nor after it was deleted`() throws {
    let cluster = try cluster()
    let bus = cluster.connect()
    let reader = try bus.makeReader([TopicPartition("u", 0): earliestOffset], isolation: .committed)
    func read() throws -> [String?] {
      let batch = RecordBatch()
      try reader.poll(into: batch, max: 1, timeout: .zero)
      return batch.records.map { batch.valueText($0) }
    }
    #expect(try read() == [])
    try bus.createTopics([TopicSpec("u", partitions: 1, properties: [:])])
    for value in ["a", "b"] { cluster.append(topic: "u", key: "k", value: value) }
    #expect(try read() == ["a"])
    #expect(try read() == ["b"])
    try bus.deleteTopics(["u"])
    #expect(try read() == [])
    #expect(
      failure { _ = try bus.endOffset(TopicPartition("u", 0), isolation: .committed) }?.remedy == .retry)
    try bus.createTopics([TopicSpec("u", partitions: 1, properties: [:])])
    cluster.append(topic: "u", key: "k", value: "c")
    #expect(try read() == ["c"], "what is made again is read from its beginning")
  }

  @Test func `time stands still but for the driver and for polls in vain`() throws {
    let cluster = try cluster()
    let reader = try cluster.connect().makeReader([TopicPartition("t", 0): 0], isolation: .committed)
    cluster.append(topic: "t", key: "k", value: "v")
    let batch = RecordBatch()
    try reader.poll(into: batch, max: 1, timeout: .seconds(1))
    #expect(cluster.clock.elapsed() == .zero)
    try reader.poll(into: batch, max: 1, timeout: .seconds(1))
    #expect(cluster.clock.elapsed() == .seconds(1))
    cluster.clock.advance(by: .milliseconds(1))
    #expect(cluster.clock.now() == SimulatedClock().now() + .milliseconds(1001))
  }

  @Test func `the trace keeps the last lines, in order, once it is on`() throws {
    let cluster = try cluster()
    cluster.append(topic: "t", key: "k", value: "v")
    #expect(cluster.trace.lines == [])
    cluster.trace.isOn = true
    for _ in 0..<SimulatedTrace.linesMax { cluster.append(topic: "t", key: "k", value: "v") }
    cluster.compact("t")
    #expect(cluster.trace.lines.count == SimulatedTrace.linesMax)
    #expect(cluster.trace.lines.last == "compact t")
    #expect(cluster.trace.lines.first == "append t[0]")
  }
}
