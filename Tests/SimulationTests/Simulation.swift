import Base
import Events
import Notifier
import Requests
import Service
import Table

@testable import Bus

/// One run from one seed: the production code of a member (`MemberLife`) on a simulated bus that fails, in
/// the midst of traffic; what ends a life begins another, as the member's supervisor does it.
struct Simulation {
  /// Far beyond what a round lasts: rows that are cleared in a round are deleted at its end.
  static let clearedKept = Duration.seconds(7_200)
  static let grace = Duration.seconds(5)
  static let intervalDefault = Duration.milliseconds(300)
  private static let stepsPerRound = 120
  private static let settlingMax = 300

  let cluster: SimulatedCluster
  let settings: MemberSettings
  private var random: SeededRandom
  private var traffic: Traffic
  private var clients: Clients
  private let faults: SimulatedFaults
  private var bus: SimulatedBus
  private var life: MemberLife
  private(set) var deaths = 0
  private(set) var recreations = 0
  /// Numbers of events after which all that was cleared has been deleted.
  private(set) var deletions: [Int64] = []
  private var roundStart = Duration.zero

  var topics: ClusterTopics { settings.topics }
  var partitions: Int { settings.table.partitions }

  init(seed: UInt64, isTraced: Bool = false) throws {
    random = SeededRandom(seed: seed)
    cluster = SimulatedCluster(seed: random.next())
    cluster.trace.isOn = isTraced
    let topics = ClusterTopics(cluster: "belfry")
    var table = TableSettings(partitions: Int.random(in: 2...4, using: &random))
    table.clearedKept = Self.clearedKept
    var settings = MemberSettings(
      topics: topics, memberID: "a", schema: .alerts, table: table,
      registry: RegistrySettings(intervalDefault: Self.intervalDefault, grace: Self.grace))
    // Longer than a commit: letters of the publisher then meet rows that no drain has given yet.
    settings.drainInterval = .milliseconds([100, 1_500].randomElement(using: &random)!)
    self.settings = settings
    traffic = Traffic(cluster, topic: topics.events, partitions: table.partitions, seed: random.next())
    clients = Clients(cluster, topic: topics.requests, seed: random.next())
    faults = Self.faults(&random)
    bus = cluster.connect(memberFaults: faults)
    life = Self.makeLife(settings, bus, cluster)
    try cluster.connect(member: "setup").createTopics(settings.topicSpecs)
  }

  /// Some runs meet everything, some one kind of trouble often, some none.
  private static func faults(_ random: inout SeededRandom) -> SimulatedFaults {
    var faults = SimulatedFaults()
    switch Int.random(in: 0..<10, using: &random) {
    case 0: break
    case 1: faults.abortable = 0.1
    case 2: faults.lostAnswer = 0.1
    case 3: faults.recreate = 0.1
    case 4: (faults.rebalance, faults.late) = (0.02, 0.3)
    case 5: (faults.crashBefore, faults.crashAfter) = (0.002, 0.004)
    case 6: faults.retriable = 0.02
    default: faults = .rough(callsPerCrash: [200, 600, 2_000].randomElement(using: &random)!)
    }
    return faults
  }

  private static func makeLife(_ settings: MemberSettings, _ bus: SimulatedBus, _ cluster: SimulatedCluster)
    -> MemberLife
  {
    let clock = cluster.clock
    return MemberLife(
      settings, bus: bus, clock: clock, readiness: Readiness(clock: clock), log: .silent, metrics: Metrics()
    ) { clock.advance(by: $0) }
  }

  // MARK: The run

  /// A round of trouble, then quiet until nothing is left to do. Throws where that time does not come.
  mutating func round() throws(Fault) {
    roundStart = cluster.clock.elapsed()
    bus.faults = faults
    for _ in 0..<Self.stepsPerRound { step() }
    bus.faults = .none
    traffic.endTransaction()
    // Past the leases, the grace periods, and the times at which rows expire soon.
    cluster.clock.advance(by: .seconds(30))
    try settle()
    guard cluster.clock.elapsed() - roundStart < Self.clearedKept else {
      throw Fault("a round took longer than cleared rows are kept: the model does not hold")
    }
  }

