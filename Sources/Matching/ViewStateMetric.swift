import Base
import Events
import Query

/// A metric view: its groups and their metrics, kept up to date row by row. Metrics that need the same of the
/// same formula (SUM and AVG, MIN and MAX, all QUANTILEs) share one aggregate.
final class MetricState {
  private struct Output {
    let function: Query.Metric.Function
    /// nil: it counts rows.
    let aggregate: Int?
  }

  /// The columns that it reads besides the filter's.
  let columns: ColumnSet
  private let groupColumns: ColumnSet
  private let metricColumns: ColumnSet
  private let isGrouped: Bool
  private let fields: RecordFields
  private let outputs: [Output]
  private var aggregates: [Aggregate]
  private var groups: GroupTable
  private let limits: EngineLimits
  /// Numbers of the groups that changed, in the order in which they first did.
  private var pending: [Int] = []
  /// By group, what its last record said, one value a metric; strings with shares.
  private var published: [MetricValue] = []
  var failure: EngineError?
  /// Sums that became null because no 64-bit number holds them.
  private(set) var overflows = 0

  init(
    _ metrics: [Query.Metric], _ groupBy: [GroupColumn], _ schema: Schema, limits: EngineLimits
  ) {
    isGrouped = !groupBy.isEmpty
    fields = RecordFields(groupBy.map(\.name) + metrics.map(\.name))
    (outputs, aggregates) = Self.shared(metrics)
    self.limits = limits
    groups = GroupTable(groupBy.map(\.column), schema, groupsMax: limits.groupsMax)
    groupColumns = ColumnSet(groupBy.map(\.column))
    metricColumns = aggregates.reduce(into: ColumnSet()) { $0.formUnion($1.columns) }
    var columns = metricColumns
    columns.formUnion(groupColumns)
    self.columns = columns
  }

  private static func shared(_ metrics: [Query.Metric]) -> ([Output], [Aggregate]) {
    struct Need: Hashable {
      let kind: Aggregate.Kind
      let argument: Query.Expression
    }
    var aggregates: [Aggregate] = []
    var indices: [Need: Int] = [:]
    let outputs = metrics.map { metric in
      guard let kind = Aggregate.Kind(metric.function), let argument = metric.argument else {
        return Output(function: metric.function, aggregate: nil)
      }
      let need = Need(kind: kind, argument: argument)
      let index = indices[need] ?? aggregates.count
      if index == aggregates.count {
        aggregates.append(Aggregate(kind, of: argument))
        indices[need] = index
      }
      return Output(function: metric.function, aggregate: index)
    }
    return (outputs, aggregates)
  }

  var pendingCount: Int { pending.count }

  /// An ungrouped view is there before its first row. No column of the row is looked at.
  func start(_ anyRow: Row, _ strings: StringTable) {
    if !isGrouped, let group = enter(anyRow, strings) { markPending(group) }
  }

  // MARK: Rows

  /// One row of the view's filter: `before` and `after` are nil where it does not pass; not both are.
  @inline(__always)
  func apply(before: Row?, after: Row?, changed: ColumnSet, _ strings: StringTable) {
    if failure != nil { return }
    switch (before, after) {
    case (nil, let after?): add(after, strings)
    case (let before?, nil): remove(before, strings)
    case (let before?, let after?):
      if changed.intersects(groupColumns) {
        remove(before, strings)
        add(after, strings)
      } else if changed.intersects(metricColumns) {
        update(before, after, changed, strings)
      }
    case (nil, nil): break
    }
  }

  private func add(_ row: Row, _ strings: StringTable) {
    guard let group = enter(row, strings) else { return }
    groups[group].rows += 1
    for i in aggregates.indices { aggregates[i].add(row, to: group, strings) }
    markPending(group)
    checkValues(strings)
  }

  private func remove(_ row: Row, _ strings: StringTable) {
    let group = group(of: row)
    groups[group].rows -= 1
    for i in aggregates.indices { aggregates[i].remove(row, from: group, strings) }
    markPending(group)
  }

  private func update(_ before: Row, _ after: Row, _ changed: ColumnSet, _ strings: StringTable) {
    let group = group(of: before)
    for i in aggregates.indices where changed.intersects(aggregates[i].columns) {
      aggregates[i].update(before, after, in: group, strings)
    }
    markPending(group)
    checkValues(strings)
  }

  @inline(__always)
  private func checkValues(_ strings: StringTable) {
    for i in aggregates.indices where aggregates[i].valueCount > limits.valuesMax {
      return fail(.tooManyValues(max: limits.valuesMax), strings)
    }
  }

