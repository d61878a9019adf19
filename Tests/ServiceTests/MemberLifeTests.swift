import Base
import Bus
import Events
import Matching
import Notifier
import Query
import Requests
import Service
import Table
import Testing

@Suite struct MemberLifeTests {
  @Test func `a life is ready once its shards and its registry are restored`() throws {
    let house = try House()
    #expect(
      house.readiness.list == ["publisher: restoring the registry", "table: waiting for its shards"])
    try house.run()
    #expect(house.readiness.list == [])
  }

  @Test func `an event becomes a row, the row a record of its streams`() throws {
    let house = try House()
    house.ask("core", core)
    house.ask("count", counter)
    house.send("e1", severity: 5)
    house.send("e2", severity: 1)
    try house.run()
    #expect(house.folded("core").mapValues { $0["Severity"]?.int } == ["e1": 5])
    #expect(house.folded("count").mapValues { $0["n"]?.int } == ["*": 1])
    house.send("e1", severity: 2)
    house.send("e2", severity: 4)
    try house.run()
    #expect(house.folded("core").mapValues { $0["Severity"]?.int } == ["e2": 4])
    #expect(house.folded("count").mapValues { $0["n"]?.int } == ["*": 1])
  }

  @Test func `a row leaves a view of the last seconds when they are over, without an event`() throws {
    let house = try House()
    house.ask(
      "recent", "SELECT COUNT(*) AS n FROM alerts WHERE LastOccurrence > NOW() - INTERVAL '5 seconds'")
    try house.run()
    let now = house.cluster.clock.now().milliseconds
    house.send("e1", severity: 5, #","LastOccurrence":\#(now)"#)
    house.send("e2", severity: 5, #","LastOccurrence":\#(now + 10_000)"#)
    try house.run()
    #expect(house.folded("recent").mapValues { $0["n"]?.int } == ["*": 2])
    try house.run(.seconds(6))
    #expect(house.folded("recent").mapValues { $0["n"]?.int } == ["*": 1])
    try house.run(.seconds(10))
    #expect(house.folded("recent").mapValues { $0["n"]?.int } == ["*": 0])
  }

  @Test func `what changed and changed back between two sweeps is not published`() throws {
    let house = try House()
    house.ask("count", counter)
    house.send("e1", severity: 5)
    try house.run()
    let before = house.records("count").count
    let commits = house.changes.count
    house.send("e1", severity: 1)
    try house.run(.milliseconds(150))
    house.send("e1", severity: 5)
    try house.run(.milliseconds(150))
    #expect(house.changes.count == commits + 2)
    try house.run()
    let after = house.records("count").dropFirst(before).map { $0.value?["n"]?.int }
    #expect(after == [] || after == [0, 1])
  }

  @Test func `rows that changed often between two sweeps are published once`() throws {
    let house = try House()
    house.ask("core", core)
    try house.run()
    for severity in [4, 5, 4, 5, 4] {
      house.send("e1", severity: severity)
      try house.run(.milliseconds(120))
    }
    try house.run()
    #expect(house.changes.count == 5)
    #expect((1...2).contains(house.records("core").count))
    #expect(house.folded("core")["e1"]?["Severity"]?.int == 4)
  }

  @Test func `a stream that begins while rows change has each of them`() throws {
    let house = try House()
    for n in 0..<20 { house.send("e\(n)", severity: 5) }
    house.ask("core", core)
    house.ask("count", counter)
    for n in 20..<40 {
      house.send("e\(n)", severity: 5)
      try house.turn()
    }
    try house.run()
    #expect(house.folded("core").count == 40)
    #expect(house.folded("count")["*"]?["n"]?.int == 40)
  }

  @Test func `a question is answered from committed rows only`() throws {
    let house = try House()
    try house.run()
    for n in 0..<30 {
      house.send("e\(n)", severity: 3)
      let answer = try house.query("SELECT COUNT(*) AS n FROM alerts")
      #expect(answer.objects.first?["n"]?.int == Int64(house.rows.count))
    }
    #expect(house.rows.count > 20)
  }

  @Test func `an answer has so many rows at most, and says how many there are`() throws {
    let house = try House()
    for n in 0..<7 { house.send("e\(n)", severity: n) }
    try house.run()
    let answer = try house.query("SELECT Node FROM alerts WHERE Severity < 5", rowsMax: 2)
    #expect(answer.objects.count == 2)
    #expect(answer.count == 2)
    #expect(answer.matched == 5)
    #expect(answer.columns.map(\.name) == ["Identifier", "Node"])
  }

  @Test func `a sum beyond 64 bits is null, counted whenever it becomes so, and logged once`() throws {
    let house = try House()
    house.ask("sum", "SELECT SUM(Class) AS s FROM alerts")
    house.send("e1", severity: 5, #","Class":\#(Int64.max)"#)
    try house.run()
    #expect(house.folded("sum")["*"]?["s"]?.int == .max)
    for round in 1...2 {
      house.send("e\(round + 1)", severity: 5, #","Class":7"#)
      try house.run()
      #expect(house.folded("sum")["*"]?.text == #"{"s":null}"#)
      #expect(house.metrics.value("belfry_sum_overflows_total") == round)
      house.send("e\(round + 3)", severity: 5, #","Class":-7"#)
      try house.run()
      #expect(house.folded("sum")["*"]?["s"]?.int == .max)
    }
    let stream = try #require(house.reply("sum")["stream"]?["id"]?.string)
    let logged = house.warnings.filter { $0.contains("beyond 64 bits") }
    #expect(logged.count == 1 && logged[0].contains("stream=\(stream)"), "\(house.warnings)")
  }

  @Test func `a question's sum beyond 64 bits is null and counted, group by group`() throws {
    let house = try House()
    for n in 0..<4 { house.send("e\(n)", severity: n / 2, #","Class":\#(Int64.max)"#) }
    house.send("small", severity: 7)
    try house.run()
    let answer = try house.query(
      "SELECT Severity, SUM(Class) AS s, MAX(Class) AS m FROM alerts GROUP BY Severity")
    #expect(answer.objects.count == 3 && answer.objects.filter { $0["s"] == .null }.count == 2)
    #expect(house.metrics.value("belfry_sum_overflows_total") == 2)
    _ = try house.query("SELECT Class FROM alerts")
    #expect(house.metrics.value("belfry_sum_overflows_total") == 2)
  }

  @Test func `a sweep's positions are the change numbers of the state that it shows`() throws {
    let house = try House()
    house.ask("core", core)
    for n in 0..<50 { house.send("e\(n % 20)", severity: 5) }
    try house.run()
    let sweep = house.cluster.records(house.topics.progress, 0, .committed).last {
      $0.keyText == "*/belfry.publish"
    }
    var numbers: [String: Int64] = [:]
    for shard in Int32(0)..<3 {
      let last = house.cluster.records(house.topics.changelog("alerts"), shard, .committed).last
      numbers["\(shard)"] = last?.headerText("belfry-change").flatMap { Int64($0) }
    }
    let positions = sweep?.json?["positions"]?.members ?? []
    #expect(numbers.count == 3)
    #expect(Dictionary(uniqueKeysWithValues: positions.map { ($0.name, $0.value.int!) }) == numbers)
  }

  /// The list and its counter, folded up to each sweep, agree there; and at last with the changelog.
  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `a view and its counter agree at every sweep, over restarts`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let house = try House(seed: seed)
    house.ask("core", core)
    house.ask("count", counter)
    for _ in 0..<120 {
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        let row = Int.random(in: 0..<12, using: &random)
        house.send("e\(row)", severity: Int.random(in: 0...5, using: &random))
      }
      if Int.random(in: 0..<40, using: &random) == 0 { house.restart() }
      try house.run(.milliseconds(Int.random(in: 1...150, using: &random)))
    }
    try house.run(.seconds(3))
    let (list, counts) = (house.records("core"), house.records("count"))
    #expect(list.map(\.seq) == Array(1...Int64(list.count)))
    #expect(counts.map(\.seq) == Array(1...Int64(counts.count)))
    // The second request may have been read a sweep later than the first.
    let first = try #require(counts.first).sweep
    for sweep in Set((list + counts).map(\.sweep)) where sweep >= first {
      let rows = list.filter { $0.sweep <= sweep }.reduce(into: [:]) { $0[$1.key] = $1.value }
      #expect(Int64(rows.count) == counts.last { $0.sweep <= sweep }?.value?["n"]?.int)
    }
    let expected = house.rows.compactMapValues { $0["Severity"]?.int }.filter { $0.value >= 4 }
    #expect(house.folded("core").compactMapValues { $0["Severity"]?.int } == expected)
    #expect(house.cluster.misuses == [])
  }

  @Test func `many streams begin over several turns, rows changing between them`() throws {
    // Three rows and then some: one stream a turn.
    let house = try House { $0.startWorkMax = 4 }
    for n in 0..<3 { house.send("e\(n)", severity: 5) }
    for n in 0..<30 { house.ask("v\(n)", "SELECT Severity FROM alerts WHERE Severity > \(n % 7)") }
    try house.run()
    house.restart()
    for n in 0..<60 {
      house.send("e\(n % 5)", severity: n % 6)
      try house.turn()
    }
    try house.run(.seconds(3))
    let rows = house.rows.compactMapValues { $0["Severity"]?.int }
    #expect(rows.count == 5)
    for n in 0..<30 {
      let expected = rows.filter { $0.value > n % 7 }
      #expect(house.folded("v\(n)").compactMapValues { $0["Severity"]?.int } == expected)
      let records = house.records("v\(n)")
      #expect(records.map(\.seq) == (0..<records.count).map { Int64($0) + 1 })
    }
  }

  @Test func `a publisher is made anew while the table serves on`() throws {
    let house = try House()
    for n in 0..<5 { house.send("e\(n)", severity: 5) }
    house.ask("core", core)
    house.ask("count", counter)
    try house.run()
    let failure = BusError(.recreate, code: "_FATAL", "")
    for life in 0..<3 {
      #expect(house.life.remakePublisher(after: failure))
      house.send("e\(life)", severity: life)
      try house.run(.milliseconds(life * 40))
    }
    #expect(house.readiness.list.count <= 1)
    try house.run()
    #expect(house.metrics.value("belfry_restored_total") == 0, "the table was never restored")
    let expected = house.rows.compactMapValues { $0["Severity"]?.int }.filter { $0.value >= 4 }
    #expect(house.folded("core").compactMapValues { $0["Severity"]?.int } == expected)
    #expect(house.folded("count")["*"]?["n"]?.int == Int64(expected.count))
    for name in ["core", "count"] {
      #expect(house.records(name).map(\.seq) == (0..<house.records(name).count).map { Int64($0) + 1 })
    }
    #expect(house.cluster.misuses == [])
  }

  @Test func `a lost letter and a closed bus are the table's business, too`() throws {
    let house = try House()
    #expect(!house.life.remakePublisher(after: .closed))
    #expect(!house.life.remakePublisher(after: BusError(.recreate, code: Publisher.mailboxFull, "")))
  }

  @Test func `who takes the table's seat ends what its former holder left open, and does not wait for it`()
    throws
  {
    let house = try House()
    try house.run()
    let place = TopicPartition(house.topics.changelog("alerts"), 0)
    func end(_ isolation: Isolation) -> Int64? {
      house.cluster.endOffset(place.topic, place.partition, isolation)
    }
    // In the midst of a transaction: its changes are sent ahead.
    for n in 0..<1_000 where end(.uncommitted) == end(.committed) {
      house.send("e\(n)", severity: 5)
      try house.life.worker.turn(wait: .zero)
    }
    #expect(end(.uncommitted) != end(.committed))
    house.restart()
    let start = house.cluster.clock.elapsed()
    for _ in 0..<1_000 where !house.readiness.list.isEmpty { try house.turn() }
    #expect(house.cluster.clock.elapsed() - start < house.cluster.transactionTimeout / 2)
    #expect(house.readiness.list == [])
  }

  @Test func `nothing is published or answered from a part of the table`() throws {
    let house = try House()
    for n in 0..<9 { house.send("e\(n)", severity: 5) }
    house.ask("core", core)
    house.cluster.partitionsElsewhere = [2]
    try house.run()
    let led = house.rows.count
    #expect((1..<9).contains(led), "rows of two of three shards")
    #expect(house.readiness.list == ["shards: leads 2 of 3; the others are another member's still"])
    #expect(house.reply("core")["status"]?.string == "active")
    #expect(house.records("core").isEmpty)
    house.life.letters.send(.query(try house.view("SELECT Severity FROM alerts"), rowsMax: 9) { _ in })
    try house.run()
    #expect(!house.life.letters.isEmpty, "the question waits")
    house.cluster.partitionsElsewhere = []
    house.restart()
    try house.run()
    #expect(house.readiness.list == [])
    #expect(house.folded("core").count == 9)
  }

  @Test func `an events topic that was made again is read from its start, and that is said`() throws {
    let house = try House()
    for n in 0..<30 { house.send("e\(n)", severity: 5) }
    house.ask("core", core)
    try house.run()
    try house.makeAgain(house.topics.events)
    house.send("new", severity: 5)
    house.restart()
    try house.run()
    #expect(house.folded("core").count == 31)
    #expect(house.metrics.value("belfry_input_resets_total") > 0)
    #expect(house.warnings.contains { $0.contains("made again") })
    house.send("newer", severity: 5)
    house.restart()
    try house.run()
    #expect(house.folded("core").count == 32)
    #expect(house.rows["new"]?["Tally"]?.int == 1, "read once")
  }

  /// What the changelog says was consumed is of the log before. `between`: what came while a member served the new
  /// one, none of which changes a row; nil: none did.
  @Test(arguments: [nil, [], ["{"]] as [[String]?])
  func `of an events topic that was made again and has grown past all positions nothing is passed over`(
    between: [String]?
  ) throws {
    let house = try House()
    for n in 0..<30 { house.send("e\(n)", severity: 5) }
    try house.run()
    try house.makeAgain(house.topics.events)
    if let between {
      house.restart()
      for n in 0..<9 {
        for value in between { house.cluster.append(topic: house.topics.events, key: "\(n)", value: value) }
      }
      try house.run()
    }
    house.bus.close()
    for n in 0..<90 { house.send("new\(n)", severity: 5) }
    house.restart()
    try house.run()
    #expect(house.rows.count == 120)
    #expect(house.rows.allSatisfy { $0.value["Tally"]?.int == 1 })
    #expect(house.metrics.value("belfry_input_resets_total") == 3)
    #expect(house.cluster.records(house.topics.deadLetters, 0, .committed).count == 9 * (between?.count ?? 0))
  }

  @Test func `a topic that is made again while it is read is noticed`() throws {
    let house = try House()
    for n in 0..<30 { house.send("e\(n)", severity: 5) }
    try house.run()
    try house.makeAgain(house.topics.events)
    #expect { try house.run() } throws: { ($0 as? BusError)?.code == "MADE_AGAIN" }
  }

  @Test func `a part that hangs is not ready, whoever asks`() throws {
    let house = try House()
    try house.run()
    house.cluster.clock.advance(by: Readiness.turnLimit - .milliseconds(500))
    #expect(house.readiness.list == [])
    house.cluster.clock.advance(by: .seconds(3))
    #expect(
      house.readiness.list == ["changes", "publisher", "table"].map { "\($0): its last turn ended 7 s ago" })
    #expect(house.readiness.list(without: "publisher").count == 2)
    try house.run(.milliseconds(50))
    #expect(house.readiness.list == [])
  }

  @Test func `a table whose transactions fail one after the other is not ready, and says why`() throws {
    let house = try House()
    try house.run()
    house.send("e1", severity: 5)
    house.bus.faults.abortable = 1
    for _ in 0..<500 { try house.life.worker.turn(wait: .milliseconds(10)) }
    let reason = try #require(house.readiness.list.first { $0.hasPrefix("table: its last turn ended") })
    #expect(reason.contains("_ABORTABLE"), "\(reason)")
    house.bus.faults.abortable = 0
    try house.run()
    #expect(house.readiness.list == [])
    #expect(house.rows.count == 1)
  }

  @Test func `a topic that is deleted is noticed, and both roles are made anew`() throws {
    for name in ["belfry.replies", "belfry.cluster"] {
      let house = try House()
      try house.run()
      try house.cluster.connect(member: "operator").deleteTopics([name])
      let error = try #require(throws: BusError.self) { try house.run(.seconds(15)) }
      #expect(error.description == "TOPIC_GONE: deleted: \(name)")
      #expect(!house.life.remakePublisher(after: error))
    }
  }

  @Test func `requests that were made again are read from their start, while they are read and at a start`()
    throws
  {
    let house = try House()
    for n in 0..<9 { house.ask("v\(n)", core) }
    try house.run()
    try house.makeAgain(house.topics.requests)
    house.ask("new", core)
    let error = #expect(throws: BusError.self) { try house.run() }
    #expect(error?.code == "MADE_AGAIN")
    #expect(house.life.remakePublisher(after: try #require(error)))
    try house.run()
    #expect(house.reply("new")["status"]?.string == "active")
    #expect(house.warnings.contains { $0.contains("the topic was made again") })
  }

  @Test(arguments: [
    ("belfry.progress", "*/belfry.publish", #"{"epoch":9223372036854775807}"#),
    ("belfry.progress", "*/belfry.publish", #"{"sweep":9223372036854775807}"#),
    ("belfry.progress", "x", #"{"seq":9223372036854775807,"epoch":-1}"#),
    ("belfry.progress", "x", #"{"time":9223372036854775807}"#),
    ("belfry.cluster", "claim", #"{"epoch":9223372036854775807}"#),
    ("belfry.cluster", "position/requests", #"{"offset":4000000000000}"#),
    ("belfry.cluster", "position/commands", #"{"offset":9223372036854775807}"#),
  ])
  func `a number that nothing can have counted up to stops no start`(
    topic: String, key: String, value: String
  ) throws {
    let house = try House()
    house.ask("core", core)
    house.send("e1", severity: 5)
    try house.run()
    house.cluster.append(topic: topic, partition: 0, key: key, value: value)
    house.restart()
    house.send("e2", severity: 5)
    house.ask("count", counter)
    try house.run()
    #expect(house.records("core").map(\.seq) == [1, 2])
    #expect(house.folded("count")["*"]?["n"]?.int == 2)
  }

  @Test func `a change number or a position that cannot be is not believed`() throws {
    let house = try House()
    house.send("e1", severity: 5)
    try house.run()
    for shard in Int32(0)..<3 {
      house.cluster.append(
        topic: house.topics.changelog("alerts"), partition: shard, key: "x", value: nil,
        headers: [
          "belfry-change": "9223372036854775807",
          "belfry-consumed": #"{"events":-7,"inbox":9223372036854775807}"#,
        ])
    }
    house.restart()
    for n in 0..<9 { house.send("f\(n)", severity: 5) }
    try house.run()
    #expect(house.rows.compactMapValues { $0["Tally"]?.int }.count == 10)
    #expect(house.metrics.value("belfry_restore_errors_total") == 3)
  }

  @Test func `what retention removed unread is counted and said`() throws {
    let house = try House()
    for n in 0..<9 { house.send("e\(n)", severity: 5) }
    try house.run()
    house.bus.close()
    for n in 10..<40 { house.send("e\(n)", severity: 5) }
    for shard in Int32(0)..<3 {
      house.cluster.truncate(
        house.topics.events, shard,
        below: house.cluster.endOffset(house.topics.events, shard, .uncommitted)! - 1)
    }
    house.restart()
    try house.run()
    #expect(house.rows.count == 12)
    #expect(house.metrics.value("belfry_input_lost_total") == 27)
    #expect(house.warnings.contains { $0.contains("removed before they were read") })
  }

  @Test func `what a former publisher asked is not answered any more`() throws {
    let house = try House()
    house.send("e1", severity: 5)
    house.ask("core", core)
    try house.run()
    let stream = try #require(house.reply("core")["primary"]?.string)
    let mail = Mailbox<Collected>(capacity: 4)
    house.life.letters.send(.collect(units: [[stream]]))
    house.life.letters.send(.reset(mail))
    house.life.letters.send(.collect(units: [[stream]]))
    for _ in 0..<3 { try house.life.worker.turn(wait: .milliseconds(10)) }
    let collected = mail.takeAll()
    #expect(collected.count == 1)
    #expect(collected.first?.units == 1)
    #expect(collected.first?.batch.streams.isEmpty == true, "no stream has begun since")
  }

  @Test func `a sweep takes no further set once it is full, and sets stay whole`() throws {
    let house = try House { $0.sweepBytesMax = 1 }
    for n in 0..<4 { house.send("e\(n)", severity: n) }
    for n in 0..<4 {
      house.ask("v\(n)", "SELECT Severity FROM alerts WHERE Severity >= \(n)")
      house.ask("n\(n)", "SELECT COUNT(*) AS n FROM alerts WHERE Severity >= \(n)")
    }
    try house.run()
    // Requests may have been read one after the other; a row that is in all views changes all of them.
    house.send("all", severity: 9)
    try house.run()
    var sweeps: Set<Int64> = []
    for n in 0..<4 {
      #expect(house.folded("v\(n)").count == 5 - n)
      let last = try #require(house.records("v\(n)").last?.sweep)
      #expect(last == house.records("n\(n)").last?.sweep)
      sweeps.insert(last)
    }
    #expect(sweeps.count == 4)
  }

  @Test func `a set of more bytes than one transaction may have fails, others are published`() throws {
    let house = try House { $0.unitBytesMax = 400 }
    house.send("e0", severity: 5)
    house.ask("core", core)
    house.ask("low", "SELECT Severity FROM alerts WHERE Severity < 3")
    try house.run()
    #expect(house.reply("core")["status"]?.string == "active")
    for n in 1..<40 { house.send("e\(n)", severity: 5) }
    house.send("f", severity: 1)
    try house.run()
    #expect(house.reply("core")["status"]?.string == "failed")
    #expect(
      house.reply("core")["error"]?["message"]?.string
        == "what is to be published at once has more than 400 bytes")
    #expect(house.folded("core").count == 1)
    #expect(house.folded("low").count == 1)
    #expect(house.metrics.value("belfry_streams_over_limit_total") == 1)
  }

  @Test func `a stream that ended is matched no more, and can begin again`() throws {
    let house = try House(grace: .seconds(1))
    house.send("e1", severity: 5)
    house.ask("core", core)
    try house.run()
    let topic = house.reply("core")["stream"]?["topic"]?.string ?? "none"
    #expect(house.metrics.value("belfry_filters") == 1)
    house.end("core")
    try house.run(.seconds(3))
    #expect(house.metrics.value("belfry_streams") == 0)
    // No row changes meanwhile.
    #expect(house.metrics.value("belfry_filters") == 0)
    #expect(!house.cluster.topicNames.contains(topic))
    house.send("e2", severity: 5)
    house.ask("core", core)
    try house.run()
    #expect(house.records("core").map(\.key).sorted() == ["e1", "e2"])
    #expect(house.records("core").map(\.seq) == [1, 2])
  }

  @Test func `an event that cannot be used goes to the dead letters and stops nothing`() throws {
    let house = try House()
    house.ask("core", core)
    house.cluster.append(topic: house.topics.events, key: "x", value: "{\"Identifier\":")
    house.send("e1", severity: 5)
    try house.run()
    #expect(house.cluster.records(house.topics.deadLetters, 0, .committed).map(\.keyText) == ["x"])
    #expect(house.folded("core").keys.sorted() == ["e1"])
  }
}
