import Base
import Bus
import Testing

/// One thing that every implementation of the bus must hold to.
public struct BusSentence: Sendable, CustomTestStringConvertible {
  public let testDescription: String
  public let check: @Sendable (BusBed) throws -> Void

  init(_ text: String, _ check: @escaping @Sendable (BusBed) throws -> Void) {
    testDescription = text
    self.check = check
  }

  public static let all = records + topics + transactions + groups + seats + cleaning
}

extension BusSentence {
  static let records = [
    BusSentence("a record comes back as it was sent, nulls and headers too") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      let sent = RecordBatch()
      sent.append(
        topic: place.topic, partition: 0, timestamp: Timestamp(milliseconds: 1234), key: "k", value: "",
        headers: ["a": "1", "b": "", "a": "2"])
      sent.append(
        topic: place.topic, partition: 0, timestamp: Timestamp(milliseconds: 1235), key: "k", value: nil)
      let producer = try bus.makeProducer()
      try producer.send(sent)
      try producer.flush(timeout: BusBed.patience)
      let reader = try bus.makeReader([place: earliestOffset], isolation: .committed)
      var seen: [String] = []
      try bed.poll(atLeast: 2) { batch in
        try reader.poll(into: batch, max: 10, timeout: .milliseconds(100))
        for record in batch.records {
          let headers = (0..<batch.headerCount(record)).map { index in
            let header = batch.header(record, at: index)
            return String(decoding: header.name, as: UTF8.self) + "="
              + String(decoding: header.value!, as: UTF8.self)
          }
          seen.append(
            "\(record.offset) \(record.timestamp.milliseconds) \(batch.keyText(record) ?? "null")"
              + " \(batch.valueText(record) ?? "null") \(headers)")
        }
        return seen.count
      }
      #expect(seen == [#"0 1234 k  ["a=1", "b=", "a=2"]"#, "1 1235 k null []"])
    },
    BusSentence("records of one partition come in order, whatever the polls cut") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t", partitions: 2)[1]
      let values = (0..<250).map { "v\($0)" }
      try bed.sendPlainly(bus, place, values)
      #expect(try bed.read(bus, place, atLeast: 250) == values)
    },
    BusSentence("partition -1 is chosen by the key's murmur2") { bed in
      let bus = try bed.connect()
      let places = try bed.makeTopic(bus, "t", partitions: 3)
      let batch = RecordBatch()
      for key in ["", "a", "core-1", "21"] {
        batch.append(
          topic: places[0].topic, partition: -1, timestamp: Timestamp(milliseconds: 1), key: key, value: key)
      }
      let producer = try bus.makeProducer()
      try producer.send(batch)
      try producer.flush(timeout: BusBed.patience)
      for place in places {
        let expected = ["", "a", "core-1", "21"].filter {
          Array($0.utf8).withUnsafeBytes { partition(ofKey: $0, count: 3) } == place.partition
        }
        #expect(try bed.read(bus, place, atLeast: expected.count) == expected)
      }
    },
    BusSentence("a reader begins where it is told, and knows how far it is") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(bus, "t")[0]
      try bed.sendPlainly(bus, place, ["a", "b", "c"])
      let reader = try bus.makeReader([place: 2], isolation: .committed)
      var values: [String?] = []
      try bed.poll(atLeast: 1) { batch in
        try reader.poll(into: batch, max: 10, timeout: .milliseconds(100))
        values += batch.records.map { batch.valueText($0) }
        return values.count
      }
      #expect(values == ["c"])
      #expect(reader.position(place) == 3)
    },
    BusSentence("a closed bus refuses") { bed in
      let bus = try bed.connect()
      bus.close()
      #expect(failure { _ = try bus.partitionCounts(["t"]) }?.remedy == .closed)
      #expect(failure { _ = try bus.makeProducer() }?.remedy == .closed)
    },
  ]

  static let topics = [
    BusSentence("topics are made, found by prefix, and deleted") { bed in
      let bus = try bed.connect()
      _ = try bed.makeTopic(bus, "b", partitions: 3)
      _ = try bed.makeTopic(bus, "a")
      let names = [bed.name("a"), bed.name("b")]
      let counts = try bed.again {
        try bus.partitionCounts(names + [bed.name("none")])
      }
      #expect(counts == [names[0]: 1, names[1]: 3])
      #expect(try bed.again { try bus.topics(prefix: bed.prefix) } == names)
      try bed.again { try bus.deleteTopics([names[1], bed.name("none")]) }
      try bed.eventually { try bus.topics(prefix: bed.prefix) == [names[0]] }
    },
    BusSentence("a topic that is deleted is gone at once, and is made again where it is needed") { bed in
      let bus = try bed.connect()
      for number in 0..<5 {
        let spec = TopicSpec(bed.name("t\(number)"), partitions: 2, properties: [:])
        try bed.again { try bus.ensureTopics([spec]) }
        try bed.again { try bus.deleteTopics([spec.name]) }
        #expect(try bed.again { try bus.partitionCounts([spec.name]) } == [:])
        try bed.again { try bus.ensureTopics([spec]) }
        #expect(try bed.again { try bus.partitionCounts([spec.name]) } == [spec.name: 2])
      }
    },
    BusSentence("a topic that was deleted and made again has ends also for who asked before") { bed in
      let bus = try bed.connect()
      let spec = TopicSpec(bed.name("t"), partitions: 2, properties: [:])
      let place = TopicPartition(spec.name, 1)
      for _ in 0..<3 {
        try bed.again { try bus.ensureTopics([spec]) }
        for isolation in [Isolation.committed, .uncommitted] {
          #expect(try bed.again { try bus.endOffset(place, isolation: isolation) } == 0)
        }
        try bed.again { try bus.deleteTopics([spec.name]) }
        for isolation in [Isolation.committed, .uncommitted] {
          #expect(throws: BusError.self) { try bus.endOffset(place, isolation: isolation) }
        }
      }
    },
    BusSentence("a topic that is there cannot be made again") { bed in
      let bus = try bed.connect()
      _ = try bed.makeTopic(bus, "t", partitions: 2)
      let spec = TopicSpec(bed.name("t"), partitions: 2, properties: [:])
      let error = failure { try bus.createTopics([spec]) }
      #expect(error?.code == "TOPIC_ALREADY_EXISTS")
      try bed.again { try bus.ensureTopics([spec]) }
    },
    BusSentence("of many topics the fault of one stops no other, and the worst is told") { bed in
      let bus = try bed.connect()
      _ = try bed.makeTopic(bus, "there")
      let specs = [("none", 0), ("there", 1), ("new", 2)].map { name, count in
        TopicSpec(bed.name(name), partitions: count, properties: [:])
      }
      let error = failure { try bus.createTopics(specs) }
      #expect(error?.remedy == .refuse && error?.code == "INVALID_PARTITIONS")
      #expect(error?.message.contains(bed.name("none")) == true)
      let names = [bed.name("new"), bed.name("there")]
      #expect(try bus.partitionCounts(names) == [names[0]: 2, names[1]: 1])
      try bus.deleteTopics([names[1], bed.name("unheard-of"), names[0]])
      try bed.eventually { try bus.topics(prefix: bed.prefix) == [] }
    },
    BusSentence("a new topic can be used at once") { bed in
      let bus = try bed.connect()
      for number in 0..<3 {
        let spec = TopicSpec(bed.name("t\(number)"), partitions: 3, properties: [:])
        try bus.createTopics([spec])
        #expect(try bus.partitionCounts([spec.name]) == [spec.name: 3])
      }
    },
    BusSentence("a topic that falls short of what it must be is told, one that is more is not") { bed in
      let bus = try bed.connect()
      let name = bed.name("t")
      let made = TopicSpec(
        name, partitions: 1,
        properties: [
          "cleanup.policy": "compact,delete", "max.message.bytes": "5000", "retention.ms": "70000",
          "min.compaction.lag.ms": "500",
        ])
      try bus.createTopics([made])
      let properties = try bed.again { try bus.topicProperties([name, bed.name("none")]) }
      #expect(properties.keys.sorted() == [name])
      for (key, value) in made.properties { #expect(properties[name]?[key] == value, "\(key)") }
      #expect(try bus.topicFaults([made]) == [])
      let wanted = TopicSpec(
        name, partitions: 1,
        properties: [
          "cleanup.policy": "compact", "max.message.bytes": "4000", "retention.ms": "90000",
          "min.compaction.lag.ms": "501",
        ])
      #expect(
        try bus.topicFaults([wanted]) == [
          "topic \(name) has cleanup.policy=compact,delete, it should be compact",
          "topic \(name) has min.compaction.lag.ms=500, it should be 501",
        ])
    },
    BusSentence("a topic with the wrong number of partitions is refused by name") { bed in
      let bus = try bed.connect()
      _ = try bed.makeTopic(bus, "t", partitions: 2)
      let error = failure {
        try bus.ensureTopics([TopicSpec(bed.name("t"), partitions: 4, properties: [:])])
      }
      #expect(error?.remedy == .refuse)
      #expect(error?.message == "topic \(bed.name("t")) has 2 partitions, the configuration says 4")
    },
  ]
}
