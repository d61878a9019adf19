import Base
import Events
import Query

/// What a metric is at one moment, in a form that compares exactly: the JSON texts of two are equal if and
/// only if they are, but that a histogram's counts are compared where they are kept.
enum MetricValue: Equatable {
  case null
  /// A sum that no 64-bit number holds: null in the record, and counted.
  case overflow
  case int(Int64)
  case real(Double)
  /// Nobody's share: whoever keeps it takes one.
  case string(StringTable.Code)
  case counts
}

/// What is kept of one formula's values over all groups of a view, for all metrics that need the same; groups are
/// numbered from 0. Exact under any order of `add` and `remove`: what it says depends on the rows
/// that are in it and on nothing else. A share is held of each string that is kept.
struct Aggregate {
  enum Kind: Hashable {
    /// SUM, AVG.
    case sums
    /// MIN, MAX.
    case extremes
    case distinct
    /// QUANTILE.
    case buckets
    case histogram([Number])

    /// nil: the number of a group's rows is enough.
    init?(_ function: Query.Metric.Function) {
      switch function {
      case .count: return nil
      case .countDistinct: self = .distinct
      case .sum, .avg: self = .sums
      case .min, .max: self = .extremes
      case .quantile: self = .buckets
      case .histogram(let bounds): self = .histogram(bounds)
      }
    }
  }

  private let kind: Kind
  private let argument: Argument
  /// One of these three is used.
  private var sums: Sums
  private var values: Multisets
  private var histograms: Histograms
  /// Multisets a group: integers and reals of a mixed formula are apart.
  private let trees: Int

  init(_ kind: Kind, of argument: Query.Expression) {
    self.kind = kind
    self.argument = Argument(argument)
    sums = Sums(self.argument)
    values = Multisets(kind == .extremes && argument.type == .string ? .texts : .numbers)
    histograms = if case .histogram(let bounds) = kind { Histograms(bounds) } else { Histograms([]) }
    trees = self.argument.isMixed && kind != .buckets ? 2 : 1
  }

  var columns: ColumnSet { argument.columns }

  /// Distinct values, buckets or counters held.
  var valueCount: Int { values.count + histograms.count }

  /// Makes room for a group, empty; its number is the next one, or that of a group that was dropped.
  mutating func makeGroup(_ group: Int) {
    switch kind {
    case .sums: sums.make(group)
    case .extremes, .distinct, .buckets:
      for tree in group * trees..<(group + 1) * trees { values.make(tree) }
    case .histogram: histograms.make(group)
    }
  }

  /// Gives back what a group holds.
  mutating func dropGroup(_ group: Int, _ strings: StringTable) {
    switch kind {
    case .sums, .histogram: break
    case .extremes, .distinct, .buckets:
      let areTexts = argument.type == .string
      for tree in group * trees..<(group + 1) * trees {
        values.removeAll(tree) { if areTexts { strings.release(UInt32($0)) } }
      }
    }
  }

  // MARK: Rows

  @inline(__always)
  mutating func add(_ row: Row, to group: Int, _ strings: StringTable) {
    let new = argument.value(row, strings)
    change(new, group, isAdded: true, strings)
    argument.end(new, strings)
  }

  @inline(__always)
  mutating func remove(_ row: Row, from group: Int, _ strings: StringTable) {
    let old = argument.value(row, strings)
    change(old, group, isAdded: false, strings)
    argument.end(old, strings)
  }

  @inline(__always)
  mutating func update(_ before: Row, _ after: Row, in group: Int, _ strings: StringTable) {
    let (old, new) = (argument.value(before, strings), argument.value(after, strings))
    if old != new {
      change(new, group, isAdded: true, strings)
      change(old, group, isAdded: false, strings)
    }
    argument.end(new, strings)
    argument.end(old, strings)
  }

  @inline(__always)
  private mutating func change(
    _ input: Argument.Input, _ group: Int, isAdded: Bool, _ strings: StringTable
  ) {
    switch kind {
    case .sums: sums.change(input, group, isAdded: isAdded)
    case .histogram: histograms.change(input, group, isAdded: isAdded)
    case .extremes, .distinct, .buckets: changeValue(input, group, isAdded, strings)
    }
  }

