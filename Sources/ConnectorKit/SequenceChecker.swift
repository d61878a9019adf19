/// Decides of each record of a stream, in the order of the topic, whether it is the next one: a reader's side of
/// the guarantees about `seq` and `epoch` (docs/gateways.md). A pure state machine: who reads, and what a missing
/// number means on this topic, is the caller's. A value; no call allocates.
public struct SequenceChecker: Sendable {
  /// Where reading begins.
  public enum Start: Hashable, Sendable {
    /// With this number, whatever its epoch. 1: the whole stream.
    case from(Int64)
    /// Behind this record, which was taken before.
    case after(SequencePoint)
    /// With whatever comes first.
    case anywhere
  }

  public enum Verdict: Hashable, Sendable {
    /// The next record. `missing`: numbers before it that did not come. `isRestart`: the stream had ended and was
    /// made again; what is missing is of its new life.
    case deliver(isRestart: Bool, missing: ClosedRange<Int64>?)
    /// At or before the start, so no news.
    case passed
    /// This number has come already: to be dropped.
    case repeated
    /// Written by a publisher that another had replaced by then: to be dropped.
    case fenced
  }

  private enum Phase {
    /// `epoch`: the highest that was passed.
    case before(Int64, epoch: Int64)
    case seeking(SequencePoint)
    case anywhere
    case behind(SequencePoint)
  }

  private var phase: Phase

  public init(_ start: Start) {
    switch start {
    case .from(let seq): phase = .before(max(seq, 1), epoch: 0)
    case .after(let point): phase = .seeking(point)
    case .anywhere: phase = .anywhere
    }
  }

  /// The last record that was taken, or passed as the one before the start; nil before there was one.
  public var last: SequencePoint? {
    switch phase {
    case .behind(let last), .seeking(let last): last
    case .before, .anywhere: nil
    }
  }

  public mutating func take(_ point: SequencePoint) -> Verdict {
    switch phase {
    case .anywhere:
      return deliver(point)
    case .before(let first, let epoch):
      if point.epoch < epoch { return .passed }
      if point.seq >= first { return deliver(point, behind: first - 1) }
      phase = .before(first, epoch: point.epoch)
      return .passed
    case .seeking(let start):
      if point == start { phase = .behind(start) }
      return point <= start ? .passed : next(point, behind: start)
    case .behind(let last):
      return next(point, behind: last)
    }
  }

  private mutating func next(_ point: SequencePoint, behind last: SequencePoint) -> Verdict {
    if point.epoch < last.epoch { return .fenced }
    if point.seq > last.seq { return deliver(point, behind: last.seq) }
    // Within one epoch a stream has one life.
    return point.epoch == last.epoch ? .repeated : deliver(point, isRestart: true, behind: 0)
  }

  private mutating func deliver(_ point: SequencePoint, isRestart: Bool = false, behind seq: Int64? = nil)
    -> Verdict
  {
    phase = .behind(point)
    let missing = seq.flatMap { $0 + 1 < point.seq ? $0 + 1...point.seq - 1 : nil }
    return .deliver(isRestart: isRestart, missing: missing)
  }
}
