import Base
import Bus
import Checkers
import Events
import Foundation
import Glibc
import Synchronization
import Testing

/// Traffic of every kind (events, requests, gateways, operators, flushes) on a thread of its own; and at its end the checker of
/// the simulation, which reads all topics of the town.
final class Workload: Sender, @unchecked Sendable {
  // @unchecked: world and crowd are the thread's until it has ended.

  /// What is sent besides between two pauses, for volume: events, and bytes of a text of theirs.
  struct Bulk {
    var events = 0
    var bytes = 0
  }

  private static let eventsAtOnce = 20
  /// How long after the end of leases and grace periods their streams are gone.
  private static let afterwards = Duration.seconds(5)
  private static let settledWithin = Duration.seconds(240)

  private let town: Town
  private let world: KafkaWorld
  private var crowd: Crowd
  private let bulk: Bulk
  private var random: SeededRandom
  private var deletions: [Int64] = []
  private let isStopping = Atomic<Bool>(false)
  private let count = Atomic<Int>(0)
  private let ended = DispatchSemaphore(value: 0)

  /// A town for such traffic.
  static func town(_ kafka: OwnKafka? = nil) throws -> Town {
    try Town(KafkaWorld.settings, sweep: KafkaWorld.sweep, kafka: kafka)
  }

  init(_ town: Town, seed: UInt64, bulk: Bulk = Bulk()) throws {
    self.town = town
    self.bulk = bulk
    world = try KafkaWorld(town)
    random = SeededRandom(seed: seed)
    crowd = Crowd(world, &random)
    crowd.clients.stay()
    crowd.gateways.stay()
    Thread { [self] in run() }.start()
  }

  var sent: Int { count.load(ordering: .relaxed) }

  private func run() {
    while !isStopping.load(ordering: .relaxed), world.failure == nil {
      for _ in 0..<Self.eventsAtOnce { crowd.events.send() }
      for _ in 0..<bulk.events { crowd.events.sendBulk(bulk.bytes) }
      if chance(8) { crowd.clients.send() }
      if chance(30) { crowd.gateways.send() }
      if chance(8) { crowd.operators.send() }
      if chance(8) { crowd.screen.send() }
      world.flush()
      count.store(Int(crowd.events.sent), ordering: .relaxed)
      usleep(20_000)
    }
    ended.signal()
  }

  private func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  /// Ends the traffic, if it has not ended yet.
  func stop() { isStopping.store(true, ordering: .relaxed) }

  // MARK: The end

  /// Ends the traffic, waits until nothing is left to do, and checks; and once more behind a clean restart, which
  /// publishes nothing.
  func check(_ at: SourceLocation = #_sourceLocation) throws {
    try town.waitUntilReady(at)
    try eventually(within: .seconds(60), "a history that tells of changes", at) { try isHistoryFollowed() }
    try sendsOn(1000, within: .seconds(60))
    stop()
    ended.wait()
    crowd.events.endTransaction()
    try world.endSending()
    try town.waitUntilReady(at)
    let before = try verdict(after: world.pace.lease + KafkaWorld.grace + Self.afterwards)
    try town.restart()
    let after = try verdict(after: .seconds(2), isRestarted: true)
    #expect(before.published == after.published, "a restart publishes nothing", sourceLocation: at)
    // It must have had something to compare.
    let found = [before.published, before.compared, before.told, before.answered, before.flushed]
    #expect(found.allSatisfy { $0 > 0 }, "\(before)", sourceLocation: at)
  }

  /// The history of all rows has its snapshot behind it: what is sent now, it tells as changes.
  private func isHistoryFollowed() throws -> Bool {
    guard let id = try town.replies()[Gateways.staying]?["stream"]?["id"]?.string else { return false }
    return try town.folded(town.topics.progress)[id]?["phase"]?.string == "following"
  }

  /// Has all rows go that were cleared, and checks.
  func checkDeletion() throws {
    try town.reconfigure(KafkaWorld.settings, "events: { cleared_kept_ms: 0 }")
    deletions.append(crowd.events.sent)
    try town.restart()
    _ = try verdict(after: .seconds(2), isRestarted: true)
  }

  private func verdict(after quiet: Duration, isRestarted: Bool = false) throws -> Verdict {
    try settle(quiet)
    do {
      return try Verdict(world, crowd, deletions: deletions, isRestarted: isRestarted)
    } catch {
      throw Fault("after \(crowd.events.sent) events: \(error)")
    }
  }

  /// Waits until a member has served for so long, nothing moves, and all is consumed and published.
  private func settle(_ quiet: Duration) throws {
    let clock = SystemClock()
    let start = clock.elapsed()
    var ends: [TopicPartition: Int64]?
    var left: [String] = []
    while clock.elapsed() - start < Self.settledWithin {
      crowd.clients.renewKept()
      crowd.screen.settle()
      world.flush()
      if let failure = world.failure { throw failure }
      sleep(1)
      // A topic may be deleted while it is asked for.
      let now = try? world.ends()
      defer { ends = now }
      guard clock.elapsed() - start >= quiet, now != nil, now == ends else { continue }
      try world.read()
      left = try world.unconsumed() + world.unpublished() + (crowd.screen.awaited.map { [$0] } ?? [])
      // What came meanwhile may have been read of progress, and not of the stream that it tells of.
      if left.isEmpty, let then = try? world.ends(), then == now { return }
    }
    throw Fault("it does not settle within \(Self.settledWithin): \(left)")
  }
}
