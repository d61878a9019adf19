import Base
import Bus
import ConnectorKit
import Events

/// What went wrong for a client of a cluster, in words for people.
public struct ClientError: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// A client's side of the bus contract: sends requests and commands, waits for replies, reads streams and
/// the registry. One thread uses it.
public final class Session {
  /// How long a reply is waited for.
  public static let replyTimeout = Duration.seconds(30)
  /// How long a new reply to a request is waited for where there is one already.
  public static let renewalTimeout = Duration.seconds(5)
  /// Requests are sent with this lease and renewed well within it, so that one whose client was killed
  /// does not stand for ever.
  public static let lease = Duration.seconds(60)

  public let topics: ClusterTopics
  public let bus: any Bus
  public let clock: any Clock

  public init(bus: any Bus, topics: ClusterTopics, clock: any Clock) {
    self.bus = bus
    self.topics = topics
    self.clock = clock
  }

  /// Throws in words for people where the cluster's topics are not there, or no broker answers.
  public func checkCluster() throws {
    let counts = try bus.partitionCounts([topics.requests, topics.registry])
    if counts.count < 2 {
      throw ClientError(
        "there is no cluster \"\(topics.cluster)\" here: topic \(topics.requests) does not exist"
          + " (start a member with `belfry serve`, or name another with --cluster)")
    }
  }

  /// Sends one record and waits until it is acknowledged. `value` nil: a null.
  public func send(topic: String, key: String, value: String?) throws {
    try send(topic: topic, [(key, value)])
  }

  private func send(topic: String, _ records: [(key: String, value: String?)]) throws {
    let producer = try bus.makeProducer()
    defer { producer.close() }
    let batch = RecordBatch(capacity: 1024)
    for (key, value) in records {
      batch.append(topic: topic, partition: 0, timestamp: clock.now(), key: key, value: value)
    }
    try producer.send(batch)
    try producer.flush(timeout: .seconds(30))
  }

  /// Sends a request (nil: its end) and waits for the reply to it. A request that stands already, sent again
  /// as it was, is a renewal and gets no new reply: the one that is there counts after a while.
  public func request(client: String, name: String, _ request: JSON?) throws -> JSON {
    try requests([("\(client)/\(name)", request)])[0]
  }

  /// Sends several requests together, each with its key `<client>/<name>`, once each; gives the replies in
  /// their order.
  public func requests(_ asked: [(key: String, value: JSON?)]) throws -> [JSON] {
    try checkCluster()
    let keys = Set(asked.map(\.key))
    let partition = TopicPartition(topics.replies, 0)
    let end = try bus.endOffset(partition, isolation: .committed)
    let reader = try bus.makeReader([partition: earliestOffset], isolation: .committed)
    defer { reader.close() }
    var former: [String: JSON] = [:]
    let deadline = clock.elapsed() + Self.replyTimeout
    while reader.position(partition) < end, clock.elapsed() < deadline {
      for (key, reply) in try replies(to: keys, reader) { former[key] = reply }
    }
    try send(topic: topics.requests, asked.map { ($0.key, $0.value?.text) })
    let start = clock.elapsed()
    var answers: [String: JSON] = [:]
    while clock.elapsed() < start + Self.replyTimeout {
      for (key, reply) in try replies(to: keys, reader) where answers[key] == nil {
        // An end is answered by its own reply only, not by one about an interval on its way.
        let isEnd = asked.contains { $0.key == key && $0.value == nil }
        if !isEnd || !Self.stands(reply) { answers[key] = reply }
      }
      if clock.elapsed() > start + Self.renewalTimeout {
        for (key, value) in asked where value != nil && answers[key] == nil {
          answers[key] = former[key].flatMap { Self.stands($0) ? $0 : nil }
        }
      }
      if answers.count == keys.count { return asked.map { answers[$0.key]! } }
    }
    throw noReply()
  }

