import Base
import Bus
import Client
import Events
import Testing

/// A client's side, over a member that gets a turn whenever the client waits.
@Suite struct SessionTests {
  private let house: House
  private let session: Session

  init() throws {
    house = try House()
    let bus = TurningBus(house.cluster.connect(member: "client"), house)
    session = Session(bus: bus, topics: house.topics, clock: house.cluster.clock)
  }

  private func ask(_ name: String, _ sql: String, client: String = "noc") throws -> JSON {
    try session.request(
      client: client, name: name,
      .object(of: ["client": .string(client), "name": .string(name), "sql": .string(sql)]))
  }

  @Test func `a request is answered, and its end too`() throws {
    let reply = try ask("core", core)
    #expect(reply["status"]?.string == "active")
    #expect(reply["stream"]?["topic"]?.string?.hasPrefix("belfry.view.") == true)
    #expect(try session.request(client: "noc", name: "core", nil)["status"]?.string == "ended")
  }

  @Test func `of many replies a client gets its own, and no older one`() throws {
    #expect(try ask("core", core)["role"]?.string == "primary")
    #expect(try ask("core", core, client: "b")["role"]?.string == "secondary")
    #expect(try ask("core", "SELECT nothing")["status"]?.string == "rejected")
    let error = try ask("core", "SELECT Nod FROM alerts")["error"] ?? .null
    #expect(error["line"]?.int == 1)
    #expect(error["column"]?.int == 8)
  }

  @Test func `a cluster that is not there is named`() throws {
    let nowhere = Session(
      bus: house.cluster.connect(), topics: ClusterTopics(cluster: "town"), clock: house.cluster.clock)
    let error = #expect(throws: ClientError.self) { try nowhere.checkCluster() }
    #expect(
      error?.description.hasPrefix(#"there is no cluster "town" here: topic town.requests does not exist"#)
        == true)
    #expect(throws: ClientError.self) { _ = try nowhere.registry() }
    #expect(throws: ClientError.self) { _ = try nowhere.request(client: "a", name: "b", nil) }
  }

  @Test func `without a member there is no reply, and that is said after a while`() throws {
    let alone = Session(bus: house.cluster.connect(), topics: house.topics, clock: house.cluster.clock)
    let error = #expect(throws: ClientError.self) { _ = try alone.request(client: "a", name: "b", nil) }
    #expect(error?.description == #"no reply in 30 s: no member of cluster "belfry" is publishing"#)
    let waited = house.cluster.clock.elapsed()
    #expect((30...32).contains(waited.components.seconds))
  }

  @Test func `the registry has what lives, and not what was ended`() throws {
    _ = try ask("core", core)
    _ = try ask("count", counter)
    _ = try session.request(client: "noc", name: "count", nil)
    let registry = try session.registry()
    #expect(registry.keys.filter { $0.hasPrefix("request/") } == ["request/noc/core"])
    #expect(registry["request/noc/core"]?["sql"]?.string == core)
    #expect(registry["claim"]?["epoch"]?.int == 1)
  }

  @Test func `what is sent is there, a null as a null`() throws {
    try session.send(topic: house.topics.commands, key: "k", value: "v")
    try session.send(topic: house.topics.commands, key: "k", value: nil)
    let records = house.cluster.records(house.topics.commands, 0, .committed)
    #expect(records.map(\.keyText) == ["k", "k"])
    #expect(records.map(\.valueText) == ["v", nil])
  }

  @Test func `a stream that a reply names is read from its beginning to what the view is`() throws {
    for n in 0..<5 { house.send("e\(n)", severity: 5) }
    let address = try #require(StreamAddress(reply: ask("core", core)))
    try house.run()
    house.send("e1", severity: 1)
    try house.run()
    let reader = try session.read(address)
    func poll() throws -> [HistoryEntry] {
      try reader.poll(timeout: .milliseconds(100)).compactMap {
        if case .entry(let entry) = $0 { entry } else { nil }
      }
    }
    var records: [HistoryEntry] = []
    for _ in 0..<100 where records.count < 6 { records += try poll() }
    #expect(records.map(\.seq) == [1, 2, 3, 4, 5, 6])
    #expect(records.map(\.isLast) == [false, false, false, false, true, true])
    #expect(records.allSatisfy { $0.epoch == 1 })
    #expect(records[0].sweep < records[5].sweep)
    #expect(records[5].key == "e1")
    #expect(records[5].value == nil)
    #expect(try poll().isEmpty)
    reader.close()
    #expect(throws: BusError.closed) { _ = try reader.poll(timeout: .zero) }
  }

