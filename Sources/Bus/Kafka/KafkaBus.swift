import Base
import CRdKafka
import Glibc
import Synchronization

/// Kafka by way of librdkafka; or, for trying things out, librdkafka's in-process broker (`embedded`),
/// which neither fences nor hides aborted records and keeps no offsets of transactions.
public final class KafkaBus: Bus, @unchecked Sendable {
  // @unchecked: everything is set once in `init`, but for what a Mutex holds.
  /// The address of the brokers: what the configuration says, or the embedded broker's.
  public let bootstrap: String
  private let properties: [String: String]
  let replication: Int
  private let reports: KafkaCallbacks.Reports
  let embedded: EmbeddedBroker?
  private let utilities = Mutex<[String: KafkaClient]>([:])
  private let closed = Atomic<Bool>(false)
  private let events: KafkaEvents
  private let hasAnswered = Atomic<Bool>(false)

  /// How often a client reports, ms.
  private static let statisticsInterval = "5000"

  /// How long a question waits for its answer, ms: through a broker's hiccup. The first one less: nothing
  /// hangs on it yet, and somebody waits to hear why there is no answer.
  private var timeout: Int32 { hasAnswered.load(ordering: .relaxed) ? 15_000 : 4_000 }

  /// `properties`: any of librdkafka's, as they are; they win over Belfry's own settings.
  /// Throws `.refuse` where librdkafka does not accept one.
  public init(
    bootstrap: String, embedded: Bool = false, replication: Int = 1, properties: [String: String] = [:],
    log: Log = .silent, metrics: Metrics = Metrics()
  ) throws(BusError) {
    ClientMemory.keepFreed
    reports = KafkaCallbacks.Reports(log: log.named("kafka"), metrics: metrics)
    self.replication = replication
    self.properties = properties
    events = try KafkaEvents()
    self.embedded = embedded ? try EmbeddedBroker(reports) : nil
    self.bootstrap = self.embedded?.bootstrap ?? bootstrap
    guard Self.libraryVersion >= 0x0200_0000 else {
      throw BusError(
        .refuse, code: "VERSION",
        "librdkafka \(String(cString: rd_kafka_version_str())) is too old: 2.0 is needed")
    }
  }

  /// librdkafka's version, a byte each for major, minor, revision and pre-release (ff: none).
  public static var libraryVersion: Int32 { rd_kafka_version() }

  private func client(_ kind: KafkaClient.Kind, _ own: [String: String]) throws(BusError) -> KafkaClient {
    if closed.load(ordering: .relaxed) { throw .closed }
    var all = [
      "bootstrap.servers": bootstrap, "socket.nagle.disable": "true", "client.id": "belfry",
      // The embedded broker makes topics whatever is said, and knows no other answer.
      "allow.auto.create.topics": embedded == nil ? "false" : "true",
      // A broker that is back is to be used at once; librdkafka's own limit is 10 s.
      "reconnect.backoff.max.ms": "1000",
      // A broker that neither answers nor goes (a machine that vanished) is given up after this; librdkafka's
      // own limit is 60 s, in which an open transaction of this age times out, too.
      "socket.timeout.ms": "10000",
    ]
    all.merge(own) { $1 }
    all.merge(properties) { $1 }
    let client = try KafkaClient(kind, all, reports: reports)
    events.add(client)
    return client
  }

  public func makeProducer(transactionalID: String) throws(BusError) -> any TransactionalProducer {
    KafkaTransactionalProducer(
      try client(
        .producer,
        [
          // A commit sends what waits, full requests (1 MB) go at once, and no others: where records have
          // lingered for so long, and an answer of their partition is out, librdkafka loops without a pause.
          "transactional.id": transactionalID, "linger.ms": "1000",
          // A sweep that begins a large view may take its time; who takes the seat ends what is open at once.
          "transaction.timeout.ms": "60000", "statistics.interval.ms": Self.statisticsInterval,
          "queue.buffering.max.messages": "1000000", "queue.buffering.max.kbytes": "262144",
          "message.max.bytes": "\(ClusterTopics.recordBytesMax)",
        ]))
  }

  public func makeProducer() throws(BusError) -> any PlainProducer {
    KafkaPlainProducer(
      try client(
        .producer,
        [
          "enable.idempotence": "true", "linger.ms": "5", "message.timeout.ms": "30000",
          "message.max.bytes": "\(ClusterTopics.recordBytesMax)",
        ]))
  }

  public func makeConsumer(
    group: String, instanceID: String, topics: [String], handler: any AssignmentHandler
  ) throws(BusError) -> any GroupConsumer {
    try KafkaConsumer(
      try client(
        .consumer,
        [
          "group.id": group, "group.instance.id": instanceID, "partition.assignment.strategy": "range",
          "enable.auto.commit": "false", "enable.auto.offset.store": "false", "enable.partition.eof": "true",
          "isolation.level": "read_committed", "auto.offset.reset": "earliest",
          "session.timeout.ms": "\(BusLimits.session.milliseconds)",
          "statistics.interval.ms": Self.statisticsInterval,
          // A shard is restored inside the assignment: a large table takes its time.
          "max.poll.interval.ms": "3600000", "queued.max.messages.kbytes": "65536",
          "queued.min.messages": "100000", "fetch.message.max.bytes": "4194304",
        ]),
      topics: topics, handler: handler
    ) { [self] () throws(BusError) in
      try describe(group).first { $0.instanceID == instanceID }?.id
    }
  }

