import Base
import Bus

/// Somebody who deletes streams' topics, single streams' own and lanes, whatever is going on in them. Belfry makes them
/// again; who reads one from its beginning then finds the whole view, with counts that go on (docs/bus-contract.md).
public struct Vandal {
  private let world: any World
  private var random: SeededRandom
  private(set) var lost = LostTopics()

  init(_ world: any World, seed: UInt64) {
    self.world = world
    random = SeededRandom(seed: seed)
  }

  public mutating func strike() {
    guard let topic = world.streamTopics().randomElement(using: &random),
      let records = world.delete(topic)
    else { return }
    lost.add(topic, records, isLane: world.lanes.contains(topic))
  }
}

/// Topics that were deleted, be it several times, and how far their streams had counted in them.
struct LostTopics {
  private struct Count {
    let epoch: Int64
    let seq: Int64
  }

  /// By topic and, in lanes, the keys' prefix: the last count that was there.
  private var counts: [String: [String: Count]] = [:]

  mutating func add(_ topic: String, _ records: [SeenRecord], isLane: Bool) {
    var found = counts[topic] ?? [:]
    for record in records {
      guard let epoch = record.headerText("belfry-epoch").flatMap({ Int64($0) }),
        let seq = record.headerText("belfry-seq").flatMap({ Int64($0) })
      else { continue }
      let prefix = isLane ? String(record.keyText!.prefix { $0 != "/" }) + "/" : ""
      let last = found[prefix] ?? Count(epoch: 0, seq: 0)
      if (epoch, seq) > (last.epoch, last.seq) { found[prefix] = Count(epoch: epoch, seq: seq) }
    }
    counts[topic] = found
  }

  func contains(_ topic: String) -> Bool { counts[topic] != nil }

  /// With the topic went what a stream had counted so far, and nothing that came behind it: that is on the topic that
  /// was made again, where the first of the stream's records has the count `first`.
  func check(_ topic: String, prefix: String, first: Int64, _ place: String) throws(Fault) {
    guard let counts = counts[topic] else { return }
    let last = counts[prefix]?.seq ?? 0
    try demand(
      first <= last + 1, "\(place): its topic was deleted behind seq \(last), and goes on with seq \(first)")
  }
}
