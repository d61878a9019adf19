import Base
import Events
import Query

/// Matches changed rows against all streams' views and keeps what each has yet to publish.
///
/// Streams with the same filter are of one set. All sets' filters are in one index, which leads from a
/// changed row to the sets that it enters, leaves or changes in. It belongs to the thread of its table: no
/// call may come from elsewhere. It holds shares in the table's strings, which `remove` gives back.
public final class Engine {
  private let rows: RowStore
  private let strings: StringTable
  private let limits: EngineLimits
  private let index: FilterIndex
  private let clock: RowClock
  /// By their filters' numbers, and by their ids.
  private var sets: [RequestSet?] = []
  private var setsByID = PartedDictionary<String, RequestSet>()
  private var places = PartedDictionary<String, (set: RequestSet, stream: Stream)>()

  public init(rows: RowStore, limits: EngineLimits = EngineLimits()) {
    self.rows = rows
    strings = rows.strings
    self.limits = limits
    index = FilterIndex(rows: rows)
    clock = RowClock(strings)
  }

  /// What NOW() is, in ms since 1970. It goes on by `advance`.
  public var now: Int64 { index.now }

  /// Whether there are filters whose answers change by time alone, so that it is worth while to `advance`
  /// although no row changed.
  public var readsTheClock: Bool { !clock.isEmpty }

  /// How often a sum became null when it was collected, because no 64-bit number holds it.
  public private(set) var sumOverflows = 0

  /// Streams that passed a limit since they were added. They stand still until they are removed.
  public private(set) var streamsOverLimit: [(id: String, error: EngineError)] = []

  public var streamCount: Int { places.count }
  /// Filters that are matched.
  public var setCount: Int { setsByID.count }
  /// An estimate of the memory that the index of all filters takes.
  public var indexBytes: Int { index.bytesHeld + clock.bytesHeld }
  /// How often a filter was evaluated for a changed row, since the index alone did not tell.
  public var candidatesEvaluated: Int { index.candidates }

  public func contains(stream id: String) -> Bool { places[id] != nil }

  /// How the index leads from a changed row to a filter, for people: as it would be now.
  public func accessPath(of filter: Filter) -> String {
    let number = index.insert(filter, observed: nil, count: 0)
    defer { index.remove(number) }
    return index.accessPath(of: number)
  }

  // MARK: Streams

  /// Begins streams: evaluates their views over all rows, as they are committed, in one pass; after it
  /// everything in them is pending. Streams with one `set` must have the same canonical filter. O(rows).
  ///
  /// `rows` calls its argument once for each row that is there. A stream whose view is over a limit is not
  /// there afterwards, and is in what is returned; to try again makes sense only with fewer rows or filters.
  @discardableResult
  public func add(
    _ new: [NewStream], rows forEachRow: ((StringTable.Code, Row) -> Void) -> Void
  ) -> [String: EngineError] {
    var begun: [Beginning] = []
    var placesOfSets: [String: Int] = [:]
    for entry in new {
      let stream = Stream(id: entry.id, entry.view, limits: limits)
      withBlankRow { stream.start($0, strings) }
      let place = placesOfSets[entry.set] ?? begun.count
      if place == begun.count {
        placesOfSets[entry.set] = place
        begun.append(Beginning(set: entry.set, filter: entry.view.filter))
      }
      begun[place].streams.append(stream)
    }
    for set in begun where setsByID[set.set] == nil { clock.add(set.clockTests) }
    let counts = evaluate(&begun, forEachRow)
    var failures: [String: EngineError] = [:]
    for (set, count) in zip(begun, counts) {
      let isNew = setsByID[set.set] == nil
      take(set, count, &failures)
      if isNew && setsByID[set.set] == nil {
        clock.remove(set.clockTests)
        if let record = set.record { index.free(record) }
      }
    }
    return failures
  }

  /// The same for one stream; throws where its view is over a limit.
  public func add(
    stream id: String, set: String, view: View, rows forEachRow: ((StringTable.Code, Row) -> Void) -> Void
  ) throws(EngineError) {
    if let failure = add([NewStream(id: id, set: set, view: view)], rows: forEachRow)[id] { throw failure }
  }

  /// Streams with one filter that begin together.
  private struct Beginning {
    let set: String
    let filter: Filter
    let clockTests: [Filter.ClockTest]
    var streams: [Stream] = []
    /// The filter's, if it was made already and is not in the index.
    var record: FilterRecord?

