import Base
import Bus
import BusConformance
import Testing

@Suite struct SimulatedConformanceTests {
  /// Retention as far as the sentences need it: of a topic that deletes, what has the time of the year 1970.
  private func bed(_ cluster: SimulatedCluster, _ faults: SimulatedFaults = .none) -> BusBed {
    BusBed(
      clock: cluster.clock, prefix: "test",
      clean: { topic in
        let isOld = { (record: SimulatedRecord) in record.timestamp.milliseconds < 1_000_000 }
        if cluster.spec(topic)?.properties["cleanup.policy"] == "compact" {
          cluster.compact(topic)
        } else if let last = cluster.records(topic, 0, .uncommitted).last(where: isOld) {
          cluster.truncate(topic, 0, below: last.offset + 1)
        }
      },
      connect: { cluster.connect(memberFaults: faults) })
  }

  @Test(arguments: BusSentence.all)
  func `the simulated bus holds to it, from any seed`(sentence: BusSentence) throws {
    for seed in 0..<20 as Range<UInt64> { try sentence.check(bed(SimulatedCluster(seed: seed))) }
  }

  @Test(arguments: BusSentence.all)
  func `and where polls are late, and records arrive late or twice`(sentence: BusSentence) throws {
    for seed in 0..<20 as Range<UInt64> {
      var faults = SimulatedFaults()
      faults.late = 0.3
      faults.withheld = 0.3
      faults.repeated = 0.3
      try sentence.check(bed(SimulatedCluster(seed: seed), faults))
    }
  }
}
