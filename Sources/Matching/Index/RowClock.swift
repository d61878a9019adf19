import Events
import Query

/// Which rows' answers the next moment may change: those whose time is about to pass a boundary of a filter
/// that compares it with NOW().
///
/// A test `column - NOW() >= cut` turns false when NOW() passes the row's time less the cut. So each boundary
/// of each time column has a frontier, NOW() plus the cut, which moves over the rows in the order of their
/// times. Rows are kept by time in buckets. Nothing is taken out when a row changes: what is found is
/// compared with the row as it is, and what no frontier will reach any more is forgotten.
final class RowClock {
  /// A row that time alone may have taken into filters, or out of them.
  struct Due {
    let key: StringTable.Code
    /// The columns with a boundary that it passed.
    var columns: ColumnSet
  }

  private struct Entry {
    let time: Int64
    /// A share is held.
    let key: StringTable.Code
  }

  private struct Column {
    /// How many tests have each boundary.
    var cuts: [Int64: Int] = [:]
    /// No row that the frontier of a lesser cut has yet to reach is missing.
    var leastKnown = Int64.max
    var buckets: [Int64: [Entry]] = [:]
    var count = 0
    /// More entries than that are looked through for those that are of no use any more.
    var countMax = RowClock.countMaxLeast
    /// All rows are about to be shown.
    var isBeginning = false
  }

  /// Milliseconds of a bucket, as a power of two.
  private static let bucketBits: Int64 = 10
  private static let countMaxLeast = 4096

  private let strings: StringTable
  /// By number, ascending in `numbers`.
  private var columns: [Int: Column] = [:]
  private var numbers: [Int] = []
  private var now: Int64 = 0

  init(_ strings: StringTable) { self.strings = strings }

  deinit { for column in columns.values { release(column) } }

  var isEmpty: Bool { columns.isEmpty }

  /// An estimate of the memory that it takes.
  var bytesHeld: Int { columns.values.reduce(0) { $0 + $1.count * MemoryLayout<Entry>.stride } }

  // MARK: Tests

  /// Tests of a filter that begins. `willBegin` and all rows must follow.
  func add(_ tests: [Filter.ClockTest]) {
    for test in tests {
      for cut in test.set.cuts {
        columns[test.column, default: Column()].cuts[Self.value(cut), default: 0] += 1
      }
    }
    numbers = columns.keys.sorted()
  }

  func remove(_ tests: [Filter.ClockTest]) {
    for test in tests {
      for cut in test.set.cuts.map(Self.value) {
        guard let count = columns[test.column]?.cuts[cut] else { continue }
        columns[test.column]!.cuts[cut] = count > 1 ? count - 1 : nil
      }
      guard let column = columns[test.column], column.cuts.isEmpty else { continue }
      release(column)
      columns[test.column] = nil
    }
    numbers = columns.keys.sorted()
  }

  private static func value(_ cut: ValueSet.Cut) -> Int64 { cut.value.number?.truncated ?? 0 }

  private func release(_ column: Column) {
    for bucket in column.buckets.values { for entry in bucket { strings.release(entry.key) } }
  }

  // MARK: Rows

  /// All rows are shown next, by `begin`. Columns with a boundary that comes later than those that there
  /// were lack rows, and are filled anew.
  func willBegin(now: Int64) {
    self.now = now
    for number in numbers {
      let least = columns[number]!.cuts.keys.min() ?? .max
      columns[number]!.isBeginning = least < columns[number]!.leastKnown
      if !columns[number]!.isBeginning { continue }
      release(columns[number]!)
      columns[number]!.buckets = [:]
      columns[number]!.count = 0
      columns[number]!.leastKnown = least
    }
  }

  @inline(__always)
  func begin(_ key: StringTable.Code, _ row: Row) {
    for number in numbers where columns[number]!.isBeginning { insert(key, row[number].int, number) }
  }

