import Base
import Bus
import ConnectorKit
import Events
import Glibc

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
  /// How long a record's acknowledgement is waited for.
  public static let sendTimeout = Duration.seconds(30)
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
  public func send(topic: String, key: String, value: String?, within limit: Duration = sendTimeout)
    throws(BusError)
  {
    try send(topic: topic, [(key, value)], within: limit)
  }

  private func send(
    topic: String, _ records: [(key: String, value: String?)], within limit: Duration = sendTimeout
  ) throws(BusError) {
    let producer = try bus.makeProducer()
    defer { producer.close() }
    let batch = RecordBatch(capacity: 1024)
    for (key, value) in records {
      batch.append(topic: topic, partition: 0, timestamp: clock.now(), key: key, value: value)
    }
    try producer.send(batch)
    try producer.flush(timeout: limit)
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
    let end = try endOfReplies()
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

  /// Where the replies end now.
  public func endOfReplies() throws(BusError) -> Int64 {
    try bus.endOffset(TopicPartition(topics.replies, 0), isolation: .committed)
  }

  /// The last reply under a key that lies at an offset of the replies or behind it; nil: none does now.
  public func lastReply(to key: String, from offset: Int64) throws(BusError) -> JSON? {
    var last: JSON?
    try bus.readToEnd([TopicPartition(topics.replies, 0): offset], clock: clock) { batch in
      for record in batch.records where batch.keyText(record) == key {
        last = batch.value(record).flatMap { try? JSON(parsing: $0) }
      }
    }
    return last
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
    let end = try endOfReplies()
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

  /// Reads a stream that a reply has named, from a sequence count on. Its topic may have been made just now: until all
  /// brokers know it, it is asked for again.
  public func read(_ address: StreamAddress, from first: Int64 = 1) throws -> HistoryReader {
    let deadline = clock.elapsed() + Self.replyTimeout
    while true {
      do throws(BusError) {
        return try HistoryReader(address, bus: bus, start: .from(seq: first))
      } catch {
        let isForLater = error.code == HistoryReader.noTopic || error.remedy == .retry
        if !isForLater || clock.elapsed() > deadline { throw error }
      }
      usleep(50_000)
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
public struct StreamAddress: Sendable, Hashable {
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
