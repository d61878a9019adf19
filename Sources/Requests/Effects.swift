import Base
import Events
import Query

/// What one step of the registry asks for. `cluster` and `replies` go out in one transaction; the rest is
/// for the publisher once that is committed, in the order `ended`, `started`, `stored`,
/// `takenUp`, `sets`, `setsEnded`.
/// The effects of several steps may share a transaction; they are applied one after the other.
public struct Effects: Sendable {
  /// Records of `<cluster>.cluster`; a nil value is a null.
  public var cluster: [(key: String, value: JSON?)] = []
  /// Records of `<cluster>.replies`.
  public var replies: [(key: String, value: JSON)] = []
  /// Streams that begin with seq 1 (see `StreamPlace.isAgain`); their own topics are to be made.
  public var started: [Stream] = []
  /// Streams that got a request in their grace period.
  public var resumed: [Stream] = []
  /// Ids of streams whose last present client is away: they collect for it. And of those that have one again.
  public var stored: [String] = []
  public var takenUp: [String] = []
  /// Streams that are over: their own topic can be deleted, a lane gets nulls for their keys.
  public var ended: [StreamPlace] = []
  /// Sets that are new, or whose interval, link group or streams changed.
  public var sets: [RequestSet] = []
  /// Ids of sets that have no stream any more.
  public var setsEnded: [String] = []
  /// The named filters and views, where they changed.
  public var definitions: Definitions?

  public init() {}

  public var isEmpty: Bool {
    cluster.isEmpty && replies.isEmpty && started.isEmpty && resumed.isEmpty && ended.isEmpty && sets.isEmpty
      && setsEnded.isEmpty
  }
}

/// How far a stream is, for replies.
public struct StreamProgress: Sendable, Equatable {
  /// The sequence count of its last record; 0 before the first.
  public var seq: Int64
  public var epoch: Int64

  public init(seq: Int64, epoch: Int64) {
    self.seq = seq
    self.epoch = epoch
  }
}

/// What the registry did since it was made.
public struct RegistryCounts: Sendable, Equatable {
  /// Records of `<cluster>.requests`.
  public var records = 0
  /// Known without parsing, or by their parsed content.
  public var renewals = 0
  /// Records of `<cluster>.commands` that could be answered.
  public var commands = 0
  /// Flushes that were answered with their sweep.
  public var flushed = 0
  public var accepted = 0
  /// By code.
  public var rejected: [String: Int] = [:]
  public var ended = 0
  /// Of these, ended by their lease.
  public var leasesEnded = 0
  /// Records whose key names no request, so that no reply is possible; or that were handled before.
  public var ignored = 0
  /// Of these, those that nobody can be told about.
  public var unanswered: [UnansweredRecord.Source: Int] = [:]
  /// Records parsed as JSON, texts parsed as SQL.
  public var recordsParsed = 0
  public var queriesParsed = 0
  /// Entities that could not be restored.
  public var restoreFaults = 0
}
