import Base
import CRdKafka
import Synchronization

/// Sends batches: topic handles are kept, a full queue is waited for.
final class RecordSender {
  let client: KafkaClient
  private var topics: [String: OpaquePointer] = [:]
  /// How long a full queue may stay full before the send gives up.
  private static let fullQueueTimeout = Duration.seconds(60)

  private let isTransactional: Bool

  init(_ client: KafkaClient, isTransactional: Bool) {
    self.client = client
    self.isTransactional = isTransactional
  }

  deinit { for topic in topics.values { rd_kafka_topic_destroy(topic) } }

  func send(_ batch: RecordBatch) throws(BusError) {
    var handles: [OpaquePointer] = []
    for name in batch.topics { handles.append(try topic(name)) }
    for record in batch.records { try send(record, of: batch, to: handles[Int(record.topic)]) }
    rd_kafka_poll(client.handle, 0)
  }

  private func topic(_ name: String) throws(BusError) -> OpaquePointer {
    if let known = topics[name] { return known }
    let conf = rd_kafka_topic_conf_new()
    // murmur2 over the key, as Java's clients do; librdkafka's own default is CRC32.
    rd_kafka_topic_conf_set(conf, "partitioner", "murmur2_random", nil, 0)
    guard let made = rd_kafka_topic_new(client.handle, name, conf) else {
      throw BusError(rd_kafka_last_error(), "topic \(name)")
    }
    topics[name] = made
    return made
  }

  private func send(_ record: RecordBatch.Record, of batch: RecordBatch, to topic: OpaquePointer)
    throws(BusError)
  {
    let headers = Self.headers(record, of: batch)
    let key = batch.key(record)
    let value = batch.value(record)
    var waited = Duration.zero
    while true {
      let code = belfry_produce(
        client.handle, topic, record.partition, key?.baseAddress ?? Self.empty(key), key?.count ?? 0,
        value?.baseAddress ?? Self.empty(value), value?.count ?? 0, record.timestamp.milliseconds, headers)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }  // the headers are librdkafka's now
      guard code == RD_KAFKA_RESP_ERR__QUEUE_FULL, waited < Self.fullQueueTimeout else {
        if let headers { rd_kafka_headers_destroy(headers) }
        throw error(code, batch.topic(record))
      }
      rd_kafka_poll(client.handle, 10)
      waited += .milliseconds(10)
    }
  }

  /// An empty key or value is not Kafka's null: it needs an address.
  private static let nothing: StaticString = "-"
  private static func empty(_ bytes: UnsafeRawBufferPointer?) -> UnsafeRawPointer? {
    bytes == nil ? nil : UnsafeRawPointer(nothing.utf8Start)
  }

  private static func headers(_ record: RecordBatch.Record, of batch: RecordBatch) -> OpaquePointer? {
    let count = batch.headerCount(record)
    guard count > 0 else { return nil }
    let headers = rd_kafka_headers_new(count)
    for index in 0..<count {
      let header = batch.header(record, at: index)
      rd_kafka_header_add(
        headers, header.name.baseAddress?.assumingMemoryBound(to: CChar.self), header.name.count,
        header.value?.baseAddress ?? empty(header.value), header.value?.count ?? 0)
    }
    return headers
  }

  private func error(_ code: ResponseCode, _ topic: String) -> BusError {
    if let fatal = client.fatalError { return fatal }
    let error = BusError(code, "produce to \(topic)")
    // In a transaction a record that could not be queued leaves it incomplete: it must be aborted.
    let mustAbort = isTransactional && (error.remedy == .retry || error.remedy == .recreate)
    return mustAbort ? BusError(.abort, code: error.code, error.message) : error
  }
}

final class KafkaTransactionalProducer: TransactionalProducer {
  private let client: KafkaClient
  private let sender: RecordSender
  /// How long one call waits; a commit whose outcome is still open then is asked for again.
  private static let timeout: Int32 = 30_000

  init(_ client: KafkaClient) {
    self.client = client
    sender = RecordSender(client, isTransactional: true)
  }

  func initialise() throws(BusError) { try end(rd_kafka_init_transactions(client.handle, Self.timeout)) }

  func begin() throws(BusError) {
    try check(rd_kafka_begin_transaction(client.handle))
    _ = client.takeUndelivered()  // the former transaction's
  }

  func send(_ batch: RecordBatch) throws(BusError) { try sender.send(batch) }

  func sendOffsets(_ positions: [TopicPartition: Int64], group: any GroupMetadata) throws(BusError) {
    guard let group = group as? KafkaGroupMetadata else { preconditionFailure("another bus's group") }
    let list = PartitionList(positions)
    try end(
      list.with { rd_kafka_send_offsets_to_transaction(client.handle, $0, group.pointer, Self.timeout) })
  }

  func flush(timeout: Duration) throws(BusError) {
    let code = rd_kafka_flush(client.handle, timeout.timeoutMilliseconds)
    if let fatal = client.fatalError { throw fatal }
    if let lost = client.takeUndelivered() {
      throw lost.remedy == .fenced ? lost : BusError(.abort, code: lost.code, lost.message)
    }
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw BusError(code, "records are not acknowledged within \(timeout)")
  }

  func commit() throws(BusError) { try end(rd_kafka_commit_transaction(client.handle, Self.timeout)) }

  func abort() throws(BusError) { try end(rd_kafka_abort_transaction(client.handle, Self.timeout)) }

  /// Throws what a call returned, if it is an error. Why a transaction must be aborted is mostly known to one
  /// of its records only; why nobody answered, to the client.
  private func end(_ error: OpaquePointer?) throws(BusError) {
    guard let error else { return client.answered() }
    let failure = BusError(consuming: error)
    if failure.remedy == .abort, let lost = client.takeUndelivered(), !lost.isPurge {
      throw BusError(.abort, code: lost.code, "\(lost.message) (\(failure))")
    }
    guard failure.remedy == .retry, let trouble = client.trouble else { throw failure }
    throw BusError(.retry, code: failure.code, "\(failure.message) (\(trouble))")
  }

  func close() {}
}

final class KafkaPlainProducer: PlainProducer, @unchecked Sendable {
  // @unchecked: the lock guards the sender; librdkafka's handle is thread-safe.
  private let client: KafkaClient
  private let sender: RecordSender
  private let lock = Lock()

  init(_ client: KafkaClient) {
    self.client = client
    sender = RecordSender(client, isTransactional: false)
  }

  func send(_ batch: RecordBatch) throws(BusError) {
    lock.acquire()
    defer { lock.release() }
    try sender.send(batch)
  }

  func flush(timeout: Duration) throws(BusError) {
    let code = rd_kafka_flush(client.handle, timeout.timeoutMilliseconds)
    if let lost = client.takeUndelivered() { throw lost }
    try client.check(code, "flush")
  }

  func close() {}
}
