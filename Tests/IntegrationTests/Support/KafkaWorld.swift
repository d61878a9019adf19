import Base
import Bus
import Checkers
import Events
import Testing

/// A town on a real Kafka as a world. What differs from the simulated brokers:
///
/// - Nobody reads along: `read` reads all topics from their beginnings, when all is quiet. So nothing may have been
///   removed from them by then. Belfry's topics keep records for a day at least, and Kafka compacts no segment that is
///   still written to, which one is for a week or up to 1 GiB; that each partition begins at 0 is checked. (A stream's
///   topic that was deleted cannot be read, here as there.)
/// - Time is the clock's, and reading takes some. Rows that are to go by time, and leases that are to end, are short
///   here and waited for; leases that are renewed last for longer than a check. Cleared rows are kept for as long as
///   a test takes (`settings`), and deleted by a member that is started with another setting.
/// - What is sent is there when the brokers say so: `flush` waits for it, through a broker's absence. One idempotent
///   producer sends all, so within a partition the order is that in which it was sent.
/// - Nobody deletes streams' topics under the traffic (`Vandal`): `DeletedTopicTests` does. What is stored for clients
///   that are away never reaches its limit, which is days.
/// - Another program's transaction may end as nobody knows, where brokers are away. It counts as what readers see, and
///   its program's next transaction ends what it left open.
final class KafkaWorld: World {
  /// Of the member whose world it is, beside `sweep`.
  static let settings = "events: { cleared_kept_ms: 86400000 }"
  static let sweep = "interval_ms: 300, drain_ms: 50, interval_max_ms: 2000, grace_ms: 2000"
  static let grace = Duration.seconds(2)
  /// How long a broker may be away here, and a message waits for it.
  private static let absence = Duration.seconds(300)

  let topics: ClusterTopics
  let partitions: Int
  let pace = Pace(
    lease: .seconds(5), keptLease: .seconds(300), expiry: .seconds(4), intervalDefault: .milliseconds(300))
  /// Why something that was sent was not taken.
  private(set) var failure: BusError?
  private let bus: KafkaBus
  private let clock = SystemClock()
  private let sender: KafkaBus
  private let producer: any PlainProducer
  private let batch = RecordBatch()
  /// Another program's, and whether it is there.
  private var foreign: (any TransactionalProducer)?
  private var seen: [TopicPartition: [SeenRecord]] = [:]
  /// Of topics that are followed while traffic goes on.
  private var followers: [String: any Reader] = [:]

  init(_ town: Town) throws {
    topics = town.topics
    partitions = town.partitions
    bus = town.bus
    sender = try KafkaBus(
      bootstrap: town.bootstrap, properties: ["message.timeout.ms": "\(Self.absence.milliseconds)"])
    producer = try sender.makeProducer()
  }

  deinit { sender.close() }

  func now() -> Timestamp { clock.now() }

  // MARK: Sending

  func append(
    topic: String, partition: Int32, key: [UInt8]?, value: [UInt8]?, headers: [SeenRecord.Header],
    timestamp: Timestamp
  ) {
    SeenRecord(timestamp: timestamp, key: key, value: value, headers: headers)
      .copy(to: batch, TopicPartition(topic, partition))
  }

  func flush() {
    do throws(BusError) {
      try producer.send(batch)
      try producer.flush(timeout: Self.absence)
    } catch {
      failure = failure ?? error
    }
    batch.removeAll()
  }

  func beginTransaction(_ batch: RecordBatch) -> Bool {
    do throws(BusError) {
      if foreign == nil { foreign = try makeForeign() }
      try foreign!.begin()
      try foreign!.send(batch)
      try foreign!.flush(timeout: .seconds(10))
      return true
    } catch {
      foreign = nil
      return false
    }
  }

  /// Ends what its former one left open.
  private func makeForeign() throws(BusError) -> any TransactionalProducer {
    let producer = try bus.makeProducer(transactionalID: "\(topics.cluster).foreign")
    try producer.initialise()
    return producer
  }

