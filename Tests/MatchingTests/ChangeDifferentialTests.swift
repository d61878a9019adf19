import Base
import Events
import Query
import Testing

@testable import Matching

/// What an UPDATE makes of rows, against what SQLite computes for them; after the way over its canonical text, as
/// the shards get it.
struct ChangeDifferentialTests {
  private struct Samples: Catalog {
    let tableNames = ["samples"]
    func schema(ofTable name: String) -> Schema? { name == "samples" ? samples : nil }
  }

  private static func compiled(_ sql: String) throws(SQLError) -> CompiledChange {
    let change = try parseChange(sql, in: Samples(), now: Oracle.now)
    return CompiledChange(try parseChange(change.text, in: Samples(), now: 0))
  }

  private static func column(_ name: String) -> Int { samples.index(of: name)! }

  @Test(arguments: 0..<UInt64(60))
  func `an UPDATE touches the rows that SQLite finds, and makes of them what SQLite computes`(_ seed: UInt64)
    throws
  {
    var generator = Generator(seed: 2000 + seed)
    let oracle = Oracle(generator.rows(40))
    let strings = oracle.strings.count
    for i in 0..<30 {
      let filter = generator.condition(i % 4)
      generator.allowsClock = false
      let (number, text) = (generator.number(3), generator.string(3))
      generator.allowsClock = true
      let flag = generator.condition(2)
      let sql =
        "UPDATE samples SET flag = \(flag.ours), s = \(text.ours), r = \(number.ours) WHERE \(filter.ours)"
      let change = try Self.compiled(sql)
      let context: Comment = "seed \(2000 + seed): \(sql)"
      let wanted = [oracle.values(number.theirs), oracle.values(text.theirs), oracle.values(flag.theirs)]
      let slots = touched(change, oracle)
      let found = oracle.answers(filter.theirs)
      #expect(slots == found.indices.filter { found[$0] }, context)
      apply(change, slots, oracle) { slot, next in
        let real = Double(bitPattern: next[Self.column("r")])
        #expect(real == Self.real(wanted[0][slot]), context)
        let string = Array(oracle.strings.bytes(next[Self.column("s")].code))
        #expect(.string(string) == wanted[1][slot], context)
        #expect(next[Self.column("flag")] == (wanted[2][slot] == .int(1) ? 1 : 0), context)
      }
    }
    #expect(oracle.strings.count == strings, "each share was given back")
  }

  @Test func `an integer column takes what is an integer, up to the ends of its range`() throws {
    var generator = Generator(seed: 3000)
    let oracle = Oracle(generator.rows(40))
    var taken = 0
    for _ in 0..<600 {
      let number = generator.number(3)
      let change: CompiledChange
      do { change = try Self.compiled("UPDATE samples SET a = \(number.ours)") } catch {
        #expect(error.code == .type, "\(number.ours): \(error)")
        continue
      }
      taken += 1
      let wanted = oracle.values(number.theirs)
      apply(change, touched(change, oracle), oracle) { slot, next in
        #expect(next[Self.column("a")].int == Self.int(wanted[slot]), "\(number.ours)")
      }
    }
    #expect(taken > 100)
  }

  private func touched(_ change: CompiledChange, _ oracle: Oracle) -> [Int] {
    var slots = (0..<oracle.rowCount).map { RowStore.Slot($0) }
    change.keepMatches(&slots, oracle.store.strings) { Row(oracle.store.row($0)) }
    return slots.map { Int($0) }
  }

  private func apply(
    _ change: CompiledChange, _ slots: [Int], _ oracle: Oracle,
    _ check: (Int, UnsafeMutablePointer<Cell>) -> Void
  ) {
    let next = UnsafeMutablePointer<Cell>.allocate(capacity: oracle.store.width)
    defer { next.deallocate() }
    for slot in slots {
      let row = oracle.store.row(RowStore.Slot(slot))
      next.update(from: row, count: oracle.store.width)
      change.assign(Row(row), to: next, oracle.strings)
      check(slot, next)
      for column in oracle.store.stringColumns where next[column] != row[column] {
        oracle.strings.release(next[column].code)
      }
    }
  }

  private static func real(_ value: Scalar?) -> Double {
    let limit = Double.greatestFiniteMagnitude
    return switch value {
    case .int(let n): Double(n)
    case .real(let x): min(max(x, -limit), limit)
    default: .nan
    }
  }

  private static func int(_ value: Scalar?) -> Int64? {
    switch value {
    case .int(let n): n
    case .real(let x): Number.real(x).truncated
    default: nil
    }
  }

  /// The filter; the keys that it names, or none.
  @Test(arguments: [
    ("id = 'x'", ["x"]), ("id IN ('b', 'a')", ["a", "b"]), ("id = 'x' AND a > 3", ["x"]),
    ("a = 1 AND (id = 'x' OR id = 'y')", ["x", "y"]), ("id = 'x' AND id = 'y'", []), ("FALSE", []),
    ("id = 'x' OR a = 1", nil), ("id <> 'x'", nil), ("id LIKE 'x%'", nil), ("a = 1", nil), ("TRUE", nil),
    ("id >= 'x'", nil), ("LOWER(id) = 'x'", nil),
  ])
  func `a filter that names whole keys is looked up by them`(filter: String, keys: [String]?) throws {
    let change = try Self.compiled("DELETE FROM samples WHERE \(filter)")
    #expect(change.isDeletion)
    #expect(change.keys == keys?.map { Array($0.utf8) })
  }

  @Test func `keys of several columns are written as rows' keys are`() throws {
    let calls = Schema(
      table: "calls", columns: [Column("line", .int), Column("site", .string), Column("at", .time)],
      key: ["site", "line"])
    struct Calls: Catalog {
      let calls: Schema
      let tableNames = ["calls"]
      func schema(ofTable name: String) -> Schema? { calls }
    }
    let sql = "DELETE FROM calls WHERE line IN (-7, 8) AND at > 5 AND site IN ('a\"b', 'ü')"
    let keys = CompiledChange(try parseChange(sql, in: Calls(calls: calls), now: 0)).keys
    let decoder = EventKeys(calls)
    let wanted = ["a\\\"b", "ü"].flatMap { site in
      [-7, 8].map { line -> [UInt8] in
        Array(#"{"line":\#(line),"site":"\#(site)"}"#.utf8).withUnsafeBytes { Array(decoder.key(of: $0)!) }
      }
    }
    #expect(keys == wanted)
    // Single lines, since a run of numbers is a range.
    let lines = (0..<CompiledChange.keysMax / 2 + 1).map { "\($0 * 3)" }.joined(separator: ",")
    for (sites, count) in [("'x'", CompiledChange.keysMax / 2 + 1), ("'x', 'y'", nil)] {
      let sql = "DELETE FROM calls WHERE line IN (\(lines)) AND site IN (\(sites))"
      #expect(CompiledChange(try parseChange(sql, in: Calls(calls: calls), now: 0)).keys?.count == count)
    }
  }
}
