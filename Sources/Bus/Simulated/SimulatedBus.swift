import Base

/// One process's connection to a `SimulatedCluster`. Each call, of the bus and of all that it made, is
/// numbered and may meet a fault drawn from the cluster's seed. After a crash, as after `close`, every call
/// throws `.closed` and does nothing.
public final class SimulatedBus: Bus, @unchecked Sendable {
  // Unchecked: one thread at a time, see SimulatedCluster.
  let cluster: SimulatedCluster
  public let member: String
  public var faults: SimulatedFaults
  /// The number of the last call.
  public private(set) var calls = 0
  /// Whether a fault has killed the process, or it closed the bus.
  public private(set) var isDead = false
  private var injected: SimulatedFault?

  init(cluster: SimulatedCluster, member: String, faults: SimulatedFaults) {
    self.cluster = cluster
    self.member = member
    self.faults = faults
  }

  /// The next call that can meet this fault does.
  public func inject(_ fault: SimulatedFault) { injected = fault }

  public func close() { isDead = true }

  public func makeProducer(transactionalID: String) throws(BusError) -> any TransactionalProducer {
    try call("makeProducer \(transactionalID)", []) { _ in
      SimulatedTransactionalProducer(bus: self, id: transactionalID)
    }
  }

  public func makeProducer() throws(BusError) -> any PlainProducer {
    try call("makeProducer", []) { _ in SimulatedPlainProducer(bus: self) }
  }

  public func makeConsumer(
    group: String, instanceID: String, topics: [String], handler: any AssignmentHandler
  ) throws(BusError) -> any GroupConsumer {
    try call("makeConsumer \(group) \(instanceID)", []) { _ in
      let holder = cluster.join(group, instanceID: instanceID)
      return SimulatedConsumer(bus: self, group: group, holder: holder, topics: topics, handler: handler)
    }
  }

  public func makeReader(_ start: [TopicPartition: Int64], isolation: Isolation, gather: Duration)
    throws(BusError)
    -> any Reader
  {
    try call("makeReader \(start.keys.sorted())", []) { _ in
      let fetcher = SimulatedFetcher(bus: self, isolation: isolation)
      fetcher.start(start)
      return SimulatedReader(bus: self, fetcher: fetcher, gather: gather)
    }
  }

  public func partitionCounts(_ topics: [String]) throws(BusError) -> [String: Int] {
    try call("partitionCounts", [.retriable]) { _ in
      var counts: [String: Int] = [:]
      for name in topics { counts[name] = cluster.topics[name]?.spec.partitions }
      return counts
    }
  }

  public func topics(prefix: String) throws(BusError) -> [String] {
    try call("topics \(prefix)", [.retriable]) { _ in cluster.topicNames.filter { $0.hasPrefix(prefix) } }
  }

  public func createTopics(_ specs: [TopicSpec]) throws(BusError) {
    try call("createTopics \(specs.map(\.name))", [.retriable, .lostAnswer]) { _ throws(BusError) in
      try cluster.create(specs)
    }
  }

  public func deleteTopics(_ names: [String]) throws(BusError) {
    try call("deleteTopics \(names)", [.retriable, .lostAnswer]) { _ in cluster.delete(names) }
  }

  public func topicProperties(_ topics: [String]) throws(BusError) -> [String: [String: String]] {
    try call("topicProperties", [.retriable]) { _ in
      var found: [String: [String: String]] = [:]
      for name in topics { found[name] = cluster.topics[name]?.spec.properties }
      return found
    }
  }

  public func endOffset(_ partition: TopicPartition, isolation: Isolation) throws(BusError) -> Int64 {
    try call("endOffset \(partition)", [.retriable]) { _ throws(BusError) in
      try cluster.log(partition).end(isolation)
    }
  }

  public func startOffset(_ partition: TopicPartition) throws(BusError) -> Int64 {
    try call("startOffset \(partition)", [.retriable]) { _ throws(BusError) in
      try cluster.log(partition).firstOffset
    }
  }

  public func memberless(group: String) -> any GroupMetadata {
    SimulatedGroupMetadata(group: group, holder: 0, generation: 0)
  }

  public func committedOffsets(group: String, _ partitions: [TopicPartition]) throws(BusError)
    -> [TopicPartition: Int64]
  {
    try call("committedOffsets \(group)", [.retriable]) { _ throws(BusError) in
      if cluster.isUnstable(group, partitions) {
        cluster.clock.advance(by: SimulatedCluster.answerTimeout)
        throw BusError(.retry, code: "_TIMED_OUT", "group \(group): a transaction is about to move it")
      }
      let wanted = Set(partitions)
      return cluster.committedOffsets(group).filter { wanted.contains($0.key) }
    }
  }

  public func members(ofGroup group: String) throws(BusError) -> [String] {
    try call("members \(group)", [.retriable]) { _ in
      (cluster.groups[group]?.instanceID).map { [$0] } ?? []
    }
  }

  public func statistics() -> [String: String] { ["simulated": "{\"calls\":\(calls)}"] }
}

// MARK: - Faults

extension SimulatedBus {
  func checkAlive() throws(BusError) { if isDead { throw .closed } }

  /// Runs the deed of a call, with whatever befalls it. `kinds`: the faults, besides crashes, that this
  /// call can meet; those that are its own business (`abortable`, `recreate`, and what a crash leaves of a
  /// batch) are handed to the deed.
  func call<T>(
    _ name: @autoclosure () -> String, _ kinds: Set<SimulatedFault>,
    _ deed: (SimulatedFault?) throws(BusError) -> T
  ) throws(BusError) -> T {
    try checkAlive()
    calls += 1
    let number = calls
    cluster.expireTransactions()
    let fault = draw(kinds)
    cluster.trace.add(
      "\(cluster.clock.elapsed().milliseconds) \(member)#\(number) \(name())"
        + (fault.map { " ! \($0.rawValue)" } ?? ""))
    switch fault {
    case .crashBefore:
      isDead = true
      throw .closed
    case .retriable:
      throw BusError(.retry, code: "_TRANSPORT", "simulated: nothing was done")
    default:
      break
    }
    let result: T
    do {
      result = try deed(fault)
    } catch {
      cluster.trace.add("\(member)#\(number) \(error)")
      throw fault == .crashAfter ? die() : error
    }
    try checkAlive()  // a call from within may have met a crash
    switch fault {
    case .crashAfter: throw die()
    case .lostAnswer: throw BusError(.retry, code: "_TIMED_OUT", "simulated: the answer was lost")
    default: return result
    }
  }

  private func die() -> BusError {
    isDead = true
    return .closed
  }

  private func draw(_ kinds: Set<SimulatedFault>) -> SimulatedFault? {
    let possible = SimulatedFault.allCases.filter {
      $0 == .crashBefore || $0 == .crashAfter || kinds.contains($0)
    }
    if let scripted = faults.scripted[calls] {
      precondition(possible.contains(scripted), "call \(calls) cannot meet \(scripted)")
      return scripted
    }
    if let fault = injected, possible.contains(fault) {
      injected = nil
      return fault
    }
    guard possible.contains(where: { faults.probability(of: $0) > 0 }) else { return nil }
    var fraction = cluster.random.fraction()
    return possible.first { fault in
      fraction -= faults.probability(of: fault)
      return fraction < 0
    }
  }
}
