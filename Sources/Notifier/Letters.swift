import Base
import Matching
import Query
import Requests

/// What the publisher (and the console) asks of the thread that owns the table. Answered where no change is
/// open, so an answer shows committed state only.
public enum TableLetter: Sendable {
  /// A publisher begins: no stream of a former one is matched any more, and what is collected from now on
  /// goes to this mailbox.
  case reset(Mailbox<Collected>)
  /// Begin to match a stream; all rows in its view become pending.
  case start(Stream)
  /// Stop matching it.
  case stop(id: String)
  /// Hand over what is pending in these units, all at one state of the table. A unit is streams that must be
  /// published together; as many units as one sweep has room for are taken, in their order, at least one.
  case collect(units: [[String]])
  /// Answer a question once. It is answered before letters that wait.
  case query(View, rowsMax: Int, reply: @Sendable (Result<QueryResult, EngineError>) -> Void)
  /// Say how the index of all filters would lead to this one; likewise.
  case explain(Filter, reply: @Sendable (String) -> Void)
}

/// A stream that is over a limit: it stands still from now on.
public struct StreamFailure: Sendable, Equatable {
  public let stream: String
  public let reason: String

  public init(stream: String, reason: String) {
    self.stream = stream
    self.reason = reason
  }
}

/// What the table's thread hands over.
public struct Collected: Sendable {
  /// The pending records of the streams that were asked for.
  public let batch: SweepBatch
  /// How many of the units were taken; the others are to be asked for again.
  public let units: Int
  /// Streams that failed since the last time; they are matched no more.
  public let failures: [StreamFailure]
  /// The change number of each shard whose state this is.
  public let positions: [Int32: Int64]
  public let time: Timestamp

  public init(
    batch: SweepBatch, units: Int, failures: [StreamFailure] = [], positions: [Int32: Int64], time: Timestamp
  ) {
    self.batch = batch
    self.units = units
    self.failures = failures
    self.positions = positions
    self.time = time
  }
}
