import Base
import CScan
import Events
import Matching
import Query

/// How much of everything.
struct Sizes {
  var rows = 1_000
  /// At most; fewer where the scan takes long.
  var changes = 2_000
  var changesMin = 200
  var seed: UInt64 = 1
  /// Streams whose end and beginning are timed.
  var turnover = 500
  /// Of Belfry's over the changes.
  var passes = 5
  /// Nanoseconds for one pass of the scan.
  var passBudget: Int64 = 2_000_000_000
}

/// A thing that is not as it must be: the run ends.
struct Mismatch: Error, CustomStringConvertible {
  let description: String
}

/// One mix with so many filters: Belfry and the scan are given the same rows and the same changes.
final class Trial: Catalog {
  enum Kind: CaseIterable { case update, insert, delete, swing }

  struct Change {
    let kind: Kind
    let key: StringTable.Code
    let before: Row?
    let after: Row?
  }

  let schema: Schema
  private let population: any Population
  private let sizes: Sizes
  private var draw: Draw
  private let world: World
  private let engine: Engine
  /// In SQL, as they stand behind WHERE.
  private var filters: [String] = []
  /// The rows as they are after all changes made so far; nil: deleted.
  private var rows: [(key: StringTable.Code, values: [Value], cells: Row)?] = []
  /// The numbers of the rows that are there, in no order.
  private var living: [Int] = []
  /// What Belfry's streams said last, by the filter's number.
  private var counts: [Int64]
  private(set) var result: TrialResult
  private var changes: [Change] = []

  init(_ mix: String, _ population: any Population, filters count: Int, _ sizes: Sizes) {
    self.population = population
    self.sizes = sizes
    schema = population.schema
    draw = Draw(seed: sizes.seed)
    world = World()
    engine = Engine(rows: RowStore(schema: schema, strings: world.strings))
    counts = Array(repeating: 0, count: count)
    result = TrialResult(mix: mix, filters: count)
    makeFilters(count)
  }

  var tableNames: [String] { [schema.table] }
  func schema(ofTable name: String) -> Schema? { name == schema.table ? schema : nil }

  func run() throws {
    try addStreams()
    load()
    try check("rows were loaded")
    changes = makeChanges()
    result.add(measure())
    try check("rows changed")
    try turnOver()
    try check("streams ended and began again")
  }

  // MARK: Filters

  private func makeFilters(_ count: Int) {
    let world = self.world
    var writer = ScanWriter { world.cell(.string($0)) }
    var seen: Set<String> = []
    while filters.count < count {
      let condition = population.filter()
      let sql = condition.sql(schema)
      guard seen.insert(sql).inserted else { continue }
      writer.add(condition, to: world.scan)
      filters.append(sql)
    }
  }

  private func stream(_ number: Int) throws -> NewStream {
    let view = try parseView("SELECT COUNT(*) FROM \(schema.table) WHERE \(filters[number])", in: self)
    return NewStream(id: Self.id(number), set: String(sha256Hex(view.filterText).prefix(16)), view: view)
  }

  /// 16 hexadecimal digits, as in the service.
  private static func id(_ number: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }

  /// Before there are rows, a thousand at a time.
  private func addStreams() throws {
    let before = scan_heap_bytes()
    for start in stride(from: 0, to: filters.count, by: 1_000) {
      let new = try (start..<min(start + 1_000, filters.count)).map(stream)
      let began = scan_now()
      engine.add(new) { _ in }
      result.bulkAdd += scan_now() - began
    }
    result.bytes = Int(scan_heap_bytes()) - Int(before)
    result.sets = engine.setCount
  }

  // MARK: Rows

  private func install(_ number: Int, _ values: [Value]) -> Row {
    let cells = world.row(values)
    rows[number] = (world.cell(values[schema.key[0]]).code, values, cells)
    return cells
  }

  private func insert() -> Change {
    let number = rows.count
    rows.append(nil)
    living.append(number)
    let cells = install(number, population.row(number))
    return Change(kind: .insert, key: rows[number]!.key, before: nil, after: cells)
  }

  private func load() {
    for _ in 0..<sizes.rows {
      let change = insert()
      engine.apply(key: change.key, before: nil, after: change.after)
      scan_all(world.scan, nil, change.after)
    }
  }

  // MARK: Changes

