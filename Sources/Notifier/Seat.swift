import Base
import Bus
import Events

/// A publisher's seat: its transactional id, the producer that holds it, and the one way of a transaction under it.
///
/// One thread uses it. Its errors are those of a publisher's turn: one with a remedy other than `.retry` means that
/// the publisher is to be made anew.
public final class Seat {
  /// What both publishers wait for, and how often.
  public struct Settings: Sendable {
    /// How long records may wait to be acknowledged, before the brokers are asked whether a topic is gone: in
    /// all, and for each partition.
    public var flushMin = Duration.seconds(2)
    public var flushPerPartition = Duration.milliseconds(5)
    /// Times that a transaction whose outcome is unknown, or that was aborted, is tried again in a row.
    public var attemptsMax = 5
    /// The pause before an aborted transaction is tried again, the first time and the last.
    public var abortPauseMin = Duration.milliseconds(100)
    public var abortPauseMax = Duration.seconds(2)

    public init() {}
  }

  /// The record on `<cluster>.cluster` that says which term's publisher publishes.
  static let claimKey = "claim"

  private let id: String
  /// As it is named in the readiness.
  private let role: String
  private let registry: TopicPartition
  private let bus: any Bus
  private let clock: any Clock
  private let settings: Settings
  private let readiness: Readiness
  private let log: Log
  private let aborts: Metric
  private let pause: @Sendable (Duration) -> Void
  private var producer: (any TransactionalProducer)?
  /// The latest term that was claimed, as it was read last.
  private(set) var claimed: Int64 = 0
  /// The claims before this offset have been seen.
  private var lookedAt = earliestOffset

  init(
    _ id: String, role: String, topics: ClusterTopics, bus: any Bus, clock: any Clock, settings: Settings,
    readiness: Readiness, log: Log, aborts: Metric, pause: @escaping @Sendable (Duration) -> Void
  ) {
    self.id = id
    self.role = role
    registry = TopicPartition(topics.registry, 0)
    self.bus = bus
    self.clock = clock
    self.settings = settings
    self.readiness = readiness
    self.log = log
    self.aborts = aborts
    self.pause = pause
  }

  var isHeld: Bool { producer != nil }

  func close() {
    producer?.close()
    producer = nil
  }

  /// Takes the seat, and ends what its former holder left open. `term`: the one in which it is taken, where there is
  /// one. Who comes late, in a term that is over, must neither publish nor fence who does. Terms are claimed before
  /// a seat is taken in them: so a claim that comes after the second look brings someone who takes it from us.
  func take(in term: Int64?) throws(BusError) {
    close()
    if let term { try check(term) }
    let made = try bus.makeProducer(transactionalID: id)
    do throws(BusError) {
      try made.initialise()
      if let term { try check(term) }
    } catch {
      made.close()
      throw error
    }
    producer = made
  }

  /// Throws where a later term was claimed: for trying again, since the word on a claim of one's own may come a
  /// moment after it.
  private func check(_ term: Int64) throws(BusError) {
    if lookedAt > (try bus.endOffset(registry, isolation: .uncommitted)) { lookedAt = earliestOffset }
    try bus.readToEnd([registry: lookedAt], clock: clock) { batch in
      for record in batch.records {
        lookedAt = record.offset + 1
        guard batch.keyText(record) == Self.claimKey else { continue }
        let claim = batch.value(record).flatMap { try? JSON(parsing: $0) }
        if let epoch = claim?["epoch"]?.int, epoch.isCount { claimed = max(claimed, epoch) }
      }
    }
    if claimed > term {
      throw BusError(.retry, code: "TERM", "epoch \(claimed) is claimed, this is epoch \(term)'s publisher")
    }
  }

  // MARK: Transactions

  /// One transaction of these records. Aborted ones are tried again after a pause that grows, the same records with
  /// the same counts; a commit whose outcome is not known is asked for again. Past that the publisher is made anew,
  /// and reads back what became of it. Where topics are gone, it is aborted, and they are returned.
  func transact(_ batch: RecordBatch, in term: Int64) throws(BusError) -> [String] {
    guard let producer else { preconditionFailure("a transaction without a seat") }
    var backoff = Backoff(first: settings.abortPauseMin, limit: settings.abortPauseMax)
    for attempt in 1... {
      do throws(BusError) {
        try producer.begin()
        try producer.send(batch)
        try flush(batch, producer)
        try producer.commit(attemptsMax: settings.attemptsMax)
        return []
      } catch {
        guard attempt < settings.attemptsMax, error.remedy == .abort else { throw Self.beyondRetry(error) }
        let wait = backoff.take()
        readiness.failed(role, error.description)
        log.warning(
          "transaction aborted", ("code", error.code), ("error", error.message), ("attempt", "\(attempt)"),
          ("again_after", "\(wait)"))
        aborts.add()
        let gone = bus.knownMissing(of: batch.topics)
        try abort(producer, without: gone, term)
        if !gone.isEmpty { return gone }
        pause(wait)
      }
    }
    preconditionFailure("the last attempt returns or throws")
  }

  /// Waits until all records are acknowledged. A topic that is gone never does; who commits then waits for a
  /// minute, and cannot abort any more.
  private func flush(_ batch: RecordBatch, _ producer: any TransactionalProducer) throws(BusError) {
    let partitions = batch.topics.count + ClusterTopics.laneCount
    let limit = settings.flushMin + settings.flushPerPartition * partitions
    for _ in 0..<settings.attemptsMax {
      do throws(BusError) {
        return try producer.flush(timeout: limit)
      } catch  where error.remedy == .retry {
        let gone = bus.knownMissing(of: batch.topics)
        if !gone.isEmpty {
          throw BusError.deleted(gone, .abort)
        }
      }
    }
  }

  /// Where topics are gone that were among the first that the transaction touched, the brokers have never begun it:
  /// they refuse to end it, and librdkafka's producer is of no more use. They have answered to our epoch, so the
  /// seat was ours still, and a new producer may take it, unless another term was claimed by then.
  private func abort(_ producer: any TransactionalProducer, without gone: [String], _ term: Int64)
    throws(BusError)
  {
    do throws(BusError) {
      try producer.abortOrGiveUp()
    } catch  where error.code == "INVALID_TXN_STATE" && !gone.isEmpty {
      log.warning("the producer is made anew", ("error", error.message), ("deleted", "\(gone)"))
      do throws(BusError) { try take(in: term) } catch { throw Self.beyondRetry(error) }
    }
  }

  /// What was sent under counts that are given away is never for trying again as it is.
  private static func beyondRetry(_ error: BusError) -> BusError {
    error.remedy == .retry || error.remedy == .abort
      ? BusError(.recreate, code: error.code, error.message) : error
  }
}

extension BusError {
  /// Topics are gone that must be made before anyone can go on.
  static func deleted(_ topics: [String], _ remedy: Remedy = .recreate) -> BusError {
    BusError(remedy, code: Publisher.topicGone, "deleted: \(topics.joined(separator: ", "))")
  }
}

extension Bus {
  /// The topics that are not there, sorted. None where nobody can tell now.
  func knownMissing(of topics: [String]) -> [String] {
    guard !topics.isEmpty, let found = try? partitionCounts(topics) else { return [] }
    return topics.filter { found[$0] == nil }.sorted()
  }
}