  /// Sends a command under an id of its own, and waits for the answer to it. Sent again under the same id, it gets
  /// that answer again and is not carried out twice.
  public func execute(client: String, id: String, sql: String) throws -> JSON {
    try command(id: id, JSON.object(of: ["client": .string(client), "sql": .string(sql)]))
  }

  /// Sends a command's record, and waits for the answer to it.
  func command(id: String, _ command: JSON, within limit: Duration = replyTimeout) throws -> JSON {
    try checkCluster()
    let partition = TopicPartition(topics.replies, 0)
    let end = try bus.endOffset(partition, isolation: .committed)
    let reader = try bus.makeReader([partition: end], isolation: .committed)
    defer { reader.close() }
    try send(topic: topics.commands, key: id, value: command.text)
    let start = clock.elapsed()
    var isRunning = false
    while clock.elapsed() < start + limit {
      let found = try replies(to: [id], reader).map(\.reply)
      // The answer to a command whose id stands for another one comes before that one's, again.
      guard let reply = found.first(where: Self.isOfOtherCommand) ?? found.last else { continue }
      isRunning = reply["status"]?.string == "running"
      if !isRunning { return reply }
    }
    guard isRunning else { throw noReply(in: limit) }
    throw ClientError(
      "not all shards have answered in \(limit.milliseconds / 1000) s; the command runs on, and "
        + "sent again with the id \(id) it gets its answer")
  }

  private static func isOfOtherCommand(_ reply: JSON) -> Bool { reply["error"]?["code"]?.string == "id" }

  private func noReply(in limit: Duration = replyTimeout) -> ClientError {
    ClientError(
      "no reply in \(limit.milliseconds / 1000) s: no member of cluster \"\(topics.cluster)\" is publishing"
    )
  }

  /// The request that was answered so stands, be it that its stream stands still or stores.
  private static func stands(_ reply: JSON) -> Bool {
    ["active", "failed", "away", "full"].contains(reply["status"]?.string)
  }

  /// The replies under some keys among the next records of a reader.
  private func replies(to keys: Set<String>, _ reader: any Reader) throws -> [(key: String, reply: JSON)] {
    let batch = RecordBatch()
    try reader.poll(into: batch, max: BusLimits.pollRecordsMax, timeout: .milliseconds(100))
    return try batch.records.compactMap { record in
      guard let key = batch.keyText(record), keys.contains(key) else { return nil }
      return try batch.value(record).map { (key, try JSON(parsing: $0)) }
    }
  }

  /// The registry as it is now: entity by key.
  public func registry() throws -> [String: JSON] {
    try checkCluster()
    var entities: [String: JSON] = [:]
    try bus.readToEnd([TopicPartition(topics.registry, 0): earliestOffset], clock: clock) { batch in
      for record in batch.records {
        guard let key = batch.keyText(record) else { continue }
        entities[key] = batch.value(record).flatMap { try? JSON(parsing: $0) }
      }
    }
    return entities
  }
}

/// A stream as its reply describes it.
public struct StreamAddress: Sendable {
  public let id: String
  public let topic: String
  public let partition: Int32
  public let keyPrefix: String

  /// nil where the reply names no stream.
  public init?(reply: JSON) {
    guard let stream = reply["stream"], let id = stream["id"]?.string, let topic = stream["topic"]?.string,
      let partition = stream["partition"]?.int, let prefix = stream["key_prefix"]?.string
    else { return nil }
    self.id = id
    self.topic = topic
    self.partition = Int32(clamping: partition)
    keyPrefix = prefix
  }
}

/// One published record of a stream.
public struct StreamRecord: Sendable {
  /// Without the lane's prefix.
  public let key: String
  /// nil: the row left the view.
  public let value: JSON?
  public let seq: Int64
  public let epoch: Int64
  public let sweep: Int64
  /// The stream's last record of its sweep: the view is whole here.
  public let isLast: Bool
}

