// What a changed row costs a metric view, for each function: CPU nanoseconds a row, through Engine.apply with one
// stream, beside a loop that adds the same column up (docs/benchmarks.md).
//   AggregateBenchmark       ROWS=200000 SEED=1 from the environment
import Base
import Events
import Glibc
import Matching
import Query

func number(_ name: String, _ otherwise: Int) -> Int {
  getenv(name).flatMap { Int(String(cString: $0)) }.map { max($0, 2) } ?? otherwise
}

struct OneTable: Catalog {
  let schema: Schema
  var tableNames: [String] { [schema.table] }
  func schema(ofTable name: String) -> Schema? { name == schema.table ? schema : nil }
}

enum Table {
  static let schema = Schema(
    table: "t",
    columns: [
      Column("id", .string), Column("g", .int), Column("few", .int), Column("many", .int), Column("r", .real),
      Column("s", .string), Column("at", .time),
    ],
    key: ["id"])
}

/// `few` has 6 values, `s` 1,000, `g` 10,000; the others differ in nearly every row.
func makeRows(_ count: Int, _ store: RowStore) -> [Row] {
  var random = SeededRandom(seed: UInt64(number("SEED", 1)))
  return (0..<count).map { i in
    let row = store.row(store.makeSlot())
    let node = Int.random(in: 0..<1_000, using: &random)
    let values: [Value] = [
      .string("\(i)"), .int(.random(in: 0..<10_000, using: &random)),
      .int(.random(in: 0..<6, using: &random)),
      .int(.random(in: 0..<1_000_000_000, using: &random)), .real(.random(in: 0..<1_000, using: &random)),
      .string("node-\(node).example.net"),
      .time(1_767_225_600_000 + .random(in: 0..<604_800_000, using: &random)),
    ]
    for (column, value) in values.enumerated() { row[column] = store.cell(value) }
    return Row(row)
  }
}

/// CPU nanoseconds of one of `count` things, the best of five times.
func cost(_ count: Int, _ body: () -> Void) -> Double {
  func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }
  return (0..<5).map { _ in
    let start = now()
    body()
    return (now() - start) / Double(count)
  }.min()!
}

struct Bench {
  let store = RowStore(schema: Table.schema, strings: StringTable())
  let rows: [Row]

  init() { rows = makeRows(number("ROWS", 200_000), store) }

  /// A row enters and leaves; a row becomes another one. Nil: it would change its group.
  func measure(_ metric: String, by group: String = "") throws -> (enter: Double, update: Double?) {
    let view = try parseView("SELECT \(metric) AS m FROM t\(group)", in: OneTable(schema: Table.schema))
    let engine = Engine(rows: store)
    try engine.add(stream: "v", set: "", view: view) { body in for row in rows { body(row[0].code, row) } }
    defer { engine.remove(stream: "v") }
    let enter = cost(2 * rows.count) {
      for row in rows { engine.apply(key: row[0].code, before: nil, after: row) }
      for row in rows { engine.apply(key: row[0].code, before: row, after: nil) }
    }
    if !group.isEmpty { return (enter, nil) }
    let update = cost(rows.count) {
      for i in 1..<rows.count { engine.apply(key: rows[i][0].code, before: rows[i - 1], after: rows[i]) }
      engine.apply(key: rows[0][0].code, before: rows[rows.count - 1], after: rows[0])
    }
    return (enter, update)
  }

  func plain() -> Double {
    var total: Int64 = 0
    let cost = cost(rows.count) { for row in rows { total &+= row[3].int } }
    // What nobody looks at would not be added up.
    if total == 0 { print("nothing to add up") }
    return cost
  }
}

func text(_ nanoseconds: Double?) -> String {
  guard let nanoseconds else { return "" }
  return "\((nanoseconds * 10).rounded() / 10)"
}

let bench = Bench()
let plain = bench.plain()
print("a loop that adds up: \(text(plain)) ns a row, \(bench.rows.count) rows\n")
print("| metric | enters or leaves, ns | x the loop | changes, ns | in one of 10,000 groups, ns |")
print("| --- | --- | --- | --- | --- |")
for metric in [
  "COUNT(*)", "SUM(few)", "SUM(r)", "AVG(r)", "MIN(few)", "MAX(many)", "MAX(at)", "MIN(s)",
  "COUNT(DISTINCT few)",
  "COUNT(DISTINCT many)", "COUNT(DISTINCT s)", "QUANTILE(r, 0.5)", "QUANTILE(at, 0.5)",
  "HISTOGRAM(many, 1, 1000, 1000000, 100000000)",
] {
  let one = try bench.measure(metric)
  let grouped = try bench.measure(metric, by: " GROUP BY g")
  print(
    "| `\(metric)` | \(text(one.enter)) | \(text(one.enter / plain)) | \(text(one.update)) | \(text(grouped.enter)) |"
  )
}
