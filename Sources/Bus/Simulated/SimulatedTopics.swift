import Base

final class SimulatedTopic {
  let spec: TopicSpec
  var logs: [SimulatedLog]
  /// Kafka's `message.timestamp.type`: the brokers' time of the append instead of the sender's.
  let stampsOnAppend: Bool

  init(_ spec: TopicSpec) {
    self.spec = spec
    logs = Array(repeating: SimulatedLog(), count: spec.partitions)
    stampsOnAppend = spec.properties["message.timestamp.type"] == "LogAppendTime"
  }
}

extension SimulatedCluster {
  func topic(_ place: TopicPartition) throws(BusError) -> SimulatedTopic {
    guard let topic = topics[place.topic], topic.logs.indices.contains(Int(place.partition)) else {
      throw BusError(.retry, code: "UNKNOWN_TOPIC_OR_PART", "there is no \(place)")
    }
    return topic
  }

  func log(_ place: TopicPartition) throws(BusError) -> SimulatedLog {
    try topic(place).logs[Int(place.partition)]
  }

  /// Where a record belongs that is sent to a partition, or (-1) by its key. Null keys count as empty ones
  /// here, so that a run can be replayed.
  func place(of record: SimulatedRecord, _ topic: String, _ partition: Int32) throws(BusError)
    -> TopicPartition
  {
    let count = topics[topic]?.spec.partitions ?? 0
    guard partition == -1, count > 0 else {
      let place = TopicPartition(topic, partition)
      _ = try self.topic(place)
      return place
    }
    let byKey = (record.key ?? []).withUnsafeBytes { Base.partition(ofKey: $0, count: count) }
    return TopicPartition(topic, byKey)
  }

  /// A timestamp of 0 means the time of sending, as librdkafka takes it. What a producer has sent before
  /// (producer 0: nobody counts) is not taken again.
  func write(
    _ record: SimulatedRecord, to place: TopicPartition, transaction: Int, producer: Int = 0,
    sequence: Int = 0
  ) {
    let topic = topics[place.topic]!
    if producer != 0, !topic.logs[Int(place.partition)].takes(producer, sequence) {
      return trace.add("  \(place): sequence \(sequence) of producer \(producer) is there already")
    }
    var record = record
    if topic.stampsOnAppend || record.timestamp == .zero {
      record.timestamp = clock.now() + stampSkew
    }
    record.taken = clock.now()
    topic.logs[Int(place.partition)].append(record, transaction: transaction)
  }

  /// Where a reader goes on that asked for an offset, `earliestOffset` or `latestOffset`. Behind the end
  /// there is nothing (the topic was made again): from the earliest then, as `auto.offset.reset` has it.
  func resolve(_ offset: Int64, in log: SimulatedLog, _ isolation: Isolation) -> Int64 {
    switch offset {
    case earliestOffset: log.firstOffset
    case latestOffset: log.end(isolation)
    default: offset > log.end(.uncommitted) ? log.firstOffset : max(offset, log.firstOffset)
    }
  }

  /// Makes those that can be; then complains of the first that could not, or else of the first that was there.
  func create(_ specs: [TopicSpec]) throws(BusError) {
    var (there, wrong, refused) = ([] as [String], [] as [String], [] as [String])
    for spec in specs {
      if let reason = topicPolicy(spec.name) {
        refused.append("topic \(spec.name): \(reason)")
      } else if spec.partitions <= 0 {
        wrong.append(spec.name)
      } else if topics[spec.name] == nil {
        topics[spec.name] = SimulatedTopic(spec)
      } else {
        there.append(spec.name)
      }
    }
    if let reason = refused.first { throw BusError(.refuse, code: "POLICY_VIOLATION", reason) }
    if let name = wrong.first {
      throw BusError(.refuse, code: "INVALID_PARTITIONS", "topic \(name) without partitions")
    }
    if let name = there.first {
      throw BusError(.refuse, code: "TOPIC_ALREADY_EXISTS", "topic \(name) is there already")
    }
  }

  /// With a topic goes what groups have committed for it.
  func delete(_ names: [String]) {
    for name in names {
      topics[name] = nil
      for group in groups.keys {
        groups[group]!.committed = groups[group]!.committed.filter { $0.key.topic != name }
      }
    }
  }
}
