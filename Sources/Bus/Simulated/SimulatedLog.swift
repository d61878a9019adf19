import Base

/// One partition: records and transaction markers at rising offsets. As in Kafka, a marker takes an
/// offset of its own, an aborted record keeps its place but committed readers pass it, and they stop at
/// the first record of a transaction that is still open (the last stable offset).
struct SimulatedLog {
  private struct Entry {
    let offset: Int64
    /// The transaction's number; 0: written outside any.
    let transaction: Int
    /// Nil: the marker that ends the transaction.
    let record: SimulatedRecord?
  }

  /// A simulation that writes more than this to one partition has run wild.
  static let recordsMax: Int64 = 10_000_000

  private var entries: [Entry] = []
  /// What compaction and retention have removed, in any order.
  private var removed: [Entry] = []
  /// By producer id: the last sequence number that was taken.
  private var sequences: [Int: Int] = [:]
  /// The first offset that retention has left.
  private(set) var firstOffset: Int64 = 0
  private var firstOffsetOfOpen: [Int: Int64] = [:]
  private var aborted: Set<Int> = []
  /// One past the last offset that was given out: the high watermark.
  private(set) var nextOffset: Int64 = 0

  func end(_ isolation: Isolation) -> Int64 {
    switch isolation {
    case .uncommitted: nextOffset
    case .committed: firstOffsetOfOpen.values.min() ?? nextOffset
    }
  }

  /// Whether a producer's record is new; it counts as taken then.
  mutating func takes(_ producer: Int, _ sequence: Int) -> Bool {
    guard sequence > sequences[producer] ?? -1 else { return false }
    sequences[producer] = sequence
    return true
  }

  mutating func append(_ record: SimulatedRecord, transaction: Int) {
    var record = record
    record.offset = nextOffset
    if transaction != 0, firstOffsetOfOpen[transaction] == nil {
      firstOffsetOfOpen[transaction] = nextOffset
    }
    append(Entry(offset: nextOffset, transaction: transaction, record: record))
  }

  /// Writes the marker that ends a transaction here.
  mutating func end(transaction: Int, committed: Bool) {
    firstOffsetOfOpen[transaction] = nil
    if !committed { aborted.insert(transaction) }
    append(Entry(offset: nextOffset, transaction: transaction, record: nil))
  }

  private mutating func append(_ entry: Entry) {
    precondition(nextOffset < Self.recordsMax, "more than \(Self.recordsMax) records in one partition")
    entries.append(entry)
    nextOffset += 1
  }

  /// Gives the records from an offset on, until `give` has had its fill (returns false) or the
  /// isolation's end is reached. Returns the offset to read on from, behind all that was passed over.
  func read(from start: Int64, _ isolation: Isolation, _ give: (SimulatedRecord) -> Bool) -> Int64 {
    let end = end(isolation)
    var index = index(at: start)
    while index < entries.count, entries[index].offset < end {
      let entry = entries[index]
      index += 1
      guard let record = visible(entry, isolation) else { continue }
      if !give(record) { return entry.offset + 1 }
    }
    return max(start, end)
  }

  /// All that committed readers could ever see, what has been removed since, too.
  var history: [SimulatedRecord] {
    let end = end(.committed)
    let all = removed.isEmpty ? entries : (removed + entries).sorted { $0.offset < $1.offset }
    return all.prefix { $0.offset < end }.compactMap { visible($0, .committed) }
  }

  private func visible(_ entry: Entry, _ isolation: Isolation) -> SimulatedRecord? {
    isolation == .committed && aborted.contains(entry.transaction) ? nil : entry.record
  }

  /// The place of the first entry at or behind an offset (compaction leaves holes).
  private func index(at offset: Int64) -> Int {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Retention: what lies below the offset goes.
  mutating func truncate(below offset: Int64) {
    firstOffset = max(firstOffset, min(offset, nextOffset))
    let count = index(at: firstOffset)
    removed += entries[..<count]
    entries.removeFirst(count)
  }

  /// Retention: what is older goes, up to the first record that is not.
  mutating func retain(since oldest: Timestamp) {
    let first = entries.first { $0.record.map { $0.timestamp >= oldest } ?? false }
    truncate(below: min(first?.offset ?? nextOffset, end(.committed)))
  }

  /// Keeps of each key the last committed record, at its own offset; markers and aborted records go.
  /// What is not stable yet, what is younger than `youngest`, and all behind it, stays as it is; so does the
  /// last record, which lies in the segment that is being written.
  mutating func compact(youngest: Timestamp, keepTombstones: Bool) {
    let stable = end(.committed)
    let tooYoung = entries.first { ($0.record?.timestamp ?? .zero) > youngest }?.offset ?? stable
    let active = entries.last { $0.record != nil }?.offset ?? stable
    let dirty = index(at: min(stable, tooYoung, active))
    var lastOffset: [[UInt8]: Int64] = [:]
    for entry in entries[..<dirty] {
      if let record = visible(entry, .committed), let key = record.key { lastOffset[key] = entry.offset }
    }
    var kept: [Entry] = []
    for entry in entries[..<dirty] {
      let record = visible(entry, .committed)
      let isLast = record?.key.map { lastOffset[$0] == entry.offset } ?? (record != nil)
      if let record, isLast, keepTombstones || record.value != nil {
        kept.append(entry)
      } else {
        removed.append(entry)
      }
    }
    entries.replaceSubrange(..<dirty, with: kept)
  }
}
