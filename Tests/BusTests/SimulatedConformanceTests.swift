import Base
import Bus
import BusConformance
import Testing

@Suite struct SimulatedConformanceTests {
  @Test(arguments: BusSentence.all)
  func `the simulated bus holds to it, from any seed`(sentence: BusSentence) throws {
    for seed in 0..<20 as Range<UInt64> {
      let cluster = SimulatedCluster(seed: seed)
      try sentence.check(
        BusBed(clock: cluster.clock, prefix: "test") { cluster.connect() })
    }
  }

  @Test(arguments: BusSentence.all)
  func `and where polls are late`(sentence: BusSentence) throws {
    for seed in 0..<20 as Range<UInt64> {
      let cluster = SimulatedCluster(seed: seed)
      var faults = SimulatedFaults()
      faults.late = 0.3
      try sentence.check(
        BusBed(clock: cluster.clock, prefix: "test") {
          cluster.connect(memberFaults: faults)
        })
    }
  }
}
