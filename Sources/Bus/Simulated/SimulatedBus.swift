import Base

/// One process's connection to a `SimulatedCluster`. Each call, of the bus and of all that it made, is
/// numbered and may meet a fault drawn from the cluster's seed. After a crash, as after `close`, every call
/// throws `.closed` and does nothing.
///
/// In a call a process may stand still: `onCall`, where a driver sets it, is called before each deed and again
/// before its answer, and may let others run (`SimulatedStrand`). Who closes the bus meanwhile kills it there.
public final class SimulatedBus: Bus, @unchecked Sendable {
  // Unchecked: one thread at a time, see SimulatedCluster.
  let cluster: SimulatedCluster
  public let member: String
  public var faults: SimulatedFaults
  /// The number of the last call.
  public private(set) var calls = 0
  /// Whether a fault has killed the process, or it closed the bus.
  public private(set) var isDead = false
  /// The whole process stands still: not even its heartbeats go out.
  public var isStill = false
  public var onCall: (() -> Void)?
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
      SimulatedConsumer(bus: self, group: group, instanceID: instanceID, topics: topics, handler: handler)
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
    try call("partitionCounts", [.retriable], asks: true) { _ in
      var counts: [String: Int] = [:]
      for name in topics { counts[name] = cluster.topics[name]?.spec.partitions }
      return counts
    }
  }

  public func topics(prefix: String) throws(BusError) -> [String] {
    try call("topics \(prefix)", [.retriable], asks: true) { _ in
      cluster.topicNames.filter { $0.hasPrefix(prefix) }
    }
  }

  public func createTopics(_ specs: [TopicSpec]) throws(BusError) {
    try call("createTopics \(specs.map(\.name))", [.retriable, .lostAnswer], asks: true) {
      _ throws(BusError) in
      try cluster.create(specs)
    }
  }

  public func deleteTopics(_ names: [String]) throws(BusError) {
    try call("deleteTopics \(names)", [.retriable, .lostAnswer], asks: true) { _ in cluster.delete(names) }
  }

  public func topicProperties(_ topics: [String]) throws(BusError) -> [String: [String: String]] {
    try call("topicProperties", [.retriable], asks: true) { _ in
      var found: [String: [String: String]] = [:]
      for name in topics { found[name] = cluster.topics[name]?.spec.properties }
      return found
    }
  }

  public func endOffset(_ partition: TopicPartition, isolation: Isolation) throws(BusError) -> Int64 {
    try call("endOffset \(partition)", [.retriable], asks: true) { _ throws(BusError) in
      if faults.leaderless.contains(partition) {
        throw BusError(.retry, code: "LEADER_NOT_AVAILABLE", "\(partition) has no leader")
      }
      return try cluster.log(partition).end(isolation)
    }
  }

  public func startOffset(_ partition: TopicPartition) throws(BusError) -> Int64 {
    try call("startOffset \(partition)", [.retriable], asks: true) { _ throws(BusError) in
      try cluster.log(partition).firstOffset
    }
  }

  public func memberless(group: String) -> any GroupMetadata {
    SimulatedGroupMetadata(group: group)
  }

  public func committedOffsets(group: String, _ partitions: [TopicPartition]) throws(BusError)
    -> [TopicPartition: Int64]
  {
    try call("committedOffsets \(group)", [.retriable], asks: true) { _ throws(BusError) in
      if cluster.isUnstable(group, partitions) {
        cluster.clock.advance(by: SimulatedCluster.answerTimeout)
        throw BusError(.retry, code: "_TIMED_OUT", "group \(group): a transaction is about to move it")
      }
      let wanted = Set(partitions)
      return cluster.committedOffsets(group).filter { wanted.contains($0.key) }
    }
  }

  public func members(ofGroup group: String) throws(BusError) -> [String] {
    try call("members \(group)", [.retriable], asks: true) { _ in
      cluster.groups[group]?.members.keys.sorted() ?? []
    }
  }

  public func statistics() -> [String: String] { ["simulated": "{\"calls\":\(calls)}"] }

  public func complaint() -> BusComplaint? { nil }
}

// MARK: - Faults

extension SimulatedBus {
  func checkAlive() throws(BusError) { if isDead { throw .closed } }

  /// Runs the deed of a call, with whatever befalls it. `kinds`: the faults, besides crashes, that this
  /// call can meet; those that are its own business (`abortable`, `recreate`, and what becomes of a batch) are
  /// handed to the deed. `asks`: it cannot be done while the brokers are away.
  func call<T>(
    _ name: @autoclosure () -> String, _ kinds: SimulatedFault.Kinds, asks: Bool = false,
    _ deed: (SimulatedFault?) throws(BusError) -> T
  ) throws(BusError) -> T {
    try checkAlive()
    calls += 1
    let number = calls
    onCall?()
    try checkAlive()
    cluster.goOn()
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
    case nil where asks && cluster.isAway:
      cluster.clock.advance(by: SimulatedCluster.answerTimeout)
      throw BusError(.retry, code: "_TRANSPORT", "simulated: the brokers are away")
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
    if cluster.random.happens(faults.slow) { beSlow() }
    onCall?()
    try checkAlive()
    switch fault {
    case .crashAfter: throw die()
    case .lostAnswer: throw BusError(.retry, code: "_TIMED_OUT", "simulated: the answer was lost")
    default: return result
    }
  }

  /// The answer takes its time, mostly a little, sometimes longer than a transaction may last.
  private func beSlow() {
    let time = Duration.milliseconds(cluster.random.anySize(upTo: 15_000))
    cluster.trace.add("  slow: \(time)")
    cluster.clock.advance(by: time)
  }

  private func die() -> BusError {
    isDead = true
    return .closed
  }

  private func draw(_ kinds: SimulatedFault.Kinds) -> SimulatedFault? {
    let possible = kinds.union(.crashes)
    if let scripted = faults.scripted[calls] {
      precondition(possible.contains(scripted.kind), "call \(calls) cannot meet \(scripted)")
      return scripted
    }
    if let fault = injected, possible.contains(fault.kind) {
      injected = nil
      return fault
    }
    return faults.isAny ? faults.fault(at: cluster.random.fraction(), of: possible) : nil
  }
}
