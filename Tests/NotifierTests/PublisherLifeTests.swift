import Base
import Bus
import Events
import Testing

@testable import Notifier
@testable import Requests

/// Ends, second lives and restarts.
@Suite struct PublisherLifeTests {
  @Test func `a stream's topic is deleted a grace period after its last request`() throws {
    let office = try Office(grace: .seconds(30))
    office.ask("a/core", core)
    office.ask("b/core", core)
    try office.run()
    let topic = office.topic("a/core")
    office.end("a/core")
    try office.run(.seconds(40))
    #expect(office.reply("a/core")["status"]?.string == "ended")
    #expect(office.cluster.topicNames.contains(topic))
    office.end("b/core")
    try office.run(.seconds(29))
    #expect(office.cluster.topicNames.contains(topic))
    try office.run(.seconds(2))
    #expect(!office.cluster.topicNames.contains(topic))
    let before = office.sweeps.count
    try office.run(.seconds(10))
    #expect(office.sweeps.count == before)
    #expect(office.cluster.misuses == [])
  }

  @Test func `a request within the grace gets the stream back, seq going on`() throws {
    let office = try Office()
    office.put("k", "{1}")
    office.ask("a/core", core)
    try office.run()
    office.end("a/core")
    try office.run(.seconds(20))
    office.put("k", "{2}")
    office.ask("b/core", core)
    try office.run(.seconds(40))
    #expect(office.reply("b/core")["role"]?.string == "primary")
    #expect(office.records("b/core").map(\.value) == ["{1}", "{2}"])
    #expect(office.records("b/core").isContiguous)
  }

  @Test func `a stream that lives again starts at 1 in a higher epoch under a new name`() throws {
    let office = try Office(grace: .seconds(1))
    office.put("k", "{}")
    var names: Set<String> = []
    for life in 1...3 {
      office.ask("a/core", core)
      try office.run()
      let records = office.records("a/core")
      names.insert(office.topic("a/core"))
      #expect(records.map(\.seq) == [1])
      #expect(records.map(\.epoch) == [Int64(life)])
      #expect(office.reply("a/core")["epoch"]?.int == Int64(life))
      #expect(office.reply("a/core")["seq"]?.int == 0)
      office.end("a/core")
      try office.run(.seconds(5))
    }
    #expect(names.count == 3)
    #expect(office.claims == [1, 2, 3])
  }

