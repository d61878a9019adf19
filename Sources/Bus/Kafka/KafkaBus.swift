import Base
import CRdKafka
import Synchronization

/// Kafka by way of librdkafka; or, for trying things out, librdkafka's in-process broker (`embedded`),
/// which neither fences nor hides aborted records and keeps no offsets of transactions.
public final class KafkaBus: Bus, @unchecked Sendable {
  // @unchecked: everything is set once in `init`, but for what a Mutex holds.
  /// The address of the brokers: what the configuration says, or the embedded broker's.
  public let bootstrap: String
  private let properties: [String: String]
  private let replication: Int
  private let reports: KafkaClient.Reports
  private let embedded: EmbeddedBroker?
  private let utilities = Mutex<[String: KafkaClient]>([:])
  private let closed = Atomic<Bool>(false)

  /// How often a client reports, ms. Reports come by polling: only clients that are polled all the time may
  /// be asked for them.
  private static let statisticsInterval = "5000"

  /// Admin calls and queries wait this long for an answer.
  private static let timeout: Int32 = 15_000

  /// `properties`: any of librdkafka's, as they are; they win over Belfry's own settings.
  /// Throws `.refuse` where librdkafka does not accept one.
  public init(
    bootstrap: String, embedded: Bool = false, replication: Int = 1, properties: [String: String] = [:],
    log: Log = .silent, metrics: Metrics = Metrics()
  ) throws(BusError) {
    reports = KafkaClient.Reports(log: log.named("kafka"), metrics: metrics)
    self.replication = replication
    self.properties = properties
    self.embedded = embedded ? try EmbeddedBroker(reports) : nil
    self.bootstrap = self.embedded?.bootstrap ?? bootstrap
    let version = rd_kafka_version()
    guard version >= 0x0200_0000 else {
      throw BusError(
        .refuse, code: "VERSION",
        "librdkafka \(String(cString: rd_kafka_version_str())) is too old: 2.0 is needed")
    }
  }

  private func client(_ kind: KafkaClient.Kind, _ own: [String: String]) throws(BusError) -> KafkaClient {
    if closed.load(ordering: .relaxed) { throw .closed }
    var all = [
      "bootstrap.servers": bootstrap, "socket.nagle.disable": "true", "client.id": "belfry",
      "allow.auto.create.topics": "false",
      // A broker that is back is to be used at once; librdkafka's own limit is 10 s.
      "reconnect.backoff.max.ms": "1000",
    ]
    all.merge(own) { $1 }
    all.merge(properties) { $1 }
    return try KafkaClient(kind, all, reports: reports)
  }

  public func makeProducer(transactionalID: String) throws(BusError) -> any TransactionalProducer {
    KafkaTransactionalProducer(
      try client(
        .producer,
        [
          "transactional.id": transactionalID, "linger.ms": "5",
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
          "session.timeout.ms": "45000", "statistics.interval.ms": Self.statisticsInterval,
          // A shard is restored inside the assignment: a large table takes its time.
          "max.poll.interval.ms": "3600000", "queued.max.messages.kbytes": "65536",
          "queued.min.messages": "100000", "fetch.message.max.bytes": "4194304",
        ]),
      topics: topics, handler: handler)
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
    if let known = utilities.withLock({ $0[name] }) {
      // What it has to say (errors, log lines) would pile up.
      while let message = rd_kafka_consumer_poll(known.handle, 0) { rd_kafka_message_destroy(message) }
      return known
    }
    let made = try client(.consumer, own)
    utilities.withLock { $0[name] = made }
    return made
  }

  private func asker(_ isolation: Isolation = .committed) throws(BusError) -> KafkaClient {
    try utility("\(isolation)", Self.reading(isolation))
  }

  public func endOffset(_ partition: TopicPartition, isolation: Isolation) throws(BusError) -> Int64 {
    let client = try asker(isolation)
    var low: Int64 = 0
    var high: Int64 = 0
    try check(
      rd_kafka_query_watermark_offsets(
        client.handle, partition.topic, partition.partition, &low, &high, Self.timeout),
      "end of \(partition)")
    return high
  }

  public func committedOffsets(group: String, _ partitions: [TopicPartition]) throws(BusError)
    -> [TopicPartition: Int64]
  {
    var own = Self.reading(.committed)
    own["group.id"] = group
    let client = try utility("group \(group)", own)
    let list = PartitionList(partitions, offset: 0)
    try check(
      list.with { rd_kafka_committed(client.handle, $0, Self.timeout) }, "positions of group \(group)")
    var found: [TopicPartition: Int64] = [:]
    for entry in list.entries {
      try check(entry.error, "position of group \(group) in \(entry.partition)")
      if entry.offset >= 0 { found[entry.partition] = entry.offset }
    }
    return found
  }

  public func statistics() -> [String: String] { reports.statistics }

  public func close() {
    closed.store(true, ordering: .relaxed)
    utilities.withLock { $0 = [:] }
  }

  // MARK: Topics

  public func partitionCounts(_ topics: [String]) throws(BusError) -> [String: Int] {
    let wanted = Set(topics)
    return try allTopics().filter { wanted.contains($0.key) }
  }

  public func topics(prefix: String) throws(BusError) -> [String] {
    try allTopics().keys.filter { $0.hasPrefix(prefix) }.sorted()
  }

  private func allTopics() throws(BusError) -> [String: Int] {
    let client = try asker()
    var metadata: UnsafePointer<rd_kafka_metadata>?
    try check(
      rd_kafka_metadata(client.handle, 1, nil, &metadata, Self.timeout), "the brokers at \(bootstrap)")
    defer { rd_kafka_metadata_destroy(metadata) }
    var counts: [String: Int] = [:]
    for index in 0..<Int(metadata!.pointee.topic_cnt) {
      let topic = metadata!.pointee.topics[index]
      if topic.err == RD_KAFKA_RESP_ERR_NO_ERROR {
        counts[String(cString: topic.topic)] = Int(topic.partition_cnt)
      }
    }
    return counts
  }

  public func createTopics(_ specs: [TopicSpec]) throws(BusError) {
    if let embedded { return try embedded.create(specs) }
    let admin = try Administration(try asker())
    try admin.create(specs, replication: replication)
  }

  public func deleteTopics(_ names: [String]) throws(BusError) {
    // The embedded broker cannot delete; what it holds goes with the process.
    if embedded != nil || names.isEmpty { return }
    let admin = try Administration(try asker())
    try admin.delete(names)
  }
}
