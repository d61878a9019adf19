import Base
import Bus
import Events
import Notifier
import Service
import Testing

/// Streams of every change, from the events to their records.
@Suite struct ChangeStreamTests {
  private let all: KeyValuePairs<String, JSON?> = ["mode": .string("all")]
  private let immediate: KeyValuePairs<String, JSON?> = ["mode": .string("immediate")]

  @Test func `a history has the rows and then each change of them, an immediate stream the changes`() throws {
    let house = try House()
    house.send("a", severity: 5)
    try house.run()
    house.ask("history", core, all)
    house.ask("live", core, immediate)
    house.ask("net", core)
    try house.run()
    for severity in [4, 3, 5, 5] { house.send("a", severity: severity) }
    house.send("b", severity: 1)
    try house.run()
    #expect(ops(house, "history") == ["r", "u", "d", "c"])
    let after = house.records("history").map { $0.value?["after"]?["Severity"]?.int }
    #expect(after == [5, 4, nil, 5])
    #expect(house.records("live").map { $0.value?["Severity"]?.int } == [4, nil, 5])
    #expect(house.records("history").map(\.seq) == [1, 2, 3, 4])
    #expect(house.folded("net")["a"]?["Severity"]?.int == 5)
    #expect(house.reply("history")["stream"]?["topic"]?.string?.hasPrefix("belfry.history.") == true)
  }

  @Test func `a restart between change and record loses none and repeats none`() throws {
    let house = try House()
    house.ask("history", "SELECT Tally FROM alerts", all)
    try house.run()
    for n in 0..<12 {
      house.send("a", severity: 1)
      for _ in 0..<n { try house.turn() }
      house.restart()
    }
    try house.run()
    #expect(ops(house, "history") == ["c"] + Array(repeating: "u", count: 11))
    #expect(house.records("history").map { $0.value?["after"]?["Tally"]?.int } == (1...12).map { $0 })
    #expect(house.records("history").map(\.seq) == (1...12).map { $0 })
  }

  @Test func `a publisher that is made anew takes the streams of every change along in its epoch`() throws {
    let house = try House()
    house.ask("history", "SELECT Tally FROM alerts", all)
    try house.run()
    house.send("a", severity: 1)
    try house.run()
    #expect(house.life.remakePublisher(after: BusError(.recreate, code: "TEST", "a test")))
    house.send("a", severity: 1)
    try house.run()
    #expect(house.life.resetChanges(after: BusError(.recreate, code: "TEST", "a test")))
    house.send("a", severity: 1)
    try house.run()
    #expect(ops(house, "history") == ["c", "u", "u"])
    let epochs = house.cluster.records(house.topics.progress, 0, .committed).compactMap {
      $0.json?["epoch"]?.int
    }
    #expect(epochs == epochs.sorted())
  }

  @Test func `the topic of a history that ended goes once nobody writes to it`() throws {
    let house = try House()
    house.ask("history", core, all)
    house.ask("lane", core, ["mode": .string("all"), "placement": .string("lane")])
    try house.run()
    let topic = try #require(house.reply("history")["stream"]?["topic"]?.string)
    #expect(house.cluster.spec(topic)?.properties["cleanup.policy"] == "delete")
    house.end("history")
    house.end("lane")
    house.send("a", severity: 5)
    try house.run(.seconds(8))
    #expect(house.cluster.spec(topic) == nil)
    house.ask("history", core, all)
    try house.run()
    #expect(house.reply("history")["stream"]?["topic"]?.string?.hasPrefix(topic + ".") == true)
    #expect(ops(house, "history") == ["r"])
    #expect(house.records("history").map(\.seq) == [1])
  }

  @Test func `a topic that a crash left behind goes with the next start`() throws {
    let house = try House()
    house.ask("history", core, all)
    try house.run()
    let left = "\(house.topics.historyPrefix)0123456789abcdef.7"
    try house.bus.ensureTopics([ClusterTopics.history(left)])
    house.restart()
    try house.run()
    #expect(house.cluster.spec(left) == nil)
    let topic = try #require(house.reply("history")["stream"]?["topic"]?.string)
    #expect(house.cluster.spec(topic) != nil)
  }

  @Test func `what compaction took while nobody was there is said`() throws {
    let house = try House()
    house.ask("history", "SELECT Tally FROM alerts", all)
    try house.run()
    house.send("a", severity: 1)
    try house.run()
    // The table goes on, and nobody publishes.
    for _ in 0..<3 {
      house.send("a", severity: 1)
      for _ in 0..<30 { try house.life.worker.turn(wait: .milliseconds(10)) }
    }
    house.cluster.clock.advance(by: .seconds(2 * 86_400))
    house.cluster.compact(house.topics.changelog("alerts"))
    try house.run()
    // The last change is in the active segment, and the one before it the last that the cleaner saw.
    #expect(ops(house, "history") == ["c", "m", "u", "u"])
    let notice = house.records("history")[1].value?["notice"]
    #expect(notice?["kind"]?.string == "gap")
    #expect(notice?["from"]?.int == 2 && notice?["to"]?.int == 2)
  }

  @Test func `what is collected for a client that is away is there when it is back`() throws {
    let house = try House()
    let request: KeyValuePairs<String, JSON?> = [
      "mode": .string("all"), "store_and_forward": .bool(true), "lease_ms": .int(3_000),
    ]
    house.ask("history", "SELECT Tally FROM alerts", request)
    try house.run()
    house.send("a", severity: 1)
    try house.run(.seconds(5))
    #expect(house.reply("history")["status"]?.string == "away")
    for _ in 0..<3 { house.send("a", severity: 1) }
    try house.run(.seconds(20))
    house.restart()
    house.send("a", severity: 1)
    try house.run()
    house.ask("history", "SELECT Tally FROM alerts", request)
    try house.run()
    #expect(house.reply("history")["status"]?.string == "active")
    #expect(house.records("history").map { $0.value?["after"]?["Tally"]?.int } == [1, 2, 3, 4, 5])
  }

  private func ops(_ house: House, _ name: String) -> [String] {
    house.records(name).map { $0.value?["op"]?.string ?? "-" }
  }
}
