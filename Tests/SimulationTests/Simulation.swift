import Base
import Bus
import Checkers
import Events
import Requests
import Service
import Table

/// One run from one seed: processes of a member on simulated brokers that fail, in the midst of traffic. They
/// die, stand still and wake, and others take their place meanwhile; the order in which they run is drawn.
struct Simulation {
  /// Far beyond what a round lasts: rows that are cleared in a round are deleted at its end.
  static let clearedKept = Duration.seconds(20_000)
  private static let grace = Duration.seconds(5)
  private static let stepsPerRound = 80
  private static let settlingMax = 300
  private static let processesMax = 3

  let cluster: SimulatedCluster
  let settings: MemberSettings
  private let plan: Plan
  private var random: SeededRandom
  let world: SimulatedWorld
  private(set) var crowd: Crowd
  private var processes: [Process] = []
  /// Processes that were made.
  private var made = 0
  private(set) var met = Met()
  /// Numbers of events after which all that was cleared has been deleted.
  private(set) var deletions: [Int64] = []
  private var roundStart = Duration.zero
  /// Somebody deletes streams' topics in this run.
  private let deletesTopics: Bool

  /// Of a run's parts, those that a seed's run has are drawn, so that many seeds see them all at a low price.
  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  /// What has befallen the processes of a run.
  struct Met {
    var deaths = 0
    var recreations = 0
    /// Processes that ended because another one has their seat, or serves.
    var fenced = 0
    var standstills = 0
    /// Turns of two processes at a time.
    var shared = 0

    static func += (all: inout Met, one: Met) {
      all.deaths += one.deaths
      all.recreations += one.recreations
      all.fenced += one.fenced
      all.standstills += one.standstills
      all.shared += one.shared
    }
  }

  private var topics: ClusterTopics { settings.topics }
  /// How long a member serves until the leases and the grace periods are over that began when it did.
  private var quiet: Duration { world.pace.lease + Self.grace + .seconds(25) }

  init(seed: UInt64, isTraced: Bool = false, fencesDown: Set<SimulatedCluster.Fence> = []) throws {
    random = SeededRandom(seed: seed)
    cluster = SimulatedCluster(seed: random.next())
    cluster.fencesDown = fencesDown
    cluster.trace.isOn = isTraced
    let topics = ClusterTopics(cluster: "belfry")
    var table = TableSettings(partitions: Int.random(in: 2...4, using: &random))
    table.clearedKept = Self.clearedKept
    let storedBytes = [1_000, 4_000, Int64.max].randomElement(using: &random)!
    world = SimulatedWorld(cluster, topics, partitions: table.partitions, storedBytes: storedBytes)
    var settings = MemberSettings(
      topics: topics, memberID: "a", schema: .alerts, table: table,
      registry: RegistrySettings(intervalDefault: world.pace.intervalDefault, grace: Self.grace))
    // Longer than a commit: letters of the publisher then meet rows that no drain has given yet.
    settings.drainInterval = .milliseconds([100, 1_500].randomElement(using: &random)!)
    // Some rows of a snapshot a transaction, so that it can be interrupted.
    settings.snapshotBytesMax = [200, 1_000, 1 << 20].randomElement(using: &random)!
    settings.storedBytesMax = storedBytes
    self.settings = settings
    crowd = Crowd(world, &random)
    plan = Plan(&random)
    deletesTopics = Int.random(in: 0..<3, using: &random) == 0
    try cluster.connect(member: "setup").createTopics(settings.topicSpecs)
  }

  /// Ends all that runs. Call it before a simulation is let go, however it went.
  mutating func end() { for process in processes { process.kill() } }

  // MARK: The run

