import Events
import Query

/// All filters of a table as one structure, and how many rows each has: what a changed row costs grows with
/// the filters that it enters or leaves, hardly with those that there are.
///
/// The index is a tree (`IndexNode`). It is walked once for a change, with the row before and after: what reads
/// none of the changed columns is passed by, since both images go the same way there and stay what they
/// are; where they part, the one is walked as leaving and the other as entering. At the end of a way whose
/// tests are the whole filter nothing is evaluated: one is added to a count.
///
/// It belongs to one thread. It holds shares in the strings that filters compare with.
final class FilterIndex {
  /// A row went into a filter that is observed, out of it, or changed in it.
  struct Move: BitwiseCopyable {
    let filter: Int32
    let wasIn: Bool
    let isIn: Bool
  }

  let rows: RowStore
  let computed: ComputedColumns
  let conjunctions: Conjunctions
  /// What NOW() is, in ms since 1970; and was, for the image before of the change under way.
  var now: Int64 = 0 {
    didSet { past = now }
  }
  private(set) var past: Int64 = 0
  let root: NodePointer
  /// By a filter's number; nil: the number is free.
  var records = Run<RecordPointer?>()
  private var freeNumbers: [Int32] = []
  /// By a filter's number, the rows that are in it, but for what the ranges of `trail.marked` have not told yet.
  private(set) var counts = Run<Int64>()

  var context: MatchContext {
    MatchContext(strings: .passUnretained(rows.strings), memo: .passUnretained(computed.memo), now: now)
  }

  // Of the change under way:
  var change: UInt64 = 0
  var changed = ColumnSet()
  let trail: UnsafeMutablePointer<Walk.Trail>

  /// Columns of the table by whose bytes something is found. A computed one's text was made a moment ago, and a row has its
  /// cell only while it is shown.
  private(set) var textColumns = Run<UInt16>()
  /// By column.
  let commonGrams: UnsafeMutablePointer<CommonGrams>

  /// Filters whose tests were evaluated for a change, since they could not be told by the index alone.
  var candidates: Int { trail.pointee.candidates }
  private(set) var filterCount = 0
  var nodeCount = 1
  var homeCount = 0
  var partitionCount = 0
  /// By which filters are sorted; one without anything else counts as its entry.
  var intervalCount = 0
  /// What grows with the filters: limits are of these.
  var entryCount: Int { homeCount + intervalCount }
  private var testBytes = 0

  /// At most so many ways lead to a filter.
  static let pathsMax = 256

  init(rows: RowStore) {
    self.rows = rows
    computed = ComputedColumns(rows: rows)
    conjunctions = Conjunctions(rows: rows, computed: computed, pathsMax: Self.pathsMax)
    root = IndexNode.make(IndexNode())
    trail = .allocate(capacity: 1)
    trail.initialize(to: Walk.Trail())
    commonGrams = .allocate(capacity: computed.widthMax)
    commonGrams.initialize(repeating: CommonGrams(), count: computed.widthMax)
  }

  deinit {
    for number in records.indices where records[number] != nil { remove(Int32(number)) }
    clear(root)
    root.deindex()
    records.free()
    counts.free()
    textColumns.free()
    trail.pointee.free()
    trail.deallocate()
    for column in 0..<computed.widthMax { commonGrams[column].free() }
    commonGrams.deallocate()
  }

  /// An estimate of the memory that it takes.
  var bytesHeld: Int {
    let home = MemoryLayout<FilterRecord.Home>.stride + MemoryLayout<Entry>.stride
    // Under both of its ends.
    let interval = (MemoryLayout<RangeEntry>.stride + MemoryLayout<Int64>.stride) * 2
    let filter = MemoryLayout<FilterRecord>.stride + 16
    // And its place in a table, and its gram in a sieve.
    let node = MemoryLayout<IndexNode>.stride + 24
    let partition = MemoryLayout<Partition>.stride + 16
    let entries = homeCount * home + intervalCount * interval
    return nodeCount * node + partitionCount * partition + entries * 4 / 3 + filterCount * filter + testBytes
      + computed.memo.bytesHeld
  }

  // MARK: Filters

  /// Adds a filter and returns its number. `observed` are the columns whose changes are to be told of rows
  /// that are in it; nil: it is enough to count them. `count` rows are in it.
  func insert(_ filter: Filter, observed: ColumnSet?, count: Int64) -> Int32 {
    insert(makeRecord(filter, observed: observed), count: count)
  }

  /// The same of one that `makeRecord` made, which is the index's from now on.
  func insert(_ made: FilterRecord, count: Int64) -> Int32 {
    let number = freeNumbers.popLast() ?? append()
    let record = RecordPointer.indexed(made)
    records[Int(number)] = record
    counts[Int(number)] = count
    filterCount += 1
    testBytes += record.pointee.testBytes
    placeAll(number)
    return number
  }

  private func append() -> Int32 {
    records.append(nil)
    counts.append(0)
    return records.count - 1
  }

