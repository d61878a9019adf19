import Base
import Bus
import Events
import Query
import Synchronization

@testable import Matching
@testable import Notifier
@testable import Requests

/// A publisher with its surroundings: simulated brokers, and a table that has the same keys and values in
/// every view. What is on the topics is all that a test looks at.
final class Office {
  let cluster: SimulatedCluster
  var settings: Publisher.Settings
  private(set) var bus: SimulatedBus
  let metrics = Metrics()
  let readiness: Readiness
  private var publisher: Publisher!
  private var letters = Mailbox<TableLetter>(capacity: 1_000)
  private var mail: Mailbox<Collected>?
  private(set) var changes = Mailbox<ChangeLetter>(capacity: 1_000)

  /// The table: what every view has, and what each stream has yet to publish.
  private(set) var view: [String: String] = [:]
  private var pending: [String: [String: String?]] = [:]
  var positions: [Int32: Int64] = [0: 0]
  /// The commands before this one are done.
  var commands = Int64.max
  /// Units that the table has room for in one sweep.
  var unitsMax = Int.max
  /// How long the table works on a sweep.
  var work = Duration.zero
  /// Streams that the table finds over a limit.
  var failures: [StreamFailure] = []
  /// The log's lines, and the pauses behind aborted transactions.
  let lines = Notes<String>()
  let pauses = Notes<Duration>()
  let definitions = SharedDefinitions()
  /// While false the table does not answer.
  var answers = true

  init(seed: UInt64 = 1, grace: Duration = .seconds(30)) throws {
    cluster = SimulatedCluster(seed: seed)
    readiness = Readiness(clock: cluster.clock)
    bus = cluster.connect()
    settings = Publisher.Settings(
      topics: topics, registry: RegistrySettings(intervalDefault: .seconds(1), grace: grace))
    settings.changelog = topics.changelog("alerts", partitions: 2)
    try bus.ensureTopics(topics.specs(table: "alerts", partitions: 2))
    restart()
  }

  /// A new process: what the old one held in memory is gone, its table included.
  func restart() {
    publisher?.close()
    bus = cluster.connect()
    letters = Mailbox(capacity: 1_000)
    changes = Mailbox(capacity: 1_000)
    mail = nil
    pending = [:]
    let (clock, lines, pauses) = (cluster.clock, lines, pauses)
    let log = Log(Log.Sink(clock: clock, least: .warning) { lines.add($0) }, "test")
    publisher = Publisher(
      bus: bus, clock: clock, settings: settings, catalog: Tables(), table: letters, changes: changes,
      readiness: readiness, definitions: definitions,
      log: log, metrics: metrics
    ) {
      pauses.add($0)
      clock.advance(by: $0)
    }
  }

  // MARK: Time

  func run(_ duration: Duration = .seconds(2)) throws(BusError) {
    let end = cluster.clock.elapsed() + duration
    while cluster.clock.elapsed() < end { try turn() }
  }

  func turn() throws(BusError) {
    try publisher.turn(wait: .milliseconds(20))
    cluster.clock.advance(by: .milliseconds(1))
    if answers { answer() }
  }

