import Base

/// The brokers of a simulation: topics, transactions, groups, all in this process, all from one seed. The
/// same seed and the same calls give the same run, record by record.
///
/// One thread at a time uses a cluster and all that hangs on it. Real time plays no part: whatever would
/// wait returns at once, and moves `clock` by the time that it would have waited; the driver moves it
/// besides as it likes. A `SimulatedBus` is one process's connection, and dies with that process (`connect`).
///
/// The methods here are the driver's and the checker's: they meet no faults and are not counted as calls.
public final class SimulatedCluster: @unchecked Sendable {
  // Unchecked: see above. A lock would hide a driver that breaks the rule.
  public let clock: SimulatedClock
  public var trace = SimulatedTrace()
  /// What was called in a way that no right program does, such as `begin` twice; the caller got `_STATE`.
  /// A checker expects none. At most `misusesMax` are kept.
  public private(set) var misuses: [String] = []
  /// Kafka's `transaction.timeout.ms`: an open transaction of this age is aborted, and its producer fenced.
  public let transactionTimeout: Duration

  /// The brokers' policy (or rights): why a topic of this name may not be made; nil: it may.
  public var topicPolicy: (_ name: String) -> String? = { _ in nil }

  /// What keeps a former holder of a seat from doing harm.
  public enum Fence: Sendable, CaseIterable {
    /// A producer of an older epoch is refused.
    case producers
    /// A consumer whose instance id was taken over is told so, and positions of an older generation are refused.
    case members
  }

  /// Fences that are down, to see whether a checker notices.
  public var fencesDown: Set<Fence> = []

  /// How far the brokers' clock, by which they stamp records, is ahead of the processes'.
  public var stampSkew = Duration.zero

  /// Partitions, by number, that another member of every group has.
  public var partitionsElsewhere: Set<Int32> = []

  static let misusesMax = 100
  /// How long a call waits for an answer that does not come: that of a commit that touches a deleted topic
  /// (measured on Kafka 4.2), and that of a group whose positions are about to change.
  static let deletedTopicTimeout: Duration = .seconds(60)
  static let answerTimeout: Duration = .seconds(1)

  var random: SeededRandom
  var topics: [String: SimulatedTopic] = [:]
  var seats: [String: SimulatedSeat] = [:]
  var groups: [String: SimulatedGroup] = [:]
  /// What is on its way to the brokers.
  var network: [SimulatedRequest] = []
  var transactionsBegun = 0
  var producersMade = 0
  private var awayUntil = Duration.zero

  public init(
    seed: UInt64, clock: SimulatedClock = SimulatedClock(), transactionTimeout: Duration = .seconds(10)
  ) {
    self.clock = clock
    self.transactionTimeout = transactionTimeout
    random = SeededRandom(seed: seed)
  }

  /// A process connects: its faults are its own. After its death connect again; the dead connection stays
  /// dead, and what it left open is open until its seat is taken.
  public func connect(member: String = "a", memberFaults: SimulatedFaults = .none) -> SimulatedBus {
    SimulatedBus(cluster: self, member: member, faults: memberFaults)
  }

  func misused(_ what: String) -> BusError {
    trace.add("misuse: \(what)")
    if misuses.count < Self.misusesMax { misuses.append(what) }
    return BusError(.recreate, code: "_STATE", what)
  }
}

// MARK: - What a checker sees

extension SimulatedCluster {
  public var topicNames: [String] { topics.keys.sorted() }

  public func spec(_ topic: String) -> TopicSpec? { topics[topic]?.spec }

  /// All records of a partition, from an offset on, that a reader of that isolation can see, in order; none where
  /// there is no such partition.
  public func records(_ topic: String, _ partition: Int32, _ isolation: Isolation, from offset: Int64 = 0)
    -> [SimulatedRecord]
  {
    var found: [SimulatedRecord] = []
    guard let log = try? log(TopicPartition(topic, partition)) else { return [] }
    _ = log.read(from: offset, isolation) { record in
      found.append(record)
      return true
    }
    return found
  }

