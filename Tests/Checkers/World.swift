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

  /// What a reader of committed records finds from an offset on, at any time, in a topic with one partition. None
  /// where nobody can tell now.
  func found(_ topic: String, from offset: Int64) -> [SeenRecord]

  /// The topics of single streams, and the lanes, that are there now, sorted. None where nobody can tell.
  func streamTopics() -> [String]
  /// Deletes a topic, and gives all that was ever on it, be it in a transaction that is open. nil: that is not possible
  /// now.
  func delete(_ topic: String) -> [SeenRecord]?

  /// All that are there.
  var topicNames: [String] { get }
  /// All records of a partition that a reader of committed ones could ever see, in order, though they may have been
  /// removed since. None where there is no such partition.
  func history(_ topic: String, _ partition: Int32) -> [SeenRecord]
  /// What such a reader finds who comes now.
  func present(_ topic: String, _ partition: Int32) -> [SeenRecord]
}

extension World {
  public var lanes: [String] { [topics.viewLanes, topics.historyLanes, topics.liveLanes] }
}

/// How long things last in a world, so that quiet can be waited for; and how much is kept.
public struct Pace: Sendable {
  /// Of requests that have one.
  public var lease: Duration
  /// The same of clients that are away now and then, and have their stream stored meanwhile.
  public var shortLease: Duration { lease / 3 }
  /// The same of those that are renewed.
  public var keptLease: Duration
  /// Rows that are to go by time do so at the latest so long after their events, or in days.
  public var expiry: Duration
  /// Of streams whose requests name none: a member's setting.
  public var intervalDefault: Duration
  /// What is stored for clients that are away, at most: bytes, and for how long.
  public var storedBytes: Int64 = 256 << 20
  public var storedAge = Duration.seconds(3 * 86_400)

  public init(lease: Duration, keptLease: Duration, expiry: Duration, intervalDefault: Duration) {
    self.lease = lease
    self.keptLease = keptLease
    self.expiry = expiry
    self.intervalDefault = intervalDefault
  }
}

/// A record as a reader sees it: as the simulated brokers have theirs, which are seen by the million.
public typealias SeenRecord = SimulatedRecord

/// A record of a stream.
struct ToldRecord {
  /// Without the lane's prefix.
  let key: String
  let value: AlertRow?
  let epoch: Int64
  let seq: Int64
  let sweep: Int64
  let isLast: Bool

  init(_ record: SeenRecord, key: String, _ place: String) throws(Fault) {
    func number(_ name: String) throws(Fault) -> Int64 {
      guard let number = record.headerText(name).flatMap({ Int64($0) }) else {
        throw Fault("\(place): there is no \(name)")
      }
      return number
    }
    self.key = key
    value = AlertRow(record.valueText)
    epoch = try number("belfry-epoch")
    seq = try number("belfry-seq")
    sweep = try number("belfry-sweep")
    isLast = record.headerText("belfry-last") == "1"
    try demand((value == nil) == (record.value == nil), "\(place): no object")
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