  private func answer() {
    for letter in letters.takeAll() {
      switch letter {
      case .start(let stream): pending[stream.id] = view.mapValues { $0 }
      case .stop(let id): pending[id] = nil
      case .query, .explain, .snapshot: break
      case .reset(let mailbox):
        mail = mailbox
        pending = [:]
      case .collect(let units):
        let batch = SweepBatch()
        let taken = min(units.count, unitsMax)
        cluster.clock.advance(by: work)
        for id in units.prefix(taken).joined() {
          guard let changed = pending[id] else { continue }
          batch.append(stream: id, changed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
          pending[id] = [:]
        }
        mail?.send(
          Collected(
            batch: batch, units: taken, failures: failures, positions: positions, commands: commands,
            time: cluster.clock.now(), work: work))
        failures = []
      }
    }
  }

  // MARK: The table and the clients

  func put(_ key: String, _ value: String?) {
    view[key] = value
    positions[0]! += 1
    for id in pending.keys { pending[id]!.updateValue(value, forKey: key) }
  }

  func ask(_ key: String, _ sql: String, _ more: String = "") {
    let parts = key.split(separator: "/").map(String.init)
    let head = JSON.object(of: [
      "client": .string(parts[0]), "name": .string(parts[1]), "sql": .string(sql),
    ])
    let text = head.text.dropLast() + (more.isEmpty ? "}" : ",\(more)}")
    cluster.append(topic: topics.requests, partition: 0, key: key, value: String(text))
  }

  /// The client is what stands before the command's first slash.
  func flush(_ id: String, _ name: String, _ more: String = "") {
    let client = id.prefix { $0 != "/" }
    let value = #"{"client":"\#(client)","flush":"\#(name)"\#(more.isEmpty ? "" : "," + more)}"#
    cluster.append(topic: topics.commands, partition: 0, key: id, value: value)
  }

  func end(_ key: String) {
    cluster.append(topic: topics.requests, partition: 0, key: key, value: nil as String?)
  }

  // MARK: What is on the topics

  func replies(_ key: String) -> [JSON] {
    cluster.records(topics.replies, 0, .committed).filter { $0.keyText == key }.map {
      $0.valueText.flatMap { try? JSON(parsing: $0) } ?? .null
    }
  }

  func reply(_ key: String) -> JSON { replies(key).last ?? .null }

  func topic(_ key: String) -> String { reply(key)["stream"]?["topic"]?.string ?? "none" }

  /// A stream's records: those of its partition with its prefix.
  func records(_ key: String) -> [Published] { records(at: reply(key)["stream"] ?? .null) }

  func records(at stream: JSON) -> [Published] {
    guard let topic = stream["topic"]?.string, let partition = stream["partition"]?.int,
      let prefix = stream["key_prefix"]?.string
    else { return [] }
    return cluster.records(topic, Int32(partition), .committed).compactMap { Published($0, prefix) }
  }

  /// The records of a control topic with this key, nulls left out.
  func entities(_ topic: String, _ key: String) -> [JSON] {
    cluster.records(topic, 0, .committed).filter { $0.keyText == key }.compactMap {
      $0.valueText.flatMap { try? JSON(parsing: $0) }
    }
  }

  var sweeps: [JSON] { entities(topics.progress, "*/\(topics.publishSeat)") }
  var claims: [Int64] { entities(topics.registry, "claim").compactMap { $0["epoch"]?.int } }
}

/// What was noted, from whatever thread.
final class Notes<Element: Sendable>: Sendable {
  private let state = Mutex<[Element]>([])
  func add(_ element: Element) { state.withLock { $0.append(element) } }
  var all: [Element] { state.withLock { $0 } }
}

/// A record on a stream, as a reader sees it.
struct Published: Equatable {
  var key: String
  var value: String?
  var epoch: Int64
  var seq: Int64
  var sweep: Int64
  var isLast: Bool

  init?(_ record: SimulatedRecord, _ prefix: String) {
    guard let text = record.keyText, text.hasPrefix(prefix) else { return nil }
    func number(_ name: String) -> Int64 { record.headerText(name).flatMap { Int64($0) } ?? -1 }
    key = String(text.dropFirst(prefix.count))
    value = record.valueText
    epoch = number("belfry-epoch")
    seq = number("belfry-seq")
    sweep = number("belfry-sweep")
    isLast = record.headerText("belfry-last") == "1"
  }
}

extension [Published] {
  /// What a reader has that read all of them.
  var folded: [String: String] { reduce(into: [:]) { $0[$1.key] = $1.value } }

  var isContiguous: Bool { map(\.seq) == [Int64](1..<Int64(count + 1)) }
}

let core = "SELECT Node FROM alerts WHERE Severity >= 4"
let sameCore = "select Node from alerts where not Severity < 4"
let counter = "SELECT COUNT(*) AS n FROM alerts WHERE Severity >= 4"
let other = "SELECT Node FROM alerts WHERE Severity = 1"