  /// A filter as the index knows it, for rows that are shown to it alone (`passes`). Who does not insert it frees it.
  func makeRecord(_ filter: Filter, observed: ColumnSet?) -> FilterRecord {
    let atoms = conjunctions.atoms(of: filter)
    var record = FilterRecord(read: ColumnSet(filter.columnsUsed), whole: conjunctions.tests(of: atoms))
    record.observe(observed)
    let (paths, areExact) = conjunctions.paths(of: filter)
    record.isShared = !paths.isEmpty
    record.isExact = paths.isEmpty || areExact
    record.paths = Run(
      paths.map {
        FilterRecord.Path(
          tests: conjunctions.tests(of: $0.atoms), columns: $0.columns)
      })
    for test in record.allTests where test.column >= rows.width { record.computed.insert(Int(test.column)) }
    computed.dropUnused()
    return record
  }

  func record(_ number: Int32) -> FilterRecord { records[Int(number)]!.pointee }

  func free(_ record: FilterRecord) {
    var record = record
    record.free(rows, computed)
  }

  /// Whether a row passes a filter, as it is at NOW().
  func passes(_ row: Row, _ record: FilterRecord) -> Bool {
    if record.computed.isEmpty { return record.passes(row, context) }
    var passes = false
    computed.show(nil, row, ColumnSet(), only: record.computed) { _, row, _ in
      passes = record.passes(row!, context)
    }
    return passes
  }

  /// Forgets a filter; its number may be used again.
  func remove(_ number: Int32) {
    guard let record = records[Int(number)] else { return }
    for home in record.pointee.homes.elements { displace(number, home) }
    testBytes -= record.pointee.testBytes
    record.pointee.free(rows, computed)
    record.deindex()
    records[Int(number)] = nil
    freeNumbers.append(number)
    filterCount -= 1
  }

  /// What is to be told of rows in a filter from now on, as in `insert`.
  func observe(_ number: Int32, _ columns: ColumnSet?) {
    guard let record = records[Int(number)] else { return }
    for home in record.pointee.homes.elements { displace(number, home) }
    record.pointee.homes.truncate(to: 0)
    record.pointee.observe(columns)
    record.pointee.isShared = !record.pointee.paths.isEmpty
    placeAll(number)
  }

  private func placeAll(_ number: Int32) {
    let paths = max(records[Int(number)]!.pointee.paths.count, 1)
    for path in 0..<paths { place(number, UInt16(path), in: root) }
  }

  // MARK: Counts

  /// The rows that are in a filter.
  func count(of number: Int32) -> Int64 {
    if !trail.pointee.marked.isEmpty { settleRanges() }
    return counts[Int(number)]
  }

  private func settleRanges() {
    for ranges in trail.pointee.marked.elements { ranges.pointee.settle(counts) }
    trail.pointee.marked.truncate(to: 0)
  }

  func readsText(of column: UInt16) {
    if column < rows.width && !textColumns.elements.contains(column) { textColumns.append(column) }
  }

  // MARK: Changes

  /// Brings all counts up to date, and calls for each filter that is observed and that the row entered, left
  /// or changed in. Nil: there was, or is, no row. `changed` are the columns that differ, where there are both.
  func apply(before: Row?, after: Row?, changed: ColumnSet, _ body: (Move) -> Void) {
    if computed.isEmpty {
      walk(before, after, changed, body)
    } else {
      computed.show(before, after, changed) { walk($0, $1, $2, body) }
    }
  }

  @inline(__always)
  private func walk(_ before: Row?, _ after: Row?, _ changed: ColumnSet, _ body: (Move) -> Void) {
    change += 1
    self.changed = changed
    trail.pointee.moves.truncate(to: 0)
    if !textColumns.isEmpty { fetchTexts(before, after) }
    let walk = Walk(index: self, before: before, after: after)
    switch (before, after) {
    case (let before?, let after?): walk.both(root, before, after)
    case (let before?, nil): walk.one(root, before, .leaving)
    case (nil, let after?): walk.one(root, after, .entering)
    case (nil, nil): break
    }
    if !trail.pointee.due.isEmpty { walk.settle() }
    if !trail.pointee.commonChildren.isEmpty { leaveCommonChildren() }
    for move in trail.pointee.moves.elements { body(move) }
  }

  /// Has the processor fetch the texts that the walk will look through.
  @inline(never)  // The walk is the faster where there are none.
  private func fetchTexts(_ before: Row?, _ after: Row?) {
    for i in textColumns.indices {
      let column = Int(textColumns[i])
      if before != nil && after != nil && !changed.contains(column) { continue }
      if let before { rows.strings.fetchBytes(before[column].code) }
      if let after { rows.strings.fetchBytes(after[column].code) }
    }
  }

  /// The same for a row that stays as it is while NOW() goes on to `next`: as if the columns that filters
  /// compare with it had changed.
  func pass(_ row: Row, to next: Int64, columns: ColumnSet, _ body: (Move) -> Void) {
    let now = now
    self.now = next
    past = now
    apply(before: row, after: row, changed: columns, body)
    self.now = now
  }
}

extension FilterRecord {
  /// Of the whole and of its paths.
  var allTests: [RowTest] { whole.elements + paths.elements.flatMap(\.tests.elements) }

  var testBytes: Int { allTests.reduce(0) { $0 + $1.bytesHeld } }

  mutating func free(_ rows: RowStore, _ computed: ComputedColumns) {
    for test in allTests { test.free(rows, computed) }
    whole.free()
    for var path in paths.elements { path.tests.free() }
    paths.free()
    homes.free()
  }
}
