import Base

/// The group's one member. It has joined when it is made; its partitions it gets inside its next poll.
final class SimulatedConsumer: GroupConsumer {
  private let bus: SimulatedBus
  private let group: String
  private let holder: Int
  private let topics: [String]
  private let fetcher: SimulatedFetcher
  private unowned let handler: any AssignmentHandler
  private var isAssigned = false
  private var handlerFailed = false
  private var isClosed = false

  private var cluster: SimulatedCluster { bus.cluster }

  init(
    bus: SimulatedBus, group: String, holder: Int, topics: [String], handler: any AssignmentHandler
  ) {
    self.bus = bus
    self.group = group
    self.holder = holder
    self.topics = topics
    self.handler = handler
    fetcher = SimulatedFetcher(bus: bus, isolation: .committed)
  }

  func poll(into batch: RecordBatch, max: Int, timeout: Duration) throws(BusError) {
    try check()
    try bus.call("poll \(group)", [.retriable]) { _ throws(BusError) in
      try checkHolder()
      if handlerFailed { throw cluster.misused("\(group): poll after the handler's assigned has thrown") }
      if isAssigned, cluster.random.happens(bus.faults.rebalance) { loseAssignment() }
      try bus.checkAlive()
      if !isAssigned { try assign() }
      fetcher.poll(into: batch, max: max, timeout: timeout)
    }
  }

  /// What the handler throws ends this poll, and the consumer: Kafka would not ask it again before the
  /// next rebalance, and who polls on would wait for nothing.
  private func assign() throws(BusError) {
    let partitions = topics.sorted().flatMap { topic in
      (0..<(cluster.topics[topic]?.spec.partitions ?? 0)).map { TopicPartition(topic, Int32($0)) }
    }.filter { !cluster.partitionsElsewhere.contains($0.partition) }
    guard !partitions.isEmpty else { return }  // the topics are not made yet: the group looks again
    let generation = cluster.groups[group]!.generation
    handlerFailed = true
    let start = try handler.assigned(
      partitions, group: SimulatedGroupMetadata(group: group, holder: holder, generation: generation))
    handlerFailed = false
    try bus.checkAlive()
    precondition(
      partitions.allSatisfy { start[$0] != nil }, "the handler must say where to begin each partition")
    fetcher.start(start)
    isAssigned = true
  }

  private func loseAssignment() {
    let lost = Bool.random(using: &cluster.random)
    cluster.trace.add("  \(lost ? "session ended" : "rebalance"): \(group)")
    if lost { cluster.groups[group]!.generation += 1 }
    revoke(lost: lost)
    if !lost { cluster.groups[group]!.generation += 1 }
  }

  private func revoke(lost: Bool) {
    isAssigned = false
    fetcher.stop()
    handler.revoked(lost: lost)
  }

  func takeEnds() -> [TopicPartition: Int64] { fetcher.takeEnds() }

  func seek(to positions: [TopicPartition: Int64]) throws(BusError) {
    try check()
    try bus.call("seek \(group)", [.retriable]) { _ throws(BusError) in
      try checkHolder()
      guard positions.keys.allSatisfy({ fetcher.positions[$0] != nil }) else {
        throw cluster.misused("\(group): seek in a partition that is not assigned")
      }
      fetcher.start(positions)
    }
  }

  func pause(_ partitions: [TopicPartition]) throws(BusError) {
    try check()
    try bus.call("pause \(partitions)", []) { _ throws(BusError) in
      try checkHolder()
      fetcher.paused.formUnion(partitions)
    }
  }

  func resume(_ partitions: [TopicPartition]) throws(BusError) {
    try check()
    try bus.call("resume \(partitions)", []) { _ throws(BusError) in
      try checkHolder()
      fetcher.paused.subtract(partitions)
    }
  }

  func close() { isClosed = true }

  private func check() throws(BusError) {
    try bus.checkAlive()
    if isClosed { throw .closed }
  }

  /// Who was taken over hears it here: its partitions are lost.
  private func checkHolder() throws(BusError) {
    do {
      try cluster.checkHolder(group, holder)
    } catch {
      if isAssigned { revoke(lost: true) }
      throw error
    }
  }
}
