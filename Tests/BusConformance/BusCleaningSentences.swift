import Base
import Bus
import Testing

// What the brokers remove by and by. On Kafka both begin when the segment that is written is full or old enough.
extension BusSentence {
  static let cleaning = [
    BusSentence("compaction leaves each key's last value where it was, and what is being written") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(
        bus, "t",
        [
          "cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001",
          "max.compaction.lag.ms": "1",
        ])[0]
      let producer = try bus.makeProducer()
      for (key, value) in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("c", nil)] {
        try producer.send(batch(place, [value], key: key, bed.clock.now()))
      }
      try producer.flush(timeout: BusBed.patience)
      var kept: [String] = []
      try bed.poll(atLeast: 1) { batch in
        // What comes later, by its time, closes the segment; it has a key of its own.
        try producer.send(BusConformance.batch(place, ["later"], key: "later", bed.clock.now()))
        try producer.flush(timeout: BusBed.patience)
        bed.clean(place.topic)
        kept = try bed.keys(bus, place)
        return kept.contains("a=1") || kept.contains("c=1") ? 0 : 1
      }
      #expect(kept.filter { !$0.hasPrefix("later") } == ["b=1", "a=2", "c=null"])
      #expect(kept.last == "later=later")
      #expect(try bus.startOffset(place) == 0, "compaction moves no partition's start")
      let reader = try bus.makeReader([place: 0], isolation: .committed)
      let first = RecordBatch()
      try bed.poll(atLeast: 1) { batch in
        try reader.poll(into: first, max: 1, timeout: .milliseconds(100))
        return first.count
      }
      #expect(first.records[0].offset == 1, "a reader passes the hole, offsets stay")
    },
    BusSentence("what retention removes is gone for readers, who begin with what is left") { bed in
      let bus = try bed.connect()
      let place = try bed.makeTopic(
        bus, "t", ["cleanup.policy": "delete", "retention.ms": "1000", "segment.ms": "100"])[0]
      // Of the year 1970.
      try bed.sendPlainly(bus, place, ["old", "old"])
      try bed.poll(atLeast: 2) { batch in
        let producer = try bus.makeProducer()
        try producer.send(BusConformance.batch(place, ["new"], bed.clock.now()))
        try producer.flush(timeout: BusBed.patience)
        bed.clean(place.topic)
        return Int(try bed.again { try bus.startOffset(place) })
      }
      let found = try bed.read(bus, place, atLeast: 1)
      #expect(!found.contains("old"))
      #expect(found.contains("new"))
      let reader = try bus.makeReader([place: 0], isolation: .committed)
      let batch = RecordBatch()
      try bed.poll(atLeast: 1) { _ in
        try reader.poll(into: batch, max: 1, timeout: .milliseconds(100))
        return batch.count
      }
      #expect(batch.valueText(batch.records[0]) == "new", "an offset that is gone means the earliest")
    },
  ]
}
