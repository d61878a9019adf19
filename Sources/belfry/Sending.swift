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
  defer { fclose(file) }
  let producer = try session.bus.makeProducer()
  defer { producer.close() }
  let keys = EventKeys(try Schema.of(configuration))
  let batch = RecordBatch()
  let topic = batch.index(ofTopic: session.topics.events)
  var line: UnsafeMutablePointer<CChar>?
  var capacity = 0
  var count: Int64 = 0
  var failure: String?
  defer { free(line) }
  while true {
    let length = getline(&line, &capacity, file)
    if length < 0, ferror(file) != 0 { failure = String(cString: strerror(errno)) }
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
  if let failure { throw CommandFailure("\(path): \(failure); \(count) events before that are sent") }
  try output.object(["sent", "topic"], [.int(count), .text(session.topics.events)])
}

private func trimmed(_ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
  var end = line.count
  while end > 0, line[end - 1] == UInt8(ascii: "\n") || line[end - 1] == UInt8(ascii: "\r") { end -= 1 }
  return UnsafeRawBufferPointer(rebasing: line[..<end])
}
