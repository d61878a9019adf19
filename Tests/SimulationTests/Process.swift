import Base
import Notifier
import Service
import Table

@testable import Bus

/// One process of a run: the production code of a member (`MemberLife`), its roles turned by the driver, and made
/// anew as the member's supervisor does it. A turn may stand still in the midst of any call of the bus.
final class Process {
  enum Role: Int, CaseIterable {
    case table, publisher, changes
  }

  enum End: Equatable {
    case killed
    /// As the supervisor would end the member.
    case final(BusError)
  }

  let memberID: String
  let bus: SimulatedBus
  private(set) var end: End?
  /// Times that a role was made anew.
  private(set) var recreations = 0
  /// How many turns in a thousand stand still on their way.
  var standstills = 0

  private let cluster: SimulatedCluster
  private let settings: MemberSettings
  private var random: SeededRandom
  private var life: MemberLife?
  private var readiness: Readiness?
  /// Turns that stand still, by role.
  private var strands: [SimulatedStrand?] = [nil, nil, nil]
  private var errors: [BusError?] = [nil, nil, nil]
  /// The strand that runs now, and the calls until it stands still.
  private var running: SimulatedStrand?
  private var callsLeft = 0
  /// Since when another member's place in the group is waited for.
  private var waitsSince: Duration?
  /// A publisher was fenced: its supervisor waits until then for what the table's group has to say.
  private var rests: [Duration] = [.zero, .zero, .zero]

  init(_ settings: MemberSettings, _ cluster: SimulatedCluster, number: Int, seed: UInt64) {
    self.settings = settings
    self.cluster = cluster
    memberID = settings.memberID
    random = SeededRandom(seed: seed)
    bus = cluster.connect(member: "\(settings.memberID)\(number)")
    bus.onCall = { [unowned self] in called() }
  }

  var hasEnded: Bool { end != nil }
  /// All roles serve.
  var isReady: Bool { life != nil && readiness?.list == [] }
  var isStill: Bool { bus.isStill }

  // MARK: Turns

  /// Goes on with a role's turn, or begins one.
  func turn(_ role: Role) {
    guard !hasEnded, !isStill else { return }
    if let strand = strands[role.rawValue] { return goOn(strand, role) }
    guard let life = life ?? makeLife() else { return }
    if cluster.clock.elapsed() < rests[role.rawValue] { return }
    guard Int.random(in: 0..<1_000, using: &random) < standstills else {
      return ended(role, Self.turn(life, role))
    }
    let strand = SimulatedStrand { [unowned self] in errors[role.rawValue] = Self.turn(life, role) }
    strands[role.rawValue] = strand
    goOn(strand, role)
  }

  private static func turn(_ life: MemberLife, _ role: Role) -> BusError? {
    do throws(BusError) {
      switch role {
      case .table: try life.worker.turn(wait: .zero)
      case .publisher: try life.publisher.turn(wait: .zero)
      case .changes: try life.changes.turn(wait: .zero)
      }
      return nil
    } catch {
      return error
    }
  }

  private func goOn(_ strand: SimulatedStrand, _ role: Role) {
    callsLeft = random.anySize(upTo: 60)
    if resume(strand, role) { ended(role, errors[role.rawValue]) }
  }

  private func resume(_ strand: SimulatedStrand, _ role: Role) -> Bool {
    running = strand
    cluster.trace.add("\(bus.member) \(role) goes on")
    let hasEnded = strand.resume()
    running = nil
    if hasEnded { strands[role.rawValue] = nil }
    return hasEnded
  }

  /// In each call of the bus.
  private func called() {
    guard let running else { return }
    callsLeft -= 1
    guard callsLeft <= 0 else { return }
    cluster.trace.add("\(bus.member) stands still")
    self.running = nil
    running.standStill()
  }

  /// Lets what stands still run to its end, whatever comes of it.
  private func finish(_ role: Role) {
    guard let strand = strands[role.rawValue] else { return }
    callsLeft = .max
    while !resume(strand, role) {}
  }

  // MARK: What the supervisor does

  private func makeLife() -> MemberLife? {
    do throws(BusError) {
      try bus.ensureTopics(settings.preparedSpecs)
      guard try isAlone() else { return nil }
    } catch {
      ended(.table, error)
      return nil
    }
    let clock = cluster.clock
    let readiness = Readiness(clock: clock)
    self.readiness = readiness
    life = MemberLife(
      settings, bus: bus, clock: clock, readiness: readiness, log: .silent, metrics: Metrics()
    ) { clock.advance(by: $0) }
    return life
  }

  /// A member under another id is waited for, and in the end it is this one that goes.
  private func isAlone() throws(BusError) -> Bool {
    let seats = try bus.members(ofGroup: settings.topics.tableGroup)
    guard let other = seats.first(where: { $0 != settings.topics.tableSeat(memberID) }) else {
      waitsSince = nil
      return true
    }
    let since = waitsSince ?? cluster.clock.elapsed()
    waitsSince = since
    if cluster.clock.elapsed() - since > Member.othersWithin {
      throw BusError(.refuse, code: Member.notAlone, "\(other) serves this cluster already")
    }
    return false
  }

  private func ended(_ role: Role, _ error: BusError?) {
    guard let error, error.remedy != .retry else { return }
    cluster.trace.add("\(bus.member) \(role) ends: \(error)")
    if !bus.isDead, !MemberLife.isFinal(error), remake(role, after: error) {
      recreations += 1
      if error.remedy == .fenced {
        rests[role.rawValue] = cluster.clock.elapsed() + Leader.Settings.fenceWait
      }
      return
    }
    endLife()
    if bus.isDead {
      end = .killed
    } else if MemberLife.isFinal(error) {
      end = .final(error)
      bus.close()
    } else {
      recreations += 1
    }
  }

  /// A publisher alone is made anew, where that is enough.
  private func remake(_ role: Role, after error: BusError) -> Bool {
    switch role {
    case .table: false
    case .publisher: life?.remakePublisher(after: error) ?? false
    case .changes: life?.resetChanges(after: error) ?? false
    }
  }

  /// All roles end their turns before the next life begins.
  private func endLife() {
    for role in Role.allCases { finish(role) }
    life?.close()
    life = nil
    rests = [.zero, .zero, .zero]
  }

  /// kill -9, wherever it is.
  func kill() {
    guard !hasEnded else { return }
    cluster.trace.add("\(bus.member) is killed")
    bus.isStill = false
    bus.close()
    endLife()
    end = .killed
  }
}
