import CScan
import Events
import Glibc

/// The rows, changes and filters of a mix.
protocol Population: AnyObject {
  var schema: Schema { get }
  /// A new row's values; `number` is its own.
  func row(_ number: Int) -> [Value]
  /// What a typical duplicate makes of a row.
  func update(_ row: inout [Value])
  /// A change made to move many filters, or few: for the line a + b x moved.
  func swing(_ row: inout [Value])
  func filter() -> Condition
}

/// Events as operators know them, on the `alerts` table.
final class Alerts: Population {
  enum Values { case snapped, unsnapped, zipf }
  enum Filters { case mixed, withoutEquality, contains, wideOrs }

  static let nodes = 5_000
  /// Times of rows and filters fall into this many ms.
  static let span: Int64 = 86_400_000
  static let start: Int64 = 1_750_000_000_000
  let schema = Schema.alerts
  private let values: Values
  private let filters: Filters
  private var draw: Draw
  /// The shard's time, which goes on from change to change.
  private var now = start + span / 2

  init(_ values: Values, _ filters: Filters, seed: UInt64) {
    (self.values, self.filters) = (values, filters)
    draw = Draw(seed: seed)
  }

  private enum Place {
    static let identifier = column("Identifier"), node = column("Node"), manager = column("Manager")
    static let group = column("AlertGroup"), key = column("AlertKey"), severity = column("Severity")
    static let summary = column("Summary"), first = column("FirstOccurrence")
    static let last = column("LastOccurrence"), tally = column("Tally"), kind = column("Class")
    static let location = column("Location"), customer = column("Customer"), service = column("Service")
    static let acknowledged = column("Acknowledged"), type = column("Type")

    static func column(_ name: String) -> Int { Schema.alerts.index(of: name)! }
  }

  // MARK: Rows

  func row(_ number: Int) -> [Value] {
    var row = schema.columns.map(\.default)
    let group = draw.below(50)
    row[Place.identifier] = .string("event-\(number)")
    row[Place.node] = .string(node())
    row[Place.manager] = .string("manager-\(draw.below(5))")
    row[Place.group] = .string("group-\(group)")
    row[Place.key] = .string("port-\(draw.below(500))")
    row[Place.severity] = .int(Int64(draw.below(6)))
    row[Place.summary] = .string(summary(group))
    row[Place.first] = .time(Self.start + Int64(draw.below(Int(Self.span))))
    row[Place.last] = .time(time(now - Int64(draw.below(120_000))))
    row[Place.type] = .int(1)
    row[Place.kind] = .int(Int64(300 + draw.below(200)))
    row[Place.location] = .string("site-\(draw.below(300))")
    row[Place.customer] = .string("customer-\(draw.below(1000))")
    row[Place.service] = .string("service-\(draw.below(20))")
    row[Place.acknowledged] = .int(draw.chance(20) ? 1 : 0)
    return row
  }

  func update(_ row: inout [Value]) {
    if case .int(let tally) = row[Place.tally] { row[Place.tally] = .int(tally + 1) }
    now += Int64(draw.below(3))
    row[Place.last] = .time(time(now))
    row[Place.summary] = .string(summary(draw.below(50)))
    if draw.chance(15) { row[Place.severity] = .int(Int64(draw.below(6))) }
  }

  /// An update whose time jumps: the farther, the more ranges it crosses.
  func swing(_ row: inout [Value]) {
    update(&row)
    guard case .time(let last) = row[Place.last] else { return }
    let jump = Int64(logarithmic(draw.unit(), Double(Self.span / 2)))
    let to = draw.chance(50) ? last + jump : last - jump
    row[Place.last] = .time(min(max(to, Self.start), Self.start + Self.span))
  }

  /// 1 ... limit, evenly on a logarithmic scale.
  private func logarithmic(_ unit: Double, _ limit: Double) -> Double { pow(limit, unit) }

  /// Whole seconds, unless the mix is of distinct values.
  private func time(_ time: Int64) -> Int64 { values == .unsnapped ? time : time / 1000 * 1000 }

  private func node() -> String {
    let number = values == .zipf ? draw.zipf(Self.nodes) : draw.below(Self.nodes)
    return "core-" + digits(number)
  }