  private func fail(_ error: EngineError, _ strings: StringTable) {
    failure = error
    removeAll(strings)
  }

  private func group(of row: Row) -> Int {
    if !isGrouped { return 0 }
    guard let group = groups.find(row) else {
      preconditionFailure("a row leaves a group that it never entered")
    }
    return group
  }

  private func enter(_ row: Row, _ strings: StringTable) -> Int? {
    if !isGrouped && groups.count > 0 { return 0 }
    guard let (group, isNew) = groups.findOrMake(row, strings) else {
      fail(.tooManyGroups(max: limits.groupsMax), strings)
      return nil
    }
    if isNew { makeGroup(group) }
    return group
  }

  private func makeGroup(_ group: Int) {
    for i in aggregates.indices { aggregates[i].makeGroup(group) }
    if (group + 1) * outputs.count > published.count {
      published.append(contentsOf: repeatElement(.null, count: outputs.count))
    }
  }

  @inline(__always)
  private func markPending(_ group: Int) {
    if groups[group].isPending { return }
    groups[group].isPending = true
    pending.append(group)
  }

  // MARK: Collecting

  /// Appends the records of groups whose JSON is not what it was at the last collect, and clears what was
  /// pending.
  func collect(into out: SweepBatch, _ strings: StringTable) {
    for group in pending {
      groups[group].isPending = false
      if isGrouped && groups[group].rows == 0 {
        if groups[group].isPublished {
          out.append(nullWithKey: { groups.writeKey(group, strings, to: &$0) })
        }
        drop(group, strings)
      } else if publish(group, strings) {
        out.append {
          groups.writeKey(group, strings, to: &$0)
        } value: {
          write(group, strings, to: &$0)
        }
      }
    }
    pending.removeAll(keepingCapacity: pending.count < 1 << 16)
  }

  /// Brings `published` up to date. False: nothing is new.
  private func publish(_ group: Int, _ strings: StringTable) -> Bool {
    var isNew = !groups[group].isPublished
    groups[group].isPublished = true
    let first = group * outputs.count
    for (i, output) in outputs.enumerated() {
      let value = value(output, group)
      if value == .counts, let at = output.aggregate, aggregates[at].publishCounts(group) { isNew = true }
      if value == published[first + i] { continue }
      isNew = true
      if value == .overflow { overflows += 1 }
      if case .string(let code) = value { strings.retain(code) }
      if case .string(let code) = published[first + i] { strings.release(code) }
      published[first + i] = value
    }
    return isNew
  }

  private func value(_ output: Output, _ group: Int) -> MetricValue {
    let rows = groups[group].rows
    guard let at = output.aggregate else { return .int(Int64(rows)) }
    return aggregates[at].value(output.function, of: group, rows: rows)
  }

  private func write(_ group: Int, _ strings: StringTable, to buffer: inout ByteBuffer) {
    let groupCount = groups.columns.count
    for i in 0..<groupCount {
      fields.open(i, in: &buffer)
      groups.writeValue(group, i, strings, to: &buffer)
    }
    for (i, output) in outputs.enumerated() {
      fields.open(groupCount + i, in: &buffer)
      switch published[group * outputs.count + i] {
      case .null, .overflow: buffer.append("null" as StaticString)
      case .int(let n): buffer.append(decimal: n)
      case .real(let x): buffer.append(jsonReal: x)
      case .string(let code): buffer.append(jsonString: strings.bytes(code))
      case .counts: if let at = output.aggregate { aggregates[at].writeCounts(group, to: &buffer) }
      }
    }
    buffer.append(UInt8(ascii: "}"))
  }

  /// Forgets a group and gives its shares back.
  private func drop(_ group: Int, _ strings: StringTable) {
    release(group, strings)
    groups.drop(group, strings)
  }

  private func release(_ group: Int, _ strings: StringTable) {
    for i in aggregates.indices { aggregates[i].dropGroup(group, strings) }
    for at in group * outputs.count..<(group + 1) * outputs.count {
      if case .string(let code) = published[at] { strings.release(code) }
      published[at] = .null
    }
  }

  /// Forgets everything and gives all shares back.
  func removeAll(_ strings: StringTable) {
    // Numbers that are free hold nothing: releasing them again does nothing.
    for group in groups.groups.indices { release(group, strings) }
    aggregates = []
    groups.removeAll(strings)
    published = []
    pending = []
  }
}
