import Base
import Bus
import Client
import Events
import FrontDoor
import Service

extension Session {
  fileprivate var deadLetters: TopicPartition { TopicPartition(topics.deadLetters, 0) }
}

/// Reads the dead-letter topic up to its end.
private func readDeadLetters(_ session: Session, _ body: (RecordBatch.Record, RecordBatch) -> Void) throws {
  try session.checkCluster()
  try session.bus.readToEnd([session.deadLetters: earliestOffset], clock: session.clock) { batch in
    for record in batch.records { body(record, batch) }
  }
}

/// `belfry dlq list`. `topic`, `partition` and `event_offset`: where the event was refused; one that its producer
/// put into another partition is refused in the inbox, to which it was forwarded.
func listDeadLetters(_ invocation: Invocation, _ output: Output) throws {
  let session = try openSession(invocation)
  var rows: [[Cell]] = []
  let limit = invocation.integer("limit") ?? 100
  try readDeadLetters(session) { record, batch in
    func header(_ name: StaticString) -> Cell { batch.headerText(record, name).map { .text($0) } ?? .null }
    rows.append([
      .int(record.offset), .text(iso8601(record.timestamp)), header("belfry.error.code"),
      header("belfry.error.topic"), header("belfry.error.partition"), header("belfry.error.offset"),
      .int(Int64(batch.value(record)?.count ?? 0)), header("belfry.error.message"),
    ])
    if rows.count > limit { rows.removeFirst() }
  }
  try output.rows(
    ["offset", "time", "code", "topic", "partition", "event_offset", "bytes", "message"], rows)
}

/// `belfry dlq show OFFSET`: the value's bytes as they came.
func showDeadLetter(_ invocation: Invocation, _ output: Output) throws {
  let session = try openSession(invocation)
  let offset = invocation.argument(0).flatMap { Int64($0) } ?? -1
  var bytes: [UInt8]?
  try readDeadLetters(session) { record, batch in
    if record.offset == offset { bytes = batch.value(record).map { Array($0) } ?? [] }
  }
  guard let bytes else { throw CommandFailure("there is no dead letter at offset \(offset)") }
  // A terminal must not obey what an event says; a pipe gets it byte for byte.
  if output.isTable {
    try output.write(visible(String(decoding: bytes, as: UTF8.self)) + "\n")
  } else {
    try writeAll(1, bytes)
  }
}

/// `belfry dlq replay [OFFSET]`: sends them to the events topic again, with their own headers and the keys of
/// their rows.
func replayDeadLetters(_ invocation: Invocation, _ output: Output) throws {
  let configuration = try loadConfiguration(invocation)
  let session = try openSession(configuration)
  try session.checkCluster()
  let replay = Replay(session, EventKeys(try Schema.of(configuration)))
  let count: Int
  if let offset = invocation.argument(0).flatMap({ Int64($0) }) {
    if invocation.has("all") { throw UsageError("dlq replay: OFFSET and --all do not go together") }
    count = try replay.one(at: offset)
  } else {
    count = try replay.rest(fromStart: invocation.has("all"))
  }
  try output.object(["replayed", "topic"], [.int(Int64(count)), .text(session.topics.events)])
}

/// Dead letters on their way back.
private final class Replay {
  private let session: Session
  private let keys: EventKeys
  private let out = RecordBatch()

  init(_ session: Session, _ keys: EventKeys) {
    self.session = session
    self.keys = keys
  }

  /// The one at an offset, whatever was sent before.
  func one(at offset: Int64) throws -> Int {
    try readDeadLetters(session) { record, batch in
      if record.offset == offset { self.take(record, batch) }
    }
    if out.isEmpty { throw CommandFailure("there is no dead letter at offset \(offset)") }
    let producer = try session.bus.makeProducer()
    defer { producer.close() }
    try producer.send(out)
    try producer.flush(timeout: .seconds(60))
    return out.count
  }

  /// Those that were not sent yet, or all. How far it came is committed together with what was sent, so each
  /// one goes out once, whatever dies; who holds the seat is the only one to send.
  func rest(fromStart: Bool) throws -> Int {
    let seat = session.topics.replaySeat
    let producer = try session.bus.makeProducer(transactionalID: seat)
    defer { producer.close() }
    try producer.initialise()
    let group = try session.bus.memberless(group: seat)
    var count = 0
    // What comes back meanwhile, since it still cannot be used, is for the next time.
    let end = try session.bus.endOffset(session.deadLetters, isolation: .uncommitted)
    let start = fromStart ? earliestOffset : try nextOffset(seat, end)
    try session.bus.readToEnd([session.deadLetters: start], clock: session.clock) { batch throws(BusError) in
      self.out.removeAll()
      let letters = batch.records.filter { $0.offset < end }
      guard let last = letters.last else { return }
      for record in letters { self.take(record, batch) }
      do throws(BusError) {
        try producer.begin()
        try producer.send(self.out)
        try producer.sendOffsets([self.session.deadLetters: last.offset + 1], group: group)
        try producer.commit(attemptsMax: 3)
      } catch {
        try? producer.abort()
        throw error
      }
      count += self.out.count
    }
    return count
  }

  /// Where the last replay stopped. A topic that was made anew since ends before that.
  private func nextOffset(_ group: String, _ end: Int64) throws -> Int64 {
    let letters = session.deadLetters
    let next = try session.bus.committedOffsets(group: group, [letters])[letters] ?? earliestOffset
    return next <= end ? next : earliestOffset
  }

  private func take(_ record: RecordBatch.Record, _ batch: RecordBatch) {
    let value = batch.value(record)
    out.append(
      topic: out.index(ofTopic: session.topics.events), partition: -1, timestamp: session.clock.now(),
      key: keys.key(of: value) ?? batch.key(record), value: value)
    for index in 0..<batch.headerCount(record) {
      let header = batch.header(record, at: index)
      if !header.name.starts(with: "belfry.error.".utf8) { out.appendHeader(header.name, header.value) }
    }
  }
}
