import Base
import Events
import Query

/// A metric view: its groups and their metrics, kept up to date row by row.
final class MetricState {
  /// The columns that it reads besides the filter's.
  let columns: ColumnSet
  private let groupColumns: ColumnSet
  private let metricColumns: ColumnSet
  private let isGrouped: Bool
  private let fields: RecordFields
  private let aggregates: [Aggregate]
  private var groups: GroupTable
  private let groupsMax: Int
  /// Numbers of the groups that changed, in the order in which they first did.
  private var pending: [Int] = []
  /// By group, what its last record said, one value a metric; strings with shares.
  private var published: [MetricValue] = []
  private(set) var failure: EngineError?

  init(
    _ metrics: [Query.Metric], _ groupBy: [GroupColumn], _ schema: Schema, limits: EngineLimits
  ) {
    isGrouped = !groupBy.isEmpty
    fields = RecordFields(groupBy.map(\.name) + metrics.map(\.name))
    let aggregates = metrics.map(Aggregate.init)
    self.aggregates = aggregates
    groupsMax = limits.groupsMax
    groups = GroupTable(groupBy.map(\.column), schema, groupsMax: limits.groupsMax)
    groupColumns = ColumnSet(groupBy.map(\.column))
    metricColumns = aggregates.reduce(into: ColumnSet()) { $0.formUnion($1.columns) }
    var columns = metricColumns
    columns.formUnion(groupColumns)
    self.columns = columns
  }

  var pendingCount: Int { pending.count }
  /// Integer sums that were outside 64 bits when they were collected.
  var overflows: Int { aggregates.reduce(0) { $0 + $1.overflows } }

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
    for aggregate in aggregates { aggregate.add(row, to: group, strings) }
    markPending(group)
  }

  private func remove(_ row: Row, _ strings: StringTable) {
    let group = group(of: row)
    groups[group].rows -= 1
    for aggregate in aggregates { aggregate.remove(row, from: group, strings) }
    markPending(group)
  }

  private func update(_ before: Row, _ after: Row, _ changed: ColumnSet, _ strings: StringTable) {
    let group = group(of: before)
    for aggregate in aggregates where changed.intersects(aggregate.columns) {
      aggregate.add(after, to: group, strings)
      aggregate.remove(before, from: group, strings)
    }
    markPending(group)
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
      failure = .tooManyGroups(max: groupsMax)
      removeAll(strings)
      return nil
    }
    if isNew { makeGroup(group) }
    return group
  }

  private func makeGroup(_ group: Int) {
    for aggregate in aggregates { aggregate.makeGroup(group) }
    if (group + 1) * aggregates.count > published.count {
      published.append(contentsOf: repeatElement(.null, count: aggregates.count))
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
    let first = group * aggregates.count
    for (i, aggregate) in aggregates.enumerated() {
      let value = aggregate.value(of: group, rows: groups[group].rows, strings)
      if value == published[first + i] { continue }
      isNew = true
      if case .string(let code) = value { strings.retain(code) }
      if case .string(let code) = published[first + i] { strings.release(code) }
      published[first + i] = value
    }
    return isNew
  }

  private func write(_ group: Int, _ strings: StringTable, to buffer: inout ByteBuffer) {
    let groupCount = groups.columns.count
    for i in 0..<groupCount {
      fields.open(i, in: &buffer)
      groups.writeValue(group, i, strings, to: &buffer)
    }
    for i in aggregates.indices {
      fields.open(groupCount + i, in: &buffer)
      switch published[group * aggregates.count + i] {
      case .null: buffer.append("null" as StaticString)
      case .int(let n): buffer.append(decimal: n)
      case .real(let x): buffer.append(jsonReal: x)
      case .string(let code): buffer.append(jsonString: strings.bytes(code))
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
    for aggregate in aggregates { aggregate.dropGroup(group, strings) }
    for at in group * aggregates.count..<(group + 1) * aggregates.count {
      if case .string(let code) = published[at] { strings.release(code) }
      published[at] = .null
    }
  }

  /// Forgets everything and gives all shares back.
  func removeAll(_ strings: StringTable) {
    // Numbers that are free hold nothing: releasing them again does nothing.
    for group in groups.groups.indices { release(group, strings) }
    groups.removeAll(strings)
    published = []
    pending = []
  }
}
