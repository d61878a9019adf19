import Base
import Matching
import Requests

/// A stream of every change, as its publisher has it.
final class ChangeStream {
  enum Phase {
    /// For its rows. What changes meanwhile is held.
    case waiting
    /// The rows that are still to be published, from `next` on. What changes meanwhile is held.
    case reading(SweepBatch, next: Int)
    case following
    /// Over a limit.
    case failed
    /// It has stored for clients that are away until its limit was reached.
    case full
  }

  let stream: Stream
  /// With the matcher.
  let number: Int
  /// The sequence count of its last record that is committed, and of the last one in the transaction that is
  /// being made.
  private(set) var seq: Int64
  private(set) var next: Int64
  /// Bytes of its records in that transaction.
  private var nextBytes: Int64 = 0
  var phase: Phase
  /// By shard: the change numbers that its snapshot held. Those up to them are skipped.
  var positions: [Int32: Int64]
  /// By shard: the changelog's offset with which it begins, while it does not go along with the others.
  var from: [Int32: Int64] = [:]
  /// Why what it has told so far is not continued by its snapshot; it is said before the first row.
  var again: String?
  /// What it has stored since its clients are away.
  var stored: ChangeState.Stored?
  /// Its rows are asked for. What was read before is in them.
  var isAsked = false
  /// What it is to carry behind its snapshot.
  let held = ChangeItems()
  /// Records of it are in the transaction that is being made: so many are still to come.
  var left = 0

  init(_ stream: Stream, number: Int, found: ChangeState?, isStoring: Bool) {
    self.stream = stream
    self.number = number
    guard let found, found.creation == stream.place.creation else {
      (seq, next, phase, positions) = (0, 0, .waiting, [:])
      return
    }
    (seq, next) = (found.seq, found.seq)
    positions = found.positions
    stored = isStoring ? found.stored : nil
    switch found.phase {
    case .following: (phase, from) = (.following, found.from)
    case .snapshot: (phase, again) = (.waiting, "the one before it was interrupted")
    case .failed: (phase, again) = (.waiting, "the stream stood still over a limit")
    case .full: (phase, again) = isStoring ? (.full, nil) : (.waiting, Self.wasFull)
    }
  }

  static let wasFull = "its clients were away for longer than it could store"

  /// One more record is in the transaction; its count.
  func count() -> Int64 {
    next += 1
    return next
  }

  /// So large that record is.
  func add(bytes: Int) { nextBytes += Int64(bytes) }

  /// The transaction was given up.
  func takeBack() { (next, nextBytes) = (seq, 0) }

  func committed() {
    stored?.bytes += nextBytes
    (seq, nextBytes) = (next, 0)
  }

  var id: String { stream.id }
  var place: StreamPlace { stream.place }
  var isHistory: Bool { stream.mode == .all }

  var isWaiting: Bool {
    if case .waiting = phase { return true }
    return false
  }

  var isReading: Bool {
    if case .reading = phase { return true }
    return false
  }

  /// Of the rows with which it begins, all of them, until the last is published.
  var rowBytes: Int {
    if case .reading(let rows, _) = phase { return rows.byteCount }
    return 0
  }

  var isFollowing: Bool {
    if case .following = phase { return true }
    return false
  }

  /// It takes changes, be it to hold them.
  var isAlive: Bool {
    switch phase {
    case .failed, .full: false
    case .waiting, .reading, .following: true
    }
  }

  var isFull: Bool {
    if case .full = phase { return true }
    return false
  }

  /// What is left of `from` once the changelog is read up to `next`.
  func rest(at next: [Int32: Int64]) -> [Int32: Int64] {
    from.reduce(into: [:]) { $0[$1.key] = max($1.value, next[$1.key] ?? 0) }
  }

  /// `next`: how far the changelog is read.
  func state(epoch: Int64, next: [Int32: Int64]) -> ChangeState {
    let word: ChangeState.Phase =
      switch phase {
      case .following: .following
      case .waiting, .reading: .snapshot
      case .failed: .failed
      case .full: .full
      }
    var stored = stored
    stored?.bytes += nextBytes
    return ChangeState(
      epoch: epoch, seq: self.next, creation: place.creation, phase: word, positions: positions,
      from: isFollowing ? rest(at: next) : [:], stored: stored)
  }

  /// A change is told. A stream without rows is said to begin with the first one of a shard.
  func begins(_ shard: Int32, with change: Int64) {
    if !isHistory, positions[shard] == nil { positions[shard] = change - 1 }
  }

  /// Whether a change is in what it has told already.
  func hasTold(_ shard: Int32, _ change: Int64) -> Bool { change <= told(shard) }

  /// The last change of a shard that its snapshot held.
  func told(_ shard: Int32) -> Int64 { positions[shard] ?? 0 }
}
