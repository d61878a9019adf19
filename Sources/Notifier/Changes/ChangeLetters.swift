import Base
import Requests
import Synchronization

/// What the publisher tells the publisher of changes.
public enum ChangeLetter: Sendable {
  /// A publisher begins its term: these streams, and no others, are to be published in its epoch. `storing` are
  /// those whose clients are away. What becomes of them is said in `news`, how far they are in `counts`.
  case begin(
    epoch: Int64, streams: [Stream], storing: Set<String>, counts: ChangeCounts, news: Mailbox<ChangeNews>)
  /// A higher epoch was claimed.
  case epoch(Int64)
  /// `from`: for an immediate stream, by shard, the changelog's offset with which it begins.
  case start(Stream, from: [Int32: Int64])
  /// Its clients are away: it collects for them, up to a limit.
  case store(id: String)
  /// It has a client again.
  case takeUp(id: String)
  /// Its life is over.
  case stop(StreamPlace)
}

/// What the publisher hears of its streams of every change.
public enum ChangeNews: Sendable {
  /// The streams that the publisher began with are taken over: nobody writes to other streams' topics any more.
  case begun
  /// Nothing is written to this stream any more: its topic can be deleted.
  case stopped(StreamPlace)
  case failed(StreamFailure)
  /// Its topic was deleted, and the brokers do not let it be made again.
  case refused(StreamFailure)
  /// This epoch was claimed: where it is not the publisher's own, its term is over, though it may not know yet.
  case late(claimed: Int64)
  /// It has reached the limit for what is stored, and collects no more.
  case full(StreamFailure)
}

/// How far the streams of every change are, for replies. Any thread.
public final class ChangeCounts: Sendable {
  /// Of a stream's latest life; no count: nothing has been told in it.
  private let counts = Mutex<[String: (creation: Int64, count: StreamProgress?)]>([:])

  public init() {}

  subscript(id: String) -> StreamProgress? {
    get { counts.withLock { $0[id]?.count } }
  }

  /// A life begins: what is still said of a former one does not count any more.
  func begin(_ place: StreamPlace) { counts.withLock { $0[place.id] = (place.creation, nil) } }

  func set(_ new: [(place: StreamPlace, count: StreamProgress)]) {
    counts.withLock { counts in
      for (place, count) in new where place.creation >= counts[place.id]?.creation ?? 0 {
        counts[place.id] = (place.creation, count)
      }
    }
  }

  func remove(_ place: StreamPlace) {
    counts.withLock { if $0[place.id]?.creation == place.creation { $0[place.id] = nil } }
  }
}
