import Base

/// A group's static member. It has joined when it is made; its partitions it gets inside its polls.
final class SimulatedConsumer: GroupConsumer {
  let instanceID: String
  let topics: [String]
  private let bus: SimulatedBus
  private let group: String
  private var holder = 0
  private let fetcher: SimulatedFetcher
  private unowned let handler: any AssignmentHandler
  private var isAssigned = false
  private var handlerFailed = false
  private var hasFencedItself = false
  private var isClosed = false

  private var cluster: SimulatedCluster { bus.cluster }

  init(bus: SimulatedBus, group: String, instanceID: String, topics: [String], handler: any AssignmentHandler)
  {
    self.bus = bus
    self.group = group
    self.instanceID = instanceID
    self.topics = topics
    self.handler = handler
    fetcher = SimulatedFetcher(bus: bus, isolation: .committed)
    holder = cluster.join(group, self)
  }

  /// Whether its heartbeats reach the brokers.
  var isHeard: Bool { !isClosed && !bus.isDead && !bus.isStill }

  func poll(into batch: RecordBatch, max: Int, timeout: Duration) throws(BusError) {
    try check()
    try bus.call("poll \(group)", [.retriable]) { _ throws(BusError) in
      if handlerFailed { throw cluster.misused("\(group): poll after the handler's assigned has thrown") }
      if isAssigned, cluster.random.happens(bus.faults.selfFence) { hasFencedItself = true }
      if hasFencedItself {
        _ = try cluster.holds(group, instanceID, holder)  // another's seat is told as that
        throw .sessionOver
      }
      if isAssigned, cluster.random.happens(bus.faults.rebalance) { upset() }
      try heedGroup()
      try bus.checkAlive()
      fetcher.poll(into: batch, max: max, timeout: timeout)
    }
  }

  /// Of a group that assigns anew this member hears here, and of its own end.
  private func heedGroup() throws(BusError) {
    let wasAssigned = isAssigned
    if try !checkHolder() {
      if wasAssigned {
        hasFencedItself = true
        throw .sessionOver
      }
      holder = cluster.join(group, self)
    } else if let member = cluster.groups[group]!.members[instanceID], member.holder == holder,
      !member.hasJoined
    {
      if isAssigned { revoke(lost: false) }
      cluster.groups[group]!.members[instanceID]?.hasJoined = true
      cluster.groups[group]!.endRebalance()
    }
    if !isAssigned, !cluster.groups[group]!.isRebalancing { try assign() }
  }

  /// What the handler throws ends this poll, and the consumer: Kafka would not ask it again before the
  /// next rebalance, and who polls on would wait for nothing.
  private func assign() throws(BusError) {
    try bus.checkAlive()
    guard topics.contains(where: { cluster.topics[$0] != nil }) else { return }  // not made yet
    let partitions = cluster.assignment(group, instanceID)
    let generation = cluster.groups[group]!.generation
    handlerFailed = true
    let start = try handler.assigned(
      partitions,
      group: SimulatedGroupMetadata(
        group: group, instanceID: instanceID, holder: holder, generation: generation))
    handlerFailed = false
    try bus.checkAlive()
    precondition(
      partitions.allSatisfy { start[$0] != nil }, "the handler must say where to begin each partition")
    fetcher.start(start)
    isAssigned = true
  }

  /// The group is assigned anew without need, or loses sight of this member though it lives.
  private func upset() {
    if Bool.random(using: &cluster.random) {
      cluster.trace.add("  session ended: \(group) \(instanceID)")
      cluster.drop(group, instanceID)
    } else {
      cluster.trace.add("  rebalance: \(group)")
      cluster.groups[group]!.rebalance()
    }
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
      guard positions.keys.allSatisfy({ fetcher.positions[$0] != nil }) else {
        throw cluster.misused("\(group): seek in a partition that is not assigned")
      }
      fetcher.start(positions)
    }
  }

  func pause(_ partitions: [TopicPartition]) throws(BusError) {
    try check()
    try bus.call("pause \(partitions)", []) { _ in fetcher.paused.formUnion(partitions) }
  }

  func resume(_ partitions: [TopicPartition]) throws(BusError) {
    try check()
    try bus.call("resume \(partitions)", []) { _ in fetcher.paused.subtract(partitions) }
  }

  func close() { isClosed = true }

  private func check() throws(BusError) {
    try bus.checkAlive()
    if isClosed { throw .closed }
  }

  /// Who was taken over, or lost sight of (false), hears it here: its partitions are lost. Not at once: only
  /// heartbeats tell, and until one does, records come as if nothing had been.
  private func checkHolder() throws(BusError) -> Bool {
    do {
      if try cluster.holds(group, instanceID, holder) { return true }
      if isAssigned, cluster.random.happens(bus.faults.lateFence) { return true }
      if isAssigned { revoke(lost: true) }
      return false
    } catch {
      if isAssigned, cluster.random.happens(bus.faults.lateFence) { return true }
      if isAssigned { revoke(lost: true) }
      throw error
    }
  }
}
