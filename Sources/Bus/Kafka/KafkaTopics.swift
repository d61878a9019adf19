import Base
import CRdKafka
import Glibc

// What the brokers know of topics.
extension KafkaBus {
  /// How long new topics may take until the brokers have leaders for all of their partitions, and these know.
  static let leadersWithin = Duration.seconds(10)

  /// How long brokers may show topics that were deleted.
  static let goneWithin = Duration.seconds(2)

  /// Leaders are chosen a moment after a topic is made; a broker that is gone leaves partitions without one.
  struct Topic {
    let partitions: Int
    let leaderless: Int32?
  }

  public func partitionCounts(_ topics: [String]) throws(BusError) -> [String: Int] {
    let all = try allTopics(asker())
    var counts: [String: Int] = [:]
    for name in topics {
      guard let topic = all[name] else { continue }
      if let partition = topic.leaderless { throw Self.leaderless(TopicPartition(name, partition)) }
      counts[name] = topic.partitions
    }
    return counts
  }

  private static func leaderless(_ partition: TopicPartition) -> BusError {
    BusError(.retry, code: "LEADER_NOT_AVAILABLE", "\(partition) has no leader: no broker serves it now")
  }

  public func topics(prefix: String) throws(BusError) -> [String] {
    try allTopics(asker()).keys.filter { $0.hasPrefix(prefix) }.sorted()
  }

  /// What the brokers say now. The client remembers it.
  func allTopics(_ client: KafkaClient) throws(BusError) -> [String: Topic] {
    var metadata: UnsafePointer<rd_kafka_metadata>?
    try ask(client, "the brokers at \(bootstrap)") {
      rd_kafka_metadata(client.handle, 1, nil, &metadata, $0)
    }
    defer { rd_kafka_metadata_destroy(metadata) }
    var found: [String: Topic] = [:]
    for index in 0..<Int(metadata!.pointee.topic_cnt) {
      let topic = metadata!.pointee.topics[index]
      guard topic.err == RD_KAFKA_RESP_ERR_NO_ERROR || topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
      else { continue }
      let partitions = (0..<Int(topic.partition_cnt)).map { topic.partitions[$0] }
      let leaderless = partitions.first { $0.leader < 0 }?.id ?? (partitions.isEmpty ? 0 : nil)
      found[String(cString: topic.topic)] = Topic(partitions: partitions.count, leaderless: leaderless)
    }
    return found
  }

  public func createTopics(_ specs: [TopicSpec]) throws(BusError) {
    if specs.isEmpty { return }
    if let embedded { return try embedded.create(specs) }
    let failures = try Administration(try asker()).create(specs, replication: replication)
    let failed = Set(failures.map(\.topic))
    try waitForLeaders(specs.map(\.name).filter { !failed.contains($0) })
    if let error = BusError(failures, forgivable: "TOPIC_ALREADY_EXISTS") { throw error }
  }

  /// What was made can be used when this returns.
  private func waitForLeaders(_ names: [String]) throws(BusError) {
    let clock = SystemClock()
    let deadline = clock.elapsed() + Self.leadersWithin
    while true {
      let all = try allTopics(asker())
      guard let missing = names.first(where: { all[$0] == nil || all[$0]!.leaderless != nil }) else { return }
      if clock.elapsed() > deadline {
        throw Self.leaderless(TopicPartition(missing, all[missing]?.leaderless ?? 0))
      }
      usleep(20_000)
    }
  }

  public func deleteTopics(_ names: [String]) throws(BusError) {
    // The embedded broker cannot delete; what it holds goes with the process.
    if embedded != nil || names.isEmpty { return }
    let gone = "UNKNOWN_TOPIC_OR_PART"
    let failures = try Administration(try asker()).delete(names).filter { $0.error.code != gone }
    let failed = Set(failures.map(\.topic))
    waitUntilGone(names.filter { !failed.contains($0) })
    if let error = BusError(failures, forgivable: gone) { throw error }
  }

  /// Who makes again what was deleted would find it there as long as a broker shows it, and it would be gone a moment
  /// later. Of several brokers another one may be later: then it is a topic that was deleted under its stream.
  private func waitUntilGone(_ names: [String]) {
    let clock = SystemClock()
    let deadline = clock.elapsed() + Self.goneWithin
    while clock.elapsed() < deadline, let all = try? allTopics(asker()),
      names.contains(where: { all[$0] != nil })
    {
      usleep(20_000)
    }
  }

  public func topicProperties(_ topics: [String]) throws(BusError) -> [String: [String: String]] {
    if embedded != nil || topics.isEmpty { return [:] }
    return try Administration(try asker()).properties(of: topics)
  }
}
