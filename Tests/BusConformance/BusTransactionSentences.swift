import Base
import Bus
import Testing

extension BusSentence {
  static let transactions = [
    BusSentence("a committed reader sees a transaction when it is committed, not before") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      let producer = try bed.makeProducer(bus, "seat")
      try producer.begin()
      try producer.send(batch(place, ["a", "b"]))
      #expect(try bed.read(bus, place, .uncommitted, atLeast: 2) == ["a", "b"])
      #expect(try bed.read(bus, place, atLeast: 0) == [])
      try bed.again { try producer.commit() }
      #expect(try bed.read(bus, place, atLeast: 2) == ["a", "b"])
    },
    BusSentence("an open transaction holds back what others write behind it") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      try bed.sendPlainly(bus, place, ["before"])
      let producer = try bed.makeProducer(bus, "seat")
      try producer.begin()
      try producer.send(batch(place, ["within"]))
      #expect(try bed.read(bus, place, .uncommitted, atLeast: 2) == ["before", "within"])
      try bed.sendPlainly(bus, place, ["behind"])
      #expect(try bus.endOffset(place, isolation: .committed) == 1)
      #expect(try bus.endOffset(place, isolation: .uncommitted) == 3)
      #expect(try bed.read(bus, place, atLeast: 1) == ["before"])
      try bed.again { try producer.commit() }
      #expect(try bed.read(bus, place, atLeast: 3) == ["before", "within", "behind"])
    },
    BusSentence("aborted records are hidden from committed readers only") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      let producer = try bed.makeProducer(bus, "seat")
      try producer.begin()
      try producer.send(batch(place, ["lost"]))
      #expect(try bed.read(bus, place, .uncommitted, atLeast: 1) == ["lost"])
      try bed.again { try producer.abort() }
      try producer.begin()
      try producer.send(batch(place, ["kept"]))
      try bed.again { try producer.commit() }
      #expect(try bed.read(bus, place, atLeast: 1) == ["kept"])
      #expect(try bed.read(bus, place, .uncommitted, atLeast: 2) == ["lost", "kept"])
    },
    BusSentence("who takes a seat fences its holder and ends what it left open") { bed in
      let (one, two) = (try bed.connect(), try bed.connect())
      let place = try bed.makeTopic(one, "t")[0]
      let former = try bed.makeProducer(one, "seat")
      try former.begin()
      try former.send(batch(place, ["former"]))
      #expect(try bed.read(one, place, .uncommitted, atLeast: 1) == ["former"])
      let holder = try bed.makeProducer(two, "seat")
      let error = failure {
        try bed.again { try former.commit() }
      }
      #expect(error?.remedy == .fenced)
      try holder.begin()
      try holder.send(batch(place, ["holder"]))
      try bed.again { try holder.commit() }
      #expect(try bed.read(two, place, atLeast: 1) == ["holder"])
    },
    BusSentence("a transaction spans topics, and one with nothing in it can be committed") { bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "a", partitions: 2) + bed.makeTopic(bus, "b")
      let producer = try bed.makeProducer(bus, "seat")
      try producer.begin()
      try bed.again { try producer.commit() }
      try producer.begin()
      for place in places { try producer.send(batch(place, ["x"])) }
      try bed.again { try producer.commit() }
      for place in places { #expect(try bed.read(bus, place, atLeast: 1) == ["x"]) }
    },
    BusSentence("a topic that was deleted fails a flush, and a transaction without it goes on") { bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "kept") + bed.makeTopic(bus, "gone")
      var producer = try bed.makeProducer(bus, "seat")
      // Kafka has never begun a transaction whose first topic is gone, and refuses to end it.
      func abort() throws {
        let error = failure { try bed.again { try producer.abort() } }
        if let error {
          try #require(error.code == "INVALID_TXN_STATE" && error.remedy == .recreate, "\(error)")
          producer = try bed.makeProducer(bus, "seat")
        }
      }
      func transact(_ value: String, _ places: [TopicPartition]) throws {
        try producer.begin()
        for place in places { try producer.send(batch(place, [value])) }
        try producer.flush(timeout: .seconds(3))
        try bed.again { try producer.commit() }
      }
      try transact("before", places)
      try bed.again { try bus.deleteTopics([places[1].topic]) }
      try bed.eventually { try bus.partitionCounts([places[1].topic]).isEmpty }
      let error = try #require(failure { try transact("lost", places) })
      #expect([.retry, .abort].contains(error.remedy), "\(error)")
      try abort()
      try transact("alone", [places[0]])
      _ = try bed.makeTopic(bus, "gone")
      // The producer may see the topic gone for a while.
      try bed.eventually {
        guard let error = failure({ try transact("after", places) }) else { return true }
        try #require([.retry, .abort].contains(error.remedy), "\(error)")
        try abort()
        return false
      }
      #expect(try bed.read(bus, places[0], atLeast: 3) == ["before", "alone", "after"])
      #expect(try bed.read(bus, places[1], atLeast: 1) == ["after"])
    },
    BusSentence("calls out of turn are refused") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      let producer = try bed.makeProducer(bus, "seat")
      #expect(failure { try producer.commit() } != nil)
      #expect(failure { try producer.send(batch(place, ["x"])) } != nil)
      let other = try bed.makeProducer(bus, "other")
      try other.begin()
      #expect(failure { try other.begin() } != nil)
      #expect(try bus.endOffset(place, isolation: .uncommitted) == 0)
    },
    BusSentence("reading to the end passes aborted records and markers") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      let producer = try bed.makeProducer(bus, "seat")
      for (value, commits) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        try producer.begin()
        try producer.send(batch(place, [value]))
        // What is aborted before it has arrived leaves nothing to pass; and brokers that still end the transaction
        // before know of none to abort.
        try bed.again { try producer.flush(timeout: BusBed.patience) }
        try bed.again { commits ? try producer.commit() : try producer.abort() }
      }
      var values: [String?] = []
      try bus.readToEnd([place: earliestOffset], clock: bed.clock) { batch in
        values += batch.records.map { batch.valueText($0) }
      }
      #expect(values == ["a", "c"])
    },
    BusSentence("reading to the end does not pass an open transaction") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      let producer = try bed.makeProducer(bus, "seat")
      try producer.begin()
      try producer.send(batch(place, ["open"]))
      #expect(try bed.read(bus, place, .uncommitted, atLeast: 1) == ["open"])
      let error = failure {
        try bus.readToEnd([place: earliestOffset], clock: bed.clock, timeout: .milliseconds(500)) { _ in }
      }
      #expect(error?.remedy == .retry)
      #expect(error?.code == "NOT_AT_END")
      try bed.again { try producer.commit() }
      var count = 0
      try bus.readToEnd([place: earliestOffset], clock: bed.clock) { count += $0.count }
      #expect(count == 1)
    },
  ]
}
