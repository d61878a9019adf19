import Base
import Events
import Testing

@testable import Table

@Suite struct PropertyTests {
  static let everyRule = Schema(
    table: "alerts",
    columns: [
      Column("Identifier", .string), Column("Severity", .int, .replace), Column("Summary", .string, .replace),
      Column("First", .time, .keep, defaultsToRecordTime: true),
      Column("Last", .time, .latest, defaultsToRecordTime: true),
      Column("Tally", .int, .increment, default: .int(1)), Column("Sum", .int, .increment),
      Column("Low", .real, .min, default: .real(0.5)), Column("High", .real, .max),
      Column("Least", .string, .min, default: .string("m")), Column("Flag", .bool, .replace),
      Column("ExpireTime", .time, .replace), Column("Peak", .int, .max),
    ], key: ["Identifier"])

  @Test(arguments: 0..<12) func `any events under any commits, aborts and drains make the naive table`(
    seed: UInt64
  ) {
    var town = Town(seed: seed, schema: Self.everyRule, partitions: 3)
    for _ in 0..<60 {
      for _ in 0..<Int.random(in: 0..<12, using: &town.random) { town.produce(Self.event(&town)) }
      town.turn()
      town.bench.now = town.bench.now + .milliseconds(Int64.random(in: 0..<20, using: &town.random))
    }
    town.end()
  }

  @Test(arguments: 0..<12) func `problems and resolutions in any order make the naive table`(seed: UInt64) {
    var town = Town(seed: seed, schema: .alerts, partitions: 1)
    for _ in 0..<60 {
      for _ in 0..<Int.random(in: 0..<12, using: &town.random) { town.produce(Self.alert(&town)) }
      town.turn()
      town.bench.now = town.bench.now + .milliseconds(Int64.random(in: 0..<30_000, using: &town.random))
    }
    town.end()
  }

  private static func event(_ town: inout Town) -> [String: Value] {
    var event: [String: Value] = ["Identifier": .string("id\(Int.random(in: 0..<25, using: &town.random))")]
    for column in everyRule.columns.dropFirst() where Bool.random(using: &town.random) {
      let n = Int64.random(in: -5...5, using: &town.random)
      switch column.type {
      case .string: event[column.name] = .string(n == 0 ? "" : "text \(n) \"\n")
      case .int: event[column.name] = .int(n == 5 ? .max : n)
      case .real: event[column.name] = .real(Double(n) / 8)
      case .bool: event[column.name] = .bool(n > 0)
      case .time: event[column.name] = .time(n > 0 ? town.bench.now.milliseconds + n * 20 : 0)
      }
    }
    return event
  }

  private static func alert(_ town: inout Town) -> [String: Value] {
    func pick(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &town.random) }
    var event: [String: Value] = ["Identifier": .string("id\(pick(0...40))")]
    event["Node"] = .string("n\(pick(0...2))")
    event["AlertKey"] = .string("k\(pick(0...1))")
    if pick(0...5) > 0 { event["Type"] = .int(pick(0...2)) }
    if pick(0...3) > 0 { event["Severity"] = .int(pick(0...5)) }
    if pick(0...3) > 0 { event["LastOccurrence"] = .time(town.bench.now.milliseconds - pick(0...40_000)) }
    if pick(0...9) == 0 { event["ExpireTime"] = .time(town.bench.now.milliseconds + pick(-10...90_000)) }
    return event
  }
}
