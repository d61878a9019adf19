import Base

public struct TopicPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let topic: String
  public let partition: Int32

  public init(_ topic: String, _ partition: Int32) {
    self.topic = topic
    self.partition = partition
  }

  public static func < (a: TopicPartition, b: TopicPartition) -> Bool {
    (a.topic, a.partition) < (b.topic, b.partition)
  }

  public var description: String { "\(topic)[\(partition)]" }
}

/// A topic as it must be.
public struct TopicSpec: Sendable, Equatable {
  public let name: String
  public let partitions: Int
  /// Kafka's topic properties, such as `cleanup.policy`.
  public let properties: [String: String]

  public init(_ name: String, partitions: Int, properties: [String: String]) {
    self.name = name
    self.partitions = partitions
    self.properties = properties
  }

  /// In which of the properties that guarantees hang on a topic falls short, in words. How long records are
  /// kept is the operator's own affair.
  public func faults(in actual: [String: String]) -> [String] {
    ["cleanup.policy", "max.message.bytes", "message.timestamp.type", "min.compaction.lag.ms"].compactMap {
      key in
      guard let wanted = properties[key], let found = actual[key], !Self.suffices(found, wanted) else {
        return nil
      }
      return "topic \(name) has \(key)=\(found), it should be \(wanted)"
    }
  }

  /// The same words in any order, or a number at least as large.
  private static func suffices(_ found: String, _ wanted: String) -> Bool {
    if let found = Int64(found), let wanted = Int64(wanted) { return found >= wanted }
    let words = { (text: String) in Set(text.split(separator: ",").map { $0.filter { $0 != " " } }) }
    return words(found) == words(wanted)
  }
}

public enum Isolation: Sendable {
  case committed, uncommitted
}

/// What a group's consumer is given and what is taken from it. Called inside `poll`, on its thread.
public protocol AssignmentHandler: AnyObject {
  /// These partitions (all that the member now has) are ours: returns where to begin reading each.
  /// What it throws ends the poll.
  func assigned(_ partitions: [TopicPartition], group: any GroupMetadata)
    throws(BusError) -> [TopicPartition: Int64]
  /// All partitions are taken away: the open transaction must end before this returns. `lost`: they
  /// are gone already, nothing can be committed for them, and the consumer is of no more use (`BusError.sessionOver`).
  func revoked(lost: Bool)
}

/// The group's generation and member, as a transaction carries them (KIP-447). Opaque.
public protocol GroupMetadata: AnyObject {}

/// A member of a consumer group, static under its instance id: with librdkafka's `range` assignor, which
/// gives partition n of all its topics to one member. One thread uses it.
public protocol GroupConsumer: AnyObject {
  /// Appends up to `max` records to the batch: waits at most `timeout` for the first, not at all for
  /// the others. Records of one partition come in order. Calls the handler where the assignment changes.
  func poll(into batch: RecordBatch, max: Int, timeout: Duration) throws(BusError)
  /// The ends of partitions that polls have met since the last call: all records below these offsets have
  /// been given, though the last of them may have been a transaction's marker or aborted.
  func takeEnds() -> [TopicPartition: Int64]
  /// Reads on from these offsets (used after an abort).
  func seek(to positions: [TopicPartition: Int64]) throws(BusError)
  /// Stops and resumes fetching; polling goes on. For back-pressure.
  func pause(_ partitions: [TopicPartition]) throws(BusError)
  func resume(_ partitions: [TopicPartition]) throws(BusError)
  /// Leaves without a revocation: a static member's partitions stay its own until its session ends.
  func close()
}

/// A producer that holds a seat: a transactional id with one living owner. One thread uses it.
public protocol TransactionalProducer: AnyObject {
  /// Takes the seat: fences its former holder and ends the transaction that it left open.
  func initialise() throws(BusError)
  func begin() throws(BusError)
  /// Queues the records; waits while the queue is full. Partition -1: by the key (murmur2).
  func send(_ batch: RecordBatch) throws(BusError)
  /// The group's positions become part of the transaction.
  func sendOffsets(_ positions: [TopicPartition: Int64], group: any GroupMetadata) throws(BusError)
  /// Waits until all that was sent is acknowledged. `.retry`: it is not yet, as where a topic was deleted. The
  /// transaction is open still and can be aborted, which it cannot any more once `commit` was called.
  func flush(timeout: Duration) throws(BusError)
  /// Waits until all that was sent is acknowledged, then commits. On `.retry` call it again: the
  /// outcome is not known, and the transaction may have been committed.
  func commit() throws(BusError)
  func abort() throws(BusError)
  /// Lets go without a word to the broker.
  func close()
}

