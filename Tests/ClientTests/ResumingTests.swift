import Base
import Bus
import Client
import ConnectorKit
import Testing

/// A reader that goes on from what a gateway keeps.
@Suite struct ResumingTests {
  @Test func `with its offset it begins there, and hands on what is behind`() throws {
    let stream = try Reading()
    stream.write(1, 1...100)
    let reader = try stream.reader(.after(position(1, 90, at: 89)))
    #expect(try short(stream.read(reader)) == (91...100).map { "1:\($0)" })
    #expect(reader.passed == 1 && reader.restartsFromBeginning == 0, "it did not read what it had")
  }

  @Test func `without an offset it reads from the beginning, to the same end`() throws {
    let stream = try Reading()
    stream.write(1, 1...100)
    let reader = try stream.reader(.after(position(1, 90)))
    #expect(try short(stream.read(reader)) == (91...100).map { "1:\($0)" })
    #expect(reader.passed == 90)
  }

  /// Wherever it stops, and wherever its offset points, what is handed on in all is the stream.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func `stopped anywhere and resumed from whatever position, each record comes once`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let prefix = seed % 2 == 0 ? "" : "a/"
    let stream = try Reading(prefix: prefix, seed: seed)
    for seq in 1...60 as ClosedRange<Int64> {
      if !prefix.isEmpty, Bool.random(using: &random) { stream.writeBeside() }
      stream.write(1 + seq / 20, seq)
    }
    var taken: [String] = []
    var kept: StreamPosition?
    while taken.count < 60 {
      let reader = try stream.reader(kept.map { .after($0) } ?? .from(seq: 1))
      let wanted = Int.random(in: 1...20, using: &random)
      var events: [HistoryEvent] = []
      while events.count < wanted, try !reader.isAtEnd() {
        events += try reader.poll(timeout: .milliseconds(10))
      }
      for event in events.prefix(wanted) {
        taken += short([event])
        let position = try #require(event.entry?.position)
        let offsets = [position.offset, nil, 0, 7, 1_000_000, -1, Int64.random(in: 0..<90, using: &random)]
        kept = StreamPosition(position.point, offset: offsets.randomElement(using: &random)!)
      }
      reader.close()
    }
    #expect(taken == (1...60).map { "\(1 + $0 / 20):\($0)" })
  }

  @Test func `what retention has removed meanwhile is a gap with its bounds`() throws {
    let stream = try Reading()
    stream.write(1, 1...100)
    stream.cluster.truncate(stream.address.topic, stream.address.partition, below: 95)
    for offset in [49, nil] as [Int64?] {
      let reader = try stream.reader(.after(position(1, 50, at: offset)))
      #expect(try short(stream.read(reader)) == ["gap 51..95"] + (96...100).map { "1:\($0)" })
    }
  }

  @Test func `retention that took no more than was read costs nothing`() throws {
    let stream = try Reading()
    stream.write(1, 1...100)
    stream.cluster.truncate(stream.address.topic, stream.address.partition, below: 50)
    let reader = try stream.reader(.after(position(1, 50, at: 49)))
    #expect(try short(stream.read(reader)) == (51...100).map { "1:\($0)" })
  }

  @Test func `a position of a topic that was made again begins at its beginning`() throws {
    let stream = try Reading()
    stream.write(4, 1...30)
    // At offset 12 lies 4:13; beyond the end is nothing.
    for offset in [12, 29, 30, 5000] as [Int64] {
      let reader = try stream.reader(.after(position(3, 77, at: offset)))
      #expect(try short(stream.read(reader)) == ["restarted 4:1"] + (1...30).map { "4:\($0)" })
    }
  }

  @Test func `an offset without a record is believed only where the next one follows`() throws {
    let stream = try Reading()
    try stream.open(1, 1...3).commit()
    try stream.open(1, 4...6).commit()
    // Offset 3 is the first transaction's marker.
    let next = try stream.reader(.after(position(1, 3, at: 3)))
    #expect(try short(stream.read(next)) == ["1:4", "1:5", "1:6"])
    #expect(next.restartsFromBeginning == 0)
    let other = try stream.reader(.after(position(1, 2, at: 3)))
    #expect(try short(stream.read(other)) == ["1:3", "1:4", "1:5", "1:6"])
    #expect(other.restartsFromBeginning == 1)
  }

  @Test func `a compacted topic is resumed over its holes`() throws {
    let stream = try Reading(cleanup: "compact")
    for seq in 1...8 { stream.write(1, Int64(seq), key: seq == 8 ? "last" : "row") }
    stream.cluster.compact(stream.address.topic)
    #expect(try short(stream.read(.after(position(1, 3, at: 2)))) == ["compacted 4..6", "1:7", "1:8"])
  }

  @Test func `a repeat behind the position is one, before it none`() throws {
    let stream = try Reading()
    stream.write(1, 1...3)
    stream.write(1, 3)
    stream.write(1, 4)
    #expect(try short(stream.read(.after(position(1, 2)))) == ["1:3", "repeated 1:3", "1:4"])
    #expect(try short(stream.read(.after(position(1, 3)))) == ["repeated 1:3", "1:4"])
  }

  @Test func `a reader's own position is where it handed on last`() throws {
    let stream = try Reading()
    stream.write(1, 1...5)
    stream.write(1, 9)
    let reader = try stream.reader()
    #expect(reader.position == nil)
    _ = try stream.read(reader)
    #expect(try reader.position == position(1, 9, at: 5))
  }
}
