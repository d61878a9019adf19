import Base
import Client
import Foundation
import Glibc
import Testing

private let isChaosWanted = ProcessInfo.processInfo.environment["BELFRY_CHAOS"] == "1"

extension Integration {
  /// What takes minutes: `make chaos`. After each trouble under load the simulation's checker finds all as it must be.
  @Suite(
    .enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"),
    .enabled(if: isChaosWanted, "they take minutes: make chaos"))
  struct ChaosTests {
    /// Longer than `transaction.timeout.ms` of the member's producers and than its group's session.
    private static let longerThanTransactions = Duration.seconds(75)
    private static let bulk = Workload.Bulk(events: 20)
    /// What fills a disk.
    private static let large = Workload.Bulk(events: 20, bytes: 2_000)

    @Test func `twenty kills under load at random moments`() throws {
      let town = try Workload.town()
      try town.start()
      let load = try Workload(town, seed: 11, bulk: Self.bulk)
      defer { load.stop() }
      try town.killAndLaunch(20, under: load, within: 20...3000, seed: 12)
      try load.check()
      try load.checkDeletion()
    }

    @Test func `a member that stood still for longer than its transactions may last`() throws {
      try withLoad(seed: 13) { town, load in
        town.member!.signal(SIGSTOP)
        try wait(Self.longerThanTransactions)
        town.member!.signal(SIGCONT)
        try town.waitUntilReady()
      }
    }

    @Test func `a member that stood still and wakes beside its successor`() throws {
      try withLoad(seed: 14) { town, load in
        let older = town.member!
        older.signal(SIGSTOP)
        try town.start()
        try wait(Self.longerThanTransactions)
        older.signal(SIGCONT)
        #expect(try older.end(within: .seconds(90)) == 1)
        #expect(older.errors.contains("FENCED_INSTANCE_ID"), "\(older.errors.suffix(2000))")
      }
    }

    @Test func `a member that stood still and wakes does not drive out who stood by`() throws {
      let town = try Town()
      try town.start()
      let older = town.member!
      older.signal(SIGSTOP)
      let standby = try town.another("standby")
      try eventually(within: .seconds(120), "its readiness: \(standby.errors.suffix(2000))") {
        guard let port = Town.port(in: standby.errors) else { return false }
        return (try? HTTPClient.get("http://127.0.0.1:\(port)/readyz"))?.status == 200
      }
      older.signal(SIGCONT)
      #expect(try older.end(within: .seconds(120)) == 1)
      let word = "member standby serves this cluster already"
      #expect(older.errors.contains(word), "\(older.errors.suffix(2000))")
      #expect(standby.status == nil && !standby.errors.contains("shards revoked"))
      standby.signal(SIGTERM)
      #expect(try standby.end() == 0)
    }

    @Test func `each of three brokers is killed and comes back`() throws {
      let kafka = try OwnKafka(count: 3)
      try withLoad(seed: 15, kafka) { _, load in
        for node in 0..<kafka.count {
          try kafka.kill(node)
          try load.sendsOn(1000, within: .seconds(90))
          try kafka.start(node)
          try load.sendsOn(1000, within: .seconds(90))
        }
      }
    }

    @Test func `the broker is away for a minute`() throws {
      let kafka = try OwnKafka()
      try withLoad(seed: 16, kafka) { town, _ in
        try kafka.kill()
        try eventually(within: .seconds(60), "unreadiness") { try town.get("/readyz").status == 503 }
        try wait(.seconds(60))
        try kafka.start()
        try town.waitUntilReady()
      }
    }

    /// A disk of its own is a file system in memory, which takes root.
    @Test(.enabled(if: getuid() == 0, "only root can make a small disk"))
    func `the broker's disk is full, and then has room again`() throws {
      let disk = "\(Scratch.folder)/disk"
      try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
      try mount("-t", "tmpfs", "-o", "size=150m", "tmpfs", disk)
      defer { try? unmount(disk) }
      let kafka = try OwnKafka(data: disk)
      try withLoad(seed: 17, kafka, bulk: Self.large) { town, _ in
        try eventually(within: .seconds(300), "a broker that gives up") { kafka.hasEnded() }
        try eventually(within: .seconds(60), "unreadiness") { try town.get("/readyz").status == 503 }
        try mount("-o", "remount,size=1g", disk)
        try kafka.start()
        try town.waitUntilReady()
      }
    }

    // MARK: -

    private func withLoad(
      seed: UInt64, _ kafka: OwnKafka? = nil, bulk: Workload.Bulk = Self.bulk,
      _ trouble: (Town, Workload) throws -> Void
    ) throws {
      let town = try Workload.town(kafka)
      try town.start()
      let load = try Workload(town, seed: seed, bulk: bulk)
      defer { load.stop() }
      try load.sendsOn(1000, within: .seconds(90))
      try trouble(town, load)
      try load.sendsOn(1000, within: .seconds(90))
      try load.check()
    }

    /// Here time is the trouble itself.
    private func wait(_ time: Duration) throws {
      let until = ContinuousClock.now + time
      while ContinuousClock.now < until { usleep(100_000) }
    }

    private func mount(_ arguments: String...) throws {
      try #require(try Child("/bin/mount", arguments).end() == 0)
    }

    private func unmount(_ folder: String) throws {
      try #require(try Child("/bin/umount", ["-l", folder]).end() == 0)
    }
  }
}
