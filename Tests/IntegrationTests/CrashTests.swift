import Base
import Glibc
import Testing

extension Integration {
  /// The member, or the broker, goes away under load: afterwards nothing is lost, nothing is doubled.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct CrashTests {
    @Test func `five kills under load lose nothing and double nothing`() throws {
      let town = try Workload.town()
      try town.start()
      let load = try Workload(town, seed: 1)
      defer { load.stop() }
      try town.killAndLaunch(5, under: load, within: 50...1500, seed: 5)
      try load.check()
      try load.checkDeletion()
    }

    @Test func `a broker that stands still for eight seconds under load costs nothing`() throws {
      try withLoad(seed: 2, againWithin: .seconds(40)) { broker in
        broker.signal(SIGSTOP)
        sleep(8)
        broker.signal(SIGCONT)
      }
    }

    @Test func `a broker that is killed and comes back under load costs nothing`() throws {
      try withLoad(seed: 3, againWithin: .seconds(60)) { broker in
        try broker.killNow()
        try broker.start()
      }
    }

    /// What happens to the broker under load leaves all as it must be, and the load goes on.
    private func withLoad(
      seed: UInt64, againWithin limit: Duration, _ trouble: (Broker) throws -> Void
    ) throws {
      let town = try Workload.town()
      try town.start()
      let load = try Workload(town, seed: seed)
      defer { load.stop() }
      try load.sendsOn(1000, within: .seconds(40))
      try trouble(try Broker.running)
      try load.sendsOn(1000, within: limit)
      try load.check()
    }
  }
}
