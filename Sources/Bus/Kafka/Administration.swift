import Base
import CRdKafka
import Glibc

/// Topics made, deleted and described by admin calls of many at once, each waited for. Every topic has an
/// outcome of its own: the fault of one stops no other.
struct Administration {
  private let client: KafkaClient
  private static let timeout: Int32 = 30_000
  /// Topics of one call: a broker makes or deletes a thousand partitions a second or so.
  private static let topicsPerCallMax = 200

  /// Why single topics were not made or deleted.
  typealias Failures = [(topic: String, error: BusError)]

  init(_ client: KafkaClient) { self.client = client }

  func create(_ specs: [TopicSpec], replication: Int) throws(BusError) -> Failures {
    var failures: Failures = []
    for first in stride(from: 0, to: specs.count, by: Self.topicsPerCallMax) {
      let some = specs[first..<min(specs.count, first + Self.topicsPerCallMax)]
      failures += try createAtOnce(some, replication)
    }
    return failures
  }

  private func createAtOnce(_ specs: ArraySlice<TopicSpec>, _ replication: Int) throws(BusError) -> Failures {
    var made: [OpaquePointer?] = []
    defer { rd_kafka_NewTopic_destroy_array(&made, made.count) }
    var failures: Failures = []
    for spec in specs {
      do throws(BusError) {
        made.append(try Self.newTopic(spec, replication))
      } catch {
        failures.append((spec.name, error))
      }
    }
    if made.isEmpty { return failures }
    return failures
      + (try call(RD_KAFKA_ADMIN_OP_CREATETOPICS) { options, queue in
        rd_kafka_CreateTopics(client.handle, &made, made.count, options, queue)
      } take: { event in
        var count = 0
        let topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
        return Self.failures(topics, count)
      })
  }

  /// What librdkafka refuses by itself has no code of Kafka's.
  private static func newTopic(_ spec: TopicSpec, _ replication: Int) throws(BusError) -> OpaquePointer {
    let text = UnsafeMutablePointer<CChar>.allocate(capacity: 512)
    defer { text.deallocate() }
    guard let topic = rd_kafka_NewTopic_new(spec.name, Int32(spec.partitions), Int32(replication), text, 512)
    else { throw BusError(.refuse, code: "TOPIC", "topic \(spec.name): \(String(cString: text))") }
    for (name, value) in spec.properties.sorted(by: { $0.key < $1.key }) {
      let code = rd_kafka_NewTopic_set_config(topic, name, value)
      if code != RD_KAFKA_RESP_ERR_NO_ERROR {
        rd_kafka_NewTopic_destroy(topic)
        throw BusError(code, "topic \(spec.name): \(name)")
      }
    }
    return topic
  }

  func delete(_ names: [String]) throws(BusError) -> Failures {
    var failures: Failures = []
    for first in stride(from: 0, to: names.count, by: Self.topicsPerCallMax) {
      failures += try deleteAtOnce(names[first..<min(names.count, first + Self.topicsPerCallMax)])
    }
    return failures
  }

