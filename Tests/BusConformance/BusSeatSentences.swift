import Base
import Bus
import Testing

// What befalls those who hold seats together, one after the other, or too long.
extension BusSentence {
  static let seats = [
    BusSentence("a group divides the partitions, of all topics the same numbers to one member") { bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "a", partitions: 4) + bed.makeTopic(bus, "b", partitions: 4)
      let pair = try Pair(bed, bus, ["a", "b"])
      try pair.settle { $0.partitions.count + $1.partitions.count == 8 && !$1.partitions.isEmpty }
      let (one, two) = (pair.one.handler, pair.two.handler)
      #expect((one.partitions + two.partitions).sorted() == places)
      for handler in [one, two] {
        let numbers = ["a", "b"].map { topic in
          handler.partitions.filter { $0.topic == bed.name(topic) }.map(\.partition).sorted()
        }
        #expect(numbers[0] == numbers[1])
        #expect(numbers[0].count == 2)
      }
      #expect(one.revocations == [false], "who was there first lets go before it is given its part")
      #expect(two.revocations == [])
    },
    BusSentence("positions of an assignment that is over are not taken, and the transaction ends well") {
      bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "t", partitions: 2)
      let pair = try Pair(bed, bus, ["t"])
      let stale = try #require(pair.stale)
      try pair.settle { $0.partitions.count == 1 && $1.partitions.count == 1 }
      let producer = try bed.makeProducer(bus, "writer")
      try producer.begin()
      try producer.send(batch(places[0], ["lost"]))
      let refused = failure {
        try producer.sendOffsets([places[0]: 9], group: stale)
        try producer.commit()
      }
      #expect(refused?.remedy == .abort)
      try bed.again { try producer.abort() }
      try producer.begin()
      try producer.send(batch(places[0], ["kept"]))
      try producer.sendOffsets([places[0]: 1], group: try #require(pair.one.handler.group))
      try bed.again { try producer.commit() }
      let found = try bed.again { try bus.committedOffsets(group: bed.name("group"), places) }
      #expect(found == [places[0]: 1])
      #expect(try bed.read(bus, places[0], atLeast: 1) == ["kept"])
    },
    BusSentence("who takes over a member's seat disturbs no other member") { bed in
      let (bus, later) = (try bed.connect(), try bed.connect())
      _ = try bed.makeTopic(bus, "t", partitions: 2)
      let pair = try Pair(bed, bus, ["t"])
      try pair.settle { $0.partitions.count == 1 && $1.partitions.count == 1 }
      let given = pair.one.handler.partitions
      pair.two.consumer.close()
      let heir = Positions()
      let consumer = try bed.consumer(later, ["t"], heir, seat: "seat-2")
      try bed.poll(atLeast: 1) { batch in
        try pair.one.consumer.poll(into: batch, max: 1, timeout: .milliseconds(50))
        try consumer.poll(into: batch, max: 1, timeout: .milliseconds(50))
        return heir.partitions.count
      }
      #expect(heir.partitions == pair.two.handler.partitions)
      #expect(pair.one.handler.partitions == given)
      #expect(pair.one.handler.revocations == [false], "from the time when the other joined")
    },
    BusSentence("who left without a word is forgotten when its session is over, and its share given away") {
      bed in
      let bus = try bed.connectImpatient()
      _ = try bed.makeTopic(bus, "t", partitions: 2)
      let pair = try Pair(bed, bus, ["t"])
      try pair.settle { $0.partitions.count == 1 && $1.partitions.count == 1 }
      pair.leave()
      try bed.poll(atLeast: 2) { batch in
        try pair.one.consumer.poll(into: batch, max: 1, timeout: .milliseconds(200))
        return pair.one.handler.partitions.count
      }
      #expect(try bed.again { try bus.members(ofGroup: bed.name("group")) } == [bed.name("seat")])
    },
    BusSentence("a transaction that stands open for too long is ended, and its producer fenced") { bed in
      let (bus, onlooker) = (try bed.connectImpatient(), try bed.connect())
      let place = try bed.makeTopic(bus, "t")[0]
      let producer = try bed.makeProducer(bus, "seat")
      try producer.begin()
      try producer.send(batch(place, ["late"]))
      let reader = try onlooker.makeReader([place: earliestOffset], isolation: .uncommitted)
      // Its end is a marker, which readers pass, too.
      try bed.poll(atLeast: 2) { batch in
        try reader.poll(into: batch, max: 1, timeout: .milliseconds(200))
        return Int(try bed.again { try onlooker.endOffset(place, isolation: .committed) })
      }
      #expect(failure { try producer.commit(attemptsMax: 5) }?.remedy == .fenced)
      #expect(try bed.read(onlooker, place, atLeast: 0) == [])
    },
    BusSentence("what a fenced producer sends is not taken") { bed in
      let (one, two) = (try bed.connect(), try bed.connect())
      let place = try bed.makeTopic(one, "t")[0]
      let former = try bed.makeProducer(one, "seat")
      let holder = try bed.makeProducer(two, "seat")
      let error = failure {
        try former.begin()
        try former.send(batch(place, ["former"]))
        try bed.again { try former.commit() }
      }
      #expect(error?.remedy == .fenced)
      try holder.begin()
      try holder.send(batch(place, ["holder"]))
      try bed.again { try holder.commit() }
      #expect(try bed.read(two, place, .uncommitted, atLeast: 1) == ["holder"])
    },
  ]
}

/// Two members of one group, the second joining when the first has all there is.
private final class Pair {
  typealias Member = (consumer: any GroupConsumer, handler: Positions)
  let one: Member
  private(set) var two: Member
  /// The first one's metadata from before the second joined.
  let stale: (any GroupMetadata)?
  private let bed: BusBed

  init(_ bed: BusBed, _ bus: any Bus, _ topics: [String]) throws {
    self.bed = bed
    let first = Positions()
    one = (try bed.consumer(bus, topics, first, seat: "seat"), first)
    stale = try bed.assigned(one.consumer, first)
    let second = Positions()
    two = (try bed.consumer(bus, topics, second, seat: "seat-2"), second)
  }

  /// Polls both until they have what they shall have.
  func settle(_ isSettled: (Positions, Positions) -> Bool) throws {
    try bed.poll(atLeast: 1) { batch in
      for member in [one, two] { try member.consumer.poll(into: batch, max: 1, timeout: .milliseconds(50)) }
      return isSettled(one.handler, two.handler) ? 1 : 0
    }
  }

  /// The second one is gone.
  func leave() {
    two.consumer.close()
    two = one
  }
}