/// Follows one stream from its beginning, and where its topic was deleted and made again, from the new one's. One
/// thread uses it.
public final class StreamFollower {
  /// How often the topic was made again: what polls have given since is of the new one, which begins with the whole
  /// view.
  public private(set) var timesMadeAgain = 0
  /// The sequence count of the last record; 0 before the first.
  public private(set) var last: Int64 = 0

  private let address: StreamAddress
  private let bus: any Bus
  private var present: Int64?
  private var reader: any Reader
  private let batch = RecordBatch()
  private let partition: TopicPartition
  private var watch: TopicWatch
  private var checker = SequenceChecker(.anywhere)
  private var offsets = PartitionOffsets(from: nil)
  /// Of the record read last.
  private var lastOffset: Int64 = -1
  /// What was read last may be of a topic that is gone: the next poll begins at the beginning.
  private var isStale = false
  /// Of a record before which numbers are missing though its topic was read from the beginning.
  private var gapOffset: Int64?

  public init(_ address: StreamAddress, bus: any Bus) throws(BusError) {
    self.address = address
    self.bus = bus
    partition = TopicPartition(address.topic, address.partition)
    watch = TopicWatch(partition)
    reader = try bus.makeReader([partition: earliestOffset], isolation: .committed)
  }

  /// True once everything is read that is on the stream's partition when this is first called.
  public func isAtPresent() throws(BusError) -> Bool {
    if present == nil { present = try bus.endOffset(partition, isolation: .committed) }
    return reader.position(partition) >= present!
  }

  /// The stream's next records; empty when there are none within `timeout`.
  public func poll(timeout: Duration) throws(BusError) -> [StreamRecord] {
    if isStale { try beginAgain() }
    batch.removeAll()
    try reader.poll(into: batch, max: BusLimits.pollRecordsMax, timeout: timeout)
    if batch.isEmpty { isStale = watch.isMadeAgain(bus, readUpTo: reader.position(partition)) }
    var records: [StreamRecord] = []
    for record in batch.records {
      let found = read(record)
      guard isOfTopic(record, found) else {
        isStale = true
        break
      }
      lastOffset = record.offset
      guard let found else { continue }
      last = found.seq
      records.append(found)
    }
    return records
  }

  private func beginAgain() throws(BusError) {
    reader.close()
    reader = try bus.makeReader([partition: earliestOffset], isolation: .committed)
    isStale = false
    timesMadeAgain += 1
    checker = SequenceChecker(.anywhere)
    offsets = PartitionOffsets(from: nil)
    lastOffset = -1
    present = nil
    watch = TopicWatch(partition)
  }

  /// False where a record lies before what was read, or numbers are missing before it that have no room there.
  private func isOfTopic(_ record: RecordBatch.Record, _ found: StreamRecord?) -> Bool {
    if record.offset <= lastOffset { return false }
    guard let found, let point = SequencePoint(epoch: found.epoch, seq: found.seq) else {
      offsets.pass(record.offset)
      return true
    }
    let finding = offsets.take(point, checker.take(point), at: record.offset)
    if finding.hasRoom || gapOffset == record.offset { return true }
    gapOffset = record.offset
    return false
  }

  /// nil where it is another stream's.
  private func read(_ record: RecordBatch.Record) -> StreamRecord? {
    let prefix = address.keyPrefix.utf8
    // By bytes: a key may begin with what Unicode takes for a part of the prefix's last character.
    guard let key = batch.key(record), key.starts(with: prefix) else { return nil }
    func number(_ name: StaticString) -> Int64 { batch.headerText(record, name).flatMap { Int64($0) } ?? 0 }
    return StreamRecord(
      key: String(decoding: key.dropFirst(prefix.count), as: UTF8.self),
      value: batch.value(record).flatMap { try? JSON(parsing: $0) },
      seq: number("belfry-seq"), epoch: number("belfry-epoch"), sweep: number("belfry-sweep"),
      isLast: batch.header(record, "belfry-last") != nil)
  }

  public func close() { reader.close() }
}
