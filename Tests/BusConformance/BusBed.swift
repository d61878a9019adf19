import Base
import Bus
import Testing

/// What the common sentences run on: a way to connect to one cluster, its clock, and a prefix that no
/// other run uses.
public final class BusBed {
  let clock: any Clock
  let prefix: String
  /// A new connection, as a process of its own would make it.
  let connect: () throws -> any Bus
  /// The same with short transaction time-outs and sessions, where they can be chosen.
  let connectImpatient: () throws -> any Bus
  /// The brokers' cleaner and their retention pass over a topic, where they do not by themselves.
  let clean: (String) -> Void

  /// A consumer does not keep its handler.
  private var handlers: [Positions] = []

  public init(
    clock: any Clock, prefix: String, connectImpatient: (() throws -> any Bus)? = nil,
    clean: @escaping (String) -> Void = { _ in }, connect: @escaping () throws -> any Bus
  ) {
    self.clock = clock
    self.prefix = prefix
    self.connect = connect
    self.connectImpatient = connectImpatient ?? connect
    self.clean = clean
  }

  static let patience: Duration = .seconds(60)

  func name(_ topic: String) -> String { "\(prefix).\(topic)" }

  /// Makes a topic and gives its partitions' names.
  func makeTopic(
    _ bus: any Bus, _ topic: String, partitions: Int = 1, _ properties: [String: String] = [:]
  ) throws -> [TopicPartition] {
    let spec = TopicSpec(name(topic), partitions: partitions, properties: properties)
    try again { try bus.ensureTopics([spec]) }
    return (0..<partitions).map { TopicPartition(spec.name, Int32($0)) }
  }

  /// Calls again for as long as the bus says so.
  @discardableResult
  func again<T>(_ body: () throws -> T) throws -> T {
    let deadline = clock.elapsed() + Self.patience
    while true {
      do {
        return try body()
      } catch let error as BusError where error.remedy == .retry && clock.elapsed() < deadline {
        continue
      }
    }
  }

  /// Looks again and again until it holds.
  func eventually(_ holds: () throws -> Bool) throws {
    let deadline = clock.elapsed() + Self.patience
    while try !again(holds) { try #require(clock.elapsed() < deadline) }
  }

  func makeProducer(_ bus: any Bus, _ id: String) throws -> any TransactionalProducer {
    let producer = try bus.makeProducer(transactionalID: name(id))
    try again { try producer.initialise() }
    return producer
  }

  func sendPlainly(_ bus: any Bus, _ place: TopicPartition, _ values: [String], key: String = "k") throws {
    let producer = try bus.makeProducer()
    try producer.send(batch(place, values, key: key))
    try producer.flush(timeout: Self.patience)
    producer.close()
  }

  /// The values that a new reader finds from the beginning, waiting for at least `count` of them.
  func read(_ bus: any Bus, _ place: TopicPartition, _ isolation: Isolation = .committed, atLeast count: Int)
    throws -> [String?]
  {
    let reader = try bus.makeReader([place: earliestOffset], isolation: isolation)
    defer { reader.close() }
    var values: [String?] = []
    try poll(atLeast: count) { batch in
      try reader.poll(into: batch, max: 100, timeout: .milliseconds(100))
      values += batch.records.map { batch.valueText($0) }
      return values.count
    }
    return values
  }

  /// Each record that is there, as `key=value`.
  func keys(_ bus: any Bus, _ place: TopicPartition) throws -> [String] {
    var found: [String] = []
    try again {
      found = []
      try bus.readToEnd([place: earliestOffset], clock: clock) { batch in
        found += batch.records.map { "\(batch.keyText($0) ?? "null")=\(batch.valueText($0) ?? "null")" }
      }
    }
    return found
  }

  /// Polls until `take` has counted enough, and once more: what is too much shall show.
  func poll(atLeast count: Int, _ take: (RecordBatch) throws -> Int) throws {
    let deadline = clock.elapsed() + Self.patience
    let batch = RecordBatch()
    var found = 0
    repeat {
      batch.removeAll()
      do {
        found = try take(batch)
      } catch let error as BusError where error.remedy == .retry {
        continue
      }
    } while found < count && clock.elapsed() < deadline
    batch.removeAll()
    _ = try take(batch)
    try #require(found >= count, "\(found) of \(count) records came")
  }

  func consumer(_ bus: any Bus, _ topics: [String], _ handler: Positions, seat: String = "seat") throws
    -> any GroupConsumer
  {
    handlers.append(handler)
    return try bus.makeConsumer(
      group: name("group"), instanceID: name(seat), topics: topics.map(name), handler: handler)
  }

  /// Polls a consumer and gives the values by partition.
  func consume(_ consumer: any GroupConsumer, atLeast count: Int) throws -> [TopicPartition: [String]] {
    var found: [TopicPartition: [String]] = [:]
    var total = 0
    try poll(atLeast: count) { batch in
      try consumer.poll(into: batch, max: 100, timeout: .milliseconds(100))
      for record in batch.records {
        found[TopicPartition(batch.topic(record), record.partition), default: []]
          .append(batch.valueText(record) ?? "null")
      }
      total += batch.count
      return total
    }
    return found
  }

  func assigned(_ consumer: any GroupConsumer, _ handler: Positions) throws -> any GroupMetadata {
    try poll(atLeast: 1) { batch in
      try consumer.poll(into: batch, max: 1, timeout: .milliseconds(100))
      return handler.group == nil ? 0 : 1
    }
    return try #require(handler.group)
  }
}

/// Begins where it is told, or at the earliest, and remembers what it was given.
public final class Positions: AssignmentHandler {
  public var start: [TopicPartition: Int64]
  public private(set) var partitions: [TopicPartition] = []
  public private(set) var group: (any GroupMetadata)?
  public private(set) var revocations: [Bool] = []
  /// What `assigned` is to throw.
  public var failure: BusError?

  public init(_ start: [TopicPartition: Int64] = [:]) { self.start = start }

  public func assigned(_ partitions: [TopicPartition], group: any GroupMetadata) throws(BusError)
    -> [TopicPartition: Int64]
  {
    if let failure { throw failure }
    self.partitions = partitions
    self.group = group
    return Dictionary(uniqueKeysWithValues: partitions.map { ($0, start[$0] ?? earliestOffset) })
  }

  public func revoked(lost: Bool) {
    revocations.append(lost)
  }
}

/// The error of the bus that a call must end with.
public func failure(_ body: () throws -> Void) -> BusError? {
  do {
    try body()
    return nil
  } catch {
    return error as? BusError
  }
}

/// Records of these values, all with one key and one timestamp.
public func batch(
  _ place: TopicPartition, _ values: [String?], key: String = "k",
  _ timestamp: Timestamp = Timestamp(milliseconds: 1000)
) -> RecordBatch {
  let batch = RecordBatch()
  for value in values {
    batch.append(
      topic: place.topic, partition: place.partition, timestamp: timestamp, key: key, value: value)
  }
  return batch
}
