import Base
import CRdKafka
import Glibc

/// Polls messages one at a time (consume_batch loses some around seeks before librdkafka 2.1) and copies
/// them into batches. What consumers and readers have in common.
struct MessagePump {
  let client: KafkaClient
  /// The batch's index of each topic handle seen: most polls meet the same few topics.
  /// Held, so that no other batch can come to lie where it lay.
  private var batch: RecordBatch?
  private var indices: [UnsafeRawPointer: Int32] = [:]

  init(_ client: KafkaClient) { self.client = client }

  /// `reached` is told where a partition's end was met.
  mutating func poll(
    into batch: RecordBatch, max: Int, timeout: Duration,
    reached: (_ topic: String, _ partition: Int32, _ offset: Int64) -> Void
  ) throws(BusError) {
    if self.batch !== batch {
      self.batch = batch
      indices = [:]
    }
    let start = batch.count
    var wait = timeout.timeoutMilliseconds
    while batch.count - start < max, batch.byteCount < BusLimits.pollBytesMax {
      guard let message = rd_kafka_consumer_poll(client.handle, wait) else { break }
      wait = 0
      defer { rd_kafka_message_destroy(message) }
      switch message.pointee.err {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        append(message, to: batch)
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        reached(
          String(cString: rd_kafka_topic_name(message.pointee.rkt)), message.pointee.partition,
          message.pointee.offset)
      default:
        try report(message)
      }
    }
  }

  private mutating func append(_ message: UnsafeMutablePointer<rd_kafka_message_t>, to batch: RecordBatch) {
    let m = message.pointee
    let handle = UnsafeRawPointer(m.rkt!)
    let topic: Int32
    if let known = indices[handle] {
      topic = known
    } else {
      topic = batch.index(ofTopic: String(cString: rd_kafka_topic_name(m.rkt)))
      indices[handle] = topic
    }
    batch.append(
      topic: topic, partition: m.partition, offset: m.offset,
      timestamp: Timestamp(milliseconds: rd_kafka_message_timestamp(message, nil)),
      key: m.key.map { UnsafeRawBufferPointer(start: $0, count: m.key_len) },
      value: m.payload.map { UnsafeRawBufferPointer(start: $0, count: m.len) })
    var headers: OpaquePointer?
    guard rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers else {
      return
    }
    appendHeaders(headers, to: batch)
  }

  private func appendHeaders(_ headers: OpaquePointer, to batch: RecordBatch) {
    var index = 0
    var name: UnsafePointer<CChar>?
    var value: UnsafeRawPointer?
    var count = 0
    while rd_kafka_header_get_all(headers, index, &name, &value, &count) == RD_KAFKA_RESP_ERR_NO_ERROR {
      batch.appendHeader(
        UnsafeRawBufferPointer(start: name, count: name.map { Int(strlen($0)) } ?? 0),
        value.map { UnsafeRawBufferPointer(start: $0, count: count) })
      index += 1
    }
  }

  /// An error event: those that pass by themselves are counted and logged, the others thrown.
  private func report(_ message: UnsafeMutablePointer<rd_kafka_message_t>) throws(BusError) {
    if let fatal = client.fatalError { throw fatal }
    let text = rd_kafka_message_errstr(message).map { String(cString: $0) } ?? ""
    let error = BusError(message.pointee.err, text)
    switch error.remedy {
    case .retry:
      client.reports.tell("consumer: \(text)", code: error.code)
    default: throw error
    }
  }
}

/// A reader of given partitions.
final class KafkaReader: Reader {
  /// nil when closed.
  private var pump: MessagePump?
  private var positions: [TopicPartition: Int64] = [:]
  private var bytesRead = 0

  init(_ client: KafkaClient, _ start: [TopicPartition: Int64]) throws(BusError) {
    pump = MessagePump(client)
    positions = start.filter { $0.value >= 0 }
    try check(PartitionList(start).with { rd_kafka_assign(client.handle, $0) }, "assign")
  }

  func poll(into batch: RecordBatch, max: Int, timeout: Duration) throws(BusError) {
    guard var pump else { throw .closed }
    defer { self.pump = pump }
    let start = batch.count
    let bytes = batch.byteCount
    defer { bytesRead += batch.byteCount - bytes }
    try pump.poll(into: batch, max: max, timeout: timeout) { topic, partition, offset in
      advance(TopicPartition(topic, partition), offset)
    }
    var last: (topic: Int32, partition: Int32, offset: Int64)?
    for record in batch.records[start...] {
      if let last, last.topic != record.topic || last.partition != record.partition {
        advance(TopicPartition(batch.topics[Int(last.topic)], last.partition), last.offset + 1)
      }
      last = (record.topic, record.partition, record.offset)
    }
    if let last { advance(TopicPartition(batch.topics[Int(last.topic)], last.partition), last.offset + 1) }
  }

  private func advance(_ partition: TopicPartition, _ offset: Int64) {
    if offset > positions[partition] ?? 0 { positions[partition] = offset }
  }

  func position(_ partition: TopicPartition) -> Int64 { positions[partition] ?? 0 }

