import Base
import Bus
import BusConformance
import Testing

/// What lies between processes and brokers, and what the brokers do of their own.
@Suite struct SimulatedNetworkTests {
  private let cluster = SimulatedCluster(seed: 3)
  private let place = TopicPartition("t", 0)

  init() throws {
    try cluster.connect().createTopics([
      TopicSpec("t", partitions: 1, properties: ["cleanup.policy": "delete", "retention.ms": "60000"])
    ])
  }

  private func values(_ isolation: Isolation = .committed) -> [String?] {
    cluster.records("t", 0, isolation).map(\.valueText)
  }

  private func producer(_ bus: SimulatedBus) throws -> any TransactionalProducer {
    let producer = try bus.makeProducer(transactionalID: "seat")
    try producer.initialise()
    return producer
  }

  @Test func `what arrives late is in its transaction, or in none`() throws {
    var arrived: Set<Int> = []
    for _ in 0..<20 {
      let bus = cluster.connect()
      let writer = try producer(bus)
      try writer.begin()
      bus.inject(.withheld)
      let before = values(.uncommitted).count
      try writer.send(batch(place, ["a", "b", "c"]))
      arrived.insert(values(.uncommitted).count - before)
      try writer.commit()
      #expect(values().suffix(3) == ["a", "b", "c"])
    }
    #expect(arrived == [0, 1, 2, 3])
    let count = values().count
    let bus = cluster.connect()
    let writer = try producer(bus)
    try writer.begin()
    bus.inject(.withheld)
    try writer.send(batch(place, ["a", "b", "c"]))
    try writer.abort()
    try writer.begin()
    try writer.commit()
    #expect(values().count == count)
  }

  @Test func `what a dead process has sent arrives as long as nobody has its seat`() throws {
    func late(_ isTaken: Bool) throws -> Int {
      let cluster = SimulatedCluster(seed: 5)
      try cluster.connect().createTopics([TopicSpec("t", partitions: 1, properties: [:])])
      let bus = cluster.connect()
      let writer = try producer(bus)
      _ = try cluster.connect().makeProducer(transactionalID: "seat")
      let own = try bus.makeProducer(transactionalID: "own")
      try own.initialise()
      try own.begin()
      bus.inject(.withheld)
      try own.send(batch(place, Array(repeating: "x", count: 50)))
      bus.close()
      withExtendedLifetime(writer) {}
      let heir = cluster.connect()
      if isTaken { try heir.makeProducer(transactionalID: "own").initialise() }
      let before = cluster.records("t", 0, .uncommitted).count
      for _ in 0..<50 { _ = try heir.topics(prefix: "") }
      return cluster.records("t", 0, .uncommitted).count - before
    }
    #expect(try late(false) > 0)
    #expect(try late(true) == 0)
  }

  @Test func `what arrives twice is taken once`() throws {
    let bus = cluster.connect()
    let writer = try producer(bus)
    try writer.begin()
    bus.inject(.repeated)
    try writer.send(batch(place, ["a", "b"]))
    try writer.send(batch(place, ["c"]))
    try writer.commit()
    let plain = try bus.makeProducer()
    bus.inject(.repeated)
    try plain.send(batch(place, ["d"]))
    #expect(values() == ["a", "b", "c", "d"])
  }

  @Test func `a full queue fails the transaction after a minute`() throws {
    let bus = cluster.connect()
    let writer = try producer(bus)
    try writer.begin()
    bus.inject(.fullQueue)
    let error = failure { try writer.send(batch(place, ["a", "b"])) }
    #expect(error?.remedy == .abort)
    #expect(error?.code == "_QUEUE_FULL")
    #expect(cluster.clock.elapsed() == .seconds(60))
    try writer.abort()
    #expect(values() == [])
  }

