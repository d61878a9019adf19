/// Tells records that were removed from a partition, by compaction or retention, from records that never were on it.
/// What is removed leaves its offset behind, without a record. A topic that was deleted and made again begins at
/// offset 0, while its stream goes on counting: its numbers have no room there.
///
/// Fed each record that is read of the partition, in order, beside `SequenceChecker`. A pure state machine; a value;
/// no call allocates. Markers of transactions and what was aborted leave offsets too: so room is no proof that records
/// were removed, but none is one that they were not.
public struct PartitionOffsets: Sendable {
  /// What the offsets say of a record of the stream.
  public struct Finding: Hashable, Sendable {
    /// The first of the stream on a topic that was made again: what came before it is not there.
    public var isMadeAgain = false
    /// The numbers that are missing before it may have been removed.
    public var hasRoom = true
  }

  /// The offset behind the last record; nil: not known.
  private var next: Int64?
  /// Nothing of the stream has come, and reading began where the partition does.
  private var isBeginning: Bool
  /// Offsets without a record since the stream's last one.
  private var free: Int64 = 0

  /// `first`: the offset from which everything is read; 0: the partition's beginning, whatever retention has left of
  /// it; nil: not known.
  public init(from first: Int64?) {
    next = first
    isBeginning = first == 0
  }

  /// A record of another stream, or of nobody.
  public mutating func pass(_ offset: Int64) {
    free += max(offset - (next ?? offset), 0)
    next = offset + 1
  }

  /// A record of the stream, of which `SequenceChecker` has said this.
  public mutating func take(_ point: SequencePoint, _ verdict: SequenceChecker.Verdict, at offset: Int64)
    -> Finding
  {
    pass(offset)
    let (room, isFirst) = (free, isBeginning)
    isBeginning = false
    switch verdict {
    case .fenced, .repeated:
      return Finding()
    case .passed:
      free = 0
      return Finding()
    case .deliver(_, let missing):
      free = 0
      return Finding(
        isMadeAgain: isFirst && point.seq - 1 > room,
        hasRoom: missing.map { $0.upperBound - $0.lowerBound < room } ?? true)
    }
  }
}