  private func makeChanges() -> [Change] {
    let began = scan_now()
    let probe = rows[living[0]]!.cells
    let scan = world.scan
    for _ in 0..<5 { scan_all(scan, probe, probe) }
    let one = max(1, (scan_now() - began) / 5)
    let count = min(sizes.changes, max(sizes.changesMin, Int(sizes.passBudget / one)))
    return (0..<count).map { _ in change() }
  }

  private func change() -> Change {
    let kind = draw.below(100)
    if kind < 10 { return insert() }
    let at = draw.below(living.count)
    let number = living[at]
    let old = rows[number]!
    if kind < 20 {
      living.swapAt(at, living.count - 1)
      living.removeLast()
      rows[number] = nil
      return Change(kind: .delete, key: old.key, before: old.cells, after: nil)
    }
    var values = old.values
    if kind < 35 { population.swing(&values) } else { population.update(&values) }
    let cells = install(number, values)
    return Change(kind: kind < 35 ? .swing : .update, key: old.key, before: old.cells, after: cells)
  }

  /// Each pass begins with the rows as they were before the first change, and ends behind the last.
  private func measure() -> [Sample] {
    let (scan, width) = (world.scan, schema.columns.count)
    let whole = Passes(changes, passes: 3, start: world.keepCounts()) {
      scan_all(scan, $0.before, $0.after)
    } back: { [world] in
      world.restoreCounts()
    }
    let smart = Passes(changes, passes: 3, start: world.restoreCounts()) {
      guard let before = $0.before, let after = $0.after else { return scan_all(scan, $0.before, $0.after) }
      return scan_changed(scan, before, after, width)
    } back: { [world] in
      world.restoreCounts()
    }
    collect()
    let belfry = matched()
    result.settling = belfry.finishing
    return changes.indices.map { i in
      Sample(
        kind: changes[i].kind, moved: whole.moved[i], belfry: belfry.times[i], scan: whole.times[i],
        smart: smart.times[i])
    }
  }

  private func matched() -> Passes {
    Passes(changes, passes: sizes.passes, start: ()) { [engine] in
      engine.apply(key: $0.key, before: $0.before, after: $0.after)
      return 0
    } finish: { [engine] in
      // Counts of ranges are brought up to date when they are asked for.
      _ = engine.pendingCount(stream: Self.id(0))
    } back: {
      undo()
    }
  }

  private func undo() {
    for change in changes.reversed() {
      engine.apply(key: change.key, before: change.after, after: change.before)
    }
  }

  /// Belfry's part of what was measured, once more, to be set against that of another trial in the same seconds. Its `a`.
  func fixedAgain() -> Double {
    undo()
    let belfry = matched()
    let samples = zip(result.samples, belfry.times).map { sample, time in
      Sample(kind: sample.kind, moved: sample.moved, belfry: time, scan: 0, smart: 0)
    }
    return TrialResult.line(through: samples).fixed
  }

  // MARK: Streams that come and go

  private func turnOver() throws {
    let step = max(1, filters.count / sizes.turnover)
    let living = living.map { (key: rows[$0]!.key, cells: rows[$0]!.cells) }
    for number in stride(from: 0, to: filters.count, by: step) {
      let stream = try stream(number)
      let began = scan_spent()
      engine.remove(stream: stream.id)
      let gone = scan_spent()
      try engine.add(stream: stream.id, set: stream.set, view: stream.view) { body in
        for row in living { body(row.key, row.cells) }
      }
      result.drops.append(gone - began)
      result.adds.append(scan_spent() - gone)
      counts[number] = -1
    }
  }

  // MARK: Counts

  private func collect() {
    let batch = SweepBatch()
    engine.collect(filters.indices.lazy.map(Self.id), into: batch, current: { _ in nil })
    for record in batch.records {
      let number = Int(batch.streams[Int(record.stream)].id, radix: 16)!
      counts[number] = batch.valueText(record).map(Self.count) ?? -1
    }
  }

  /// Of `{"COUNT(*)":12}`.
  private static func count(_ json: String) -> Int64 {
    Int64(json.drop { $0 != ":" }.dropFirst().dropLast()) ?? -1
  }

  private func check(_ what: String) throws {
    collect()
    for (number, count) in counts.enumerated() where count != scan_counts(world.scan)[number] {
      throw Mismatch(
        description: "\(result.mix), \(filters.count) filters, after \(what): \(filters[number]): "
          + "Belfry has \(count), the scan \(scan_counts(world.scan)[number])")
    }
  }
}
