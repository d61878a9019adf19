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
      let bed = BusBed(clock: SystemClock(), prefix: "bus\(Scratch.next())-\(getpid())") {
        try KafkaBus(bootstrap: broker.bootstrap)
      }
      try sentence.check(bed)
    }
  }
}
