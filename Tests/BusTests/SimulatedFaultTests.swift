import Base
import Bus
import BusConformance
import Testing

/// A cluster with one topic and a producer that holds a seat.
private final class Stage {
  let cluster: SimulatedCluster
  let bus: SimulatedBus
  let producer: any TransactionalProducer
  let place = TopicPartition("t", 0)

  init(seed: UInt64 = 1) throws {
    cluster = SimulatedCluster(seed: seed)
    bus = cluster.connect()
    try bus.createTopics([TopicSpec("t", partitions: 1, properties: [:])])
    producer = try bus.makeProducer(transactionalID: "seat")
    try producer.initialise()
  }

  func batch(_ values: String...) -> RecordBatch {
    let batch = RecordBatch()
    for value in values {
      batch.append(topic: "t", partition: 0, timestamp: Timestamp(milliseconds: 5), key: "k", value: value)
    }
    return batch
  }

  /// Opens a transaction with one record in it.
  func open() throws {
    try producer.begin()
    try producer.send(batch("x"))
  }

  func commit(meeting fault: SimulatedFault) -> BusError? {
    bus.inject(fault)
    return failure { try producer.commit() }
  }

  var committed: [String?] { cluster.records("t", 0, .committed).map(\.valueText) }

  /// A new process takes the seat.
  func restart() throws {
    try cluster.connect().makeProducer(transactionalID: "seat").initialise()
  }
}

@Suite struct SimulatedFaultTests {
  @Test func `a crash before the commit leaves the transaction to who takes the seat`() throws {
    let stage = try Stage()
    try stage.open()
    #expect(stage.commit(meeting: .crashBefore)?.remedy == .closed)
    #expect(stage.cluster.endOffset("t", 0, .committed) == 0)
    try stage.restart()
    #expect(stage.committed == [])
    #expect(stage.cluster.endOffset("t", 0, .committed) == 2)
  }

  @Test func `a crash after the commit has committed`() throws {
    let stage = try Stage()
    try stage.open()
    #expect(stage.commit(meeting: .crashAfter)?.remedy == .closed)
    try stage.restart()
    #expect(stage.committed == ["x"])
  }

