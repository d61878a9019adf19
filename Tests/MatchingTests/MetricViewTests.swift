import Events
import Query
import Testing

@testable import Matching

struct MetricViewTests {
  private let world = World()

  @Test func `a view without groups is there before its first row`() throws {
    try world.add(
      "v",
      "SELECT COUNT(*) AS c, SUM(a) AS i, SUM(r) AS r, AVG(a) AS avg, MIN(s) AS min, MAX(at) AS max FROM samples"
    )
    #expect(
      world.collect("v") == [#"* {"avg":null,"c":0,"i":0,"max":null,"min":null,"r":0.0}"#])
    #expect(world.collect("v") == [])
    world.put("x", ["a": .int(3), "r": .real(0.5), "s": .string("b"), "at": .time(7)])
    world.put("y", ["a": .int(4), "s": .string("a"), "at": .time(5)])
    #expect(
      world.collect("v") == [#"* {"avg":3.5,"c":2,"i":7,"max":7,"min":"a","r":0.5}"#])
    world.delete("x")
    world.delete("y")
    #expect(
      world.collect("v") == [#"* {"avg":null,"c":0,"i":0,"max":null,"min":null,"r":0.0}"#])
  }

  @Test func `a group comes with its first row and is null after its last`() throws {
    try world.add("v", "SELECT s, COUNT(*) AS n FROM samples WHERE a > 0 GROUP BY s")
    #expect(world.collect("v") == [])
    world.put("x", ["s": .string("north"), "a": .int(1)])
    world.put("y", ["s": .string("south"), "a": .int(1)])
    #expect(world.collect("v") == [#"north {"s":"north","n":1}"#, #"south {"s":"south","n":1}"#])
    world.put("x", ["s": .string("south")])
    #expect(world.collect("v") == ["north -", #"south {"s":"south","n":2}"#])
    world.put("y", ["s": .string("west")])
    world.put("y", ["a": .int(0)])
    world.put("x", ["s": .string("south"), "a": .int(2)])
    #expect(world.collect("v") == [#"south {"s":"south","n":1}"#])
  }

  @Test func `what is as it was is not published again`() throws {
    try world.add("v", "SELECT COUNT(*) AS n, MAX(s) AS m, AVG(r) AS r FROM samples")
    world.put("x", ["s": .string("m"), "r": .real(2)])
    world.collect("v")
    world.put("y", ["s": .string("z"), "r": .real(9)])
    world.delete("y")
    world.put("x", ["a": .int(9), "r": .real(3)])
    world.put("x", ["r": .real(2)])
    #expect(world.engine.pendingCount(stream: "v") == 1)
    #expect(world.collect("v") == [])
  }

  @Test(arguments: [
    ("s", #"a b"c {"s":"a b\"c","n":1}"#),
    ("a", #"-4 {"a":-4,"n":1}"#),
    ("r", #"0.0 {"r":0.0,"n":1}"#),
    ("flag", #"true {"flag":true,"n":1}"#),
    ("at", #"1700 {"at":1700,"n":1}"#),
    ("s, flag", #"["a b\"c",true] {"s":"a b\"c","flag":true,"n":1}"#),
    ("a, r, t", #"[-4,0.0,""] {"a":-4,"r":0.0,"t":"","n":1}"#),
  ])
  func `a group's key is the text of its values`(columns: String, record: String) throws {
    world.put(
      "x",
      [
        "s": .string("a b\"c"), "a": .int(-4), "r": .real(-0.0), "flag": .bool(true), "at": .time(1700),
      ])
    try world.add("v", "SELECT \(columns), COUNT(*) AS n FROM samples GROUP BY \(columns)")
    #expect(world.collect("v") == [record])
  }

  @Test func `a sum beyond 64 bits is null, counted, and comes back`() throws {
    try world.add("v", "SELECT SUM(a) AS s, AVG(a) AS m FROM samples")
    world.put("x", ["a": .int(.max)])
    world.put("y", ["a": .int(.max)])
    #expect(world.collect("v") == [#"* {"m":9.223372036854776e+18,"s":null}"#])
    #expect(world.engine.sumOverflows == 1)
    world.put("y", ["a": .int(2)])
    #expect(world.collect("v") == [#"* {"m":4.611686018427388e+18,"s":null}"#])
    #expect(world.engine.sumOverflows == 1)
    world.put("y", ["a": .int(-1)])
    #expect(world.collect("v") == [#"* {"m":4.611686018427388e+18,"s":9223372036854775806}"#])
    world.put("y", ["a": .int(.max)])
    world.collect("v")
    #expect(world.engine.sumOverflows == 2 && world.engine.sumOverflows(stream: "v") == 2)
  }

  @Test func `a sum of integers is null while a product beyond 64 bits is among them`() throws {
    try world.add("v", "SELECT SUM(a * a) AS s, AVG(a * a) AS m, MAX(a * a) AS top FROM samples")
    world.put("x", ["a": .int(3)])
    world.put("y", ["a": .int(1 << 32)])
    #expect(world.collect("v") == [#"* {"m":9.223372036854776e+18,"s":null,"top":1.8446744073709552e+19}"#])
    #expect(world.engine.sumOverflows == 1)
    world.put("y", ["a": .int(1)])
    #expect(world.collect("v") == [#"* {"m":5.0,"s":10,"top":9}"#])
  }

  @Test func `what is infinite is null in the records`() throws {
    try world.add(
      "v",
      "SELECT MIN(r * 10) AS low, MAX(r * 10) AS high, AVG(r * 10) AS m, QUANTILE(r * 10, 1) AS q FROM samples"
    )
    try world.add("w", "SELECT r * 10 AS ten FROM samples")
    world.put("x", ["r": .real(1e308)])
    #expect(world.collect("v") == [#"* {"high":null,"low":null,"m":null,"q":null}"#])
    #expect(world.collect("w") == [#"x {"id":"x","ten":null}"#])
    world.put("y", ["r": .real(0.5)])
    #expect(world.collect("v") == [#"* {"high":null,"low":5.0,"m":null,"q":null}"#])
    world.delete("x")
    #expect(world.collect("v") == [#"* {"high":5.0,"low":5.0,"m":5.0,"q":5.0}"#])
  }

  @Test func `different values are counted once each, however they are spelt`() throws {
    try world.add(
      "v",
      "SELECT COUNT(DISTINCT r) AS r, COUNT(DISTINCT LOWER(s)) AS s, COUNT(DISTINCT flag) AS f FROM samples")
    #expect(world.collect("v") == [#"* {"f":0,"r":0,"s":0}"#])
    world.put("x", ["r": .real(0), "s": .string("Core")])
    world.put("y", ["r": .real(-0.0), "s": .string("CORE"), "flag": .bool(true)])
    #expect(world.collect("v") == [#"* {"f":2,"r":1,"s":1}"#])
    world.put("y", ["r": .real(1)])
    world.delete("x")
    #expect(world.collect("v") == [#"* {"f":1,"r":1,"s":1}"#])
  }

  @Test func `a histogram counts from each bound on, and is published where its counts changed`() throws {
    try world.add("v", "SELECT flag, HISTOGRAM(a, 0, 10) AS h FROM samples GROUP BY flag")
    for (key, a) in [("u", -1), ("v", 0), ("w", 9), ("x", 10)] { world.put(key, ["a": .int(Int64(a))]) }
    #expect(world.collect("v") == [#"false {"flag":false,"h":[1,2,1]}"#])
    world.put("w", ["a": .int(5)])
    #expect(world.collect("v") == [])
    world.put("w", ["a": .int(50)])
    world.put("u", ["flag": .bool(true)])
    #expect(world.collect("v") == [#"false {"flag":false,"h":[0,1,2]}"#, #"true {"flag":true,"h":[1,0,0]}"#])
    world.delete("u")
    #expect(world.collect("v") == ["true -"])
    world.put("u", ["flag": .bool(true), "a": .int(99)])
    #expect(world.collect("v") == [#"true {"flag":true,"h":[0,0,1]}"#])
  }

  @Test func `quantiles are of the argument's type, and null over no rows`() throws {
    try world.add(
      "v", "SELECT QUANTILE(a, 0.5) AS a, QUANTILE(r, 0.5) AS r, QUANTILE(at, 1) AS t FROM samples")
    #expect(world.views["v"]!.recordColumns.map(\.type) == [.int, .real, .time])
    #expect(world.collect("v") == [#"* {"a":null,"r":null,"t":null}"#])
    world.put("x", ["a": .int(1000), "r": .real(0.75), "at": .time(1_767_225_629_999)])
    #expect(world.collect("v") == [#"* {"a":1000,"r":0.75,"t":1767225600000}"#])
    world.put("x", ["a": .int(.max), "r": .real(-1e300), "at": .time(.min)])
    #expect(
      world.collect("v") == [
        #"* {"a":9223372036854775807,"r":-1.0045393192371256e+300,"t":-9223372036854775808}"#
      ])
    world.delete("x")
    #expect(world.collect("v") == [#"* {"a":null,"r":null,"t":null}"#])
  }

  @Test(arguments: ["MAX(a)", "COUNT(DISTINCT s)", "QUANTILE(r, 0.5)", "HISTOGRAM(a, 7, 8)", "MIN(s)"])
  func `a view with too many values is refused, or stands still and holds nothing`(metric: String) throws {
    var limits = EngineLimits()
    limits.valuesMax = 9
    let world = World(limits: limits)
    func put(_ n: Int) {
      world.put(
        "\(n)", ["a": .int(Int64(n)), "s": .string("\(n)"), "r": .real(Double(n)), "at": .time(Int64(n % 4))])
    }
    for n in 0..<10 { put(n) }
    let sql = "SELECT at, \(metric) AS m FROM samples GROUP BY at"
    #expect(throws: EngineError.tooManyValues(max: 9)) { try world.add("v", sql) }
    for n in 3..<10 { world.delete("\(n)") }
    try world.add("v", sql)
    #expect(world.collect("v").count == 3)
    for n in 3..<10 { put(n) }
    #expect(world.engine.streamsOverLimit.map(\.error) == [.tooManyValues(max: 9)])
    for key in world.keys { world.delete(key) }
    #expect(world.strings.count == 0)
    #expect(world.collect("v") == [])
    world.remove("v")
  }

  @Test func `a formula that overflows is real, alone and beside integers`() throws {
    try world.add("v", "SELECT MAX(a * b) AS max, MIN(a * b) AS min, SUM(a * b) AS s FROM samples")
    world.put("x", ["a": .int(.max), "b": .int(4)])
    #expect(
      world.collect("v") == [#"* {"max":3.6893488147419103e+19,"min":3.6893488147419103e+19,"s":null}"#])
    world.put("y", ["a": .int(2), "b": .int(4)])
    #expect(world.collect("v") == [#"* {"max":3.6893488147419103e+19,"min":8,"s":null}"#])
    world.delete("x")
    #expect(world.collect("v") == [#"* {"max":8,"min":8,"s":8}"#])
  }

  @Test func `sums of reals leave nothing behind`() throws {
    try world.add("v", "SELECT SUM(r) AS s FROM samples")
    for (i, x) in [1e300, 0.1, -1e-300, 3.3, 0x1p-1074, 1e16].enumerated() {
      world.put("\(i)", ["r": .real(x)])
    }
    world.collect("v")
    for i in [0, 5, 3, 2, 4] { world.delete("\(i)") }
    #expect(world.collect("v") == [#"* {"s":0.1}"#])
    world.delete("1")
    #expect(world.collect("v") == [#"* {"s":0.0}"#])
  }

  @Test func `infinities are null and go away again`() throws {
    try world.add("v", "SELECT SUM(r * q) AS s, MAX(r * q) AS m FROM samples")
    world.put("x", ["r": .real(1e300), "q": .real(1e300)])
    world.put("y", ["r": .real(2), "q": .real(1)])
    #expect(world.collect("v") == [#"* {"m":null,"s":null}"#])
    world.delete("x")
    #expect(world.collect("v") == [#"* {"m":2.0,"s":2.0}"#])
  }

  @Test func `a view with too many groups is refused, or stands still`() throws {
    var limits = EngineLimits()
    limits.groupsMax = 2
    let world = World(limits: limits)
    for key in ["a", "b", "c"] { world.put(key, ["s": .string(key)]) }
    #expect(throws: EngineError.tooManyGroups(max: 2)) {
      try world.add("v", "SELECT s, MAX(s) AS m FROM samples GROUP BY s")
    }
    world.delete("c")
    try world.add("v", "SELECT s, MAX(s) AS m FROM samples GROUP BY s")
    world.collect("v")
    world.delete("a")
    world.put("c", ["s": .string("c")])
    world.put("d", ["s": .string("b")])
    #expect(world.engine.streamsOverLimit.map(\.error) == [.tooManyGroups(max: 2)])
    #expect(world.collect("v") == [])
    world.remove("v")
    for key in world.keys { world.delete(key) }
    #expect(world.strings.count == 0)
  }

  @Test func `a question has names, types, rows up to its limit, and their whole number`() throws {
    for i in 0..<5 { world.put("k\(i)", ["a": .int(Int64(i))]) }
    let list = try world.query("SELECT a FROM samples WHERE a > 0", limit: 2)
    #expect(list.columns == [.init(name: "id", type: .string), .init(name: "a", type: .int)])
    #expect(String(decoding: list.rows, as: UTF8.self) == #"[{"id":"k1","a":1},{"id":"k2","a":2}]"#)
    #expect(list.count == 2 && list.matched == 4)
    let groups = try world.query("SELECT a, AVG(r) AS m FROM samples GROUP BY a", limit: 1)
    #expect(String(decoding: groups.rows, as: UTF8.self) == #"[{"a":0,"m":0.0}]"#)
    #expect(groups.count == 1 && groups.matched == 5)
    #expect(groups.columns == [.init(name: "a", type: .int), .init(name: "m", type: .real)])
    let none = try world.query("SELECT a FROM samples WHERE a > 9")
    #expect(String(decoding: none.rows, as: UTF8.self) == "[]")
  }
}
