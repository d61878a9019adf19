import Base
import Events
import Query
import Testing

@testable import Matching

/// Rows that enter and leave views because time goes on.
struct ClockTests {
  @Test func `a row leaves a view of the last minute without an event`() throws {
    let world = World()
    world.advance(to: 100_000)
    try world.add("recent", "SELECT COUNT(*) AS n FROM samples WHERE at > NOW() - INTERVAL '1 minute'")
    try world.add("list", "SELECT id, a FROM samples WHERE at > NOW() - INTERVAL '1 minute'")
    world.put("x", ["at": .time(90_000), "a": .int(1)])
    world.put("y", ["at": .time(100_000), "a": .int(2)])
    #expect(world.collect("recent") == [#"* {"n":2}"#])
    #expect(world.collect("list") == [#"x {"id":"x","a":1}"#, #"y {"id":"y","a":2}"#])
    world.advance(to: 149_999)
    #expect(world.collect("recent", "list") == [])
    world.advance(to: 150_000)
    #expect(world.collect("recent", "list") == [#"* {"n":1}"#, "x -"])
    world.put("x", ["at": .time(150_000)])
    #expect(world.collect("recent", "list") == [#"* {"n":2}"#, #"x {"id":"x","a":1}"#])
    world.advance(to: 1_000_000)
    #expect(world.collect("recent") == [#"* {"n":0}"#])
  }

  @Test func `a row enters a view when its time comes`() throws {
    let world = World()
    world.put("x", ["at": .time(5_000)])
    try world.add("due", "SELECT COUNT(*) AS n FROM samples WHERE at <= NOW() AND flag = FALSE")
    #expect(world.collect("due") == [#"* {"n":0}"#])
    world.advance(to: 4_999)
    #expect(world.collect("due") == [])
    world.advance(to: 5_000)
    #expect(world.collect("due") == [#"* {"n":1}"#])
    world.delete("x")
    #expect(world.collect("due") == [#"* {"n":0}"#])
  }

  @Test func `time that falls changes nothing`() throws {
    let world = World()
    world.advance(to: 10_000)
    try world.add("due", "SELECT COUNT(*) AS n FROM samples WHERE at <= NOW()")
    world.put("x", ["at": .time(9_000)])
    world.collect("due")
    world.advance(to: 1_000)
    #expect(world.engine.now == 10_000)
    #expect(world.collect("due") == [])
  }

  @Test(arguments: 0..<UInt64(30))
  func `what a reader folds is what the view is at every time`(_ seed: UInt64) throws {
    let world = World()
    var generator = Generator(seed: seed)
    var ids: [String] = []
    for step in 0..<150 {
      switch generator.below(6) {
      case 0 where ids.count < 14:
        ids.append("s\(step)")
        try world.add(ids.last!, Self.question(&generator))
      case 1 where !ids.isEmpty && generator.below(3) == 0:
        world.remove(ids.remove(at: generator.below(ids.count)))
      case 2, 3: world.advance(to: world.engine.now + Int64(generator.pick([1, 50, 500, 1_000, 9_000])))
      default: Self.change(world, &generator)
      }
      _ = world.collect(ids)
      for id in ids {
        let folded = world.folded[id]!.map { $0.key + [0] + $0.value }
        let wanted = world.evaluated(world.views[id]!)
        #expect(Set(folded) == Set(wanted), "seed \(seed), step \(step), \(world.views[id]!.text)")
      }
    }
    for id in ids { world.remove(id) }
    #expect(!world.engine.readsTheClock)
    for key in world.keys { world.delete(key) }
    #expect(world.strings.count == 0, "seed \(seed)")
  }

  private static func question(_ generator: inout Generator) -> String {
    let times = (0..<2).map { _ in "NOW() + \(generator.below(8) * 500 - 2_000)" }
    let filter = generator.pick([
      "at < \(times[0])", "at >= \(times[0])", "at BETWEEN \(times[0]) AND \(times[1])",
      "at = \(times[0])", "at > \(times[0]) AND s = 'a'", "at > \(times[0]) OR a > 3",
      "(at > \(times[0]) OR s = 'b') AND flag", "a = 3 AND at NOT BETWEEN \(times[0]) AND \(times[1])",
      "CASE WHEN at < \(times[0]) THEN a ELSE b END > 2", "at > 3000 AND at < \(times[0])",
    ])
    let columns = generator.pick(["COUNT(*) AS n", "id, a, s", "s, SUM(a) AS x", "MAX(at) AS latest"])
    let group = columns.hasPrefix("s,") ? " GROUP BY s" : ""
    return "SELECT \(columns) FROM samples WHERE \(filter)\(group)"
  }

  private static func change(_ world: World, _ generator: inout Generator) {
    let key = "row\(generator.below(20))"
    if generator.below(4) == 0 { return world.delete(key) }
    let time = world.engine.now + Int64(generator.below(9) * 500 - 2_000)
    switch generator.below(3) {
    case 0: world.put(key, ["at": .time(time)])
    case 1: world.put(key, ["a": .int(Int64(generator.below(6))), "s": .string(generator.pick(["a", "b"]))])
    default:
      world.put(
        key,
        ["at": .time(time), "flag": .bool(generator.below(2) == 0), "b": .int(Int64(generator.below(5)))])
    }
  }
}
