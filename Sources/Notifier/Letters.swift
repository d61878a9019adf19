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
  /// Take the rows of these views of rows, for streams of every change that begin, and say what state it was. It
  /// is answered before letters that wait; with as many views as one turn has room for, at least one.
  case snapshot([SnapshotView], reply: @Sendable (Snapshot) -> Void)
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
  /// How far the table is with this.
  public let state: TableState
  public let time: Timestamp
  /// How long the table's thread worked on it.
  public let work: Duration

  public init(
    batch: SweepBatch, units: Int, failures: [StreamFailure] = [], positions: [Int32: Int64],
    commands: Int64, time: Timestamp, work: Duration = .zero
  ) {
    self.work = work
    self.batch = batch
    self.units = units
    self.failures = failures
    state = TableState(positions: positions, commands: commands)
    self.time = time
  }
}

/// A stream of every change that is to begin.
public struct SnapshotView: Sendable {
  public let id: String
  /// nil: the stream begins without rows, but where is to be known.
  public let view: View?

  public init(id: String, view: View?) {
    self.id = id
    self.view = view
  }
}

/// The rows with which streams begin.
public struct Snapshot: Sendable {
  /// Of the first so many streams that were asked for; the others are to be asked for again.
  public let taken: Int
  /// Of those that want rows, in their order.
  public let rows: [RowSnapshot]
  /// The change number of each shard whose state this is.
  public let positions: [Int32: Int64]

  public init(taken: Int, rows: [RowSnapshot], positions: [Int32: Int64]) {
    self.taken = taken
    self.rows = rows
    self.positions = positions
  }
}
