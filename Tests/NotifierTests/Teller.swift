import Base
import Bus
import Events
import Query

@testable import Matching
@testable import Notifier
@testable import Requests

/// A publisher of every change with its surroundings: simulated brokers, a changelog that the test writes, and a
/// table that shows what is in it. What is on the topics is all that a test looks at.
final class Teller {
  static let shards = 2

  let cluster: SimulatedCluster
  var settings: ChangePublisher.Settings
  private(set) var bus: SimulatedBus
  let metrics = Metrics()
  let lines = Notes<String>()
  private var publisher: ChangePublisher!
  private var letters = Mailbox<ChangeLetter>(capacity: 1_000)
  private var table = Mailbox<TableLetter>(capacity: 1_000)
  private let mail = Mailbox<ChangeNews>(capacity: 1_000)
  private(set) var news: [ChangeNews] = []
  /// How far the streams are, as replies would say it.
  private(set) var counts = ChangeCounts()
  private var streams: [String: Requests.Stream] = [:]
  private var storing: Set<String> = []
  private var epoch: Int64 = 0
  private var creations: Int64 = 0

  /// The table: each row's severity, and the number of each shard's last change.
  private(set) var rows: [String: Int64] = [:]
  private var numbers: [Int32: Int64] = [:]
  /// While false the table does not answer.
  var answers = true
  /// Changes that the table's answers are behind the changelog.
  var isBehind = false
  /// Rows and numbers that the table answers with, where it is not the newest.
  private var moment: (rows: [String: Int64], numbers: [Int32: Int64])?

  init(seed: UInt64 = 1, _ change: (inout ChangePublisher.Settings) -> Void = { _ in }) throws {
    cluster = SimulatedCluster(seed: seed)
    bus = cluster.connect()
    settings = ChangePublisher.Settings(topics: topics, schema: .alerts, partitions: Self.shards)
    change(&settings)
    try bus.ensureTopics(topics.specs(table: "alerts", partitions: Self.shards))
    restart()
  }

  /// A new process, and a new publisher's term.
  func restart() {
    bus.close()
    begin()
  }

  /// The same, while the former process lives on: its turn.
  func takeOver() -> () throws(BusError) -> Void {
    let former = publisher!
    begin()
    return { () throws(BusError) in try former.turn(wait: .zero) }
  }

  private func begin() {
    bus = cluster.connect()
    letters = Mailbox(capacity: 1_000)
    table = Mailbox(capacity: 1_000)
    let (clock, lines) = (cluster.clock, lines)
    publisher = ChangePublisher(
      bus: bus, clock: clock, settings: settings, letters: letters, table: table,
      readiness: Readiness(clock: clock),
      log: Log(Log.Sink(clock: clock, least: .warning) { lines.add($0) }, "test"), metrics: metrics
    ) { clock.advance(by: $0) }
    epoch += 1
    counts = ChangeCounts()
    letters.send(
      .begin(
        epoch: epoch, streams: streams.values.sorted { $0.id < $1.id }, storing: storing,
        counts: counts, news: mail))
  }

  // MARK: Streams

  @discardableResult
  func start(_ mode: Mode, _ sql: String, _ placement: Placement = .own) throws -> Requests.Stream {
    creations += 1
    let view = try parseView(sql, in: Tables())
    let id = String(sha256Hex("\(view.text) \(mode) \(placement)").prefix(16))
    let place = StreamPlace(
      id: id, creation: creations, mode: mode, placement: placement, isAgain: false, RegistrySettings())
    let stream = Requests.Stream(place: place, set: "set", text: view.text, view: view)
    if placement == .own { try cluster.connect().ensureTopics([place.topicSpec]) }
    streams[id] = stream
    letters.send(.start(stream, from: mode == .immediate ? beginning(place) : [:]))
    return stream
  }