  @Test(arguments: [
    #"{"status":"ended"}"#,
    #"{"stream":{}}"#,
    #"{"stream":{"id":"a","topic":"t","partition":"0","key_prefix":""}}"#,
    #"{"stream":{"id":"a","topic":"t","partition":0}}"#,
    #"{"stream":"a"}"#,
  ])
  func `a reply without a whole stream gives no address`(reply: String) throws {
    #expect(StreamAddress(reply: try JSON(parsing: reply)) == nil)
  }

  @Test func `a partition that no broker has stays outside, not a trap`() throws {
    let reply = #"{"stream":{"id":"a","topic":"t","partition":9223372036854775807,"key_prefix":""}}"#
    #expect(StreamAddress(reply: try JSON(parsing: reply))?.partition == .max)
  }
}

/// Lets a member do its work whenever a client's reader waits.
private final class TurningBus: Bus, @unchecked Sendable {
  // Unchecked: one thread at a time, as all of Simulated.
  private let bus: SimulatedBus
  private let house: House

  init(_ bus: SimulatedBus, _ house: House) {
    self.bus = bus
    self.house = house
  }

  func makeReader(_ start: [TopicPartition: Int64], isolation: Isolation, gather: Duration)
    throws(BusError) -> any Reader
  {
    TurningReader(try bus.makeReader(start, isolation: isolation, gather: gather), house)
  }

  func makeProducer(transactionalID: String) throws(BusError) -> any TransactionalProducer {
    try bus.makeProducer(transactionalID: transactionalID)
  }
  func makeProducer() throws(BusError) -> any PlainProducer { try bus.makeProducer() }
  func makeConsumer(group: String, instanceID: String, topics: [String], handler: any AssignmentHandler)
    throws(BusError) -> any GroupConsumer
  {
    try bus.makeConsumer(group: group, instanceID: instanceID, topics: topics, handler: handler)
  }
  func partitionCounts(_ topics: [String]) throws(BusError) -> [String: Int] {
    try bus.partitionCounts(topics)
  }
  func topics(prefix: String) throws(BusError) -> [String] { try bus.topics(prefix: prefix) }
  func createTopics(_ specs: [TopicSpec]) throws(BusError) { try bus.createTopics(specs) }
  func deleteTopics(_ names: [String]) throws(BusError) { try bus.deleteTopics(names) }
  func topicProperties(_ topics: [String]) throws(BusError) -> [String: [String: String]] {
    try bus.topicProperties(topics)
  }
  func endOffset(_ partition: TopicPartition, isolation: Isolation) throws(BusError) -> Int64 {
    try bus.endOffset(partition, isolation: isolation)
  }
  func startOffset(_ partition: TopicPartition) throws(BusError) -> Int64 { try bus.startOffset(partition) }
  func memberless(group: String) throws(BusError) -> any GroupMetadata { bus.memberless(group: group) }
  func committedOffsets(group: String, _ partitions: [TopicPartition]) throws(BusError)
    -> [TopicPartition: Int64]
  {
    try bus.committedOffsets(group: group, partitions)
  }
  func members(ofGroup group: String) throws(BusError) -> [String] { try bus.members(ofGroup: group) }
  func statistics() -> [String: String] { bus.statistics() }
  func complaint() -> BusComplaint? { bus.complaint() }
  func close() { bus.close() }
}

private final class TurningReader: Reader {
  private let reader: any Reader
  private let house: House

  init(_ reader: any Reader, _ house: House) {
    self.reader = reader
    self.house = house
  }

  func poll(into batch: RecordBatch, max: Int, timeout: Duration) throws(BusError) {
    try house.run(timeout)
    try reader.poll(into: batch, max: max, timeout: .zero)
  }

  func position(_ partition: TopicPartition) -> Int64 { reader.position(partition) }
  func close() { reader.close() }
}