  /// A round of trouble, then quiet until nothing is left to do. Throws where that time does not come.
  mutating func round() throws(Fault) {
    roundStart = cluster.clock.elapsed()
    for process in processes { plan.trouble(process) }
    for _ in 0..<Self.stepsPerRound { step() }
    crowd.events.endTransaction()
    calmDown()
    // Past the leases, the grace periods, and the times at which rows expire soon.
    cluster.clock.advance(by: .seconds(30))
    try settle()
    guard cluster.clock.elapsed() - roundStart < Self.clearedKept else {
      throw Fault("a round took longer than cleared rows are kept: the model does not hold")
    }
  }

  /// What was cleared is deleted. Time passes for it, in which the members live on, or (a week and a day) nobody is
  /// there: then the group's positions and old records are gone, and all topics were compacted.
  mutating func deleteCleared() throws(Fault) {
    if chance(2) {
      cluster.clock.advance(by: Self.clearedKept + .seconds(60))
    } else {
      for process in processes { process.kill() }
      cluster.clock.advance(by: .seconds(8 * 86_400))
      cluster.forgetOffsets(ofGroup: topics.tableGroup)
      cluster.retain()
      for topic in compactedTopics { cluster.compact(topic, keepTombstones: chance(2)) }
    }
    deletions.append(crowd.events.sent)
    crowd.operators.forget()
    crowd.screen.forget()
    try settle()
  }

  /// A clean restart, in quiet.
  mutating func restart() throws(Fault) {
    for process in processes { process.kill() }
    try settle()
  }

  private mutating func step() {
    tidy()
    switch Int.random(in: 0..<49, using: &random) {
    case 0..<9: for _ in 0..<Int.random(in: 1...4, using: &random) { crowd.events.send() }
    case 9..<12: for _ in 0..<Int.random(in: 1...4, using: &random) { crowd.clients.send() }
    case 12: crowd.gateways.send()
    case 13..<15: crowd.operators.send()
    case 15..<18: crowd.screen.send()
    case 18..<24: turn(.table)
    case 24..<29: turn(.publisher)
    case 29..<32: turn(.changes)
    case 32..<35: for _ in 0..<6 { turnAll() }
    case 35..<42: cluster.clock.advance(by: .milliseconds(Int64.random(in: 0...250, using: &random)))
    case 42: cluster.clock.advance(by: .milliseconds(Int64.random(in: 0...15_000, using: &random)))
    case 43: compact()
    case 44 where deletesTopics: crowd.vandal.strike()
    case 45: crowd.gateways.send()
    default: disturb()
    }
  }

  private mutating func turnAll() {
    cluster.clock.advance(by: .milliseconds(40))
    for role in Process.Role.allCases { turn(role) }
  }

  /// A role of one of those that run has its turn.
  private mutating func turn(_ role: Process.Role) {
    let awake = processes.filter { !$0.isStill && !$0.hasEnded }
    guard let process = awake.randomElement(using: &random) else { return }
    if awake.count > 1 { met.shared += 1 }
    process.turn(role)
  }

  /// The brokers' cleaner. It never sees the lags of topics pass within a round.
  private mutating func compact() { cluster.compact(compactedTopics.randomElement(using: &random)!) }

  private var compactedTopics: [String] {
    cluster.topicNames.filter {
      cluster.spec($0)?.properties["cleanup.policy"]?.contains("compact") ?? false
    }
  }

  // MARK: Processes

  /// Counts who has ended; where none is left, the next begins.
  private mutating func tidy() {
    for process in processes where process.hasEnded {
      met.recreations += process.recreations
      if process.end == .killed { met.deaths += 1 } else { met.fenced += 1 }
    }
    processes.removeAll(where: \.hasEnded)
    if processes.isEmpty { begin("a") }
  }

  private mutating func begin(_ memberID: String) {
    made += 1
    var settings = settings
    settings.memberID = memberID
    let process = Process(settings, cluster, number: made, seed: random.next())
    plan.trouble(process)
    processes.append(process)
  }

