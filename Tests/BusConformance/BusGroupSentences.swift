import Base
import Bus
import Testing

extension BusSentence {
  static let groups = [
    BusSentence("a group's only member gets all partitions, and begins where its handler says") { bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "a", partitions: 2) + bed.makeTopic(bus, "b", partitions: 2)
      for place in places { try bed.sendPlainly(bus, place, ["0", "1", "2"]) }
      let handler = Positions([places[0]: 2, places[3]: 1])
      let consumer = try bed.consumer(bus, ["b", "a"], handler)
      let found = try bed.consume(consumer, atLeast: 9)
      #expect(handler.partitions.sorted() == places)
      #expect(
        found == [
          places[0]: ["2"], places[1]: ["0", "1", "2"], places[2]: ["0", "1", "2"], places[3]: ["1", "2"],
        ])
    },
    BusSentence("positions become the group's with the transaction, or not at all") { bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "t", partitions: 2)
      let handler = Positions()
      let consumer = try bed.consumer(bus, ["t"], handler)
      let group = try bed.assigned(consumer, handler)
      let producer = try bed.makeProducer(bus, "seat")
      func committed() throws -> [TopicPartition: Int64] {
        try bed.again {
          try bus.committedOffsets(group: bed.name("group"), places)
        }
      }
      #expect(try committed() == [:])
      try producer.begin()
      try producer.sendOffsets([places[0]: 5], group: group)
      try bed.again { try producer.abort() }
      #expect(try committed() == [:])
      try producer.begin()
      try producer.sendOffsets([places[0]: 7], group: group)
      try bed.again { try producer.commit() }
      #expect(try committed() == [places[0]: 7])
    },
    BusSentence("the positions of a group without members move with a transaction, and stay") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      for position: Int64 in [3, 8] {
        let producer = try bed.makeProducer(bus, "seat")
        let group = try bus.memberless(group: bed.name("alone"))
        for (offset, commits) in [(position, true), (position + 1, false)] {
          try producer.begin()
          try producer.sendOffsets([place: offset], group: group)
          try bed.again { commits ? try producer.commit() : try producer.abort() }
        }
        let found = try bed.again { try bus.committedOffsets(group: bed.name("alone"), [place]) }
        #expect(found == [place: position])
      }
    },
    BusSentence("a consumer tells which ends it has met, behind markers and aborted records") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      let producer = try bed.makeProducer(bus, "seat")
      for (value, commits) in [("a", true), ("b", false)] {
        try producer.begin()
        try producer.send(batch(place, [value]))
        #expect(try bed.read(bus, place, .uncommitted, atLeast: commits ? 1 : 2).last == value)
        try bed.again { commits ? try producer.commit() : try producer.abort() }
      }
      let consumer = try bed.consumer(bus, ["t"], Positions())
      var (values, ends) = ([] as [String?], [] as [Int64])
      try bed.poll(atLeast: 1) { batch in
        try consumer.poll(into: batch, max: 10, timeout: .milliseconds(100))
        values += batch.records.map { batch.valueText($0) }
        ends += consumer.takeEnds().values
        return ends.last == 4 ? 1 : 0
      }
      #expect(values == ["a"])
      #expect(ends.last == 4)
    },
    BusSentence("a seek rewinds") { bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "t", partitions: 2)
      for place in places { try bed.sendPlainly(bus, place, ["0", "1", "2", "3"]) }
      let consumer = try bed.consumer(bus, ["t"], Positions())
      _ = try bed.consume(consumer, atLeast: 8)
      try bed.again { try consumer.seek(to: [places[0]: 1, places[1]: 3]) }
      let found = try bed.consume(consumer, atLeast: 4)
      #expect(found == [places[0]: ["1", "2", "3"], places[1]: ["3"]])
    },
    BusSentence("a paused partition gives nothing until it is resumed") { bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "t", partitions: 2)
      let handler = Positions()
      let consumer = try bed.consumer(bus, ["t"], handler)
      _ = try bed.assigned(consumer, handler)
      try consumer.pause([places[0]])
      for place in places { try bed.sendPlainly(bus, place, ["x", "y"]) }
      #expect(try bed.consume(consumer, atLeast: 2) == [places[1]: ["x", "y"]])
      try consumer.resume([places[0]])
      #expect(try bed.consume(consumer, atLeast: 2) == [places[0]: ["x", "y"]])
    },
    BusSentence("who joins under an instance id fences who held it") { bed in
      let (one, two) = (try bed.connect(), try bed.connect())
      let place = try bed.makeTopic(one, "t")[0]
      let formerHandler = Positions()
      let former = try bed.consumer(one, ["t"], formerHandler)
      let stale = try bed.assigned(former, formerHandler)
      let handler = Positions()
      let holder = try bed.consumer(two, ["t"], handler)
      _ = try bed.assigned(holder, handler)
      #expect(handler.partitions == [place])

      let producer = try bed.makeProducer(one, "other-seat")
      try producer.begin()
      let refused = failure {
        try producer.sendOffsets([place: 9], group: stale)
        try producer.commit()
      }
      #expect(refused?.remedy == .fenced)
      try bed.again { try producer.abort() }

      let fenced = #expect(throws: BusError.self) {
        try bed.poll(atLeast: 1) { batch in
          try former.poll(into: batch, max: 1, timeout: .milliseconds(100))
          return 0
        }
      }
      #expect(fenced?.remedy == .fenced)
      let committed = try bed.again {
        try two.committedOffsets(group: bed.name("group"), [place])
      }
      #expect(committed == [:])
    },
    BusSentence("a group names its static members, and those who left without a word") { bed in
      let bus = try bed.connect()
      _ = try bed.makeTopic(bus, "t")
      func members() throws -> [String] { try bed.again { try bus.members(ofGroup: bed.name("group")) } }
      #expect(try members() == [])
      let handler = Positions()
      let consumer = try bed.consumer(bus, ["t"], handler)
      _ = try bed.assigned(consumer, handler)
      #expect(try members() == [bed.name("seat")])
      consumer.close()
      #expect(try members() == [bed.name("seat")])
    },
    BusSentence("a closed consumer's partitions wait for who joins under its id") { bed in
      let (one, two) = (try bed.connect(), try bed.connect())
      let place = try bed.makeTopic(one, "t")[0]
      let handler = Positions()
      let former = try bed.consumer(one, ["t"], handler)
      _ = try bed.assigned(former, handler)
      former.close()
      #expect(handler.revocations == [])
      try bed.sendPlainly(one, place, ["x"])
      let next = try bed.consumer(two, ["t"], Positions())
      #expect(try bed.consume(next, atLeast: 1) == [place: ["x"]])
    },
  ]
}