  @Test func `a lane's stream that ends says null for its keys, and counts on`() throws {
    let office = try Office(grace: .seconds(1))
    office.put("a", "{1}")
    office.put("b", "{2}")
    office.ask("noc/count", counter)
    office.ask("noc/core", core, #""placement":"lane""#)
    try office.run()
    let stream = office.reply("noc/count")["stream"] ?? .null
    office.end("noc/count")
    try office.run(.seconds(5))
    let records = office.records(at: stream)
    #expect(records.map(\.value) == ["{1}", "{2}", nil, nil])
    #expect(records.isContiguous)
    #expect(records.map(\.isLast) == [false, true, false, true])
    #expect(office.records("noc/core").folded == ["a": "{1}", "b": "{2}"])
    office.ask("noc/count", counter)
    try office.run()
    let again = office.records("noc/count").dropFirst(4)
    #expect(again.map(\.seq) == [1, 2])
    #expect(again.allSatisfy { $0.epoch > records[3].epoch })
    #expect(office.reply("noc/count")["seq"]?.int == 0)
  }

  @Test func `a lane is cleared wherever its publisher dies`() throws {
    for crash in 1...40 {
      let office = try Office(grace: .seconds(1))
      office.put("a", "{1}")
      office.ask("noc/count", counter)
      try office.run()
      let stream = office.reply("noc/count")["stream"] ?? .null
      office.end("noc/count")
      try office.run(.milliseconds(900))
      office.bus.faults.scripted = [office.bus.calls + crash: .crashAfter]
      #expect(throws: BusError.self) { try office.run(.seconds(600)) }
      office.restart()
      try office.run(.seconds(5))
      let records = office.records(at: stream)
      #expect(records.map(\.value) == ["{1}", nil], "crash after call \(crash)")
      #expect(records.isContiguous, "crash after call \(crash)")
    }
  }

  @Test func `an ended stream's progress goes with it, and a crashed one's at the next start`() throws {
    let office = try Office(grace: .seconds(1))
    office.put("k", "{1}")
    for (key, sql) in [("a/core", core), ("a/count", counter), ("a/other", other)] { office.ask(key, sql) }
    try office.run()
    let ids = ["a/core", "a/count"].map { office.reply($0)["primary"]!.string! }
    for key in ["a/core", "a/count"] { office.end(key) }
    try office.run(.seconds(5))
    func progress(_ id: String) -> SimulatedRecord? {
      office.cluster.records(topics.progress, 0, .committed).last { $0.keyText == id }
    }
    for id in ids {
      #expect(progress(id) != nil)
      #expect(progress(id)?.value == nil)
    }
    #expect(progress(office.reply("a/other")["primary"]!.string!)?.value != nil)
    // As an older version left it.
    let old = #"{"epoch":1,"seq":4,"sweep":1,"creation":1,"time":0}"#
    office.cluster.append(topic: topics.progress, partition: 0, key: "0123456789abcdef", value: old)
    office.restart()
    try office.run()
    #expect(progress("0123456789abcdef")?.value == nil)
    office.ask("a/core", core)
    try office.run()
    #expect(office.records("a/core").map(\.epoch) == [2])
  }

  @Test func `where too many streams end in an epoch the next is claimed`() throws {
    let office = try Office(grace: .seconds(1))
    office.settings.endedPerEpochMax = 2
    office.restart()
    office.put("k", "{1}")
    for n in 0..<4 { office.ask("a/v\(n)", "SELECT Node FROM alerts WHERE Tally = \(n)") }
    try office.run()
    for n in 0..<3 { office.end("a/v\(n)") }
    try office.run(.seconds(5))
    #expect(office.claims == [1])
    office.end("a/v3")
    try office.run(.seconds(5))
    #expect(office.claims == [1, 2])
    office.ask("a/v0", "SELECT Node FROM alerts WHERE Tally = 0")
    try office.run()
    #expect(office.claims == [1, 2])
    #expect(office.records("a/v0").map(\.epoch) == [2])
    #expect(office.reply("a/v0")["epoch"]?.int == 2)
  }

  @Test func `the topics of streams that end together are deleted in one call`() throws {
    let office = try Office(grace: .seconds(1))
    office.cluster.trace.isOn = true
    for n in 0..<30 { office.ask("a/v\(n)", "SELECT Node FROM alerts WHERE Tally = \(n)") }
    try office.run()
    for n in 0..<30 { office.end("a/v\(n)") }
    try office.run(.seconds(5))
    #expect(!office.cluster.topicNames.contains { $0.hasPrefix(topics.viewPrefix) })
    // One at the start, for what a crash may have left.
    #expect(office.cluster.trace.lines.filter { $0.contains("deleteTopics") }.count <= 2)
  }

  @Test func `aborted transactions are tried again after a pause that grows, and the log says why`() throws {
    let office = try Office()
    office.put("k", "{1}")
    office.ask("a/core", core)
    try office.run()
    for n in 1...3 {
      office.put("k", "{\(n + 1)}")
      office.bus.inject(.abortable)
      try office.run()
    }
    #expect(office.pauses.all == Array(repeating: .milliseconds(100), count: 3))
    office.bus.faults.abortable = 1
    office.put("k", "{5}")
    #expect(throws: BusError.self) { try office.run(.seconds(20)) }
    #expect(office.pauses.all.dropFirst(3).map(\.milliseconds) == [100, 200, 400, 800])
    let last = try #require(office.lines.all.last { $0.contains("transaction aborted") })
    #expect(last.contains("_ABORTABLE") && last.contains("abort the transaction"))
  }

  @Test func `requests that trickle in are gathered`() throws {
    let office = try Office()
    office.ask("a/core", core)
    try office.run()
    office.cluster.trace.isOn = true
    for n in 0..<50 {
      office.ask("c\(n)/core", core)
      try office.run(.milliseconds(40))
    }
    try office.run(.milliseconds(400))
    #expect((0..<50).allSatisfy { office.reply("c\($0)/core")["status"]?.string == "active" })
    // In these 2.4 s some twelve gathers, which polls cut, and three sweeps; else each request is a commit.
    let commits = office.cluster.trace.lines.filter { $0.contains("commit belfry.publish") }.count
    #expect((5...35).contains(commits))
  }

  @Test func `a lease does not end where its renewal waits to be read`() throws {
    let office = try Office()
    office.settings.requestsPerTurnMax = 10
    office.restart()
    for n in 0..<40 { office.ask("c\(n)/core", core, #""lease_ms":5000"#) }
    try office.run()
    // The publisher stands still for longer than the lease, while all renew.
    office.cluster.clock.advance(by: .seconds(4))
    for n in 0..<40 { office.ask("c\(n)/core", core, #""lease_ms":5000"#) }
    office.cluster.clock.advance(by: .seconds(4))
    try office.run()
    // None ended, to begin again with its renewal.
    #expect((0..<40).filter { office.replies("c\($0)/core").count != 1 } == [])
    try office.run(.seconds(6))
    #expect((0..<40).filter { office.reply("c\($0)/core")["reason"]?.string != "lease" } == [])
  }

  @Test(arguments: [-7_200, 7_200])
  func `leases do not depend on the brokers' clock`(skew: Int64) throws {
    let office = try Office()
    office.cluster.stampSkew = .seconds(skew)
    office.ask("noc/core", core, #""lease_ms":5000"#)
    for _ in 0..<3 {
      try office.run(.seconds(3))
      office.ask("noc/core", core, #""lease_ms":5000"#)
    }
    try office.run(.seconds(4))
    #expect(office.reply("noc/core")["status"]?.string == "active")
    try office.run(.seconds(3))
    #expect(office.reply("noc/core")["status"]?.string == "ended")
  }

  @Test func `a restart publishes the difference to what is on the topic`() throws {
    let office = try Office()
    for (key, value) in [("a", "{1}"), ("b", "{1}"), ("c", "{1}")] { office.put(key, value) }
    office.ask("noc/core", core)
    office.ask("noc/count", counter)
    try office.run()
    office.put("a", "{2}")
    office.put("b", nil)
    office.put("d", "{1}")
    office.restart()
    try office.run()
    for name in ["noc/core", "noc/count"] {
      let records = office.records(name)
      #expect(records.isContiguous)
      let fresh = records.dropFirst(3).map { "\($0.key)=\($0.value ?? "-") e\($0.epoch)" }
      #expect(fresh == ["a={2} e2", "d={1} e2", "b=- e2"])
      #expect(records.last?.isLast == true)
    }
    office.restart()
    try office.run()
    #expect(office.records("noc/core").count == 6)
    let numbers = office.sweeps.map { $0["sweep"]?.int ?? -1 }
    #expect(numbers == Array(1...Int64(numbers.count)))
  }

  @Test func `the epoch rises at each start, published in it or not`() throws {
    let office = try Office()
    for _ in 0..<3 {
      try office.run(.milliseconds(200))
      office.restart()
    }
    try office.run(.milliseconds(200))
    #expect(office.claims == [1, 2, 3, 4])
    office.ask("noc/core", core)
    try office.run()
    #expect(office.reply("noc/core")["epoch"]?.int == 4)
  }

  @Test func `requests that came while no publisher was there are answered once`() throws {
    let office = try Office()
    office.ask("a/core", core)
    try office.run()
    office.restart()
    office.ask("b/core", core)
    try office.run()
    office.restart()
    try office.run()
    #expect(office.replies("a/core").count == 1)
    #expect(office.replies("b/core").map { $0["role"]?.string } == ["secondary"])
  }

  @Test func `topics that a crash left behind are deleted, others are let be`() throws {
    let office = try Office()
    let ours = ["belfry.view.0123456789abcdef", "belfry.view.0123456789abcdef.42"]
    let theirs = [
      "belfry.view.0123456789ABCDEF", "belfry.view.0123456789abcde", "belfry.view.0123456789abcdef.x",
      "belfry.view.0123456789abcdef.", "belfry.view.mine", "belfry.viewpoint.0123456789abcdef",
    ]
    office.ask("noc/core", core)
    try office.run()
    try office.cluster.connect().createTopics((ours + theirs).map { ClusterTopics.view($0) })
    office.restart()
    try office.run()
    let names = Set(office.cluster.topicNames)
    #expect(names.isDisjoint(with: ours))
    #expect(names.isSuperset(of: theirs + [office.topic("noc/core")]))
  }

  @Test func `what was collected in a stream's former life is not published in its next`() throws {
    let office = try Office(grace: .seconds(1))
    office.put("old", "{}")
    office.ask("noc/core", core)
    try office.run()
    office.end("noc/core")
    try office.run(.milliseconds(500))
    office.put("stray", "{}")
    office.answers = false
    try office.run(.seconds(3))
    office.ask("noc/core", core)
    for _ in 0..<5 { try office.turn() }
    office.answers = true
    try office.run()
    let records = office.records("noc/core")
    #expect(records.map(\.key) == ["old", "stray"])
    #expect(Set(records.map(\.sweep)).count == 1)
  }

  /// As where who publishes every change stands still while a stream ends, and begins again.
  @Test func `no reply counts what is said late of a history's former life`() throws {
    let office = try Office(grace: .seconds(1))
    office.ask("a/told", core, #""mode":"all""#)
    try office.run()
    var counts: ChangeCounts?
    var former: StreamPlace?
    for letter in office.changes.takeAll() {
      if case .begin(_, _, _, let given, _) = letter { counts = given }
      if case .start(let stream, _) = letter { former = stream.place }
    }
    let late = [(place: try #require(former), count: StreamProgress(seq: 7, epoch: 1))]
    try #require(counts).set(late)
    office.ask("b/told", core, #""mode":"all""#)
    try office.run()
    #expect(office.reply("b/told")["seq"]?.int == 7)
    for client in ["a", "b"] { office.end("\(client)/told") }
    try office.run(.seconds(4))
    office.ask("a/told", core, #""mode":"all""#)
    try office.run()
    counts!.set(late)
    office.ask("b/told", core, #""mode":"all""#)
    try office.run()
    #expect(office.reply("b/told")["status"]?.string == "active")
    #expect(office.reply("b/told")["seq"]?.int == 0)
  }

  @Test func `a second publisher ends the first`() throws {
    let office = try Office()
    try office.run()
    let successor = try office.cluster.connect().makeProducer(transactionalID: topics.publishSeat)
    try successor.initialise()
    office.ask("noc/core", core)
    #expect { try office.run() } throws: { ($0 as? BusError)?.remedy == .fenced }
    #expect(office.replies("noc/core").isEmpty)
  }
}