  /// Something happens to a process, or to the brokers, as the run's plan has it.
  private mutating func disturb() {
    switch plan.disturbance(&random) {
    case .none: break
    case .standstill:
      let awake = processes.filter { !$0.isStill }
      guard let process = awake.randomElement(using: &random) else { return }
      cluster.trace.add("\(process.bus.member) stops")
      process.bus.isStill = true
      met.standstills += 1
      // Whoever watches over processes may have begun another in its place.
      if Bool.random(using: &random), processes.count < Self.processesMax { begin(process.memberID) }
    case .waking:
      for process in processes where process.isStill && Bool.random(using: &random) {
        cluster.trace.add("\(process.bus.member) wakes")
        process.bus.isStill = false
      }
    case .twin: if processes.count < Self.processesMax { begin(processes[0].memberID) }
    case .stranger:
      if processes.count < Self.processesMax { begin(["a", "b"].randomElement(using: &random)!) }
    case .death: processes.randomElement(using: &random)!.kill()
    case .absence:
      cluster.goAway(for: .milliseconds([300, 3_000, 90_000].randomElement(using: &random)!))
    }
  }

  /// The trouble is over: who is still wakes, seats find their holders, and one process goes on.
  private mutating func calmDown() {
    if cluster.isAway { cluster.clock.advance(by: .seconds(90)) }
    for process in processes {
      process.bus.faults = .none
      process.standstills = 0
      process.bus.isStill = false
    }
    for _ in 0..<20 where processes.count > 1 {
      for process in processes { for role in Process.Role.allCases { process.turn(role) } }
      cluster.clock.advance(by: .seconds(1))
      tidy()
    }
    while processes.count > 1 {
      processes.randomElement(using: &random)!.kill()
      tidy()
    }
  }

  // MARK: Quiet

  /// Turns until nothing moves any more: all is consumed and published, and a member has served so long that
  /// leases and grace periods are over.
  private mutating func settle() throws(Fault) {
    var until = cluster.clock.elapsed() + quiet
    var still = 0
    var before = ends
    for _ in 0..<Self.settlingMax {
      crowd.clients.renewKept()
      crowd.screen.settle()
      cluster.clock.advance(by: .seconds(3))
      for _ in 0..<2 {
        tidy()
        for process in processes {
          process.bus.faults = .none
          process.standstills = 0
          for role in Process.Role.allCases { process.turn(role) }
        }
      }
      if !processes.contains(where: \.isReady) { until = cluster.clock.elapsed() + quiet }
      let now = ends
      still = now == before ? still + 1 : 0
      before = now
      if still > 3 && cluster.clock.elapsed() > until && undone.isEmpty { return }
    }
    throw Fault("it does not settle: \(undone)")
  }

  /// The ends of what says that something was done. Sweeps go on for ever.
  private var ends: [Int64?] {
    let told = cluster.topicNames.filter { name in
      [topics.viewLanes, topics.historyLanes, topics.liveLanes].contains(name)
        || name.hasPrefix(topics.historyPrefix) || name.hasPrefix(topics.livePrefix)
    }
    return ([topics.changelog("alerts"), topics.inbox] + told).flatMap { topic in
      (0..<Int32(cluster.spec(topic)!.partitions)).map { cluster.endOffset(topic, $0, .uncommitted) }
    }
  }

  private var undone: [String] { unconsumed + (crowd.screen.awaited.map { [$0] } ?? []) }

  /// Partitions with records that the group has not consumed.
  private var unconsumed: [String] {
    let committed = cluster.committedOffsets(topics.tableGroup)
    return (0..<Int32(world.partitions)).flatMap { number in
      [topics.events, topics.inbox].compactMap { topic in
        let place = TopicPartition(topic, number)
        let end = (cluster.records(topic, number, .committed).last?.offset ?? -1) + 1
        let position = committed[place] ?? 0
        return position >= end ? nil : "\(place) is consumed up to \(position) of \(end)"
      }
    }
  }
}