/// A producer without transactions: connectors, clients, control records. Any thread may send.
public protocol PlainProducer: AnyObject, Sendable {
  func send(_ batch: RecordBatch) throws(BusError)
  /// Waits until all that was sent is acknowledged; throws if any of it was not.
  func flush(timeout: Duration) throws(BusError)
  func close()
}

/// Reads given partitions in order, outside any group. One thread uses it.
public protocol Reader: AnyObject {
  func poll(into batch: RecordBatch, max: Int, timeout: Duration) throws(BusError)
  /// The next offset to be read, past control and aborted records where the reader has passed them.
  func position(_ partition: TopicPartition) -> Int64
  func close()
}

/// A cluster of brokers, or what stands in for one. Any thread may call; each object that it makes belongs
/// to one thread unless it says otherwise.
public protocol Bus: AnyObject, Sendable {
  func makeProducer(transactionalID: String) throws(BusError) -> any TransactionalProducer
  func makeProducer() throws(BusError) -> any PlainProducer
  func makeConsumer(group: String, instanceID: String, topics: [String], handler: any AssignmentHandler)
    throws(BusError) -> any GroupConsumer
  /// Reads from the given offsets; see `earliestOffset`. The broker may hold records back for up to `gather`
  /// to hand over many at once: far less work where single records trickle in.
  func makeReader(_ start: [TopicPartition: Int64], isolation: Isolation, gather: Duration)
    throws(BusError) -> any Reader
  /// The number of partitions of each topic that is there. `.retry` (`LEADER_NOT_AVAILABLE`) where a
  /// partition of one has no leader now, so that nobody could use it.
  func partitionCounts(_ topics: [String]) throws(BusError) -> [String: Int]
  /// The names of all topics that begin with the prefix, sorted.
  func topics(prefix: String) throws(BusError) -> [String]
  /// Creates topics, and waits until they can be used. The fault of one stops no other; what is thrown
  /// names all that were not made. That one is there already (`TOPIC_ALREADY_EXISTS`) is thrown only where
  /// nothing is worse.
  func createTopics(_ specs: [TopicSpec]) throws(BusError)
  /// Deletes topics, and waits up to 2 s until the broker that is asked does not show them any more; one that is
  /// not there is no error. The fault of one stops no other; what is thrown names all that were not deleted.
  func deleteTopics(_ names: [String]) throws(BusError)
  /// The properties in force (Kafka's names) of each topic that can be described.
  func topicProperties(_ topics: [String]) throws(BusError) -> [String: [String: String]]
  /// One past the last record, for a reader of that isolation (committed: the last stable offset).
  func endOffset(_ partition: TopicPartition, isolation: Isolation) throws(BusError) -> Int64
  /// The first offset that is still there.
  func startOffset(_ partition: TopicPartition) throws(BusError) -> Int64
  /// For positions in a group that has no members, moved by transactions only.
  func memberless(group: String) throws(BusError) -> any GroupMetadata
  /// The group's stable committed positions; waits for transactions that are about to end. Partitions
  /// without one are left out.
  func committedOffsets(group: String, _ partitions: [TopicPartition]) throws(BusError)
    -> [TopicPartition: Int64]
  /// The instance ids of a group's static members, sorted. One that died, or left, is among them until its
  /// session (`BusLimits.session`) has run out.
  func members(ofGroup group: String) throws(BusError) -> [String]
  /// The latest statistics of each client, as librdkafka writes them (JSON), by the client's name.
  func statistics() -> [String: String]
  /// What any client last said of its brokers; nil: nothing yet.
  func complaint() -> BusComplaint?
  func close()
}

/// Why a broker cannot be reached, or lets nobody in. Clients go on trying by themselves, so it may be over.
public struct BusComplaint: Sendable {
  public let ago: Duration
  /// The client's own words and code.
  public let words: String
}

/// Begin at the first record that is there.
public let earliestOffset: Int64 = -2
/// Begin behind the last record that is there.
public let latestOffset: Int64 = -1

extension Bus {
  /// A reader that gets each record as soon as it is there.
  public func makeReader(_ start: [TopicPartition: Int64], isolation: Isolation) throws(BusError)
    -> any Reader
  {
    try makeReader(start, isolation: isolation, gather: .zero)
  }