  /// The same: its reply is committed before `body`, its publisher hears of it afterwards.
  func startLate(_ mode: Mode, _ sql: String, _ body: () throws -> Void) throws -> Requests.Stream {
    let letters = letters
    self.letters = Mailbox(capacity: 1)
    let stream = try start(mode, sql)
    let late = self.letters
    self.letters = letters
    try body()
    for letter in late.takeAll() { letters.send(letter) }
    return stream
  }

  /// What the publisher commits with the reply to an immediate stream's first request.
  private func beginning(_ place: StreamPlace) -> [Int32: Int64] {
    var ends: [Int32: Int64] = [:]
    for shard in 0..<Int32(Self.shards) {
      ends[shard] = cluster.endOffset(topics.changelog("alerts"), shard, .committed)!
    }
    let state = ChangeState.beginning(place, epoch: epoch, from: ends)
    let record = ChangeProgress.record(state, number: 0, time: cluster.clock.now())
    cluster.append(topic: topics.progress, partition: 0, key: place.id, value: record.text)
    return ends
  }

  /// Its clients are away.
  func store(_ stream: Requests.Stream) {
    storing.insert(stream.id)
    letters.send(.store(id: stream.id))
  }

  /// One is back.
  func takeUp(_ stream: Requests.Stream) {
    storing.remove(stream.id)
    letters.send(.takeUp(id: stream.id))
  }

  func stop(_ stream: Requests.Stream) {
    streams[stream.id] = nil
    letters.send(.stop(stream.place))
  }

  // MARK: Time

  func turn() throws(BusError) {
    try publisher.turn(wait: .milliseconds(20))
    cluster.clock.advance(by: .milliseconds(1))
    if answers { answer() }
    news += mail.takeAll()
  }

  func run(_ duration: Duration = .seconds(2)) throws(BusError) {
    let end = cluster.clock.elapsed() + duration
    while cluster.clock.elapsed() < end { try turn() }
  }

  /// What a supervisor does with an error of this one.
  func reset() { publisher.reset() }

  /// The table's next answer is of now.
  func holdMoment() { moment = (rows, numbers) }

  private func answer() {
    for letter in table.takeAll() {
      guard case .snapshot(let views, let reply) = letter else { continue }
      let (rows, numbers) = moment ?? (rows, numbers)
      moment = nil
      let strings = StringTable()
      let store = RowStore(schema: .alerts, strings: strings)
      let slot = store.makeSlot()
      let snapshots = Engine.snapshots(
        of: views.compactMap { wanted in wanted.view.map { (wanted.id, $0) } }, strings, bytesMax: 1 << 20
      ) { body in
        for (key, severity) in rows.sorted(by: { $0.key < $1.key }) {
          for (index, column) in Schema.alerts.columns.enumerated() {
            store.row(slot)[index] = store.cell(column.default)
          }
          store.row(slot)[0] = store.cell(.string(key))
          store.row(slot)[Schema.alerts.index(of: "Severity")!] = Cell(int: severity)
          body(strings.intern(key), Row(store.row(slot)))
        }
      }
      reply(
        Snapshot(
          taken: views.count, rows: snapshots, positions: isBehind ? numbers.mapValues { _ in 0 } : numbers))
    }
  }

  // MARK: The changelog

  static func shard(_ key: String) -> Int32 {
    Array(key.utf8).withUnsafeBytes { partition(ofKey: $0, count: shards) }
  }

  /// One change of a row; nil: it is deleted. `trace` is the event's. The summary makes it long.
  func put(_ key: String, _ severity: Int64?, trace: String? = nil, summary: String = "") {
    let old = rows[key]
    rows[key] = severity
    let value = severity.map { row(key, $0, summary) }
    var before: JSON?
    if let old { before = severity == nil ? row(key, old, "") : .object(of: ["Severity": .int(old)]) }
    append(key, value?.text, before: before?.text, trace: trace)
  }

  func append(_ key: String, _ value: String?, before: String?, trace: String? = nil) {
    let shard = Self.shard(key)
    numbers[shard, default: 0] += 1
    var headers = [("belfry-change", String(numbers[shard]!))]
    if let before { headers.append(("belfry-before", before)) }
    if let trace { headers.append(("traceparent", trace)) }
    cluster.append(
      topic: topics.changelog("alerts"), partition: shard, key: Array(key.utf8),
      value: value.map { Array($0.utf8) },
      headers: headers.map { .init(name: Array($0.0.utf8), value: Array($0.1.utf8)) })
  }