  func endTransaction(committed: Bool) {
    do throws(BusError) {
      if committed { try foreign?.commit() } else { try foreign?.abort() }
    } catch {
      foreign = nil
    }
  }

  /// All that was sent is there, and no transaction from outside is open.
  func endSending() throws {
    flush()
    if let failure { throw failure }
    foreign = nil
    try eventually("the end of transactions from outside") { (try? makeForeign()) != nil }
  }

  // MARK: Reading

  func found(_ topic: String, from offset: Int64) -> [SeenRecord] {
    let place = TopicPartition(topic, 0)
    do throws(BusError) {
      if followers[topic] == nil {
        followers[topic] = try bus.makeReader([place: offset], isolation: .committed)
      }
      let batch = RecordBatch()
      try followers[topic]!.poll(into: batch, max: BusLimits.pollRecordsMax, timeout: .milliseconds(10))
      return batch.records.map { SeenRecord(copyOf: $0, in: batch) }
    } catch {
      followers[topic] = nil
      return []
    }
  }

  func streamTopics() -> [String] { [] }

  func delete(_ topic: String) -> [SeenRecord]? { nil }

  private(set) var topicNames: [String] = []

  func history(_ topic: String, _ partition: Int32) -> [SeenRecord] {
    seen[TopicPartition(topic, partition)] ?? []
  }

  func present(_ topic: String, _ partition: Int32) -> [SeenRecord] { history(topic, partition) }

  /// Reads all topics anew.
  func read() throws {
    seen = [:]
    topicNames = try bus.topics(prefix: "\(topics.cluster).")
    let places = try bus.partitionCounts(topicNames).flatMap { name, count in
      (0..<Int32(count)).map { TopicPartition(name, $0) }
    }
    for place in places {
      let start = try bus.startOffset(place)
      try demand(start == 0, "\(place) begins at \(start): what was there before cannot be checked")
    }
    let starts = Dictionary(uniqueKeysWithValues: places.map { ($0, earliestOffset) })
    try bus.readToEnd(starts, clock: clock) { [self] batch in
      for record in batch.records {
        seen[TopicPartition(batch.topic(record), record.partition), default: []].append(
          SeenRecord(copyOf: record, in: batch))
      }
    }
  }

  /// The ends of what says that something was done. Sweeps go on for ever.
  func ends() throws -> [TopicPartition: Int64] {
    let endless = [topics.progress, topics.registry, topics.requests, topics.replies]
    var ends: [TopicPartition: Int64] = [:]
    let names = try bus.topics(prefix: "\(topics.cluster).").filter { !endless.contains($0) }
    for (name, count) in try bus.partitionCounts(names) {
      for number in 0..<Int32(count) {
        let place = TopicPartition(name, number)
        ends[place] = try bus.endOffset(place, isolation: .uncommitted)
      }
    }
    return ends
  }

  /// Changes that the publishers have not looked at, by their own word. There are streams of both.
  func unpublished() -> [String] {
    [topics.publishSeat, topics.liveSeat].flatMap { seat in
      let last = history(topics.progress, 0).last { $0.keyText == "*/\(seat)" }?.valueText
      let positions = last.flatMap { try? JSON(parsing: $0) }?["positions"]
      return (0..<Int32(partitions)).compactMap { shard in
        let count = history(topics.changelog("alerts"), shard).count
        let position = positions?[String(shard)]?.int ?? 0
        return position >= count ? nil : "\(seat) is at change \(position) of \(count) of shard \(shard)"
      }
    }
  }

  /// Partitions with records that the group has not consumed. (Markers of transactions lie behind the last of them.)
  func unconsumed() throws -> [String] {
    let places = [topics.events, topics.inbox].flatMap { topic in
      (0..<Int32(partitions)).map { TopicPartition(topic, $0) }
    }
    let committed = try bus.committedOffsets(group: topics.tableGroup, places)
    return places.compactMap { place in
      let end = (seen[place]?.last?.offset ?? -1) + 1
      let position = committed[place] ?? 0
      return position >= end ? nil : "\(place) is consumed up to \(position) of \(end)"
    }
  }
}
