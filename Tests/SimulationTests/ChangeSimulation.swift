import Base
import Events
import Notifier
import Requests
import Service
import Table

@testable import Bus

/// One run from one seed with streams of all three modes: the production code of a member on a simulated bus that
/// fails at any call, and begins again, while streams of every change begin and end in the midst of traffic.
struct ChangeSimulation {
  static let grace = Duration.seconds(5)
  private static let steps = 250
  private static let roundsMax = 300

  let cluster: SimulatedCluster
  let settings: MemberSettings
  private var random: SeededRandom
  private var traffic: Traffic
  private let faults: SimulatedFaults
  private var bus: SimulatedBus
  private var life: MemberLife
  /// The last record of each request.
  private(set) var asked: [String: String?] = [:]
  private(set) var deaths = 0
  private(set) var recreations = 0

  var topics: ClusterTopics { settings.topics }
  var partitions: Int { settings.table.partitions }

  init(seed: UInt64, isTraced: Bool = false) throws {
    random = SeededRandom(seed: seed)
    cluster = SimulatedCluster(seed: random.next())
    cluster.trace.isOn = isTraced
    var settings = MemberSettings(
      topics: ClusterTopics(cluster: "belfry"), memberID: "a", schema: .alerts,
      table: TableSettings(partitions: Int.random(in: 2...3, using: &random)),
      registry: RegistrySettings(intervalDefault: .milliseconds(500), grace: Self.grace))
    // Some rows of a snapshot a transaction, so that it can be interrupted.
    settings.snapshotBytesMax = [200, 1_000, 1 << 20].randomElement(using: &random)!
    self.settings = settings
    traffic = Traffic(
      cluster, topic: settings.topics.events, partitions: settings.table.partitions, seed: random.next())
    faults = Self.faults(&random)
    bus = cluster.connect(memberFaults: faults)
    life = Self.makeLife(settings, bus, cluster)
    try cluster.connect(member: "setup").createTopics(settings.topicSpecs)
  }

  private static func faults(_ random: inout SeededRandom) -> SimulatedFaults {
    var faults = SimulatedFaults()
    switch Int.random(in: 0..<8, using: &random) {
    case 0: faults.abortable = 0.1
    case 1: faults.lostAnswer = 0.1
    case 2: faults.recreate = 0.1
    case 3: (faults.crashBefore, faults.crashAfter) = (0.002, 0.006)
    default: faults = .rough(callsPerCrash: [150, 300, 1_000].randomElement(using: &random)!)
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

  /// Trouble, then quiet until nothing is left to do.
  mutating func run() throws(Fault) {
    for _ in 0..<Self.steps { step() }
    bus.faults = .none
    traffic.endTransaction()
    try settle()
  }

  private mutating func step() {
    switch Int.random(in: 0..<40, using: &random) {
    case 0..<10: for _ in 0..<Int.random(in: 1...4, using: &random) { traffic.send() }
    case 10..<13: ask()
    case 13..<19: turnWorker()
    case 19..<23: turnPublisher()
    case 23..<29: turnChanges()
    case 29..<33: for _ in 0..<4 { turnAll(.milliseconds(40)) }
    case 33..<39: cluster.clock.advance(by: .milliseconds(Int64.random(in: 0...250, using: &random)))
    default: cluster.clock.advance(by: .milliseconds(Int64.random(in: 0...12_000, using: &random)))
    }
  }

  /// Requests for lists in every mode and place; now and then one ends.
  private mutating func ask() {
    let key = "\(["a", "b"].randomElement(using: &random)!)/v\(Int.random(in: 0..<4, using: &random))"
    var value: String?
    if Int.random(in: 0..<6, using: &random) > 0 {
      let view = viewPool.filter(\.isList).randomElement(using: &random)!
      var members = [
        JSON.Member("client", .string(String(key.prefix(1)))),
        JSON.Member("name", .string(String(key.dropFirst(2)))),
        JSON.Member("sql", .string(view.spellings.randomElement(using: &random)!)),
        JSON.Member("mode", .string(["net", "all", "all", "immediate"].randomElement(using: &random)!)),
      ]
      if Bool.random(using: &random) {
        members.append(JSON.Member("placement", .string("lane")))
      } else if members[3].value == .string("all"), Bool.random(using: &random) {
        members.append(JSON.Member("store_and_forward", .bool(true)))
        members.append(JSON.Member("lease_ms", .int(2_000)))
      }
      value = JSON.object(members).text
    }
    asked[key] = .some(value)
    cluster.append(topic: topics.requests, partition: 0, key: key, value: value)
  }

  private mutating func turnAll(_ time: Duration) {
    cluster.clock.advance(by: time)
    turnWorker()
    turnPublisher()
    turnChanges()
  }

  private mutating func turnWorker() {
    do throws(BusError) { try life.worker.turn(wait: .zero) } catch { handle(error) }
  }

  private mutating func turnPublisher() {
    do throws(BusError) { try life.publisher.turn(wait: .zero) } catch {
      handle(error) { [life] in life.remakePublisher(after: error) }
    }
  }

  private mutating func turnChanges() {
    do throws(BusError) { try life.changes.turn(wait: .zero) } catch {
      handle(error) { [life] in life.resetChanges(after: error) }
    }
  }

  /// What a supervisor does: the one that failed is made anew where that is enough, else all.
  private mutating func handle(_ error: BusError, _ remake: () -> Bool = { false }) {
    if error.remedy == .retry { return }
    cluster.trace.add("ends: \(error)")
    if bus.isDead { deaths += 1 } else { recreations += 1 }
    if !bus.isDead, remake() { return }
    life.close()
    if bus.isDead { bus = cluster.connect(memberFaults: bus.faults) }
    life = Self.makeLife(settings, bus, cluster)
  }

  private mutating func settle() throws(Fault) {
    var left = 20
    for _ in 0..<Self.roundsMax {
      turnAll(.seconds(1))
      turnAll(.milliseconds(200))
      if isConsumed { left -= 1 }
      if left == 0 { return }
    }
    throw Fault("it does not settle")
  }

  private var isConsumed: Bool {
    let committed = cluster.committedOffsets(topics.tableGroup)
    return (0..<Int32(partitions)).allSatisfy { number in
      let events = cluster.endOffset(topics.events, number, .uncommitted) ?? 0
      let inbox = (cluster.records(topics.inbox, number, .committed).last?.offset ?? -1) + 1
      return committed[TopicPartition(topics.events, number)] ?? 0 >= events
        && committed[TopicPartition(topics.inbox, number)] ?? 0 >= inbox
    }
  }
}
