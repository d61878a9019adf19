import Events
import Query

/// Matches changed rows against all streams' views and keeps what each has yet to publish (DESIGN section 7,
/// net streams).
///
/// Streams with the same filter are of one set, whose filter is evaluated once a row for all of them. It
/// belongs to the thread of its table: no call may come from elsewhere. It holds shares in the table's
/// strings, which `remove` gives back.
public final class Engine {
  private let rows: RowStore
  private let strings: StringTable
  private let limits: EngineLimits
  /// In the order of their making, which is the order of work; and by their ids.
  private var sets: [RequestSet] = []
  private var setsByID: [String: RequestSet] = [:]
  private var places: [String: (set: RequestSet, stream: Stream)] = [:]

  public init(rows: RowStore, limits: EngineLimits = EngineLimits()) {
    self.rows = rows
    strings = rows.strings
    self.limits = limits
  }

  /// What NOW() is, in ms since 1970: to be set before `add` and `apply`.
  public var now: Int64 = 0

  /// How often a sum became null when it was collected, because no 64-bit number holds it.
  public private(set) var sumOverflows = 0

  public var streamCount: Int { places.count }
  public var setCount: Int { sets.count }

  public func contains(stream id: String) -> Bool { places[id] != nil }

  // MARK: Streams

  /// Begins streams: evaluates their views over all rows, as they are committed, in one pass; after it
  /// everything in them is pending. Streams with one `set` must have the same canonical filter. O(rows x sets).
  ///
  /// `rows` calls its argument once for each row that is there. A stream whose view is over a limit is not
  /// there afterwards, and is in what is returned; to try again makes sense only with fewer rows.
  @discardableResult
  public func add(
    _ new: [NewStream], rows forEachRow: ((StringTable.Code, Row) -> Void) -> Void
  ) -> [String: EngineError] {
    var begun: [RequestSet] = []
    var placesOfSets: [String: Int] = [:]
    for entry in new {
      let stream = Stream(id: entry.id, entry.view, limits: limits)
      withBlankRow { stream.start($0, strings) }
      let place = placesOfSets[entry.set] ?? begun.count
      if place == begun.count {
        placesOfSets[entry.set] = place
        begun.append(RequestSet(id: entry.set, filter: entry.view.filter))
      }
      begun[place].add(stream)
    }
    forEachRow { key, row in
      for set in begun { set.begin(key, row, strings, now) }
    }
    return begun.reduce(into: [:]) { failures, set in take(set, &failures) }
  }

  /// The same for one stream; throws where its view is over a limit.
  public func add(
    stream id: String, set: String, view: View, rows forEachRow: ((StringTable.Code, Row) -> Void) -> Void
  ) throws(EngineError) {
    if let failure = add([NewStream(id: id, set: set, view: view)], rows: forEachRow)[id] { throw failure }
  }

  /// Takes streams that began over into the set of their name.
  private func take(_ begun: RequestSet, _ failures: inout [String: EngineError]) {
    for stream in begun.streams {
      precondition(places[stream.id] == nil, "stream \(stream.id) is there already")
      if let failure = stream.failure {
        stream.removeAll(strings)
        failures[stream.id] = failure
        continue
      }
      let set = setsByID[begun.id] ?? RequestSet(id: begun.id, filter: begun.filter)
      if setsByID.updateValue(set, forKey: begun.id) == nil { sets.append(set) }
      set.add(stream)
      places[stream.id] = (set, stream)
    }
  }

  private func withBlankRow(_ body: (Row) -> Void) {
    withUnsafeTemporaryAllocation(of: Cell.self, capacity: rows.width) { cells in
      cells.initialize(repeating: 0)
      body(Row(cells.baseAddress!))
    }
  }

  /// Ends all streams.
  public func removeAll() {
    for (_, stream) in places.values { stream.removeAll(strings) }
    places = [:]
    sets = []
    setsByID = [:]
  }

  /// Ends a stream, what was pending with it. A stream that is not there is no error.
  public func remove(stream id: String) {
    guard let (set, stream) = places.removeValue(forKey: id) else { return }
    stream.removeAll(strings)
    set.remove(stream)
    if set.streams.isEmpty {
      setsByID[set.id] = nil
      sets.removeAll { $0 === set }
    }
  }

  // MARK: Rows