    init(set: String, filter: Filter) {
      self.set = set
      self.filter = filter
      clockTests = filter.clockTests
    }

    var observed: ColumnSet? {
      let wanted = streams.compactMap(\.columns)
      return wanted.first.map { first in wanted.reduce(into: first) { $0.formUnion($1) } }
    }

    /// A row that is there when they begin.
    func show(_ key: StringTable.Code, _ row: Row, _ strings: StringTable) {
      for stream in streams {
        stream.apply(key, before: nil, after: row, changed: ColumnSet(), strings)
      }
    }
  }

  /// Shows all rows to streams that begin; returns how many rows each filter has. Many comparisons of several
  /// filters get an index of their own for it.
  private func evaluate(
    _ begun: inout [Beginning], _ forEachRow: ((StringTable.Code, Row) -> Void) -> Void
  ) -> [Int64] {
    let comparisons = begun.reduce(0) { $0 + $1.filter.comparisonCount }
    if comparisons < (begun.count == 1 ? Self.scanOneMax : Self.scanMax) { return scan(&begun, forEachRow) }
    let theirs = FilterIndex(rows: rows)
    theirs.now = now
    clock.willBegin(now: now)
    for set in begun { _ = theirs.insert(set.filter, observed: set.observed, count: 0) }
    forEachRow { [begun] key, row in
      clock.begin(key, row)
      theirs.apply(before: nil, after: row, changed: ColumnSet()) { move in
        begun[Int(move.filter)].show(key, row, strings)
      }
    }
    return begun.indices.map { theirs.count(of: Int32($0)) }
  }

  /// Fewer comparisons than that are evaluated row by row. Of one filter more: an index costs as much as to take it
  /// apart a second time.
  private static let scanMax = 24
  private static let scanOneMax = 128

  private func scan(
    _ begun: inout [Beginning], _ forEachRow: ((StringTable.Code, Row) -> Void) -> Void
  ) -> [Int64] {
    for i in begun.indices where setsByID[begun[i].set] == nil {
      begun[i].record = index.makeRecord(begun[i].filter, observed: begun[i].observed)
    }
    let records = begun.map { $0.record ?? index.record(setsByID[$0.set]!.number) }
    var counts = begun.map { _ in Int64(0) }
    clock.willBegin(now: now)
    forEachRow { [begun] key, row in
      clock.begin(key, row)
      for i in begun.indices where index.passes(row, records[i]) {
        counts[i] += 1
        begun[i].show(key, row, strings)
      }
    }
    return counts
  }

  /// Takes streams that began over into the set of their name.
  private func take(_ begun: Beginning, _ count: Int64, _ failures: inout [String: EngineError]) {
    for stream in begun.streams {
      precondition(places[stream.id] == nil, "stream \(stream.id) is there already")
      if let failure = stream.failure ?? limit(adding: begun) {
        stream.removeAll(strings)
        failures[stream.id] = failure
        continue
      }
      let set = setsByID[begun.set] ?? makeSet(begun, count)
      set.streams.append(stream)
      places[stream.id] = (set, stream)
    }
    if let set = setsByID[begun.set] { observe(set) }
  }

  /// The limit that one more filter would pass.
  private func limit(adding begun: Beginning) -> EngineError? {
    if setsByID[begun.set] != nil { return nil }
    if setsByID.count >= limits.filtersMax { return .tooManyFilters(max: limits.filtersMax) }
    if index.entryCount < limits.indexEntriesMax { return nil }
    return .tooManyIndexEntries(max: limits.indexEntriesMax)
  }

  private func makeSet(_ begun: Beginning, _ count: Int64) -> RequestSet {
    let record = begun.record ?? index.makeRecord(begun.filter, observed: begun.observed)
    let number = index.insert(record, count: count)
    let set = RequestSet(id: begun.set, number: number, clockTests: begun.clockTests)
    set.observed = begun.observed
    setsByID[begun.set] = set
    while sets.count <= Int(number) { sets.append(nil) }
    sets[Int(number)] = set
    return set
  }

  private func withBlankRow(_ body: (Row) -> Void) {
    withUnsafeTemporaryAllocation(of: Cell.self, capacity: rows.width) { cells in
      cells.initialize(repeating: 0)
      body(Row(cells.baseAddress!))
    }
  }

