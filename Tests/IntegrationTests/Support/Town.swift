import Base
import Bus
import Client
import Events
import Foundation
import Glibc
import Testing

/// A cluster of its own on the broker: a member as a process, and the client's side of the contract.
final class Town {
  let name: String
  let partitions: Int
  /// The brokers' addresses, as the test reaches them.
  let bootstrap: String
  let bus: KafkaBus
  let topics: ClusterTopics
  let session: Session
  let clock = SystemClock()
  private let configuration: String
  private(set) var member: Child?
  private(set) var http = 0

  /// `yaml`: further keys of the configuration. `bootstrap`: where the member and the commands find the
  /// broker, with librdkafka's `properties`, if not as the test does. `kafka`: brokers of its own.
  init(
    _ yaml: String = "", partitions: Int = 3, sweep: String = "interval_ms: 200, drain_ms: 50",
    bootstrap: String? = nil, properties: KeyValuePairs<String, String> = [:], kafka: OwnKafka? = nil
  ) throws {
    let here = try kafka?.bootstrap ?? Broker.running.bootstrap
    self.bootstrap = here
    name = "town\(Scratch.next())-\(getpid())"
    self.partitions = partitions
    bus = try KafkaBus(bootstrap: here)
    topics = ClusterTopics(cluster: name)
    session = Session(bus: bus, topics: topics, clock: clock)
    configuration = try Scratch.file(
      """
      cluster: \(name)
      kafka:
        bootstrap: "\(bootstrap ?? here)"
        replication: \(kafka?.count ?? 1)
        partitions: \(partitions)
        properties: { \(properties.map { "\($0): '\($1)'" }.joined(separator: ", ")) }
      http: { listen: "127.0.0.1:0" }
      sweep: { \(sweep) }
      \(yaml)
      """)
  }

  deinit {
    member?.signal(SIGKILL)
    bus.close()
  }

  // MARK: The member

  func launch() throws {
    let child = try Child(Belfry.path, ["serve", "-c", configuration])
    member = child
    try eventually("the port of member \(child.errors.suffix(2000))") {
      let port = Self.port(in: child.errors)
      if let port { http = port }
      return port != nil || child.status != nil
    }
  }

  static func port(in log: String) -> Int? {
    guard let start = log.range(of: " http=127.0.0.1:") else { return nil }
    return Int(log[start.upperBound...].prefix { $0.isNumber })
  }

  /// A member under another id beside it.
  func another(_ id: String) throws -> Child {
    try Child(Belfry.path, ["serve", "-c", configuration], environment: ["BELFRY_MEMBER_ID": id])
  }

  func start() throws {
    try launch()
    try waitUntilReady()
  }

  func waitUntilReady(_ at: SourceLocation = #_sourceLocation) throws {
    try eventually(within: .seconds(60), "readiness; the log ends \(member!.errors.suffix(3000))", at) {
      if let status = member!.status { throw NotInTime(what: "ended with \(status): \(member!.errors)") }
      return (try? get("/readyz"))?.status == 200
    }
    // The member knows its topics; the broker that a new client asks may still have to hear of them.
    let names = topics.specs(table: "alerts", partitions: partitions).map(\.name)
      .filter { $0 != topics.changelog("alerts") }
    try eventually("the topics, as a client sees them", at) {
      guard (try? bus.partitionCounts(names).count) == names.count else { return false }
      return (try? bus.endOffset(TopicPartition(topics.replies, 0), isolation: .committed)) != nil
    }
  }

  func kill() throws { try member!.killNow() }

  /// SIGTERM, and a clean end.
  func stop() throws {
    member!.signal(SIGTERM)
    let status = try member!.end()
    #expect(status == 0, "\(member!.errors.suffix(2000))")
  }

  func restart() throws {
    try stop()
    try start()
  }

  /// Changes the configuration's text; it is read at the next start.
  func reconfigure(_ old: String, _ new: String) throws {
    let text = try String(contentsOfFile: configuration, encoding: .utf8)
    try #require(text.contains(old))
    try text.replacing(old, with: new).write(toFile: configuration, atomically: true, encoding: .utf8)
  }

  // MARK: Over HTTP and the command line

  func get(_ path: String, query: KeyValuePairs<String, String> = [:]) throws -> (status: Int, body: String) {
    try HTTPClient.get("http://127.0.0.1:\(http)\(path)", query: query)
  }

  /// The rows of an answer, as the member gives them. While the table is restored, or waits for a broker,
  /// it says 503: the question is asked again.
  func query(_ sql: String, _ at: SourceLocation = #_sourceLocation) throws -> [JSON] {
    var answer = (status: 0, body: "")
    try eventually(within: .seconds(60), "an answer to \(sql): \(answer.body)", at) {
      answer = try get("/v1/query", query: ["sql": sql])
      return answer.status != 503
    }
    try #require(answer.status == 200, "\(sql): \(answer.body)", sourceLocation: at)
    return try #require(try JSON(parsing: answer.body)["rows"]?.array, sourceLocation: at)
  }

  func count(_ filter: String) throws -> Int64 {
    try query("SELECT COUNT(*) AS n FROM alerts WHERE \(filter)").first?["n"]?.int ?? -1
  }

  /// The sum over all labels that begin so: `belfry_rows`, `belfry_events_rejected_total{reason="json"}`.
  func metric(_ series: String) throws -> Int {
    try get("/metrics").body.split(separator: "\n").reduce(0) { sum, line in
      guard !line.hasPrefix("#"), line.hasPrefix(series), let number = line.split(separator: " ").last else {
        return sum
      }
      return sum + (Int(number) ?? 0)
    }
  }