  /// What was cleared is deleted.
  mutating func deleteCleared() throws(Fault) {
    cluster.clock.advance(by: Self.clearedKept + .seconds(60))
    deletions.append(traffic.sent)
    try settle()
  }

  /// A clean restart, in quiet.
  mutating func restart() throws(Fault) {
    remake()
    try settle()
  }

  private mutating func step() {
    switch Int.random(in: 0..<40, using: &random) {
    case 0..<9: for _ in 0..<Int.random(in: 1...4, using: &random) { traffic.send() }
    case 9..<12: for _ in 0..<Int.random(in: 1...4, using: &random) { clients.send() }
    case 12..<20: turnWorker()
    case 20..<28: turnPublisher()
    case 28..<31: for _ in 0..<6 { turnBoth() }
    case 31..<38: cluster.clock.advance(by: .milliseconds(Int64.random(in: 0...250, using: &random)))
    case 38: cluster.clock.advance(by: .milliseconds(Int64.random(in: 0...15_000, using: &random)))
    default:
      cluster.compact([topics.requests, topics.replies, topics.registry].randomElement(using: &random)!)
    }
  }

  private mutating func turnBoth() {
    cluster.clock.advance(by: .milliseconds(40))
    turnWorker()
    turnPublisher()
  }

  private mutating func turnWorker() {
    do throws(BusError) { try life.worker.turn(wait: .zero) } catch { handle(error) }
  }

  private mutating func turnPublisher() {
    do throws(BusError) { try life.publisher.turn(wait: .zero) } catch {
      if error.remedy == .retry { return }
      guard !bus.isDead, life.remakePublisher(after: error) else { return handle(error) }
      cluster.trace.add("publisher ends: \(error)")
      recreations += 1
    }
  }

  private mutating func handle(_ error: BusError) {
    if error.remedy == .retry { return }
    cluster.trace.add("life ends: \(error)")
    if bus.isDead { deaths += 1 } else { recreations += 1 }
    remake()
  }

  /// After a crash the next life is another process, otherwise the same.
  private mutating func remake() {
    life.worker.close()
    life.publisher.close()
    if bus.isDead { bus = cluster.connect(memberFaults: bus.faults) }
    life = Self.makeLife(settings, bus, cluster)
  }

  // MARK: Quiet

  /// Turns until nothing moves any more: all is consumed and published, leases and grace periods are over.
  private mutating func settle() throws(Fault) {
    let until = cluster.clock.elapsed() + .seconds(30)
    var still = 0
    var before = ends
    for _ in 0..<Self.settlingMax {
      clients.renewKept()
      cluster.clock.advance(by: .seconds(1))
      for _ in 0..<2 {
        turnWorker()
        turnPublisher()
      }
      let now = ends
      still = now == before ? still + 1 : 0
      before = now
      if still > 5 && cluster.clock.elapsed() > until && unconsumed.isEmpty { return }
    }
    throw Fault("it does not settle: \(unconsumed)")
  }

  /// The ends of what says that something was done. Sweeps go on for ever.
  private var ends: [Int64?] {
    (0..<Int32(partitions)).flatMap {
      [
        cluster.endOffset(topics.changelog("alerts"), $0, .uncommitted),
        cluster.endOffset(topics.inbox, $0, .uncommitted),
      ]
    } + (0..<Int32(ClusterTopics.laneCount)).map { cluster.endOffset(topics.viewLanes, $0, .uncommitted) }
  }

  /// Partitions that the group has not committed to the end. In the inbox the last thing is the marker of a
  /// transaction, which no position needs to pass.
  private var unconsumed: [String] {
    let committed = cluster.committedOffsets(topics.tableGroup)
    return (0..<Int32(partitions)).flatMap { number -> [String] in
      let events = TopicPartition(topics.events, number)
      let inbox = TopicPartition(topics.inbox, number)
      let eventsEnd = cluster.endOffset(topics.events, number, .uncommitted) ?? 0
      let inboxEnd = (cluster.records(topics.inbox, number, .committed).last?.offset ?? -1) + 1
      return [(events, eventsEnd), (inbox, inboxEnd)].compactMap { place, end in
        let position = committed[place] ?? 0
        return position >= end ? nil : "\(place) is consumed up to \(position) of \(end)"
      }
    }
  }
}

/// What a checker found.
struct Fault: Error, Equatable, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
