import Base
import Bus
import Client
import ConnectorKit
import Events
import Testing

@Suite struct HistoryReaderTests {
  @Test func `a stream is read in its order, each record once`() throws {
    let stream = try Reading()
    stream.write(1, 1...3)
    stream.write(2, 4...5)
    let events = try stream.read()
    #expect(short(events) == ["1:1", "1:2", "1:3", "2:4", "2:5"])
    #expect(events.compactMap(\.entry).map(\.key) == (1...5).map { "row \($0)" })
    #expect(events.compactMap(\.entry).map(\.position.offset) == [0, 1, 2, 3, 4])
  }

  @Test func `a gap, a repeat and a replaced publisher's record are said where they are`() throws {
    let stream = try Reading()
    stream.write(1, 1...2)
    stream.write(1, 5)
    stream.write(1, 2)
    stream.write(3, 6)
    stream.write(2, 7)
    stream.write(3, 7)
    #expect(
      short(try stream.read())
        == ["1:1", "1:2", "gap 3..4", "1:5", "repeated 1:2", "3:6", "fenced 2:7", "3:7"])
  }

  @Test func `a stream that was made again is no gap`() throws {
    let stream = try Reading()
    stream.write(1, 1...2)
    stream.write(4, 1...2)
    #expect(short(try stream.read()) == ["1:1", "1:2", "restarted 4:1", "4:1", "4:2"])
  }

  @Test func `in a compacted topic a hole is the cleaner's`() throws {
    let stream = try Reading(cleanup: "compact")
    for seq in 1...6 { stream.write(1, Int64(seq), key: "row \(seq % 2)") }
    stream.cluster.compact(stream.address.topic)
    // The last record is in the active segment, which the cleaner does not look into.
    #expect(short(try stream.read()) == ["compacted 1..3", "1:4", "1:5", "1:6"])
  }

  @Test func `a lane's other streams are nobody's business`() throws {
    let stream = try Reading(prefix: "a/")
    stream.write(1, 1)
    stream.writeBeside(key: "b/row", headers: Reading.headers(9, 9))
    stream.writeBeside(key: "a", headers: Reading.headers(9, 9))
    stream.writeBeside(key: "a\u{301}/", headers: Reading.headers(9, 9))
    stream.writeBeside(key: nil, headers: Reading.headers(9, 9))
    stream.write(1, 2)
    let events = try stream.read()
    #expect(short(events) == ["1:1", "1:2"])
    #expect(events.compactMap(\.entry).map(\.key) == ["row 1", "row 2"])
  }

  @Test func `records without counts are passed over and said`() throws {
    let stream = try Reading()
    stream.write(1, 1)
    stream.writeBeside()
    stream.writeBeside(headers: ["belfry-epoch": "1", "belfry-seq": "-2"])
    stream.writeBeside(headers: ["belfry-epoch": "1", "belfry-seq": "99999999999999999999"])
    stream.writeBeside(headers: ["belfry-epoch": "", "belfry-seq": "two"])
    stream.write(1, 2)
    #expect(
      short(try stream.read())
        == ["1:1", "foreign at 1", "foreign at 2", "foreign at 3", "foreign at 4", "1:2"])
  }

  /// value | what is said of it
  private static let contents = """
    {"op":"c","before":null,"after":{"a":1},"source":{}} | change created nil {"a":1}
    {"op":"u","before":{"a":1},"after":{"a":2},"source":{}} | change updated {"a":1} {"a":2}
    {"op":"d","before":{"a":2},"after":null,"source":{}} | change deleted {"a":2} nil
    {"op":"r","after":{"a":2},"source":{}} | change read nil {"a":2}
    {"op":"m","source":{},"notice":{"kind":"gap","shard":2,"from":5,"to":9,"text":"lost"}} | notice gap lost 2 5...9
    {"op":"m","source":{},"notice":{"kind":"gap","shard":2,"from":9,"to":5,"text":"lost"}} | notice gap lost
    {"op":"m","source":{},"notice":{"kind":"snapshot","text":"again"}} | notice snapshot again
    {"op":"m","source":{}} | notice  null
    {"op":"c","a":1} | row {"op":"c","a":1}
    {"a":1} | row {"a":1}
    null | the value is no JSON object
    {"op":"x","source":{}} | there is no op "x"
    {"op":"c","before":null,"source":{}} | op "c" without after
    {"op":"d","after":{},"source":{}} | op "d" without before
    {"op":"c","after":[1],"source":{}} | after is no JSON object
    [1,2] | the value is no JSON object
    {"op": | 1:6: unexpected token near end of file
    """

  @Test(arguments: contents.split(separator: "\n").map(String.init))
  func `a value is what it says, or unreadable with the reason`(line: String) throws {
    let cells = line.split(separator: "|").map { $0.drop { $0 == " " } }.map(String.init)
    let stream = try Reading()
    stream.write(1, 1, value: String(cells[0].dropLast()))
    stream.write(1, 2)
    let events = try stream.read()
    #expect(short(events).last == "1:2", "reading goes on")
    func text(_ json: JSON?) -> String { json?.text ?? "nil" }
    switch events[0] {
    case .unreadable(_, let reason): #expect(reason == cells[1])
    case .entry(let entry):
      switch entry.content {
      case .row(let row): #expect("row \(text(row))" == cells[1])
      case .change(let op, let before, let after):
        #expect("change \(op) \(text(before)) \(text(after))" == cells[1])
      case .notice(let notice):
        let lost = notice.lost.map { " \($0.shard) \($0.changes)" } ?? ""
        #expect("notice \(notice.kind) \(notice.text)\(lost)" == cells[1])
      }
    default: Issue.record("\(events[0])")
    }
  }

  @Test func `a net stream's row may have columns of any names`() throws {
    let stream = try Reading(cleanup: "compact")
    stream.write(1, 1, value: #"{"op":"x","source":{}}"#)
    stream.write(1, 2, value: nil)
    let entries = try stream.read().compactMap(\.entry)
    #expect(entries.map(\.content) == [.row(try JSON(parsing: #"{"op":"x","source":{}}"#)), .row(nil)])
  }

  @Test func `the end is behind an open transaction, and what was aborted is not there`() throws {
    let stream = try Reading()
    stream.write(1, 1...2)
    let producer = try stream.open(1, 3...4)
    let reader = try stream.reader()
    var events: [HistoryEvent] = []
    for _ in 0..<50 { events += try reader.poll(timeout: .milliseconds(10)) }
    #expect(short(events) == ["1:1", "1:2"])
    #expect(try !reader.isAtEnd())
    try producer.abort()
    #expect(try short(stream.read(reader)) == [])
    try stream.open(2, 3...3).commit()
    #expect(try short(stream.read()) == ["1:1", "1:2", "2:3"])
  }

  @Test func `the latest is what comes next`() throws {
    let stream = try Reading()
    stream.write(2, 1...50)
    let reader = try stream.reader(.latest)
    #expect(try short(stream.read(reader)) == [])
    #expect(reader.position == nil)
    stream.write(2, 51...52)
    var events: [HistoryEvent] = []
    for _ in 0..<50 { events += try reader.poll(timeout: .milliseconds(10)) }
    #expect(short(events) == ["2:51", "2:52"])
  }

  @Test func `reading from a number passes over those before it`() throws {
    let stream = try Reading()
    stream.write(1, 1...9)
    let reader = try stream.reader(.from(seq: 8))
    #expect(try short(stream.read(reader)) == ["1:8", "1:9"])
    #expect(reader.passed == 7)
  }

  @Test func `a topic that is not there is refused`() throws {
    let stream = try Reading()
    try stream.cluster.connect(member: "operator").deleteTopics([stream.address.topic])
    #expect(throws: BusError.self) { _ = try stream.reader() }
  }

  @Test(arguments: ["compact", "delete"])
  func `a topic that was made again is told as what it is, and what was on it is no compaction`(
    cleanup: String
  )
    throws
  {
    let stream = try Reading(cleanup: cleanup)
    stream.write(1, 1...3)
    try stream.makeAgain()
    stream.write(2, 4...5)
    #expect(short(try stream.read()) == ["made again at 2:4", "gap 1..3", "2:4", "2:5"])
    // Who had read all of it misses nothing but what has left the view; who stopped before, does.
    #expect(short(try stream.read(.after(position(1, 3, at: 2)))) == ["made again at 2:4", "2:4", "2:5"])
    #expect(
      short(try stream.read(.after(position(1, 2, at: 1)))) == [
        "made again at 2:4", "gap 3..3", "2:4", "2:5",
      ])
    #expect(short(try stream.read(.after(position(2, 4, at: 0)))) == ["2:5"], "what it has taken is no news")
  }

  @Test func `a lane that was made again is one, and a new stream in it none`() throws {
    let stream = try Reading(cleanup: "compact", prefix: "a/")
    stream.writeBeside()
    stream.write(1, 1...2)
    #expect(short(try stream.read()) == ["1:1", "1:2"])
    try stream.makeAgain()
    stream.writeBeside()
    stream.writeBeside()
    stream.write(1, 3...4)
    #expect(short(try stream.read()) == ["made again at 1:3", "gap 1..2", "1:3", "1:4"])
  }

  @Test func `a stream that was made again in its lane is the same topic's`() throws {
    let stream = try Reading(cleanup: "compact", prefix: "a/")
    stream.write(1, 1...3)
    stream.writeBeside()
    stream.write(4, 1...2)
    #expect(short(try stream.read()) == ["1:1", "1:2", "1:3", "restarted 4:1", "4:1", "4:2"])
  }

  @Test func `a key is what follows its lane's prefix, byte for byte`() throws {
    let stream = try Reading(prefix: "a/")
    let keys = ["*", "a/b", "\u{301}accent", "\u{301}accent", ""]
    for (n, key) in keys.enumerated() {
      stream.write(1, Int64(n + 1), key: key)
      stream.writeBeside(key: "b/\(key)")
    }
    stream.writeBeside(key: nil)
    let found = try stream.read().compactMap(\.entry)
    #expect(found.map { Array($0.key.utf8) } == keys.map { Array($0.utf8) })
    #expect(found.allSatisfy { $0.sweep == 7 && !$0.isLast })
  }

  /// Records of the new topic: fewer than were read, as many, more.
  @Test(arguments: [1, 3, 4, 9] as [Int64])
  func `a topic that is made again under a reader is read from its beginning`(count: Int64) throws {
    let stream = try Reading(cleanup: "compact")
    stream.write(1, 1...3)
    let reader = try stream.reader()
    #expect(short(try stream.read(reader)) == ["1:1", "1:2", "1:3"])
    try stream.cluster.connect(member: "admin").deleteTopics([stream.address.topic])
    // A reader sees nothing of it, but that the topic is not there.
    for _ in 0..<20 { #expect(try reader.poll(timeout: .milliseconds(10)).isEmpty) }
    try stream.makeAgain()
    stream.write(2, 4...3 + count)
    var events: [HistoryEvent] = []
    for _ in 0..<200 { events += try reader.poll(timeout: .milliseconds(10)) }
    #expect(short(events) == ["made again at 2:4"] + (4...3 + count).map { "2:\($0)" })
  }

  @Test func `a new topic that has grown past the reader before it looks is no gap`() throws {
    let stream = try Reading()
    stream.write(1, 1...3)
    let reader = try stream.reader()
    _ = try stream.read(reader)
    try stream.makeAgain()
    stream.write(2, 4...9)
    var events: [HistoryEvent] = []
    for _ in 0..<200 { events += try reader.poll(timeout: .milliseconds(10)) }
    #expect(short(events) == ["made again at 2:4"] + (4...9).map { "2:\($0)" })
  }

  @Test func `a topic that is shrunk under a reader is no trap`() throws {
    let stream = try Reading()
    stream.write(1, 1...9)
    let reader = try stream.reader()
    _ = try stream.read(reader)
    stream.cluster.truncate(stream.address.topic, stream.address.partition, below: 9)
    stream.write(1, 10)
    var events: [HistoryEvent] = []
    for _ in 0..<50 { events += try reader.poll(timeout: .milliseconds(10)) }
    #expect(short(events) == ["1:10"])
  }
}
