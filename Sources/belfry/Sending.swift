import Base
import Bus
import Client
import Events
import FrontDoor
import Glibc
import Service

/// `belfry send [FILE]`: JSON events, one a line. The line goes out as it is, with the key of its row if it
/// tells one: whether it can be used is for the table to say, which keeps what it cannot use in the dead-letter
/// topic.
func send(_ invocation: Invocation, _ output: Output) throws {
  let configuration = try loadConfiguration(invocation)
  let session = try openSession(configuration)
  try session.checkCluster()
  let path = invocation.argument(0) ?? "-"
  guard let file = path == "-" ? fdopen(0, "r") : fopen(path, "r") else {
    throw CommandFailure("\(path): \(String(cString: strerror(errno)))")
  }
  let producer = try session.bus.makeProducer()
  defer { producer.close() }
  let keys = EventKeys(try Schema.of(configuration))
  let batch = RecordBatch()
  let topic = batch.index(ofTopic: session.topics.events)
  var line: UnsafeMutablePointer<CChar>?
  var capacity = 0
  var count: Int64 = 0
  defer { free(line) }
  while true {
    let length = getline(&line, &capacity, file)
    if length < 0 || batch.count >= 10_000 || batch.byteCount > 1 << 20 {
      try producer.send(batch)
      batch.removeAll()
    }
    if length < 0 { break }
    let text = trimmed(UnsafeRawBufferPointer(start: line, count: length))
    if text.count == 0 { continue }
    batch.append(
      topic: topic, partition: -1, timestamp: session.clock.now(), key: keys.key(of: text), value: text)
    count += 1
  }
  try producer.flush(timeout: .seconds(60))
  try output.object(["sent", "topic"], [.int(count), .text(session.topics.events)])
}

private func trimmed(_ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
  var end = line.count
  while end > 0, line[end - 1] == UInt8(ascii: "\n") || line[end - 1] == UInt8(ascii: "\r") { end -= 1 }
  return UnsafeRawBufferPointer(rebasing: line[..<end])
}

// MARK: Dead letters

/// Reads the dead-letter topic up to its end.
private func readDeadLetters(
  _ session: Session, _ body: (RecordBatch.Record, RecordBatch) throws(BusError) -> Void
) throws {
  try session.checkCluster()
  let partition = TopicPartition(session.topics.deadLetters, 0)
  try session.bus.readToEnd([partition: earliestOffset], clock: session.clock) { batch throws(BusError) in
    for record in batch.records { try body(record, batch) }
  }
}

/// `belfry dlq list`.
func listDeadLetters(_ invocation: Invocation, _ output: Output) throws {
  let session = try openSession(invocation)
  var rows: [[Cell]] = []
  let limit = invocation.integer("limit") ?? 100
  try readDeadLetters(session) { record, batch in
    func header(_ name: StaticString) -> Cell { batch.headerText(record, name).map { .text($0) } ?? .null }
    rows.append([
      .int(record.offset), .text(iso8601(record.timestamp)), header("belfry.error.code"),
      header("belfry.error.partition"), header("belfry.error.offset"),
      .int(Int64(batch.value(record)?.count ?? 0)), header("belfry.error.message"),
    ])
    if rows.count > limit { rows.removeFirst() }
  }
  try output.rows(["offset", "time", "code", "partition", "event_offset", "bytes", "message"], rows)
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

/// `belfry dlq replay [OFFSET]`: sends them to the events topic again, with their own headers.
func replayDeadLetters(_ invocation: Invocation, _ output: Output) throws {
  let session = try openSession(invocation)
  let only = invocation.argument(0).flatMap { Int64($0) }
  let producer = try session.bus.makeProducer()
  defer { producer.close() }
  let out = RecordBatch()
  let topic = out.index(ofTopic: session.topics.events)
  var count: Int64 = 0
  try readDeadLetters(session) { record, batch throws(BusError) in
    if let only, only != record.offset { return }
    out.append(
      topic: topic, partition: -1, timestamp: session.clock.now(), key: batch.key(record),
      value: batch.value(record))
    for index in 0..<batch.headerCount(record) {
      let header = batch.header(record, at: index)
      if !header.name.starts(with: "belfry.error.".utf8) { out.appendHeader(header.name, header.value) }
    }
    count += 1
    if out.count >= 1000 {
      try producer.send(out)
      out.removeAll()
    }
  }
  try producer.send(out)
  try producer.flush(timeout: .seconds(60))
  if let only, count == 0 { throw CommandFailure("there is no dead letter at offset \(only)") }
  try output.object(["replayed", "topic"], [.int(count), .text(session.topics.events)])
}