  /// What was done is counted behind the transaction that tells of it: it may be seen before it is counted.
  func expect(_ series: String, _ wanted: Int, _ at: SourceLocation = #_sourceLocation) throws {
    var found = 0
    try eventually("\(series) of \(wanted); it is \(found)", at) {
      found = try metric(series)
      return found == wanted
    }
  }

  /// The options by which a command finds this cluster.
  var `where`: [String] { ["-c", configuration, "--http", "127.0.0.1:\(http)"] }

  func belfry(_ arguments: String..., input: String? = nil) throws -> Belfry.Ran {
    try Belfry.run(arguments + self.where, input: input)
  }

  /// A client command that is to run for a while.
  func belfryChild(_ arguments: String...) throws -> Child {
    try Child(Belfry.path, arguments + ["-c", configuration])
  }

  /// A client command whose output another program reads, in a shell's words.
  func pipeline(_ command: String, into reader: String) throws -> Child {
    try Child("/bin/sh", ["-c", "\(Belfry.path) \(command) -c \(configuration) | \(reader)"])
  }

  // MARK: Over Kafka

  /// Sends values to the events topic, by their keys' partitions or to one.
  func send(_ values: [String], key: ((Int) -> String)? = nil, partition: Int32 = -1) throws {
    let batch = RecordBatch()
    for (i, value) in values.enumerated() {
      batch.append(
        topic: topics.events, partition: partition, timestamp: clock.now(), key: key?(i) ?? "\(i)",
        value: value)
    }
    try deliver(batch)
  }

  func deliver(_ batch: RecordBatch) throws {
    let producer = try bus.makeProducer()
    defer { producer.close() }
    try producer.send(batch)
    try producer.flush(timeout: .seconds(60))
  }

  /// Makes a request and gives its reply.
  @discardableResult
  func request(
    _ client: String, _ name: String, _ sql: String, _ more: KeyValuePairs<String, JSON?> = [:]
  ) throws -> JSON {
    var members = JSON.object(of: [
      "client": .string(client), "name": .string(name), "sql": .string(sql),
    ]).members!
    members += JSON.object(of: more).members!
    return try request(client, name, .object(members))
  }

  /// Ends a request and gives the reply.
  @discardableResult
  func end(_ client: String, _ name: String) throws -> JSON { try request(client, name, nil) }

  /// Right after their making, topics may have no leader yet that a client knows.
  private func request(_ client: String, _ name: String, _ value: JSON?) throws -> JSON {
    var reply = JSON.null
    try eventually("a reply to \(client)/\(name)") {
      do {
        reply = try session.request(client: client, name: name, value)
      } catch let error as BusError where error.remedy == .retry {
        return false
      }
      return true
    }
    return reply
  }

  func follow(_ reply: JSON, _ at: SourceLocation = #_sourceLocation) throws -> FoldedStream {
    let address = try #require(StreamAddress(reply: reply), "no stream: \(reply.text)", sourceLocation: at)
    return FoldedStream(address, try session.read(address))
  }

  /// All records of a topic up to its true end.
  func read(
    _ topic: String, partitions: Int = 1, _ body: (RecordBatch.Record, RecordBatch) -> Void
  ) throws {
    let places = (0..<partitions).map { (TopicPartition(topic, Int32($0)), earliestOffset) }
    try bus.readToEnd(Dictionary(uniqueKeysWithValues: places), clock: clock) { batch in
      for record in batch.records { body(record, batch) }
    }
  }

  /// A consumer's folded view of the last replies.
  func replies() throws -> [String: JSON] { try folded(topics.replies) }

  /// The last values by key, of a topic of one partition with JSON in it.
  func folded(_ topic: String) throws -> [String: JSON] {
    var found: [String: JSON] = [:]
    try read(topic) { record, batch in
      if let key = batch.keyText(record) {
        found[key] = batch.value(record).flatMap { try? JSON(parsing: $0) }
      }
    }
    return found
  }
}

/// A stream read from its start and folded by key, its counts checked on the way.
final class FoldedStream {
  let address: StreamAddress
  private let reader: HistoryReader
  private(set) var records: [HistoryEntry] = []
  private(set) var rows: [String: JSON] = [:]
  /// What broke the contract, by the reader's word or in its sweeps.
  private(set) var faults: [String] = []

  init(_ address: StreamAddress, _ reader: HistoryReader) {
    self.address = address
    self.reader = reader
  }

  deinit { reader.close() }

  /// Reads all that is on the stream's partition now.
  func readToPresent() throws {
    while try !reader.isAtEnd(.committed) { try poll() }
  }

  func poll() throws {
    do {
      for event in try reader.poll(timeout: .milliseconds(50)) {
        if case .entry(let record) = event {
          take(record)
        } else if let words = event.words {
          faults.append(words)
        }
      }
    } catch {
      // A broker that is away: the next poll asks again.
      if error.remedy != .retry { throw error }
    }
  }

  private func take(_ record: HistoryEntry) {
    let last = records.last
    if let last, record.epoch < last.epoch { faults.append("epoch \(record.epoch) after \(last.epoch)") }
    if let last, record.sweep < last.sweep { faults.append("sweep \(record.sweep) after \(last.sweep)") }
    if let last, last.sweep != record.sweep, !last.isLast { faults.append("sweep \(last.sweep) has no end") }
    records.append(record)
    rows[record.key] = record.value
  }

  /// Reads on until the folded rows are as wanted.
  func wait(
    within limit: Duration = .seconds(40), _ what: String, _ at: SourceLocation = #_sourceLocation,
    _ holds: ([String: JSON]) throws -> Bool
  ) throws {
    try eventually(
      within: limit, "\(what); the stream has \(rows.count) rows: \(Array(rows.prefix(5)))", at
    ) {
      try poll()
      return try holds(rows)
    }
    #expect(faults == [], sourceLocation: at)
  }
}