  /// Makes the topics that are missing, and checks that those that are there have as many partitions as
  /// they must; throws `.refuse` naming the first that has not.
  public func ensureTopics(_ specs: [TopicSpec]) throws(BusError) {
    for _ in 0..<3 {
      let missing = try missing(of: specs)
      if missing.isEmpty { return }
      do {
        return try createTopics(missing)
      } catch  where error.code == "TOPIC_ALREADY_EXISTS" {
        continue  // somebody else was faster: look again
      }
    }
    throw BusError(
      .retry, code: "TOPIC_ALREADY_EXISTS",
      "topics of \(specs.map(\.name).joined(separator: ", ")) are there, but the brokers do not show them yet"
    )
  }

  /// Those that are not there. Throws `.refuse` naming the first that has not as many partitions as it must: they can
  /// grow, but where a key belongs depends on how many there are.
  public func missing(of specs: [TopicSpec]) throws(BusError) -> [TopicSpec] {
    let counts = try partitionCounts(specs.map(\.name))
    for spec in specs {
      if let count = counts[spec.name], count != spec.partitions {
        throw BusError(
          .refuse, code: "PARTITIONS",
          "topic \(spec.name) has \(count) partitions, the configuration says \(spec.partitions)")
      }
    }
    return specs.filter { counts[$0.name] == nil }
  }

  /// Where topics that are there have other properties than they must (`TopicSpec.faults(in:)`), in words.
  public func topicFaults(_ specs: [TopicSpec]) throws(BusError) -> [String] {
    let found = try topicProperties(specs.map(\.name))
    return specs.flatMap { spec in found[spec.name].map { spec.faults(in: $0) } ?? [] }
  }

  /// Reads partitions from their start (or the given offsets) up to their true end: the high watermark as
  /// a read_uncommitted client sees it at the call, which the read_committed reader must pass. So a
  /// transaction that was open then is waited for. `body` sees batches in order.
  ///
  /// Throws as `read`.
  public func readToEnd(
    _ start: [TopicPartition: Int64], clock: any Clock, timeout: Duration = .seconds(60),
    _ body: (RecordBatch) throws(BusError) -> Void
  ) throws(BusError) {
    var ends: [TopicPartition: Int64] = [:]
    for partition in start.keys.sorted() {
      ends[partition] = try endOffset(partition, isolation: .uncommitted)
    }
    try read(start, to: ends, clock: clock, timeout: timeout, body)
  }

  /// Reads what is committed until each partition is passed up to its end. `body` sees batches in order, and may see
  /// records from there on.
  ///
  /// Throws `.retry` with code `NOT_AT_END` when the ends are not reached within `timeout` of the last progress
  /// towards them.
  public func read(
    _ start: [TopicPartition: Int64], to ends: [TopicPartition: Int64], clock: any Clock,
    timeout: Duration = .seconds(60), _ body: (RecordBatch) throws(BusError) -> Void
  ) throws(BusError) {
    let reader = try makeReader(start, isolation: .committed)
    defer { reader.close() }
    let batch = RecordBatch()
    var deadline = clock.elapsed() + timeout
    var reached: Int64 = 0
    while ends.contains(where: { reader.position($0.key) < $0.value }) {
      batch.removeAll()
      try reader.poll(into: batch, max: BusLimits.pollRecordsMax, timeout: .milliseconds(100))
      if !batch.isEmpty { try body(batch) }
      let now = ends.reduce(0) { $0 + min(reader.position($1.key), $1.value) }
      if now > reached {
        reached = now
        deadline = clock.elapsed() + timeout
      } else if clock.elapsed() > deadline,
        // The last poll may have passed what nobody sees, and have reached the end.
        let behind = ends.keys.sorted().first(where: { reader.position($0) < ends[$0]! })
      {
        throw BusError(
          .retry, code: "NOT_AT_END", "\(behind) is read up to \(reader.position(behind)) of \(ends[behind]!)"
        )
      }
    }
  }
}

/// The named limits of the bus.
public enum BusLimits {
  /// Records that one poll gives at most.
  public static let pollRecordsMax = 10_000
  /// Bytes of a batch after which a poll stops filling it: with `pollRecordsMax` it bounds what one
  /// turn of a thread works on.
  public static let pollBytesMax = 8 << 20
  /// How long a group keeps a member that says nothing.
  public static let session = Duration.seconds(45)
}
