import Base
import Bus
import CRdKafka
import Testing

/// What brokers say while they change, and pass by themselves.
@Suite struct BrokerErrorTests {
  @Test func `the end of a partition is asked of its new leader, when the former one says that it is none`()
    throws
  {
    let brokers = MockBrokers(count: 2)
    let place = brokers.makeTopic("t")
    let bus = try KafkaBus(bootstrap: brokers.bootstrap)
    defer { bus.close() }
    for isolation in [Isolation.committed, .uncommitted] {
      #expect(try bus.endOffset(place, isolation: isolation) == 0)
    }
    brokers.lead(place, by: 2)
    for isolation in [Isolation.committed, .uncommitted] {
      #expect(try bus.endOffset(place, isolation: isolation) == 0)
    }
  }

  @Test(arguments: MockBrokers.Question.allCases)
  func `who joins a group waits while its coordinator is loading`(question: MockBrokers.Question) throws {
    let brokers = MockBrokers(count: 1)
    let place = brokers.makeTopic("t")
    let bus = try KafkaBus(bootstrap: brokers.bootstrap)
    defer { bus.close() }
    brokers.refuse(question, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, times: 3)
    let given = Given(bus)
    let consumer = try bus.makeConsumer(
      group: "g", instanceID: "seat", topics: [place.topic], handler: given)
    defer { consumer.close() }
    let batch = RecordBatch()
    let clock = SystemClock()
    let deadline = clock.elapsed() + .seconds(60)
    while given.positions == nil, clock.elapsed() < deadline {
      try consumer.poll(into: batch, max: 1, timeout: .milliseconds(100))
    }
    #expect(given.partitions == [place])
    #expect(given.positions == [:])
  }
}

/// Asks for the group's positions, as a leader does before it restores its shards.
private final class Given: AssignmentHandler {
  private let bus: any Bus
  private(set) var partitions: [TopicPartition] = []
  private(set) var positions: [TopicPartition: Int64]?

  init(_ bus: any Bus) { self.bus = bus }

  func assigned(_ partitions: [TopicPartition], group: any GroupMetadata) throws(BusError)
    -> [TopicPartition: Int64]
  {
    self.partitions = partitions
    positions = try bus.committedOffsets(group: "g", partitions)
    return Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) })
  }

  func revoked(lost: Bool) {}
}
