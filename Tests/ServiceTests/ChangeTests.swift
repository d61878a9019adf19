import Base
import Bus
import Events
import Service
import Testing

/// Changes by clients, from their records to replies, rows and views.
struct ChangeTests {
  /// Rows e0 to e8 over three shards, their Severity the number modulo 6.
  private func house(seed: UInt64 = 1) throws -> House {
    let house = try House(seed: seed)
    for n in 0..<9 { house.send("e\(n)", severity: n % 6) }
    return house
  }

  @Test func `a change of rows in all shards is in the views, and the reply says how many and where`() throws
  {
    let house = try house()
    house.ask("seen", "SELECT Acknowledged, Grade FROM alerts WHERE Acknowledged = 1")
    try house.run()
    house.command("c/1", "UPDATE alerts SET Acknowledged = 1, Grade = Severity * 10 WHERE Severity >= 2")
    try house.run()
    let reply = house.answer("c/1")
    #expect(reply["status"]?.string == "done")
    #expect(reply["rows"]?.int == 5)
    #expect(
      house.folded("seen").mapValues { $0["Grade"]?.int } == [
        "e2": 20, "e3": 30, "e4": 40, "e5": 50, "e8": 20,
      ])
    for position in reply["positions"]?.members ?? [] {
      let last = house.cluster.records(house.topics.changelog("alerts"), Int32(position.name)!, .committed)
        .last
      #expect(last?.headerText("belfry-change") == "\(position.value.int!)")
    }
    house.command("c/2", "DELETE FROM alerts WHERE Acknowledged = 1 AND Identifier <> 'e8'")
    try house.run()
    #expect(house.answer("c/2")["rows"]?.int == 4)
    #expect(house.folded("seen").keys.sorted() == ["e8"])
  }

  @Test(arguments: 0...12)
  func `a flush behind a change shows it, wherever the member dies`(turns: Int) throws {
    let house = try house()
    house.ask("slow", "SELECT Grade FROM alerts", ["interval_ms": .int(600_000)])
    try house.run()
    house.command("c/1", "UPDATE alerts SET Grade = 7")
    let flush = JSON.object(of: ["client": .string("noc"), "flush": .string("slow")])
    house.cluster.append(topic: house.topics.commands, partition: 0, key: "c/2", value: flush.text)
    for _ in 0..<turns { try house.turn() }
    if turns > 0 { house.restart() }
    try house.run()
    let reply = house.answer("c/2")
    #expect(reply["status"]?.string == "flushed", "\(reply.text)")
    let shown = house.records("slow").prefix { $0.seq <= reply["seq"]?.int ?? 0 }
    let grades = shown.reduce(into: [String: Int64]()) { $0[$1.key] = $1.value?["Grade"]?.int }
    #expect(grades.count == 9 && grades.values.allSatisfy { $0 == 7 }, "\(grades)")
  }

  @Test func `rows that are inserted are events`() throws {
    let house = try house()
    let sql =
      "INSERT INTO alerts (Identifier, Severity, Summary) VALUES ('e1', 5, 'again'), ('new', 1 + 1, '')"
    house.command("c/1", sql)
    house.command("c/1", sql)
    try house.run()
    house.command("c/1", sql)
    house.restart()
    house.command("c/1", sql)
    try house.run()
    #expect(house.answer("c/1")["rows"]?.int == 2)
    #expect(house.rows["e1"]?["Tally"]?.int == 2)
    #expect(house.rows["e1"]?["Summary"]?.string == "again")
    #expect(house.rows["new"]?["Severity"]?.int == 2)
    #expect(house.rows["new"]?["Tally"]?.int == 1)
  }

  @Test func `each command is answered by exactly one, and in the names of its place`() throws {
    let house = try house()
    house.command("c/1", "CREATE FILTER hot AS Severity >= 4")
    house.command("c/2", "UPDATE alerts SET Grade = 1 WHERE hot")
    house.command("c/3", "DROP FILTER hot")
    house.command("c/4", "CREATE FILTER hot AS Severity = 0")
    try house.run()
    house.command("c/5", "UPDATE alerts SET Class = 1 WHERE hot")
    house.restart()
    house.command("c/6", "UPDATE alerts SET Class = 2 WHERE cold")
    try house.run()
    for n in 1...5 { #expect(house.answer("c/\(n)")["status"]?.string == "done", "\(n)") }
    #expect(house.answer("c/6")["error"]?["code"]?.string == "unknown_column")
    #expect(house.rows.filter { $0.value["Grade"]?.int == 1 }.keys.sorted() == ["e4", "e5"])
    #expect(house.rows.filter { $0.value["Class"]?.int == 1 }.keys.sorted() == ["e0", "e6"])
    // One reply of the registry's; of a change, one that it runs and one a transaction with answers.
    let counts = (1...6).map { n in
      house.cluster.records(house.topics.replies, 0, .committed).filter { $0.keyText == "c/\(n)" }.count
    }
    #expect([counts[0], counts[2], counts[3], counts[5]] == [1, 1, 1, 1])
  }

  @Test func `an id stands for one change of rows, and apart from that for one definition`() throws {
    let house = try house()
    let commands = ["UPDATE alerts SET Grade = Grade + 1", "CREATE FILTER hot AS Severity >= 4"]
    for _ in 0..<2 {
      for sql in commands { house.command("c/1", sql) }
      try house.run()
      house.restart()
    }
    for sql in ["UPDATE alerts SET Grade = 0", "DROP FILTER hot"] { house.command("c/1", sql) }
    try house.run()
    let rejected = house.cluster.records(house.topics.replies, 0, .committed).filter {
      $0.keyText == "c/1" && $0.json?["error"]?["code"]?.string == "id"
    }
    #expect(rejected.count == 2)
    #expect(house.rows.allSatisfy { $0.value["Grade"]?.int == 1 })
    house.command("c/2", "UPDATE alerts SET Class = 1 WHERE hot")
    try house.run()
    #expect(house.answer("c/2")["rows"]?.int == 2)
  }

  @Test func `what stands on names waits until they are restored, what stands on none does not`() throws {
    let house = try house()
    house.command("c/1", "CREATE FILTER hot AS Severity >= 4")
    try house.run()
    house.restart()
    house.command("c/2", "UPDATE alerts SET Grade = 1 WHERE Severity = 5")
    house.command("c/3", "UPDATE alerts SET Grade = 2 WHERE hot")
    for _ in 0..<200 { try house.turnWorker() }
    #expect(house.answer("c/2")["status"]?.string == "done")
    #expect(house.answer("c/3") == .null)
    try house.run()
    #expect(house.answer("c/3")["rows"]?.int == 2)
  }

  @Test func `a command does not overtake the events that were sent before it`() throws {
    let house = try house()
    try house.run()
    for n in 10..<40 { house.send("f\(n)", severity: 5) }
    house.command("c/1", "UPDATE alerts SET Grade = 1 WHERE Identifier LIKE 'f%'")
    try house.run()
    #expect(house.answer("c/1")["rows"]?.int == 30)
  }

  @Test(arguments: [
    ("UPDATE alerts SET Acknowledged = 'x'", "type", 34),
    ("UPDATE alerts SET Identifier = 'x'", "unsupported", 19),
    ("UPDATE alert SET Severity = 1", "unknown_table", 8),
    ("DELETE FROM alerts WHERE Severty = 1", "unknown_column", 26),
    ("INSERT INTO alerts (Node) VALUES ('x')", "syntax", 21),
  ])
  func `a change that does not fit is rejected with its place`(sql: String, code: String, column: Int64)
    throws
  {
    let house = try house()
    house.command("c/1", sql)
    try house.run()
    let reply = house.answer("c/1")
    #expect(reply["status"]?.string == "rejected")
    #expect(reply["client"]?.string == "noc")
    #expect(reply["error"]?["code"]?.string == code)
    #expect(reply["error"]?["line"]?.int == 1)
    #expect(reply["error"]?["column"]?.int == column)
    #expect(house.rows.count == 9)
  }

  @Test func `hostile commands are refused or passed over, and hold up nothing`() throws {
    let house = try house()
    try house.run()
    let update = "UPDATE alerts SET Grade = 1"
    func value(_ members: String) -> String { "{\(members)}" }
    let records: [(key: String?, value: String?)] = [
      (nil, value(#""client":"x","sql":"\#(update)""#)), ("k1", nil), ("k2", "not JSON"), ("k3", "[1]"),
      ("k4", value(#""sql":"\#(update)""#)), ("k5", value(#""client":7,"sql":"\#(update)""#)),
      ("k6", value(#""client":"x","sql":"\#(update)","more":1"#)),
      ("k7", value(#""client":"x","sql":"\#(update)\#(String(repeating: " ", count: 70_000))""#)),
      ("k8", value(#""client":"\#(String(repeating: "x", count: 200))","sql":"\#(update)""#)),
      (String(repeating: "k", count: 386), value(#""client":"x","sql":"\#(update)""#)),
      ("k9", value(#""client":"x","sql":"DELETE FROM alerts WHERE \#(String(repeating: "(", count: 200))""#)),
    ]
    for (key, value) in records {
      house.cluster.append(topic: house.topics.commands, partition: 0, key: key, value: value)
    }
    house.cluster.append(
      topic: house.topics.commands, partition: 0, key: [0xFF, 0xFE],
      value: Array(#"{"client":"x","sql":"\#(update)"}"#.utf8))
    let id = "a\u{1}\n\u{7F}/\"\\"
    house.command(id, "UPDATE alerts SET Class = 7 WHERE Severity = 5")
    try house.run()
    for n in 2...9 { #expect(house.answer("k\(n)")["status"]?.string == "rejected", "k\(n)") }
    #expect(house.answer("k6")["client"]?.string == "x")
    #expect(house.answer("k7")["error"]?["code"]?.string == "limit")
    #expect(house.answer(id)["rows"]?.int == 1)
    #expect(house.rows.allSatisfy { $0.value["Grade"]?.int == 0 })
    #expect(house.cluster.records(house.topics.deadLetters, 0, .committed).isEmpty)
    #expect(house.cluster.misuses == [])
  }

  @Test func `commands that were made again are read from their start, and what was answered stays so`()
    throws
  {
    let house = try house()
    let sql = "UPDATE alerts SET Grade = Grade + 1"
    for n in 1...3 { house.command("c/\(n)", sql) }
    try house.run()
    let spec = try #require(house.cluster.spec(house.topics.commands))
    let bus = house.cluster.connect(member: "operator")
    try bus.deleteTopics([spec.name])
    try bus.createTopics([spec])
    house.command("c/1", sql)
    house.command("c/4", sql)
    #expect { try house.run() } throws: { ($0 as? BusError)?.code == "MADE_AGAIN" }
    house.restart()
    try house.run()
    #expect(house.answer("c/4")["status"]?.string == "done")
    #expect(house.rows.allSatisfy { $0.value["Grade"]?.int == 4 })
  }

  @Test func `a command whose copies are lost with the inbox is answered`() throws {
    let house = try house()
    house.command("c/1", "UPDATE alerts SET Grade = 1")
    try house.run()
    house.command("c/2", "UPDATE alerts SET Grade = 2")
    while house.answer("c/2")["status"]?.string != "running" {
      try house.life.worker.turn(wait: .milliseconds(10))
    }
    let spec = try #require(house.cluster.spec(house.topics.inbox))
    let bus = house.cluster.connect(member: "operator")
    try bus.deleteTopics([spec.name])
    try bus.createTopics([spec])
    house.restart()
    try house.run()
    #expect(house.answer("c/2")["status"]?.string == "failed")
    #expect(house.answer("c/2")["error"]?["code"]?.string == "lost")
    #expect(house.metrics.value("belfry_commands_pending") == 0)
    house.command("c/3", "UPDATE alerts SET Grade = 3")
    try house.run()
    #expect(house.answer("c/3")["rows"]?.int == 9)
  }

  @Test func `what a version without changes of rows has refused is not done after the upgrade`() throws {
    let house = try House()
    house.cluster.append(
      topic: house.topics.changelog("alerts"), partition: 0, key: "old", value: #"{"Identifier":"old"}"#,
      headers: ["belfry-change": "1", "belfry-consumed": #"{"events":0,"inbox":0}"#])
    house.command("c/1", "UPDATE alerts SET Grade = 1")
    try house.run()
    house.command("c/2", "UPDATE alerts SET Class = 1")
    house.restart()
    try house.run()
    #expect(house.answer("c/1") == .null)
    #expect(house.answer("c/2")["rows"]?.int == 1)
    #expect(house.rows["old"]?["Grade"]?.int == 0)
    let fresh = try House()
    fresh.command("c/1", "UPDATE alerts SET Grade = 1")
    try fresh.run()
    #expect(fresh.answer("c/1")["status"]?.string == "done", "sent before a new cluster's first start")
  }

  /// Updates add one to every row, inserts count, and what is sent behind an event finds its row: whatever dies when,
  /// and however often commands are sent.
  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func `a command is carried out once and in its place, over crashes at any call`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let house = try house(seed: seed)
    house.ask("all", "SELECT Grade, Tally FROM alerts")
    try house.run()
    let faults = SimulatedFaults.rough(callsPerCrash: [150, 400, 1_000].randomElement(using: &random)!)
    var sent: [(id: String, sql: String, rows: Int64)] = []
    for n in 0..<30 {
      house.bus.faults = faults
      sent.append(command(n, Kind.allCases.randomElement(using: &random)!, house))
      house.command(sent[n].id, sent[n].sql)
      let again = sent.randomElement(using: &random)!
      if Bool.random(using: &random) { house.command(again.id, again.sql) }
      house.send("e8", severity: 1)
      for _ in 0..<Int.random(in: 0...25, using: &random) { house.roughTurn() }
      if Int.random(in: 0..<8, using: &random) == 0 { house.cluster.compact(house.topics.replies) }
    }
    house.bus.faults = .none
    for _ in 0..<400 { house.roughTurn() }
    for (id, sql, rows) in sent {
      let reply = house.answer(id)
      #expect(reply["status"]?.string == "done" && reply["rows"]?.int == rows, "\(id) \(sql): \(reply.text)")
    }
    func count(_ kind: Kind) -> Int64 { Int64(sent.count { $0.sql.hasPrefix(kind.rawValue) }) }
    let rows = (0..<9).map { house.rows["e\($0)"] }
    #expect(rows.map { $0?["Grade"]?.int } == (0..<9).map { _ in count(.update) })
    #expect(rows.map { $0?["Tally"]?.int } == (0..<9).map { $0 < 3 ? 1 + count(.insert) : $0 == 8 ? 31 : 1 })
    #expect(house.rows.count == 9, "what was sent behind its event is deleted")
    try house.run()
    #expect(house.folded("all").mapValues { $0["Grade"]?.int } == house.rows.mapValues { $0["Grade"]?.int })
    #expect(house.cluster.misuses == [])
  }

  private enum Kind: String, CaseIterable { case update, insert, delete }

  /// With the rows that it must touch.
  private func command(_ n: Int, _ kind: Kind, _ house: House) -> (id: String, sql: String, rows: Int64) {
    switch kind {
    case .update: return ("c/\(n)", "update alerts SET Grade = Grade + 1 WHERE Node = 'n'", 9)
    case .insert: return ("c/\(n)", "insert INTO alerts (Identifier) VALUES ('e0'), ('e1'), ('e2')", 3)
    case .delete:
      // Sent before the command, so it must be there; by another shard's row for each number.
      house.cluster.append(
        topic: house.topics.events, key: "f\(n)", value: #"{"Identifier":"f\#(n)","Class":\#(n)}"#)
      return ("c/\(n)", "delete FROM alerts WHERE Class = \(n) AND Identifier LIKE 'f%'", 1)
    }
  }
}

extension House {
  func command(_ id: String, _ sql: String) {
    let command = JSON.object(of: ["client": .string("noc"), "sql": .string(sql)])
    cluster.append(topic: topics.commands, partition: 0, key: id, value: command.text)
  }

  /// The last reply to a command.
  func answer(_ id: String) -> JSON {
    cluster.records(topics.replies, 0, .committed).last { $0.keyText == id }?.json ?? .null
  }

  func turnWorker() throws(BusError) {
    try life.worker.turn(wait: .milliseconds(10))
    cluster.clock.advance(by: .milliseconds(1))
  }

  /// A turn in which anything may fail: what ends a life begins another.
  func roughTurn() {
    let faults = bus.faults
    do throws(BusError) {
      try turn()
    } catch {
      if error.remedy == .retry { return }
      restart()
      bus.faults = faults
    }
  }
}
