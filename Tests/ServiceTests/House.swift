import Base
import Bus
import Events
import Matching
import Notifier
import Query
import Requests
import Service
import Synchronization
import Table
import Testing

/// A member's two roles over simulated brokers, turned one after the other. What is on the topics, and what
/// the table answers, is all that a test looks at.
final class House {
  let cluster: SimulatedCluster
  let settings: MemberSettings
  let readiness: Readiness
  let metrics = Metrics()
  private let lines = Lines()
  private(set) var bus: SimulatedBus
  private(set) var life: MemberLife!

  init(
    seed: UInt64 = 1, grace: Duration = .seconds(5), _ change: (inout MemberSettings) -> Void = { _ in }
  ) throws {
    cluster = SimulatedCluster(seed: seed)
    readiness = Readiness(clock: cluster.clock)
    bus = cluster.connect()
    var settings = MemberSettings(
      topics: ClusterTopics(cluster: "belfry"), memberID: "a", schema: .alerts,
      table: TableSettings(partitions: 3),
      registry: RegistrySettings(intervalDefault: .seconds(1), grace: grace))
    change(&settings)
    self.settings = settings
    try bus.ensureTopics(settings.topicSpecs)
    restart()
  }

  var topics: ClusterTopics { settings.topics }

  /// A new process; the old one is gone without a word.
  func restart() {
    bus.close()
    bus = cluster.connect()
    let clock = cluster.clock
    life = MemberLife(
      settings, bus: bus, clock: clock, readiness: readiness, log: log, metrics: metrics
    ) { clock.advance(by: $0) }
  }

  /// Keeps what is logged.
  private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func append(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
  }

  private var log: Log {
    let lines = lines
    return Log(Log.Sink(clock: cluster.clock, least: .warning) { lines.append($0) }, "house")
  }

  /// Warnings and errors that were logged.
  var warnings: [String] { lines.all }

  func turn() throws(BusError) {
    try life.worker.turn(wait: .milliseconds(10))
    try life.publisher.turn(wait: .milliseconds(10))
    try life.changes.turn(wait: .zero)
    cluster.clock.advance(by: .milliseconds(1))
  }

  func run(_ duration: Duration = .seconds(2)) throws(BusError) {
    let end = cluster.clock.elapsed() + duration
    while cluster.clock.elapsed() < end { try turn() }
  }

  /// Somebody deletes a topic and makes it again, empty.
  func makeAgain(_ topic: String) throws {
    let spec = try #require(cluster.spec(topic))
    let bus = cluster.connect(member: "operator")
    try bus.deleteTopics([topic])
    try bus.createTopics([spec])
  }

  // MARK: Events and requests

  func send(_ identifier: String, severity: Int, _ more: String = "") {
    cluster.append(
      topic: topics.events, key: identifier,
      value: #"{"Identifier":"\#(identifier)","Node":"n","Severity":\#(severity)\#(more)}"#)
  }

  func ask(_ name: String, _ sql: String, _ more: KeyValuePairs<String, JSON?> = [:]) {
    let head = JSON.object(of: ["client": .string("noc"), "name": .string(name), "sql": .string(sql)])
    let request = JSON.object(head.members! + JSON.object(of: more).members!)
    cluster.append(topic: topics.requests, partition: 0, key: "noc/\(name)", value: request.text)
  }

  func end(_ name: String) {
    cluster.append(topic: topics.requests, partition: 0, key: "noc/\(name)", value: nil as String?)
  }

  // MARK: Questions

  func view(_ sql: String) throws -> View { try parseView(sql, in: OneTable(.alerts)) }

  /// Asks the table, and turns its worker alone until it answers.
  func query(_ sql: String, rowsMax: Int = 1_000) throws -> QueryResult {
    let view = try view(sql)
    let answer = Answer()
    life.letters.send(.query(view, rowsMax: rowsMax) { answer.put($0) })
    for _ in 0..<1_000 where answer.result == nil { try life.worker.turn(wait: .milliseconds(10)) }
    return try #require(answer.result).get()
  }

  private final class Answer: Sendable {
    private let state = Mutex<Result<QueryResult, EngineError>?>(nil)
    func put(_ result: Result<QueryResult, EngineError>) { state.withLock { $0 = result } }
    var result: Result<QueryResult, EngineError>? { state.withLock { $0 } }
  }

  // MARK: What is on the topics

  func reply(_ name: String) -> JSON {
    cluster.records(topics.replies, 0, .committed).last { $0.keyText == "noc/\(name)" }?.json ?? .null
  }

  /// A stream's records, their keys without the prefix.
  func records(_ name: String) -> [(key: String, value: JSON?, seq: Int64, sweep: Int64)] {
    guard let stream = reply(name)["stream"], let topic = stream["topic"]?.string,
      let partition = stream["partition"]?.int, let prefix = stream["key_prefix"]?.string
    else { return [] }
    return cluster.records(topic, Int32(partition), .committed).filter { $0.keyText!.hasPrefix(prefix) }.map {
      let numbers = [$0.headerText("belfry-seq"), $0.headerText("belfry-sweep")].map { Int64($0!)! }
      return (String($0.keyText!.dropFirst(prefix.count)), $0.json, numbers[0], numbers[1])
    }
  }

  func folded(_ name: String) -> [String: JSON] {
    records(name).reduce(into: [:]) { $0[$1.key] = $1.value }
  }

  /// The rows as the changelog has them.
  var rows: [String: JSON] {
    var rows: [String: JSON] = [:]
    for record in changes { rows[record.keyText!] = record.json }
    return rows
  }

  var changes: [SimulatedRecord] {
    (0..<3).flatMap { cluster.records(topics.changelog("alerts"), $0, .committed) }
  }
}

extension SimulatedRecord {
  var json: JSON? { valueText.flatMap { try? JSON(parsing: $0) } }
}

extension QueryResult {
  var objects: [JSON] {
    rows.withUnsafeBytes { try? JSON(parsing: $0) }?.array ?? []
  }
}

let core = "SELECT Severity FROM alerts WHERE Severity >= 4"
let counter = "SELECT COUNT(*) AS n FROM alerts WHERE Severity >= 4"