  private mutating func changeValue(
    _ input: Argument.Input, _ group: Int, _ isAdded: Bool, _ strings: StringTable
  ) {
    let tree = group * trees
    switch input {
    case .int(let n) where kind == .buckets: change(bucket(n), tree, isAdded, strings)
    case .int(let n): change(n, tree, isAdded, strings)
    case .real(let x) where kind == .buckets: change(bucket(x), tree, isAdded, strings)
    case .real(let x):
      // A real that equals an integer is the same value, and where both can be, one of them must stand for both.
      if trees == 2, kind == .distinct, let n = Int64(exactly: x) {
        change(n, tree, isAdded, strings)
      } else {
        change(Self.ordered(x), tree + trees - 1, isAdded, strings)
      }
    case .text(let code):
      guard change(Int64(code), tree, isAdded, strings) else { return }
      if isAdded { strings.retain(code) } else { strings.release(code) }
    }
  }

  /// True: the value is new, or gone.
  @discardableResult @inline(__always)
  private mutating func change(_ key: Int64, _ tree: Int, _ isAdded: Bool, _ strings: StringTable) -> Bool {
    isAdded ? values.add(key, to: tree, strings) : values.remove(key, from: tree, strings)
  }

  /// The bits of a real as an integer that stands to others as the real does; and back.
  @inline(__always)
  private static func ordered(_ x: Double) -> Int64 {
    let bits = Int64(bitPattern: x.bitPattern)
    return bits ^ (bits >> 63 & .max)
  }

  private static func real(_ ordered: Int64) -> Double {
    Double(bitPattern: UInt64(bitPattern: ordered ^ (ordered >> 63 & .max)))
  }

  @inline(__always)
  private func bucket(_ n: Int64) -> Int64 {
    argument.type == .time ? Buckets.bucket(ofTime: n) : Buckets.bucket(of: Double(n))
  }

  private func bucket(_ x: Double) -> Int64 {
    argument.type == .time ? Buckets.bucket(ofTime: Number.real(x).truncated) : Buckets.bucket(of: x)
  }

  // MARK: Values

  /// What a metric says of a group that has so many rows.
  mutating func value(_ function: Query.Metric.Function, of group: Int, rows: Int) -> MetricValue {
    let tree = group * trees
    switch function {
    case .count: return .int(Int64(rows))
    case .countDistinct:
      return .int((tree..<tree + trees).reduce(0) { $0 + Int64(values.distinct($1)) })
    case .sum: return sums.sum(group)
    case .avg: return sums.mean(group, rows: rows)
    case .min: return extreme(values.first(tree), values.first(tree + trees - 1), isLeast: true)
    case .max: return extreme(values.last(tree), values.last(tree + trees - 1), isLeast: false)
    case .quantile(let p): return rows == 0 ? .null : quantile(Buckets.rank(p, of: rows), tree)
    case .histogram: return .counts
    }
  }

  /// Of integers or strings, and of reals where they are apart.
  private func extreme(_ key: Int64?, _ realKey: Int64?, isLeast: Bool) -> MetricValue {
    if argument.type == .string { return key.map { .string(UInt32($0)) } ?? .null }
    if argument.type == .real { return key.map { Self.value(Self.real($0)) } ?? .null }
    guard trees == 2, let real = realKey.map(Self.real) else { return key.map { .int($0) } ?? .null }
    guard let key else { return Self.value(real) }
    let order = Number.order(.int(key), .real(real))
    return (isLeast ? order <= 0 : order >= 0) ? .int(key) : Self.value(real)
  }

  private func quantile(_ rank: Int, _ tree: Int) -> MetricValue {
    var left = rank
    var found: Int64 = 0
    values.forEach(tree) { bucket, count in
      found = bucket
      left -= count
      return left > 0
    }
    if argument.type == .time { return .int(Buckets.time(of: found)) }
    let value = Buckets.value(of: found)
    if argument.type == .real { return Self.value(value) }
    // Integers near 2^63 are in the bucket of 2^63, which is none.
    if value == 0x1p63 { return .int(.max) }
    return Int64(exactly: value).map { .int($0) } ?? Self.value(value)
  }

  /// JSON has no infinities.
  private static func value(_ x: Double) -> MetricValue { x.isFinite ? .real(x) : .null }

  // MARK: Histograms

  /// Brings what is published of a histogram up to date. False: nothing is new.
  mutating func publishCounts(_ group: Int) -> Bool { histograms.publish(group) }

  func writeCounts(_ group: Int, to buffer: inout ByteBuffer) { histograms.write(group, to: &buffer) }
}