  private func digits(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 6 - text.count)) + text
  }

  private func summary(_ group: Int) -> String {
    let value: String
    switch values {
    case .snapped: value = String(draw.below(1000))
    case .zipf: value = String(draw.zipf(100_000))
    case .unsnapped: value = String(draw.bits(), radix: 16)
    }
    return "group-\(group) on port-\(draw.below(500)): value \(value) is over its limit, see the runbook"
  }

  // MARK: Filters

  func filter() -> Condition {
    switch filters {
    case .mixed: mixed()
    case .withoutEquality: withoutEquality()
    case .contains: contains()
    case .wideOrs: .any((0..<50).map { _ in narrow() })
    }
  }

  private func mixed() -> Condition {
    switch draw.below(100) {
    case 0..<25: .all([isNode(), severity(), isClass()])
    case 25..<33: .all([isNode(), severity()])
    case 33..<45: .all([.among(Place.node, (0..<3 + draw.below(8)).map { _ in node() }), severity()])
    case 45..<60: .all([isGroup(), severity(), isClass()])
    case 60..<70: .all([nodes(), severity(), .not(isManager())])
    case 70..<75: .all([contains(), isGroup()])
    case 75..<80: lastRange()
    case 80..<88: .all([lastRange(), isCustomer()])
    default: .any([isNode(), .all([isKey(), isGroup()]), .all([isCustomer(), severity(), unacknowledged])])
    }
  }

  private func withoutEquality() -> Condition {
    switch draw.below(4) {
    case 0: .all([severity(), lastRange()])
    case 1: .all([severity(), .atLeast(Place.tally, Int64(1 + draw.below(1000))), firstRange()])
    case 2: .all([nodes(), lastRange()])
    default: .all([.not(nodes()), firstRange(), .range(Place.kind, kind(), kind() + 200)])
    }
  }

  private func contains() -> Condition {
    switch draw.below(3) {
    case 0: .contains(Place.summary, "value \(String(draw.bits() >> 52, radix: 16))")
    case 1: .contains(Place.summary, "-\(draw.below(50)) on port-\(draw.below(500))")
    default: .contains(Place.summary, "\(draw.below(100_000)) is over")
    }
  }

  private func narrow() -> Condition {
    switch draw.below(5) {
    case 0, 1: isNode()
    case 2: .all([isKey(), isGroup(), isClass()])
    case 3: .all([nodes(), .range(Place.severity, 5, 5)])
    default: contains()
    }
  }

  private var unacknowledged: Condition { .equal(Place.acknowledged, .int(0)) }
  private func isNode() -> Condition { .equal(Place.node, .string(node())) }
  private func isGroup() -> Condition { .equal(Place.group, .string("group-\(draw.below(50))")) }
  private func isKey() -> Condition { .equal(Place.key, .string("port-\(draw.below(500))")) }
  private func isManager() -> Condition { .equal(Place.manager, .string("manager-\(draw.below(5))")) }
  private func isCustomer() -> Condition { .equal(Place.customer, .string("customer-\(draw.below(1000))")) }
  private func isClass() -> Condition { .equal(Place.kind, .int(kind())) }
  private func kind() -> Int64 { Int64(300 + draw.below(200)) }
  private func severity() -> Condition { .atLeast(Place.severity, Int64(1 + draw.below(5))) }
  /// 10 or 100 of the nodes.
  private func nodes() -> Condition { .prefix(Place.node, String(node().dropLast(1 + draw.below(2)))) }
  private func lastRange() -> Condition { range(Place.last) }
  private func firstRange() -> Condition { range(Place.first) }

  private func range(_ column: Int) -> Condition {
    let low = Self.start + Int64(draw.below(Int(Self.span)))
    return draw.chance(50)
      ? .atLeast(column, low) : .range(column, low, low + Int64(60_000 + draw.below(3_600_000)))
  }
}

/// A table of 500 columns, filters on any three of them, changes of five.
final class Wide: Population {
  static let columns = 500
  let schema: Schema
  private var draw: Draw

  init(seed: UInt64) {
    draw = Draw(seed: seed)
    let columns = (1..<Self.columns).map { Column("c\($0)", $0 % 2 == 0 ? .int : .string) }
    schema = Schema(table: "alerts", columns: [Column("id", .string)] + columns, key: ["id"])
  }

  func row(_ number: Int) -> [Value] {
    [.string("event-\(number)")] + (1..<Self.columns).map(value)
  }

  func update(_ row: inout [Value]) { change(5, &row) }
  func swing(_ row: inout [Value]) { change(1 + draw.below(Self.columns / 2), &row) }

  private func change(_ count: Int, _ row: inout [Value]) {
    for _ in 0..<count {
      let column = 1 + draw.below(Self.columns - 1)
      row[column] = value(column)
    }
  }

  private func value(_ column: Int) -> Value {
    column % 2 == 0 ? .int(Int64(draw.below(1000))) : .string("value-\(draw.below(200))")
  }

  func filter() -> Condition { .all((0..<3).map { _ in part() }) }

  private func part() -> Condition {
    let column = 1 + draw.below(Self.columns - 1)
    if column % 2 == 0 { return .atLeast(column, Int64(1 + draw.below(999))) }
    return draw.chance(50)
      ? .equal(column, .string("value-\(draw.below(200))")) : .prefix(column, "value-\(draw.below(10))")
  }
}