  public func makeReader(_ start: [TopicPartition: Int64], isolation: Isolation, gather: Duration)
    throws(BusError) -> any Reader
  {
    var own = Self.reading(isolation)
    own["queued.min.messages"] = "100000"
    own["queued.max.messages.kbytes"] = "65536"
    own["fetch.message.max.bytes"] = "4194304"
    if gather > .zero {
      own["fetch.min.bytes"] = "65536"
      own["fetch.wait.max.ms"] = "\(gather.timeoutMilliseconds)"
    }
    return try KafkaReader(try client(.consumer, own), start)
  }

  private static func reading(_ isolation: Isolation) -> [String: String] {
    [
      // librdkafka wants a group for `assign`; nothing joins or commits in it.
      "group.id": "belfry-reader", "enable.auto.commit": "false", "enable.auto.offset.store": "false",
      "enable.partition.eof": "true", "auto.offset.reset": "earliest",
      "isolation.level": isolation == .committed ? "read_committed" : "read_uncommitted",
    ]
  }

  /// A client that lives as long as the bus, for questions.
  private func utility(_ name: String, _ own: [String: String]) throws(BusError) -> KafkaClient {
    if let known = utilities.withLock({ $0[name] }) { return known }
    let made = try client(.consumer, own)
    utilities.withLock { $0[name] = made }
    return made
  }

  func asker(_ isolation: Isolation = .committed) throws(BusError) -> KafkaClient {
    try utility("\(isolation)", Self.reading(isolation))
  }

  /// Asks, and waits for the answer. `context` says what was asked.
  func ask(
    _ client: KafkaClient, _ context: @autoclosure () -> String, _ question: (Int32) -> ResponseCode
  ) throws(BusError) {
    try client.check(question(timeout), context())
    hasAnswered.store(true, ordering: .relaxed)
  }

  public func endOffset(_ partition: TopicPartition, isolation: Isolation) throws(BusError) -> Int64 {
    try watermarks(partition, isolation).high
  }

  public func startOffset(_ partition: TopicPartition) throws(BusError) -> Int64 {
    try watermarks(partition, .uncommitted).low
  }

  /// What a client says that knows partitions as they were.
  private static let mayBeOld = ["NOT_LEADER_FOR_PARTITION", "_UNKNOWN_PARTITION", "_UNKNOWN_TOPIC"]

  private func watermarks(_ partition: TopicPartition, _ isolation: Isolation) throws(BusError)
    -> (low: Int64, high: Int64)
  {
    let client = try asker(isolation)
    var low: Int64 = 0
    var high: Int64 = 0
    let clock = SystemClock()
    let deadline = clock.elapsed() + Self.leadersWithin
    while true {
      do throws(BusError) {
        try ask(client, "the ends of \(partition)") {
          rd_kafka_query_watermark_offsets(
            client.handle, partition.topic, partition.partition, &low, &high, $0)
        }
        return (low, high)
      } catch  where Self.mayBeOld.contains(error.code) && clock.elapsed() < deadline {
        // A broker says so for a moment when it has become the leader, as of a topic that was just made. One that
        // no longer is it says so for minutes: a client without topics of its own hears of leaders only by asking,
        // and of topics that were deleted and made again.
        usleep(20_000)
        let there = try allTopics(client)[partition.topic]?.partitions ?? 0
        if partition.partition >= there { throw error }
      }
    }
  }

  public func committedOffsets(group: String, _ partitions: [TopicPartition]) throws(BusError)
    -> [TopicPartition: Int64]
  {
    var own = Self.reading(.committed)
    own["group.id"] = group
    let client = try utility("group \(group)", own)
    let list = PartitionList(partitions, offset: 0)
    try ask(client, "positions of group \(group)") { timeout in
      list.with { rd_kafka_committed(client.handle, $0, timeout) }
    }
    var found: [TopicPartition: Int64] = [:]
    for entry in list.entries {
      try check(entry.error, "position of group \(group) in \(entry.partition)")
      if entry.offset >= 0 { found[entry.partition] = entry.offset }
    }
    return found
  }

  public func memberless(group: String) -> any GroupMetadata {
    KafkaGroupMetadata(rd_kafka_consumer_group_metadata_new(group))
  }

  public func members(ofGroup group: String) throws(BusError) -> [String] {
    try describe(group).map(\.instanceID).sorted()
  }

  private func describe(_ group: String) throws(BusError) -> [Administration.Member] {
    // The embedded broker cannot tell; it has no members but this process's.
    if embedded != nil { return [] }
    return try Administration(try asker()).members(ofGroup: group)
  }

  public func statistics() -> [String: String] { reports.statistics }

  public func complaint() -> BusComplaint? { reports.complaint }

  public func close() {
    closed.store(true, ordering: .relaxed)
    events.stop()
    utilities.withLock { $0 = [:] }
  }
}
