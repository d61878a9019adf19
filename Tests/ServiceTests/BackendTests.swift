import Base
import Bus
import Console
import Events
import Glibc
import Requests
import Service
import Table
import Testing

/// What the console's paths answer, from a member on the embedded broker.
@Suite(.serialized) struct BackendTests {
  private let bus: KafkaBus
  private let member: Member
  private let backend: Backend
  private let metrics = Metrics()
  private let topics = ClusterTopics(cluster: "belfry")

  init() throws {
    bus = try KafkaBus(bootstrap: "", embedded: true)
    let settings = MemberSettings(
      topics: topics, memberID: "a", schema: .alerts, table: TableSettings(partitions: 2),
      registry: RegistrySettings())
    member = Member(settings, bus: bus, clock: SystemClock(), log: .silent, metrics: metrics)
    backend = Backend(member, schema: .alerts, bus: bus, metrics: metrics)
  }

  private func rows(_ sql: String) throws -> JSON? {
    guard case .rows(let json) = backend.query(sql) else { return nil }
    return try JSON(parsing: json)
  }

  /// Until it holds, or a minute has passed.
  private func wait(_ holds: () throws -> Bool) throws {
    let clock = SystemClock()
    let deadline = clock.elapsed() + .seconds(60)
    while try !holds(), clock.elapsed() < deadline { sched_yield() }
  }

  @Test(arguments: [
    ("SELECT", "syntax", 1, 7),
    ("SELECT Node\nFROM alert", "unknown_table", 2, 6),
    ("SELECT Nod FROM alerts", "unknown_column", 1, 8),
    ("SELECT Node FROM alerts WHERE Severity = 'x'", "type", 1, 42),
  ])
  func `a bad question is rejected with its place, whether the member serves or not`(
    sql: String, code: String, line: Int, column: Int
  ) {
    guard case .rejected(let found, let message, let atLine, let atColumn) = backend.query(sql) else {
      Issue.record("not rejected")
      return
    }
    #expect("\(found) \(atLine):\(atColumn)" == "\(code) \(line):\(column)")
    #expect(!message.isEmpty)
  }

  @Test func `EXPLAIN says what would become of a request, whether the member serves or not`() throws {
    let answer = try rows("EXPLAIN SELECT Summary FROM alerts WHERE 3 < Severity AND LastOccurrence < NOW()")
    let rows = answer?["rows"]?.array ?? []
    func value(_ what: String) -> String? { rows.first { $0["what"]?.string == what }?["value"]?.string }
    #expect(
      value("canonical")
        == "SELECT Identifier, Summary FROM alerts WHERE LastOccurrence <= NOW() - 1 AND Severity >= 4")
    #expect(value("columns") == "Identifier string, Summary string")
    #expect(value("reads") == "Identifier, Severity, Summary, LastOccurrence")
    #expect(value("time") == "LastOccurrence beside NOW()")
    let explanation = answer?["explanation"]
    #expect(explanation?["time"]?.array?.count == 1)
    #expect(explanation?["stream"]?.string == value("stream"))
  }

  @Test func `a good question has to wait for a member that serves`() {
    guard case .unavailable(let reason) = backend.query("SELECT Node FROM alerts") else {
      Issue.record("answered")
      return
    }
    #expect(!reason.isEmpty)
    #expect(backend.liveness() == [])
  }

  @Test func `a member that serves answers with columns, rows and their number, and stops when it is told`()
    throws
  {
    try bus.ensureTopics(topics.specs(table: "alerts", partitions: 2))
    let producer = try bus.makeProducer()
    let batch = RecordBatch()
    for n in 1...3 {
      batch.append(
        topic: topics.events, partition: -1, timestamp: SystemClock().now(), key: "e\(n)",
        value: #"{"Identifier":"e\#(n)","Node":"é\"\#(n)","Severity":\#(n)}"#)
    }
    try producer.send(batch)
    try producer.flush(timeout: .seconds(30))
    producer.close()
    member.start()
    defer { member.stop() }
    var count: JSON?
    try wait {
      count = try rows("SELECT COUNT(*) AS n FROM alerts")
      return count?["rows"]?.array?.first?["n"]?.int == 3
    }
    #expect(
      count?.text
        == #"{"columns":[{"name":"n","type":"int"}],"rows":[{"n":3}],"count":1,"matched":1,"truncated":false}"#
    )
    let list = try rows("SELECT Node FROM alerts WHERE Severity = 2")
    #expect(list?["rows"]?.array?.map(\.text) == [#"{"Identifier":"e2","Node":"é\"2"}"#])
    #expect(list?["columns"]?.array?.map { $0["name"]?.string } == ["Identifier", "Node"])
    let summary = try rows(
      "SELECT HISTOGRAM(Severity, 2, 3) AS h, COUNT(DISTINCT Node) AS d, QUANTILE(Severity, 0.5) AS q FROM alerts"
    )
    #expect(summary?["rows"]?.text == #"[{"d":3,"h":[1,1,1],"q":2}]"#)
    #expect(summary?["columns"]?.array?.map { $0["type"]?.string } == ["int", "int[]", "int"])
    #expect(backend.metricsText().contains("belfry_queries_total"))
    member.stop()
    #expect(member.failure == nil)
    guard case .unavailable = backend.query("SELECT Node FROM alerts") else {
      Issue.record("a member that stopped answered")
      return
    }
  }

  @Test func `a topic with the wrong number of partitions ends the member, and it says which`() throws {
    try bus.createTopics([TopicSpec(topics.events, partitions: 5, properties: [:])])
    member.start()
    try wait { !backend.liveness().isEmpty }
    member.stop()
    #expect(
      backend.liveness() == [
        "PARTITIONS: topic belfry.events has 5 partitions, the configuration says 2"
      ])
    #expect(backend.readiness().contains { $0.contains("belfry.events has 5 partitions") })
  }
}