  private func deleteAtOnce(_ names: ArraySlice<String>) throws(BusError) -> Failures {
    var doomed: [OpaquePointer?] = names.map { rd_kafka_DeleteTopic_new($0) }
    defer { rd_kafka_DeleteTopic_destroy_array(&doomed, doomed.count) }
    return try call(RD_KAFKA_ADMIN_OP_DELETETOPICS) { options, queue in
      rd_kafka_DeleteTopics(client.handle, &doomed, doomed.count, options, queue)
    } take: { event in
      var count = 0
      let topics = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count)
      return Self.failures(topics, count)
    }
  }

  private static func failures(
    _ topics: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int
  ) -> Failures {
    (0..<count).compactMap { index in
      let topic = topics?[index]
      let code = rd_kafka_topic_result_error(topic)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR { return nil }
      let name = String(cString: rd_kafka_topic_result_name(topic))
      let words = rd_kafka_topic_result_error_string(topic).map { String(cString: $0) } ?? ""
      return (name, BusError(code, words: "topic \(name): \(words)"))
    }
  }

  /// The properties in force of each topic that can be described; one that cannot is left out.
  func properties(of names: [String]) throws(BusError) -> [String: [String: String]] {
    var asked: [OpaquePointer?] = names.map { rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0) }
    defer { rd_kafka_ConfigResource_destroy_array(&asked, asked.count) }
    return try call(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS) { options, queue in
      rd_kafka_DescribeConfigs(client.handle, &asked, asked.count, options, queue)
    } take: { event in
      var count = 0
      let resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count)
      var found: [String: [String: String]] = [:]
      for index in 0..<count {
        guard let resource = resources?[index],
          rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR
        else { continue }
        found[String(cString: rd_kafka_ConfigResource_name(resource))] = Self.entries(resource)
      }
      return found
    }
  }

  private static func entries(_ resource: OpaquePointer) -> [String: String] {
    var count = 0
    let entries = rd_kafka_ConfigResource_configs(resource, &count)
    var found: [String: String] = [:]
    for index in 0..<count {
      let entry = entries?[index]
      found[String(cString: rd_kafka_ConfigEntry_name(entry))] =
        rd_kafka_ConfigEntry_value(entry).map { String(cString: $0) }
    }
    return found
  }

  /// A static member of a group: its instance id, and the id that the group gave it when it joined last.
  typealias Member = (instanceID: String, id: String)

  /// A group's static members; none of a group that is not there.
  func members(ofGroup group: String) throws(BusError) -> [Member] {
    var names: [UnsafePointer<CChar>?] = [UnsafePointer(strdup(group))]
    defer { free(UnsafeMutablePointer(mutating: names[0])) }
    let found = try call(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS) { options, queue in
      rd_kafka_DescribeConsumerGroups(client.handle, &names, 1, options, queue)
    } take: { event in
      var count = 0
      let groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event), &count)
      return count == 1 ? Self.members(groups?[0]) : (members: [], error: nil)
    }
    if let error = found.error { throw error }
    return found.members
  }

  private static func members(_ group: OpaquePointer?) -> (members: [Member], error: BusError?) {
    if let error = rd_kafka_ConsumerGroupDescription_error(group) {
      let code = rd_kafka_error_code(error)
      if code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND { return ([], nil) }
      if code != RD_KAFKA_RESP_ERR_NO_ERROR { return ([], BusError(code, "the group's members")) }
    }
    let members = (0..<rd_kafka_ConsumerGroupDescription_member_count(group)).compactMap { index -> Member? in
      let member = rd_kafka_ConsumerGroupDescription_member(group, index)
      return rd_kafka_MemberDescription_group_instance_id(member).map {
        (String(cString: $0), String(cString: rd_kafka_MemberDescription_consumer_id(member)))
      }
    }
    return (members, nil)
  }

  /// Makes the call, waits for its event, and takes the results out of it.
  private func call<Result>(
    _ operation: rd_kafka_admin_op_t, _ start: (OpaquePointer, OpaquePointer) -> Void,
    take: (OpaquePointer) -> Result
  ) throws(BusError) -> Result {
    let queue = rd_kafka_queue_new(client.handle)!
    defer { rd_kafka_queue_destroy(queue) }
    let options = rd_kafka_AdminOptions_new(client.handle, operation)!
    defer { rd_kafka_AdminOptions_destroy(options) }
    rd_kafka_AdminOptions_set_request_timeout(options, Self.timeout, nil, 0)
    if ![RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS].contains(operation) {
      rd_kafka_AdminOptions_set_operation_timeout(options, Self.timeout, nil, 0)
    }
    start(options, queue)
    guard let event = rd_kafka_queue_poll(queue, Self.timeout + 5_000) else {
      throw BusError(.retry, code: "_TIMED_OUT", "no answer to an admin call")
    }
    defer { rd_kafka_event_destroy(event) }
    try client.check(
      rd_kafka_event_error(event), rd_kafka_event_error_string(event).map { String(cString: $0) } ?? "")
    return take(event)
  }
}

extension BusError {
  /// One error for what befell several topics: that of the first, with the others' names. Those of the
  /// forgivable code come up only where there is nothing worse. nil: no failure at all.
  init?(_ failures: Administration.Failures, forgivable: String) {
    let worse = failures.filter { $0.error.code != forgivable }
    let told = worse.isEmpty ? failures : worse
    guard let first = told.first else { return nil }
    let others = told.dropFirst().prefix(Self.namesMax).map(\.topic).joined(separator: ", ")
    let rest = told.count > 1 + Self.namesMax ? ", …" : ""
    let more = others.isEmpty ? "" : " (and \(told.count - 1) more: \(others)\(rest))"
    self.init(first.error.remedy, code: first.error.code, first.error.message + more)
  }

  private static var namesMax: Int { 10 }
}