  /// One dirty row of a drain: how it was at the last drain, and how it is. Nil: there was, or is, none. The
  /// cells' codes must be valid during the call. O(sets).
  public func apply(key: StringTable.Code, before: Row?, after: Row?) {
    var changed = ColumnSet()
    if let before, let after {
      changed = ColumnSet(changedBetween: before, after, width: rows.width)
      if changed.isEmpty { return }
    }
    for set in sets { set.apply(key, before, after, changed, strings, now) }
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
      guard let stream = places[id]?.stream, stream.failure == nil else { continue }
      out.begin(stream: id)
      let overflows = stream.overflows
      stream.collect(into: out, bytesMax: bytesEnd, strings, current)
      sumOverflows += stream.overflows - overflows
      if out.byteCount > bytesEnd {
        out.dropLastStream()
        stream.isTooLarge(.tooManyBytes(max: bytesMax), strings)
      }
    }
  }

  /// Keys that wait to be collected for a stream, those included that will turn out unchanged.
  public func pendingCount(stream id: String) -> Int { places[id]?.stream.pendingCount ?? 0 }

  /// How often a sum of a stream became null when it was collected.
  public func sumOverflows(stream id: String) -> Int { places[id]?.stream.overflows ?? 0 }

  /// Streams that passed a limit since they were added. They stand still until they are removed.
  public var streamsOverLimit: [(id: String, error: EngineError)] {
    sets.flatMap(\.streams).compactMap { stream in stream.failure.map { (stream.id, $0) } }
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
  let filter: CompiledFilter
  private let filterColumns: ColumnSet
  /// Those that the filter or any of the streams reads: a change of others is nobody's business.
  private var columns = ColumnSet()
  private(set) var streams: [Stream] = []

  convenience init(id: String, filter: Filter) { self.init(id: id, filter: CompiledFilter(filter)) }

  init(id: String, filter: CompiledFilter) {
    self.id = id
    self.filter = filter
    filterColumns = ColumnSet(filter.columnsUsed)
  }

  func add(_ stream: Stream) {
    streams.append(stream)
    setColumns()
  }

  func remove(_ stream: Stream) {
    streams.removeAll { $0 === stream }
    setColumns()
  }

  private func setColumns() {
    columns = streams.reduce(into: filterColumns) { $0.formUnion($1.columns) }
  }

  /// A row that is there when its streams begin.
  @inline(__always)
  func begin(_ key: StringTable.Code, _ row: Row, _ strings: StringTable, _ now: Int64) {
    guard filter.matches(row, strings, now) else { return }
    for stream in streams { stream.apply(key, before: nil, after: row, changed: columns, strings) }
  }

  @inline(__always)
  func apply(
    _ key: StringTable.Code, _ before: Row?, _ after: Row?, _ changed: ColumnSet, _ strings: StringTable,
    _ now: Int64
  ) {
    let isUpdate = before != nil && after != nil
    if isUpdate && !changed.intersects(columns) { return }
    let isIn = after.map { filter.matches($0, strings, now) } ?? false
    let wasIn =
      isUpdate && !changed.intersects(filterColumns)
      ? isIn : before.map { filter.matches($0, strings, now) } ?? false
    if !wasIn && !isIn { return }
    for stream in streams {
      stream.apply(
        key, before: wasIn ? before : nil, after: isIn ? after : nil, changed: changed, strings)
    }
  }
}

/// A stream's view, of either kind.
private final class Stream {
  enum State {
    case pure(PureState)
    case metric(MetricState)
  }

  let id: String
  let state: State
  let columns: ColumnSet

  init(id: String, _ view: View, limits: EngineLimits) {
    self.id = id
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
    }
  }

  func collect(
    into out: SweepBatch, bytesMax: Int, _ strings: StringTable, _ current: (StringTable.Code) -> Row?
  ) {
    switch state {
    case .pure(let pure): pure.collect(into: out, bytesMax: bytesMax, strings, current)
    case .metric(let metric): metric.collect(into: out, strings)
    }
  }

  /// It stands still from now on.
  func isTooLarge(_ error: EngineError, _ strings: StringTable) {
    switch state {
    case .pure(let pure): pure.failure = error
    case .metric(let metric): metric.failure = error
    }
    removeAll(strings)
  }

  func removeAll(_ strings: StringTable) {
    switch state {
    case .pure(let pure): pure.removeAll(strings)
    case .metric(let metric): metric.removeAll(strings)
    }
  }

  var failure: EngineError? {
    switch state {
    case .pure(let pure): pure.failure
    case .metric(let metric): metric.failure
    }
  }

  var pendingCount: Int {
    switch state {
    case .pure(let pure): pure.pendingCount
    case .metric(let metric): metric.pendingCount
    }
  }

  var overflows: Int {
    if case .metric(let metric) = state { return metric.overflows }
    return 0
  }
}
