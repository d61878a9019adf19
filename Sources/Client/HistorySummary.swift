import ConnectorKit

/// What a run of a checking reader comes to. Pure; a few numbers, however long the history is.
public struct HistorySummary: Sendable {
  /// The run as a line, such as `complete: 1 to 8812, epochs 3 to 5`.
  public var text: String {
    guard let first, let last else { return "\(verdict): no records\(remarks)" }
    let epochs =
      first.epoch == last.epoch ? "epoch \(last.epoch)" : "epochs \(first.epoch) to \(last.epoch)"
    return "\(verdict): \(first.seq) to \(last.seq), \(epochs)\(remarks)"
  }

  /// Each record came once, and can be read, and none of them tells of changes that were lost.
  public var isComplete: Bool { gaps == 0 && repeated == 0 && unreadable == 0 && losses == 0 }

  public private(set) var entries = 0
  public private(set) var first: SequencePoint?
  public private(set) var last: SequencePoint?
  public private(set) var gaps = 0
  /// Records in the gaps.
  public private(set) var missing: Int64 = 0
  public private(set) var repeated = 0
  public private(set) var fenced = 0
  public private(set) var unreadable = 0
  public private(set) var foreign = 0
  public private(set) var restarts = 0
  /// Deletions of the topic.
  public private(set) var deletions = 0
  public private(set) var notices = 0
  /// Notices of changes that were lost before they could be published.
  public private(set) var losses = 0
  /// Records that the topic's compaction has removed.
  public private(set) var compacted: Int64 = 0
  /// What was wrong first, and where.
  private var fault: String?

  public init() {}

  private var verdict: String { isComplete ? "complete" : "incomplete" }

  private var remarks: String {
    var remarks: [String] = []
    func add(_ count: Int64, _ one: String, _ many: String) {
      if count > 0 { remarks.append("\(count) \(count == 1 ? one : many)") }
    }
    if gaps > 0 { remarks.append("\(gaps) gap\(gaps == 1 ? "" : "s") of \(missing) in all") }
    add(Int64(repeated), "repeat", "repeats")
    add(Int64(unreadable), "unreadable record", "unreadable records")
    add(Int64(fenced), "record of a replaced publisher dropped", "records of replaced publishers dropped")
    add(Int64(restarts), "restart from 1", "restarts from 1")
    add(Int64(deletions), "deletion of its topic", "deletions of its topic")
    add(compacted, "superseded record compacted away", "superseded records compacted away")
    add(Int64(losses), "notice of lost changes", "notices of lost changes")
    add(Int64(notices - losses), "notice", "notices")
    add(Int64(foreign), "record that is not the stream's", "records that are not the stream's")
    return remarks.map { "; \($0)" }.joined() + (fault.map { "; first: \($0)" } ?? "")
  }

  public mutating func take(_ event: HistoryEvent) {
    switch event {
    case .entry(let entry):
      entries += 1
      if case .notice(let notice) = entry.content {
        notices += 1
        if notice.isLoss { losses += 1 }
      }
      advance(entry.position)
    case .unreadable(let place, _):
      unreadable += 1
      advance(place)
    case .gap(let hole):
      gaps += 1
      missing = Self.sum(missing, hole)
    case .compacted(let hole): compacted = Self.sum(compacted, hole)
    case .repeated: repeated += 1
    case .fenced: fenced += 1
    case .restarted: restarts += 1
    case .madeAgain: deletions += 1
    case .foreign: foreign += 1
    }
    if !isComplete, fault == nil { fault = event.words }
  }

  private mutating func advance(_ position: StreamPosition) {
    if first == nil { first = position.point }
    last = position.point
  }

  /// Hostile numbers may make holes of any size: the sum stays at the largest number.
  private static func sum(_ sum: Int64, _ hole: SequenceHole) -> Int64 {
    let size = hole.seqs.upperBound - hole.seqs.lowerBound + 1
    let (more, isOver) = sum.addingReportingOverflow(size)
    return isOver ? .max : more
  }
}

extension StreamPosition {
  /// For people: `epoch 3, seq 17 (offset 40)`.
  fileprivate var words: String {
    "epoch \(point.epoch), seq \(point.seq)" + (offset.map { " (offset \($0))" } ?? "")
  }
}

extension HistoryEvent {
  /// For people, with the place; nil for an entry that is no notice.
  public var words: String? {
    switch self {
    case .entry(let entry):
      if case .notice(let notice) = entry.content {
        "notice: \(entry.position.words): \(notice.text)"
      } else {
        nil
      }
    case .restarted(let place): "the stream was made again: \(place.words)"
    case .madeAgain(let place):
      "the topic was deleted and made again: it begins with \(place.words)"
    case .gap(let hole): "gap: \(hole.words) missing before \(hole.before.words)"
    case .compacted(let hole): "compacted: \(hole.words) superseded before \(hole.before.words)"
    case .fenced(let place): "fenced: dropped \(place.words), a replaced publisher's"
    case .repeated(let place): "repeat: dropped \(place.words)"
    case .unreadable(let place, let reason): "unreadable: \(place.words): \(reason)"
    case .foreign(let offset): "not the stream's: the record at offset \(offset), by its epoch and seq"
    }
  }
}

extension SequenceHole {
  fileprivate var words: String {
    seqs.lowerBound == seqs.upperBound
      ? "\(seqs.lowerBound) is" : "\(seqs.lowerBound) to \(seqs.upperBound) are"
  }
}