  /// Has the index tell what the set's streams want to know.
  private func observe(_ set: RequestSet) {
    let wanted = set.streams.compactMap(\.columns)
    let columns = wanted.first.map { first in wanted.reduce(into: first) { $0.formUnion($1) } }
    if columns == set.observed { return }
    set.observed = columns
    index.observe(set.number, columns)
  }

  /// Ends all streams.
  public func removeAll() {
    for (_, stream) in places.values { stream.removeAll(strings) }
    for set in sets {
      guard let set else { continue }
      index.remove(set.number)
      clock.remove(set.clockTests)
    }
    places = PartedDictionary()
    sets = []
    setsByID = PartedDictionary()
    streamsOverLimit = []
  }

  /// Ends a stream, what was pending with it. A stream that is not there is no error.
  public func remove(stream id: String) {
    guard let (set, stream) = places.removeValue(forKey: id) else { return }
    if stream.failure != nil { streamsOverLimit.removeAll { $0.id == id } }
    stream.removeAll(strings)
    set.streams.removeAll { $0 === stream }
    if !set.streams.isEmpty { return observe(set) }
    setsByID[set.id] = nil
    sets[Int(set.number)] = nil
    index.remove(set.number)
    clock.remove(set.clockTests)
  }

  // MARK: Rows

  /// One dirty row of a drain: how it was at the last drain, and how it is. Nil: there was, or is, none. The
  /// cells' codes must be valid during the call. What it costs grows with the sets that the row enters or
  /// leaves, and those with streams of more than counts that it changes in.
  public func apply(key: StringTable.Code, before: Row?, after: Row?) {
    var changed = ColumnSet()
    if let before, let after {
      changed = ColumnSet(changedBetween: before, after, width: rows.width)
      if changed.isEmpty { return }
    }
    clock.note(key, before: before, after: after)
    index.apply(before: before, after: after, changed: changed) { tell($0, key, before, after, changed) }
  }

  /// Time goes on: rows enter and leave filters that read NOW(), without an event. To be called behind the
  /// last `apply` of a drain, whose rows are as they were at the time before. Time that falls is ignored.
  ///
  /// `current` gives the row of a key as it was last given to `apply` or `add`; nil if there is none. What it
  /// costs grows with the rows that pass a boundary of a filter, and with the boundaries.
  public func advance(to next: Int64, current: (StringTable.Code) -> Row?) {
    if next <= now { return }
    for due in clock.advance(from: now, to: next, current) {
      guard let row = current(due.key) else { continue }
      index.pass(row, to: next, columns: due.columns) { tell($0, due.key, row, row, ColumnSet()) }
    }
    index.now = next
    clock.forget(before: next, current)
  }

  private func tell(
    _ move: FilterIndex.Move, _ key: StringTable.Code, _ before: Row?, _ after: Row?, _ changed: ColumnSet
  ) {
    guard let set = sets[Int(move.filter)] else { return }
    for stream in set.streams where stream.failure == nil {
      stream.apply(
        key, before: move.wasIn ? before : nil, after: move.isIn ? after : nil, changed: changed, strings)
      if let failure = stream.failure { streamsOverLimit.append((stream.id, failure)) }
    }
  }

  // MARK: Collecting

  /// Appends the net records that are pending for these streams to `out`, a run a stream in the order of
  /// `ids`, and clears what was pending. A stream without changes is listed with no records; one that is not
  /// there, or stands over a limit, is left out. A stream with which the records of this call have more
  /// than `bytesMax` bytes is over that limit from then on.
  ///
  /// `current` gives the row of a key as it was last given to `apply` or `add`; nil if there is none. (One
  /// that is newer does no lasting harm: the record is then early, and comes again.)
  public func collect(
    _ ids: some Sequence<String>, into out: SweepBatch, bytesMax: Int = .max,
    current: (StringTable.Code) -> Row?
  ) {
    let (end, overflow) = out.byteCount.addingReportingOverflow(bytesMax)
    let bytesEnd = overflow ? .max : end
    for id in ids {
      guard let (set, stream) = places[id], stream.failure == nil else { continue }
      out.begin(stream: id)
      let overflows = stream.overflows
      stream.collect(
        into: out, bytesMax: bytesEnd, strings, rowsIn: index.count(of: set.number), current)
      sumOverflows += stream.overflows - overflows
      if out.byteCount > bytesEnd {
        out.dropLastStream()
        stream.isTooLarge(.tooManyBytes(max: bytesMax), strings)
      }
      if let failure = stream.failure { streamsOverLimit.append((id, failure)) }
    }
  }

