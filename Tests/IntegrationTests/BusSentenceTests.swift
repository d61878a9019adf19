import Base
import Bus
import BusConformance
import Foundation
import Testing

extension Integration {
  /// What is proved on the simulated bus by the thousand holds on the real one.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct BusSentenceTests {
    @Test(arguments: BusSentence.all)
    func `Kafka holds to what every bus holds to`(sentence: BusSentence) throws {
      let broker = try Broker.running
      let impatient = [
        "transaction.timeout.ms": "5000", "socket.timeout.ms": "5000", "session.timeout.ms": "6000",
      ]
      let bed = BusBed(
        clock: SystemClock(), prefix: "bus\(Scratch.next())-\(getpid())",
        connectImpatient: { try KafkaBus(bootstrap: broker.bootstrap, properties: impatient) },
        connect: { try KafkaBus(bootstrap: broker.bootstrap) })
      try sentence.check(bed)
    }
  }
}