  /// All records of a partition that a reader of committed ones could ever see, though compaction or retention
  /// may have removed them since: what a client knows that read all the time.
  public func history(_ topic: String, _ partition: Int32) -> [SimulatedRecord] {
    (try? log(TopicPartition(topic, partition)))?.history ?? []
  }

  /// What the group has committed. Positions of transactions that are still open are not in it.
  public func committedOffsets(_ group: String) -> [TopicPartition: Int64] { groups[group]?.committed ?? [:] }

  /// One past the last record (committed: the last stable offset).
  public func endOffset(_ topic: String, _ partition: Int32, _ isolation: Isolation) -> Int64? {
    try? log(TopicPartition(topic, partition)).end(isolation)
  }
}

// MARK: - What a driver does

extension SimulatedCluster {
  /// Writes a record from outside, as any client might. Partition -1: by the key. Traps where there is no
  /// such partition.
  public func append(
    topic: String, partition: Int32 = -1, key: [UInt8]?, value: [UInt8]?,
    headers: [SimulatedRecord.Header] = [], timestamp: Timestamp? = nil
  ) {
    let record = SimulatedRecord(
      offset: -1, timestamp: timestamp ?? clock.now(), key: key, value: value, headers: headers)
    do {
      let place = try place(of: record, topic, partition)
      write(record, to: place, transaction: 0)
      trace.add("append \(place)")
    } catch {
      preconditionFailure("append from outside: \(error)")
    }
  }

  /// The same with texts.
  public func append(
    topic: String, partition: Int32 = -1, key: String?, value: String?,
    headers: KeyValuePairs<String, String> = [:], timestamp: Timestamp? = nil
  ) {
    append(
      topic: topic, partition: partition, key: key.map { Array($0.utf8) },
      value: value.map { Array($0.utf8) },
      headers: headers.map { .init(name: Array($0.key.utf8), value: Array($0.value.utf8)) },
      timestamp: timestamp)
  }

  /// The brokers' cleaner passes over a topic: of each key the last committed record stays, at its own
  /// offset. What is younger than the topic's `min.compaction.lag.ms` is left alone. Tombstones go only
  /// where `keepTombstones` is false (Kafka's `delete.retention.ms` has passed).
  public func compact(_ topic: String, keepTombstones: Bool = true) {
    guard let topic = topics[topic] else { return }
    let lag = topic.spec.properties["min.compaction.lag.ms"].flatMap { Int64($0) } ?? 0
    let youngest = clock.now() + .milliseconds(-max(lag, 0))
    for partition in topic.logs.indices {
      topic.logs[partition].compact(youngest: youngest, keepTombstones: keepTombstones)
    }
    trace.add("compact \(topic.spec.name)")
  }

  /// The brokers' retention removes all records of a partition below an offset.
  public func truncate(_ topic: String, _ partition: Int32, below offset: Int64) {
    topics[topic]?.logs[Int(partition)].truncate(below: offset)
    trace.add("truncate \(topic)[\(partition)] below \(offset)")
  }

  /// Nobody answers for so long: calls end in `.retry`, polls give nothing, what is sent waits.
  public func goAway(for time: Duration) {
    awayUntil = clock.elapsed() + time
    trace.add("the brokers are away for \(time)")
  }

  public var isAway: Bool { clock.elapsed() < awayUntil }

  /// Retention passes over all topics that delete: what is older than a topic's `retention.ms` goes.
  public func retain() {
    for name in topicNames {
      let properties = topics[name]!.spec.properties
      guard properties["cleanup.policy"]?.contains("delete") ?? false,
        let kept = properties["retention.ms"].flatMap({ Int64($0) })
      else { continue }
      for partition in topics[name]!.logs.indices {
        topics[name]!.logs[partition].retain(since: clock.now() + .milliseconds(-kept))
      }
    }
    trace.add("retention")
  }

  /// A group's positions expire, as they do when it has had no members for a week.
  public func forgetOffsets(ofGroup name: String) {
    expireMembers()
    precondition(groups[name]?.members.isEmpty ?? true, "group \(name) has members")
    groups[name]?.committed = [:]
    trace.add("the positions of \(name) expire")
  }
}
