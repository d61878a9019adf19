import Events
import Query
import Testing

@testable import Matching

struct PureViewTests {
  private let world = World()

  @Test func `what a view holds at first is pending, and then only what changes`() throws {
    world.put("x", ["a": .int(5), "s": .string("ü\"")])
    world.put("y", ["a": .int(1)])
    try world.add("v", "SELECT s, a FROM samples WHERE a >= 3")
    #expect(world.collect("v") == [#"x {"id":"x","a":5,"s":"ü\""}"#])
    #expect(world.collect("v") == [])
    world.put("y", ["a": .int(3)])
    world.put("x", ["a": .int(2)])
    #expect(world.collect("v") == [#"y {"id":"y","a":3,"s":""}"#, "x -"])
  }

  @Test func `streams that begin together read the rows once, and one over a limit hurts no other`() throws {
    var limits = EngineLimits()
    limits.pendingKeysMax = 2
    let world = World(limits: limits)
    for (n, key) in ["x", "y", "z"].enumerated() { world.put(key, ["a": .int(Int64(n))]) }
    try world.add("old", "SELECT a FROM samples WHERE a > 1")
    let texts = [
      "SELECT a FROM samples WHERE a > 0", "SELECT a FROM samples WHERE a >= 0",
      "SELECT COUNT(*) AS n FROM samples WHERE a > 0", "SELECT s, a FROM samples WHERE a > 1",
    ]
    let new = try texts.enumerated().map { n, text in
      let view = try parseView(text, in: world)
      return NewStream(id: "v\(n)", set: view.filterText, view: view)
    }
    var scans = 0
    let failures = world.engine.add(new) {
      scans += 1
      world.forEachRow($0)
    }
    #expect(scans == 1)
    #expect(failures == ["v1": .tooManyPendingKeys(max: 2)])
    #expect((0..<4).map { world.engine.contains(stream: "v\($0)") } == [true, false, true, true])
    #expect(world.engine.setCount == 2)
    #expect(
      world.collect("v0", "v2", "v3", "old") == [
        #"y {"id":"y","a":1}"#, #"z {"id":"z","a":2}"#, #"* {"n":2}"#, #"z {"id":"z","a":2,"s":""}"#,
        #"z {"id":"z","a":2}"#,
      ])
    world.put("y", ["a": .int(2)])
    #expect(
      world.collect("v0", "v2", "v3", "old") == [
        #"y {"id":"y","a":2}"#, #"y {"id":"y","a":2,"s":""}"#, #"y {"id":"y","a":2}"#,
      ])
  }

  @Test func `a deleted row is null, and one that came and went is nothing`() throws {
    world.put("x", ["flag": .bool(true)])
    try world.add("v", "SELECT id FROM samples WHERE flag")
    world.collect("v")
    world.delete("x")
    world.put("y", ["flag": .bool(true)])
    world.delete("y")
    world.put("z", ["flag": .bool(true)])
    world.put("z", ["flag": .bool(false)])
    #expect(world.collect("v") == ["x -"])
  }

  @Test func `a row that left and came back is published as it is`() throws {
    world.put("x", ["a": .int(1)])
    try world.add("v", "SELECT a FROM samples WHERE a > 0")
    world.collect("v")
    world.put("x", ["a": .int(0)])
    world.delete("x")
    world.put("x", ["a": .int(7)])
    #expect(world.collect("v") == [#"x {"id":"x","a":7}"#])
  }

  @Test func `a change that a view does not show is none of its business`() throws {
    world.put("x", ["a": .int(5)])
    try world.add("narrow", "SELECT s FROM samples WHERE a >= 3")
    try world.add("wide", "SELECT s, a, LENGTH(t) + b AS n FROM samples WHERE a >= 3")
    world.collect("narrow", "wide")
    world.put("x", ["a": .int(6), "r": .real(1)])
    #expect(world.engine.pendingCount(stream: "narrow") == 0)
    #expect(world.collect("narrow", "wide") == [#"x {"id":"x","a":6,"s":"","n":0}"#])
    world.put("x", ["t": .string("abc")])
    #expect(world.collect("narrow", "wide") == [#"x {"id":"x","a":6,"s":"","n":3}"#])
  }

  @Test func `a batch lists the streams that were due, with their runs of records`() throws {
    try world.add("one", "SELECT a FROM samples WHERE a = 1")
    try world.add("two", "SELECT a FROM samples WHERE a = 2")
    try world.add("both", "SELECT COUNT(*) FROM samples")
    world.put("x", ["a": .int(2)])
    world.put("y", ["a": .int(2)])
    let batch = SweepBatch()
    world.engine.collect(["two", "one", "gone", "both"], into: batch, current: world.current)
    #expect(batch.streams.map(\.id) == ["two", "one", "both"])
    #expect(batch.streams.map(\.records) == [0..<2, 2..<2, 2..<3])
    #expect(batch.records.map(batch.keyText) == ["x", "y", "*"])
    batch.removeAll()
    #expect(batch.isEmpty && batch.streams.isEmpty && batch.byteCount == 0)
  }

  @Test func `columns beyond the 64th count like the first`() throws {
    let columns = [Column("id", .string)] + (0..<300).map { Column("c\($0)", .int) }
    let world = World(Schema(table: "wide", columns: columns, key: ["id"]))
    world.put("x")
    try world.add("v", "SELECT c7, c270 FROM wide WHERE c100 = 0")
    world.collect("v")
    world.put("x", ["c271": .int(1), "c8": .int(1)])
    #expect(world.collect("v") == [])
    world.put("x", ["c270": .int(1)])
    #expect(world.collect("v") == [#"x {"id":"x","c7":0,"c270":1}"#])
    world.put("x", ["c100": .int(1)])
    #expect(world.collect("v") == ["x -"])
  }

  @Test func `a stream over its limit of pending keys stands still, and others go on`() throws {
    var limits = EngineLimits()
    limits.pendingKeysMax = 3
    let world = World(limits: limits)
    for key in ["a", "b", "c", "d"] { world.put(key) }
    #expect(throws: EngineError.tooManyPendingKeys(max: 3)) {
      try world.add("v", "SELECT id FROM samples")
    }
    world.delete("d")
    try world.add("v", "SELECT id FROM samples")
    try world.add("n", "SELECT COUNT(*) AS n FROM samples")
    world.put("d")
    #expect(world.engine.streamsOverLimit.map(\.id) == ["v"])
    #expect(world.collect("v", "n") == [#"* {"n":4}"#])
    world.remove("v")
    #expect(world.engine.streamsOverLimit.isEmpty)
  }
}
