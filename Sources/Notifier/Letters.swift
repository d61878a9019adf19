import Base
import Matching
import Query
import Requests

/// What the publisher (and the console) asks of the thread that owns the table. Answered where no change is
/// open, so an answer shows committed state only.
public enum TableLetter: Sendable {
  /// Begin to match a stream; all rows in its view become pending.
  case start(Stream)
  /// Stop matching it.
  case stop(id: String)
  /// Hand over what is pending in these streams, all at one state of the table.
  case collect(ids: [String])
  /// Answer a question once.
  case query(View, rowsMax: Int, reply: @Sendable (Result<QueryResult, EngineError>) -> Void)
}

/// What the table's thread hands over.
public struct Collected: Sendable {
  /// The pending records of the streams that were asked for.
  public let batch: SweepBatch
  /// The change number of each shard whose state this is.
  public let positions: [Int32: Int64]
  public let time: Timestamp

  public init(batch: SweepBatch, positions: [Int32: Int64], time: Timestamp) {
    self.batch = batch
    self.positions = positions
    self.time = time
  }
}