  @Test(arguments: [SimulatedFault.crashBefore, .crashAfter])
  func `after a crash every object of that process is dead, and does nothing`(fault: SimulatedFault) throws {
    let stage = try Stage()
    let plain = try stage.bus.makeProducer()
    let reader = try stage.bus.makeReader([stage.place: 0], isolation: .uncommitted)
    let handler = Positions()
    defer { withExtendedLifetime(handler) {} }
    let consumer = try stage.bus.makeConsumer(
      group: "g", instanceID: "i", topics: ["t"], handler: handler)
    try stage.open()
    #expect(stage.commit(meeting: fault)?.remedy == .closed)
    let calls = stage.bus.calls
    let batch = RecordBatch()
    let dead: [() throws -> Void] = [
      { try stage.producer.commit() },
      { try stage.producer.abort() },
      { try plain.send(stage.batch("y")) },
      { try reader.poll(into: batch, max: 1, timeout: .zero) },
      { try consumer.poll(into: batch, max: 1, timeout: .zero) },
      { try stage.bus.deleteTopics(["t"]) },
      { _ = try stage.bus.makeProducer() },
    ]
    for call in dead { #expect(failure(call)?.remedy == .closed) }
    #expect(stage.bus.isDead)
    #expect(stage.bus.calls == calls)
    #expect(stage.cluster.records("t", 0, .uncommitted).map(\.valueText) == ["x"])
  }

  @Test func `an answer that was lost can be asked for again, and the deed is done once`() throws {
    let stage = try Stage()
    try stage.open()
    let error = stage.commit(meeting: .lostAnswer)
    #expect(error?.remedy == .retry)
    #expect(error?.code == "_TIMED_OUT")
    #expect(stage.committed == ["x"])
    #expect(failure { try stage.producer.abort() }?.code == "_CONFLICT")
    try stage.producer.commit()
    #expect(stage.committed == ["x"])
    try stage.open()
    try stage.producer.commit()
    #expect(stage.committed == ["x", "x"])
    #expect(stage.cluster.misuses == [])
  }

  @Test func `a retriable error has no effect`() throws {
    let stage = try Stage()
    try stage.open()
    #expect(stage.commit(meeting: .retriable)?.remedy == .retry)
    #expect(stage.committed == [])
    try stage.producer.commit()
    #expect(stage.committed == ["x"])
  }

  @Test func `an abortable error fails the transaction until it is aborted`() throws {
    let stage = try Stage()
    try stage.open()
    #expect(stage.commit(meeting: .abortable)?.remedy == .abort)
    #expect(failure { try stage.producer.commit() }?.remedy == .abort)
    #expect(failure { try stage.producer.send(stage.batch("z")) }?.remedy == .abort)
    try stage.producer.abort()
    #expect(stage.committed == [])
    try stage.open()
    try stage.producer.commit()
    #expect(stage.committed == ["x"])
  }

  @Test func `a producer beyond use leaves its outcome to the seed`() throws {
    var outcomes: Set<Int> = []
    for seed in 0..<20 as Range<UInt64> {
      let stage = try Stage(seed: seed)
      try stage.open()
      #expect(stage.commit(meeting: .recreate)?.remedy == .recreate)
      #expect(failure { try stage.producer.begin() }?.remedy == .recreate)
      try stage.restart()
      outcomes.insert(stage.committed.count)
    }
    #expect(outcomes == [0, 1])
  }

  @Test func `of a batch whose sender dies, any prefix arrives`() throws {
    var arrived: Set<Int> = []
    for seed in 0..<40 as Range<UInt64> {
      let stage = try Stage(seed: seed)
      let plain = try stage.bus.makeProducer()
      stage.bus.inject(.crashAfter)
      #expect(failure { try plain.send(stage.batch("a", "b")) }?.remedy == .closed)
      #expect(stage.committed == Array(["a", "b"].prefix(stage.committed.count)))
      arrived.insert(stage.committed.count)
    }
    #expect(arrived == [0, 1, 2])
  }

  @Test func `an exact call can be made to fail`() throws {
    let stage = try Stage()
    var faults = SimulatedFaults()
    faults.scripted = [stage.bus.calls + 2: .crashBefore]
    stage.bus.faults = faults
    try stage.producer.begin()
    #expect(failure { try stage.producer.send(stage.batch("x")) }?.remedy == .closed)
    #expect(stage.cluster.records("t", 0, .uncommitted) == [])
  }

  @Test func `misuse is told to the checker`() throws {
    let stage = try Stage()
    #expect(failure { try stage.producer.commit() }?.code == "_STATE")
    try stage.producer.begin()
    #expect(failure { try stage.producer.begin() }?.code == "_STATE")
    #expect(failure { try stage.producer.initialise() }?.code == "_STATE")
    #expect(stage.cluster.misuses.count == 3)
  }

  @Test func `a transaction that is open for too long is aborted, and its producer fenced`() throws {
    let stage = try Stage()
    try stage.open()
    stage.cluster.clock.advance(by: .seconds(11))
    #expect(failure { try stage.producer.commit() }?.remedy == .fenced)
    #expect(stage.cluster.endOffset("t", 0, .committed) == 2)
    #expect(stage.committed == [])
  }

  @Test func `a commit that touches a deleted topic ends the producer, an abort before that works`() throws {
    let stage = try Stage()
    try stage.open()
    try stage.bus.deleteTopics(["t"])
    try stage.producer.abort()
    try stage.producer.begin()
    #expect(failure { try stage.producer.send(stage.batch("x")) }?.remedy == .abort)
    try stage.producer.abort()
    try stage.bus.createTopics([TopicSpec("t", partitions: 1, properties: [:])])
    try stage.open()
    try stage.bus.deleteTopics(["t"])
    #expect(failure { try stage.producer.commit() }?.remedy == .recreate)
  }

  @Test func `positions that are about to move are waited for, in the clock's time`() throws {
    let stage = try Stage()
    let handler = Positions()
    let consumer = try stage.bus.makeConsumer(group: "g", instanceID: "i", topics: ["t"], handler: handler)
    try consumer.poll(into: RecordBatch(), max: 1, timeout: .zero)
    try stage.producer.begin()
    try stage.producer.sendOffsets([stage.place: 3], group: try #require(handler.group))
    let other = stage.cluster.connect()
    let before = stage.cluster.clock.elapsed()
    let error = failure {
      _ = try other.committedOffsets(group: "g", [stage.place])
    }
    #expect(error?.remedy == .retry)
    #expect(stage.cluster.clock.elapsed() > before, "else a caller that asks until a deadline never ends")
    #expect(stage.cluster.committedOffsets("g") == [:])
    try stage.producer.commit()
    #expect(try other.committedOffsets(group: "g", [stage.place]) == [stage.place: 3])
    try other.deleteTopics(["t"])
    #expect(stage.cluster.committedOffsets("g") == [:], "they go with the topic")
  }

  @Test func `a rebalance takes the partitions away and gives them again in a new generation`() throws {
    var lost: Set<Bool> = []
    for seed in 0..<20 as Range<UInt64> {
      let stage = try Stage(seed: seed)
      let handler = Positions()
      let consumer = try stage.bus.makeConsumer(group: "g", instanceID: "i", topics: ["t"], handler: handler)
      try consumer.poll(into: RecordBatch(), max: 1, timeout: .zero)
      let former = try #require(handler.group)
      stage.bus.faults.rebalance = 1
      let over = failure { try consumer.poll(into: RecordBatch(), max: 1, timeout: .zero) }
      #expect(handler.revocations.count == 1)
      lost.formUnion(handler.revocations)
      // Who was lost sight of does not join again by itself.
      #expect(over == (handler.revocations == [true] ? .sessionOver : nil))
      try stage.producer.begin()
      let error = failure { try stage.producer.sendOffsets([stage.place: 1], group: former) }
      if over != nil {
        #expect(error?.code == "UNKNOWN_MEMBER_ID")
        continue
      }
      #expect(error?.code == "ILLEGAL_GENERATION")
      try stage.producer.abort()
      try stage.producer.begin()
      try stage.producer.sendOffsets([stage.place: 2], group: try #require(handler.group))
      try stage.producer.commit()
      #expect(stage.cluster.committedOffsets("g") == [stage.place: 2])
    }
    #expect(lost == [true, false])
  }

  @Test func `a consumer that fences itself is of no more use; who takes its seat fences it`() throws {
    let stage = try Stage()
    let handler = Positions()
    func consumer() throws -> any GroupConsumer {
      try stage.bus.makeConsumer(group: "g", instanceID: "i", topics: ["t"], handler: handler)
    }
    let first = try consumer()
    try first.poll(into: RecordBatch(), max: 1, timeout: .zero)
    stage.bus.faults.selfFence = 1
    for _ in 0..<2 {
      #expect(failure { try first.poll(into: RecordBatch(), max: 1, timeout: .zero) } == .sessionOver)
    }
    #expect(try stage.bus.members(ofGroup: "g") == ["i"])
    stage.bus.faults.selfFence = 0
    let second = try consumer()
    try second.poll(into: RecordBatch(), max: 1, timeout: .zero)
    #expect(handler.partitions == [stage.place])
    #expect(
      failure { try first.poll(into: RecordBatch(), max: 1, timeout: .zero) }?.code == "FENCED_INSTANCE_ID")
  }

  @Test func `a program that polls on after its handler has thrown is told so`() throws {
    let stage = try Stage()
    let handler = Positions()
    handler.failure = BusError(.retry, code: "_TIMED_OUT", "no positions")
    let consumer = try stage.bus.makeConsumer(group: "g", instanceID: "i", topics: ["t"], handler: handler)
    let batch = RecordBatch()
    #expect(failure { try consumer.poll(into: batch, max: 1, timeout: .zero) } == handler.failure)
    #expect(failure { try consumer.poll(into: batch, max: 1, timeout: .zero) }?.remedy == .recreate)
    #expect(stage.cluster.misuses == ["g: poll after the handler's assigned has thrown"])
  }
}