  /// What was fetched goes with the client: of a restore that is much, and not needed again.
  func close() {
    pump = nil
    if bytesRead >= ClientMemory.muchBytes { ClientMemory.giveBack() }
    bytesRead = 0
  }
}

final class KafkaGroupMetadata: GroupMetadata {
  let pointer: OpaquePointer
  init(_ pointer: OpaquePointer) { self.pointer = pointer }
  deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }
}

final class KafkaConsumer: GroupConsumer {
  private let client: KafkaClient
  private var pump: MessagePump
  private unowned let handler: any AssignmentHandler
  /// What the handler threw inside the last rebalance callback.
  private var failure: BusError?
  private var ends: [TopicPartition: Int64] = [:]
  /// The id that the group gave this member for the assignment that it has.
  private var memberID: String?
  /// The group has taken the partitions without asking; they are not given back.
  private var isLost = false
  /// The id of the member that has the seat now; nil: nobody has it.
  private let holder: () throws(BusError) -> String?

  init(
    _ client: KafkaClient, topics: [String], handler: any AssignmentHandler,
    holder: @escaping () throws(BusError) -> String?
  ) throws(BusError) {
    self.client = client
    pump = MessagePump(client)
    self.handler = handler
    self.holder = holder
    client.rebalance = { [unowned self] assign, partitions in self.rebalance(assign, partitions) }
    let list = PartitionList(topics.map { TopicPartition($0, -1) }, offset: 0)
    try check(list.with { rd_kafka_subscribe(client.handle, $0) }, "subscribe to \(topics)")
  }

  private func rebalance(
    _ assign: Bool, _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
  ) {
    ends = [:]
    do throws(BusError) {
      if assign {
        memberID = client.memberID
        let given = PartitionList.entries(partitions).map(\.partition)
        let metadata = KafkaGroupMetadata(rd_kafka_consumer_group_metadata(client.handle))
        let start = try handler.assigned(given, group: metadata)
        try check(PartitionList(start).with { rd_kafka_assign(client.handle, $0) }, "assign")
      } else {
        isLost = rd_kafka_assignment_lost(client.handle) != 0
        handler.revoked(lost: isLost)
        if !isLost { try check(rd_kafka_assign(client.handle, nil), "unassign") }
      }
    } catch {
      // The group does not offer the partitions again: this consumer is of no more use.
      failure = error.remedy == .retry ? BusError(.recreate, code: error.code, error.message) : error
      rd_kafka_assign(client.handle, nil)
    }
  }

  func poll(into batch: RecordBatch, max: Int, timeout: Duration) throws(BusError) {
    if let fatal = client.fatalError { throw try cause(fatal) }
    do throws(BusError) {
      try pump.poll(into: batch, max: max, timeout: timeout) { topic, partition, offset in
        ends[TopicPartition(topic, partition)] = offset
      }
    } catch {
      throw try cause(error)
    }
    if let failure {
      self.failure = nil
      throw failure
    }
    if isLost { try endSession() }
  }

  /// Who stood still for longer than a session loses its partitions before it is told that it is fenced. It must not
  /// take the seat from its successor, nor partitions from a member that leads them now, and what is given back has
  /// librdkafka join again at once: so they are kept, and this consumer is of no more use. Who wants another looks
  /// first who is there.
  private func endSession() throws(BusError) {
    if let holder = try holder(), holder != memberID {
      throw BusError(.fenced, code: "FENCED_INSTANCE_ID", "another process has taken the seat meanwhile")
    }
    throw .sessionOver
  }

  /// librdkafka 2.0.2 fences itself: when it has heard nothing from the group for a session, it forgets its member
  /// id, and as long as its owner does not poll (a commit waits for the same broker) it sends heartbeats without
  /// one, which the group refuses as those of a stranger at the seat. So who is fenced asks who has the seat.
  /// (The client id of a static member does not tell: the group keeps that of who joined first.)
  private func cause(_ error: BusError) throws(BusError) -> BusError {
    guard error.remedy == .fenced else { return error }
    let holder = try holder()
    let own = client.memberID ?? memberID
    return holder == nil || holder == own ? .sessionOver : error
  }

  func takeEnds() -> [TopicPartition: Int64] {
    defer { ends = [:] }
    return ends
  }

  func seek(to positions: [TopicPartition: Int64]) throws(BusError) {
    ends = [:]
    let list = PartitionList(positions)
    try check(list.with { rd_kafka_seek_partitions(client.handle, $0, 10_000) })
    for entry in list.entries { try check(entry.error, "seek \(entry.partition)") }
  }

  func pause(_ partitions: [TopicPartition]) throws(BusError) {
    try check(
      PartitionList(partitions, offset: 0).with { rd_kafka_pause_partitions(client.handle, $0) }, "pause")
  }

  func resume(_ partitions: [TopicPartition]) throws(BusError) {
    try check(
      PartitionList(partitions, offset: 0).with { rd_kafka_resume_partitions(client.handle, $0) }, "resume")
  }

  func close() { client.rebalance = nil }
}
