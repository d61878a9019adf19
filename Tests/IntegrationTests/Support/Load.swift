import Base
import Bus
import Events
import Foundation
import Synchronization
import Testing

/// Sends events on a thread of its own until it is told to stop, and knows what the table must then be.
final class Load: Sender, @unchecked Sendable {
  // @unchecked: the producer, the random numbers and `expected` are the thread's until it has ended.

  /// A row as the events make it.
  struct Row: Equatable {
    var tally: Int64 = 0
    var severity: Int64 = 0
    var summary = ""
  }

  private(set) var expected: [String: Row] = [:]
  private let producer: any PlainProducer
  private let topic: String
  private let identifiers: Int
  private let size: Int
  private var random: SeededRandom
  private let clock = SystemClock()
  private let isStopping = Atomic<Bool>(false)
  private let count = Atomic<Int>(0)
  private let ended = DispatchSemaphore(value: 0)
  private let failure = Mutex<String?>(nil)

  /// A message is waited for as long as a broker may be away here. `batch`: events between two pauses.
  init(_ town: Town, identifiers: Int, seed: UInt64, batch: Int = 50) throws {
    let bus = try KafkaBus(
      bootstrap: town.bootstrap, properties: ["message.timeout.ms": "300000"])
    producer = try bus.makeProducer()
    topic = town.topics.events
    self.identifiers = identifiers
    size = batch
    random = SeededRandom(seed: seed)
    Thread { [self] in run() }.start()
  }

  var sent: Int { count.load(ordering: .relaxed) }

  /// Ends the load: all that it sent is acknowledged.
  func stop() throws {
    isStopping.store(true, ordering: .relaxed)
    ended.wait()
    producer.close()
    try #require(failure.withLock { $0 } == nil)
  }

  private func run() {
    let batch = RecordBatch()
    do {
      while !isStopping.load(ordering: .relaxed) {
        batch.removeAll()
        for _ in 0..<size { append(to: batch) }
        try producer.send(batch)
        try producer.flush(timeout: .seconds(300))
        count.add(batch.count, ordering: .relaxed)
        usleep(20_000)
      }
    } catch {
      failure.withLock { $0 = "\(error)" }
    }
    ended.signal()
  }

  private func append(to batch: RecordBatch) {
    let id = "row \(Int.random(in: 0..<identifiers, using: &random))"
    let severity = Int.random(in: 1...5, using: &random)
    let summary = "event \(UInt32.random(in: 0 ... .max, using: &random))"
    batch.append(
      topic: topic, partition: -1, timestamp: clock.now(), key: id,
      value: Samples.event(id, severity: severity, summary: summary, ["Node": .string("node \(severity)")]))
    var row = expected[id] ?? Row()
    row.tally += 1
    row.severity = Int64(severity)
    row.summary = summary
    expected[id] = row
  }
}

extension Load.Row {
  /// A row of a view with these columns.
  init(_ json: JSON) {
    self.init(
      tally: json["Tally"]?.int ?? -1, severity: json["Severity"]?.int ?? -1,
      summary: json["Summary"]?.string ?? "")
  }
}