  /// Changes of a table that did not get to commit them.
  func abort(_ key: String, times: Int) throws {
    let producer = try cluster.connect().makeProducer(transactionalID: "table")
    try producer.initialise()
    for _ in 0..<times {
      let batch = RecordBatch()
      batch.append(
        topic: topics.changelog("alerts"), partition: Self.shard(key), timestamp: .zero, key: key,
        value: "{}", headers: ["belfry-change": "1000"])
      try producer.begin()
      try producer.send(batch)
      try producer.flush(timeout: .seconds(1))
      try producer.abort()
    }
  }

  /// A change that nobody will ever read.
  func lose(_ key: String, _ severity: Int64?) {
    rows[key] = severity
    numbers[Self.shard(key), default: 0] += 1
  }

  private func row(_ key: String, _ severity: Int64, _ summary: String) -> JSON {
    .object(
      Schema.alerts.columns.map { column in
        switch column.name {
        case "Identifier": JSON.Member(column.name, .string(key))
        case "Severity": JSON.Member(column.name, .int(severity))
        case "Summary": JSON.Member(column.name, .string(summary))
        default: JSON.Member(column.name, column.type == .string ? .string("") : .int(0))
        }
      })
  }

  // MARK: What is on the topics

  /// A stream's records: `op key old->new`, notices as `m kind`, and their headers.
  func told(_ stream: Requests.Stream) -> [Told] {
    let prefix = stream.place.keyPrefix
    return cluster.records(stream.place.topic, stream.place.partition, .committed)
      .filter { $0.keyText!.hasPrefix(prefix) }.map { Told($0, prefix) }
  }

  var progress: [String: JSON] {
    cluster.records(topics.progress, 0, .committed).reduce(into: [:]) { found, record in
      found[record.keyText!] = record.valueText.flatMap { try? JSON(parsing: $0) }
    }
  }
}

/// A record of a stream of every change, as a reader sees it.
struct Told {
  let key: String
  let value: JSON
  let seq: Int64
  let epoch: Int64
  let sweep: Int64
  let isLast: Bool
  let trace: String?

  init(_ record: SimulatedRecord, _ prefix: String) {
    func number(_ name: String) -> Int64 { record.headerText(name).flatMap { Int64($0) } ?? -1 }
    key = String(record.keyText!.dropFirst(prefix.count))
    value = record.valueText.flatMap { try? JSON(parsing: $0) } ?? .null
    (seq, epoch, sweep) = (number("belfry-seq"), number("belfry-epoch"), number("belfry-sweep"))
    isLast = record.headerText("belfry-last") == "1"
    trace = record.headerText("traceparent")
  }

  /// `u k 4->5`, `r k ->5 first`, `m gap 3-4`; of an immediate stream `k 5`, `k -`.
  var line: String {
    guard let op = value["op"]?.string else {
      return "\(key) \(value["Severity"]?.int.map { "\($0)" } ?? "-")"
    }
    if op == "m" {
      let notice = value["notice"] ?? .null
      let bounds = notice["from"]?.int.map { " \($0)-\(notice["to"]?.int ?? -1)" } ?? ""
      return "m \(notice["kind"]?.string ?? "none")\(bounds)"
    }
    let snapshot = value["source"]?["snapshot"]?.string ?? "none"
    func severity(_ image: String) -> String { value[image]?["Severity"]?.int.map { "\($0)" } ?? "" }
    return "\(op) \(key) \(severity("before"))->\(severity("after"))"
      + (snapshot == "false" ? "" : " \(snapshot)")
  }
}

extension [Told] {
  var lines: [String] { map(\.line) }
  var isContiguous: Bool { map(\.seq) == [Int64](1..<Int64(count + 1)) }
}
