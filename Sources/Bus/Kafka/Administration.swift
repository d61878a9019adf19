import Base
import CRdKafka

/// Topic creation and deletion: one admin call each, waited for.
struct Administration {
  private let client: KafkaClient
  private static let timeout: Int32 = 30_000

  init(_ client: KafkaClient) throws(BusError) { self.client = client }

  func create(_ specs: [TopicSpec], replication: Int) throws(BusError) {
    let text = UnsafeMutablePointer<CChar>.allocate(capacity: 512)
    defer { text.deallocate() }
    var made: [OpaquePointer?] = []
    defer { rd_kafka_NewTopic_destroy_array(&made, made.count) }
    for spec in specs {
      guard
        let topic = rd_kafka_NewTopic_new(spec.name, Int32(spec.partitions), Int32(replication), text, 512)
      else { throw BusError(.refuse, code: "TOPIC", "\(spec.name): \(String(cString: text))") }
      made.append(topic)
      for (name, value) in spec.properties.sorted(by: { $0.key < $1.key }) {
        try check(rd_kafka_NewTopic_set_config(topic, name, value), "\(spec.name): \(name)")
      }
    }
    try call(RD_KAFKA_ADMIN_OP_CREATETOPICS) { options, queue in
      rd_kafka_CreateTopics(client.handle, &made, made.count, options, queue)
    } results: { event in
      rd_kafka_event_CreateTopics_result(event).map { result in
        var count = 0
        let topics = rd_kafka_CreateTopics_result_topics(result, &count)
        return (topics, count)
      }
    }
  }

  func delete(_ names: [String]) throws(BusError) {
    var doomed: [OpaquePointer?] = names.map { rd_kafka_DeleteTopic_new($0) }
    defer { rd_kafka_DeleteTopic_destroy_array(&doomed, doomed.count) }
    do {
      try call(RD_KAFKA_ADMIN_OP_DELETETOPICS) { options, queue in
        rd_kafka_DeleteTopics(client.handle, &doomed, doomed.count, options, queue)
      } results: { event in
        rd_kafka_event_DeleteTopics_result(event).map { result in
          var count = 0
          let topics = rd_kafka_DeleteTopics_result_topics(result, &count)
          return (topics, count)
        }
      }
    } catch  where error.code == "UNKNOWN_TOPIC_OR_PART" {}
  }

  /// Makes the call, waits for its event, and throws the first topic's error.
  private func call(
    _ operation: rd_kafka_admin_op_t, _ start: (OpaquePointer, OpaquePointer) -> Void,
    results: (OpaquePointer) -> (UnsafeMutablePointer<OpaquePointer?>?, Int)?
  ) throws(BusError) {
    let queue = rd_kafka_queue_new(client.handle)!
    defer { rd_kafka_queue_destroy(queue) }
    let options = rd_kafka_AdminOptions_new(client.handle, operation)!
    defer { rd_kafka_AdminOptions_destroy(options) }
    rd_kafka_AdminOptions_set_request_timeout(options, Self.timeout, nil, 0)
    rd_kafka_AdminOptions_set_operation_timeout(options, Self.timeout, nil, 0)
    start(options, queue)
    guard let event = rd_kafka_queue_poll(queue, Self.timeout + 5_000) else {
      throw BusError(.retry, code: "_TIMED_OUT", "no answer to an admin call")
    }
    defer { rd_kafka_event_destroy(event) }
    try check(
      rd_kafka_event_error(event), rd_kafka_event_error_string(event).map { String(cString: $0) } ?? "")
    guard let (topics, count) = results(event) else { return }
    for index in 0..<count {
      let topic = topics?[index]
      let code = rd_kafka_topic_result_error(topic)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR { continue }
      let message = rd_kafka_topic_result_error_string(topic).map { String(cString: $0) } ?? ""
      throw BusError(code, "topic \(String(cString: rd_kafka_topic_result_name(topic))): \(message)")
    }
  }
}