  @Test func `while the brokers are away calls are to be repeated, polls give nothing, records wait`() throws
  {
    let bus = cluster.connect()
    let writer = try producer(bus)
    cluster.append(topic: "t", key: "k", value: "there")
    let reader = try bus.makeReader([place: 0], isolation: .committed)
    try writer.begin()
    cluster.goAway(for: .seconds(5))
    try writer.send(batch(place, ["x"]))
    #expect(failure { _ = try bus.topics(prefix: "") }?.remedy == .retry)
    #expect(failure { try writer.commit() }?.remedy == .retry)
    let polled = RecordBatch()
    try reader.poll(into: polled, max: 9, timeout: .seconds(1))
    #expect(polled.isEmpty)
    #expect(values(.uncommitted) == ["there"])
    while cluster.isAway { #expect(failure { try writer.commit() }?.code == "_TRANSPORT") }
    try writer.commit()
    #expect(values() == ["there", "x"])
  }

  @Test func `retention takes what is old, and nothing behind what is not`() throws {
    let now = cluster.clock.now()
    for (value, age) in [("a", 90), ("b", 61), ("c", 10), ("d", 99)] as [(String, Int64)] {
      cluster.append(topic: "t", key: "k", value: value, timestamp: now + .seconds(-age))
    }
    cluster.retain()
    #expect(values() == ["c", "d"])
    #expect(cluster.history("t", 0).map(\.valueText) == ["a", "b", "c", "d"])
    #expect(try cluster.connect().startOffset(place) == 2)
  }

  @Test func `a group's positions expire when nobody is in it`() throws {
    let bus = cluster.connect()
    let handler = Positions()
    let consumer = try bus.makeConsumer(group: "g", instanceID: "i", topics: ["t"], handler: handler)
    try consumer.poll(into: RecordBatch(), max: 1, timeout: .zero)
    let writer = try producer(bus)
    try writer.begin()
    try writer.sendOffsets([place: 4], group: try #require(handler.group))
    try writer.commit()
    bus.close()
    cluster.clock.advance(by: BusLimits.session + .seconds(1))
    cluster.forgetOffsets(ofGroup: "g")
    #expect(try cluster.connect().committedOffsets(group: "g", [place]) == [:])
  }

  @Test func `a process that stands still is lost sight of, and does not join again by itself`() throws {
    let bus = cluster.connect()
    let handler = Positions()
    let consumer = try bus.makeConsumer(group: "g", instanceID: "i", topics: ["t"], handler: handler)
    let batch = RecordBatch()
    try consumer.poll(into: batch, max: 1, timeout: .zero)
    bus.isStill = true
    cluster.clock.advance(by: BusLimits.session + .seconds(1))
    #expect(try cluster.connect().members(ofGroup: "g") == [])
    bus.isStill = false
    for _ in 0..<2 {
      #expect(failure { try consumer.poll(into: batch, max: 1, timeout: .zero) } == .sessionOver)
    }
    #expect(handler.revocations == [true])
    #expect(try cluster.connect().members(ofGroup: "g") == [])
    consumer.close()
    let next = try bus.makeConsumer(group: "g", instanceID: "i", topics: ["t"], handler: handler)
    try next.poll(into: batch, max: 1, timeout: .zero)
    #expect(handler.partitions == [place])
    #expect(try cluster.connect().members(ofGroup: "g") == ["i"])
  }

  @Test func `work stands still within a call, and others run meanwhile`() throws {
    let bus = cluster.connect()
    let writer = try producer(bus)
    var failed: BusError?
    var strand: SimulatedStrand?
    let place = place
    strand = SimulatedStrand {
      failed = failure {
        try writer.begin()
        try writer.send(batch(place, ["former"]))
        try writer.commit()
      }
    }
    var calls = 0
    bus.onCall = {
      calls += 1
      if calls == 5 { strand!.standStill() }  // before the commit
    }
    #expect(!strand!.resume())
    #expect(values(.uncommitted) == ["former"])
    let heir = try producer(cluster.connect())
    #expect(strand!.resume())
    #expect(failed?.remedy == .fenced)
    #expect(values() == [])
    heir.close()
  }
}