  /// Keys that wait to be collected for a stream, those included that will turn out unchanged.
  public func pendingCount(stream id: String) -> Int {
    guard let (set, stream) = places[id] else { return 0 }
    return stream.pendingCount(rowsIn: index.count(of: set.number))
  }

  /// How often a sum of a stream became null when it was collected.
  public func sumOverflows(stream id: String) -> Int { places[id]?.stream.overflows ?? 0 }
}

extension Filter {
  /// The parts that AND, OR and NOT combine.
  fileprivate var comparisonCount: Int {
    switch self {
    case .constant: 0
    case .not(let inner): inner.comparisonCount
    case .and(let parts), .or(let parts): parts.reduce(0) { $0 + $1.comparisonCount }
    default: 1
    }
  }
}

/// A stream that is to begin (`Engine.add`).
public struct NewStream: Sendable {
  public let id: String
  /// The name of its canonical filter.
  public let set: String
  public let view: View

  public init(id: String, set: String, view: View) {
    self.id = id
    self.set = set
    self.view = view
  }
}

/// All streams with one filter.
private final class RequestSet {
  let id: String
  /// Its filter's, in the index.
  let number: Int32
  /// In the order of their making, which is the order of work.
  var streams: [Stream] = []
  /// The columns that those read which want to know the rows; nil where all merely count.
  var observed: ColumnSet?

  let clockTests: [Filter.ClockTest]

  init(id: String, number: Int32, clockTests: [Filter.ClockTest]) {
    self.id = id
    self.number = number
    self.clockTests = clockTests
  }
}

/// A stream's view, of one of the kinds.
private final class Stream {
  enum State {
    case pure(PureState)
    case metric(MetricState)
    case count(CountState)
  }

  let id: String
  let state: State
  /// What it reads of the rows that pass; nil: it does not look at them.
  let columns: ColumnSet?

  init(id: String, _ view: View, limits: EngineLimits) {
    self.id = id
    if let count = CountState(view.body) {
      (state, columns) = (.count(count), nil)
      return
    }
    switch view.body {
    case .pure(let outputs):
      let pure = PureState(outputs, limits: limits)
      (state, columns) = (.pure(pure), pure.columns)
    case .metric(let metrics, let groupBy):
      let metric = MetricState(metrics, groupBy, view.schema, limits: limits)
      (state, columns) = (.metric(metric), metric.columns)
    }
  }

  func start(_ blank: Row, _ strings: StringTable) {
    if case .metric(let metric) = state { metric.start(blank, strings) }
  }

  @inline(__always)
  func apply(
    _ key: StringTable.Code, before: Row?, after: Row?, changed: ColumnSet, _ strings: StringTable
  ) {
    switch state {
    case .pure(let pure):
      pure.apply(key, wasIn: before != nil, isIn: after != nil, changed: changed, strings)
    case .metric(let metric): metric.apply(before: before, after: after, changed: changed, strings)
    case .count: break
    }
  }

  func collect(
    into out: SweepBatch, bytesMax: Int, _ strings: StringTable, rowsIn: Int64,
    _ current: (StringTable.Code) -> Row?
  ) {
    switch state {
    case .pure(let pure): pure.collect(into: out, bytesMax: bytesMax, strings, current)
    case .metric(let metric): metric.collect(into: out, strings)
    case .count(let count): count.collect(rowsIn, into: out)
    }
  }

  /// It stands still from now on.
  func isTooLarge(_ error: EngineError, _ strings: StringTable) {
    switch state {
    case .pure(let pure): pure.failure = error
    case .metric(let metric): metric.failure = error
    case .count(let count): count.failure = error
    }
    removeAll(strings)
  }

  func removeAll(_ strings: StringTable) {
    switch state {
    case .pure(let pure): pure.removeAll(strings)
    case .metric(let metric): metric.removeAll(strings)
    case .count: break
    }
  }

  var failure: EngineError? {
    switch state {
    case .pure(let pure): pure.failure
    case .metric(let metric): metric.failure
    case .count(let count): count.failure
    }
  }

  func pendingCount(rowsIn: Int64) -> Int {
    switch state {
    case .pure(let pure): pure.pendingCount
    case .metric(let metric): metric.pendingCount
    case .count(let count): count.pendingCount(rowsIn)
    }
  }

  var overflows: Int {
    if case .metric(let metric) = state { return metric.overflows }
    return 0
  }
}
