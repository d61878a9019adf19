import Base
import Bus

/// A cluster, as traffic and checkers need it: anyone may send to it, and whoever read its topics all the time knows
/// what was ever on them. One thread at a time uses one.
public protocol World: AnyObject {
  var topics: ClusterTopics { get }
  /// Partitions of the events topic.
  var partitions: Int { get }
  var pace: Pace { get }
  func now() -> Timestamp

  /// Sends a record. It lies behind all that was sent to its partition before.
  func append(
    topic: String, partition: Int32, key: [UInt8]?, value: [UInt8]?, headers: [SeenRecord.Header],
    timestamp: Timestamp)
  /// Returns when all that was sent is in its partitions: what is sent from now on is later in all of them.
  func flush()
  /// Another program's transaction, with these records in it. False: there is none.
  func beginTransaction(_ batch: RecordBatch) -> Bool
  func endTransaction(committed: Bool)

  /// All that are there.
  var topicNames: [String] { get }
  /// All records of a partition that a reader of committed ones could ever see, in order, though they may have been
  /// removed since. None where there is no such partition.
  func history(_ topic: String, _ partition: Int32) -> [SeenRecord]
  /// What such a reader finds who comes now.
  func present(_ topic: String, _ partition: Int32) -> [SeenRecord]
}

/// How long things last in a world, so that quiet can be waited for.
public struct Pace: Sendable {
  /// Of requests that have one.
  public var lease: Duration
  /// The same of those that are renewed.
  public var keptLease: Duration
  /// Rows that are to go by time do so at the latest so long after their events, or in days.
  public var expiry: Duration
  /// Of streams whose requests name none: a member's setting.
  public var intervalDefault: Duration

  public init(lease: Duration, keptLease: Duration, expiry: Duration, intervalDefault: Duration) {
    self.lease = lease
    self.keptLease = keptLease
    self.expiry = expiry
    self.intervalDefault = intervalDefault
  }
}

/// A record as a reader sees it.
public struct SeenRecord: Sendable {
  /// As the simulated brokers have them: their records are seen by the million.
  public typealias Header = SimulatedRecord.Header

  public let offset: Int64
  public let timestamp: Timestamp
  /// Nil for Kafka's null.
  public let key: [UInt8]?
  /// Nil for Kafka's null: a tombstone.
  public let value: [UInt8]?
  public let headers: [Header]

  public init(_ record: SimulatedRecord) {
    offset = record.offset
    timestamp = record.timestamp
    key = record.key
    value = record.value
    headers = record.headers
  }

  public init(_ record: RecordBatch.Record, in batch: RecordBatch) {
    offset = record.offset
    timestamp = record.timestamp
    key = batch.key(record).map { [UInt8]($0) }
    value = batch.value(record).map { [UInt8]($0) }
    headers = (0..<batch.headerCount(record)).map { index in
      let header = batch.header(record, at: index)
      return Header(name: [UInt8](header.name), value: header.value.map { [UInt8]($0) })
    }
  }

  public var keyText: String? { key.map { String(decoding: $0, as: UTF8.self) } }
  public var valueText: String? { value.map { String(decoding: $0, as: UTF8.self) } }

  /// The value of the last header of that name.
  func headerText(_ name: String) -> String? {
    guard let header = headers.last(where: { $0.name.elementsEqual(name.utf8) }) else { return nil }
    return header.value.map { String(decoding: $0, as: UTF8.self) }
  }
}

/// What a checker found.
public struct Fault: Error, Equatable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

public func demand(_ holds: Bool, _ fault: @autoclosure () -> String) throws(Fault) {
  if !holds { throw Fault(fault()) }
}

/// The last value of each key; nil for null.
func folded(_ records: [SeenRecord]) -> [String: String?] {
  var values: [String: String?] = [:]
  for record in records { values[record.keyText!] = .some(record.valueText) }
  return values
}