  @inline(__always)
  func note(_ key: StringTable.Code, before: Row?, after: Row?) {
    if numbers.isEmpty { return }
    guard let after else { return }
    for number in numbers where before.map({ $0[number] != after[number] }) ?? true {
      insert(key, after[number].int, number)
    }
  }

  private func insert(_ key: StringTable.Code, _ time: Int64, _ number: Int) {
    if time < Self.sum(now, columns[number]!.leastKnown) { return }
    strings.retain(key)
    columns[number]!.buckets[time >> Self.bucketBits, default: []].append(Entry(time: time, key: key))
    columns[number]!.count += 1
  }

  // MARK: Time

  /// The rows that pass a boundary between two times, each once, in the order of their keys' codes.
  func advance(
    from: Int64, to: Int64, _ current: (StringTable.Code) -> Row?
  ) -> [Due] {
    var due: [Due] = []
    for number in numbers {
      let column = columns[number]!
      for cut in column.cuts.keys.sorted() {
        let times = Self.sum(from, cut)..<Self.sum(to, cut)
        forEach(in: times, column) { entry in
          guard let row = current(entry.key), row[number].int == entry.time else { return }
          due.append(Due(key: entry.key, columns: ColumnSet([number])))
        }
      }
    }
    return Self.merged(due)
  }

  private static func merged(_ due: [Due]) -> [Due] {
    var merged: [Due] = []
    for next in due.sorted(by: { $0.key < $1.key }) {
      if merged.last?.key == next.key {
        merged[merged.count - 1].columns.formUnion(next.columns)
      } else {
        merged.append(next)
      }
    }
    return merged
  }

  private func forEach(in times: Range<Int64>, _ column: Column, _ body: (Entry) -> Void) {
    if times.isEmpty { return }
    let (first, last) = (times.lowerBound >> Self.bucketBits, (times.upperBound - 1) >> Self.bucketBits)
    let isFar = last - first >= column.buckets.count
    let buckets = isFar ? column.buckets.keys.filter { $0 >= first && $0 <= last } : Array(first...last)
    for bucket in buckets {
      for entry in column.buckets[bucket] ?? [] where times.contains(entry.time) { body(entry) }
    }
  }

  /// Gives back what no frontier will reach from `now` on.
  func forget(before now: Int64, _ current: (StringTable.Code) -> Row?) {
    let first = self.now
    self.now = now
    for number in numbers {
      let least = columns[number]!.leastKnown
      let passed = Self.sum(first, least) >> Self.bucketBits..<Self.sum(now, least) >> Self.bucketBits
      let isFar = passed.count >= columns[number]!.buckets.count
      let buckets = isFar ? columns[number]!.buckets.keys.filter(passed.contains) : Array(passed)
      for bucket in buckets { drop(bucket, number) }
      if columns[number]!.count > columns[number]!.countMax { sweep(number, current) }
    }
  }

  private func drop(_ bucket: Int64, _ number: Int) {
    guard let entries = columns[number]!.buckets.removeValue(forKey: bucket) else { return }
    for entry in entries { strings.release(entry.key) }
    columns[number]!.count -= entries.count
  }

  /// Takes out the entries of rows that have another time by now, and entries that there are twice.
  private func sweep(_ number: Int, _ current: (StringTable.Code) -> Row?) {
    for bucket in Array(columns[number]!.buckets.keys) {
      let entries = columns[number]!.buckets[bucket]!
      var seen: Set<StringTable.Code> = []
      let kept = entries.filter { entry in
        current(entry.key)?[number].int == entry.time && seen.insert(entry.key).inserted
      }
      for entry in kept { strings.retain(entry.key) }
      for entry in entries { strings.release(entry.key) }
      columns[number]!.buckets[bucket] = kept.isEmpty ? nil : kept
      columns[number]!.count += kept.count - entries.count
    }
    columns[number]!.countMax = max(Self.countMaxLeast, 2 * columns[number]!.count)
  }

  /// Saturates.
  private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? (b < 0 ? .min : .max) : sum
  }
}
