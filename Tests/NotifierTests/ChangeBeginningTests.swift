import Base
import Bus
import Events
import Testing

@testable import Notifier
@testable import Requests

/// Where immediate streams begin: with the first change behind the reply, whatever happens before somebody takes them
/// up.
@Suite struct ChangeBeginningTests {
  private let grave = "SELECT Severity FROM alerts WHERE Severity >= 4"
  private let all = "SELECT Severity FROM alerts"

  @Test func `the first change behind the reply is on it, though the publisher takes it up later`() throws {
    let teller = try Teller()
    teller.put("a", 4)
    let live = try teller.start(.immediate, grave)
    teller.put("a", 5)
    teller.put("b", 6)
    try teller.run()
    teller.put("a", 7)
    try teller.run()
    #expect(teller.told(live).filter { $0.key == "a" }.lines == ["a 5", "a 7"])
    #expect(teller.told(live).filter { $0.key == "b" }.lines == ["b 6"])
    #expect(teller.told(live).isContiguous)
  }

  @Test func `it is there also where the publisher dies right behind the reply`() throws {
    let teller = try Teller()
    try teller.start(.immediate, all)
    try teller.run()
    teller.put("a", 4)
    try teller.run()
    let live = try teller.start(.immediate, grave)
    for n in 5..<8 {
      teller.put("a", Int64(n))
      teller.restart()
    }
    try teller.run()
    #expect(teller.told(live).lines == ["a 5", "a 6", "a 7"])
  }

  /// Of changes that others have told already those are read again that are its own.
  @Test func `what was read before it was taken up is told on no other stream again`() throws {
    let teller = try Teller()
    let (history, first) = (try teller.start(.all, all), try teller.start(.immediate, all))
    try teller.run()
    let live = try teller.startLate(.immediate, grave) {
      for n in 1..<8 {
        teller.put("a", Int64(n))
        teller.put("b", Int64(n))
        try teller.run(.milliseconds(200))
      }
    }
    try teller.run()
    for key in ["a", "b"] {
      #expect(teller.told(live).filter { $0.key == key }.lines == (4..<8).map { "\(key) \($0)" })
      #expect(teller.told(first).filter { $0.key == key }.lines == (1..<8).map { "\(key) \($0)" })
    }
    #expect(teller.told(history).count == 14)
    for stream in [history, first, live] { #expect(teller.told(stream).isContiguous) }
  }

  @Test func `a crash while it is brought up repeats nothing and loses nothing`() throws {
    for crash in 1..<12 {
      let teller = try Teller { $0.transactionRecordsMax = 2 }
      let history = try teller.start(.all, all)
      try teller.run()
      let second = try teller.startLate(.immediate, grave) {
        for n in 1..<9 {
          teller.put("a", Int64(n))
          teller.put("b", Int64(n))
        }
        try teller.run()
      }
      for turn in 0..<crash {
        try teller.turn()
        // One that begins while the other is brought up.
        if turn == 3 { teller.put("a", 9) }
      }
      let third = try teller.start(.immediate, all)
      teller.put("b", 9)
      try teller.turn()
      teller.restart()
      try teller.run()
      #expect(teller.told(second).filter { $0.key == "b" }.lines == (4..<10).map { "b \($0)" }, "\(crash)")
      #expect(teller.told(third).filter { $0.key == "b" }.lines == ["b 9"], "\(crash)")
      #expect(teller.told(history).filter { $0.key == "b" }.count == 9, "\(crash)")
      for stream in [history, second, third] { #expect(teller.told(stream).isContiguous, "\(crash)") }
    }
  }

  @Test func `rows that are ahead of what was read hide no change of a stream without rows`() throws {
    let teller = try Teller()
    teller.answers = false
    let history = try teller.start(.all, grave)
    try teller.run()
    let live = try teller.start(.immediate, grave)
    teller.bus.faults.late = 1
    teller.put("a", 4)
    teller.put("b", 5)
    teller.answers = true
    try teller.run()
    teller.bus.faults.late = 0
    try teller.run()
    #expect(teller.told(history).lines == ["r a ->4 first", "r b ->5 last"])
    #expect(Set(teller.told(live).lines) == ["a 4", "b 5"])
  }

  @Test func `once it goes along with the others its progress says no more than theirs`() throws {
    let teller = try Teller()
    teller.put("a", 4)
    let live = try teller.start(.immediate, grave)
    #expect(teller.progress[live.id]?["from"]?.members?.count == Teller.shards)
    try teller.run()
    #expect(teller.progress[live.id]?["from"] == nil)
    teller.put("a", 5)
    try teller.run()
    let shard = Teller.shard("a")
    #expect(teller.progress[live.id]?["positions"] == .object(of: ["\(shard)": .int(1)]))
  }

  @Test func `the last word on a former life does not hide how the next one begins`() throws {
    let teller = try Teller()
    try teller.start(.all, all)
    try teller.run()
    let live = try teller.start(.immediate, grave)
    let former = ChangeState(
      epoch: 1, seq: 7, creation: live.place.creation - 1, phase: .following, positions: [0: 0, 1: 0])
    let record = ChangeProgress.record(former, number: 9, time: teller.cluster.clock.now())
    teller.cluster.append(topic: topics.progress, partition: 0, key: live.id, value: record.text)
    teller.put("a", 5)
    teller.restart()
    try teller.run()
    #expect(teller.told(live).lines == ["a 5"])
    #expect(teller.told(live).isContiguous)
  }

  @Test func `one of a changelog that was made again since begins anew`() throws {
    let teller = try Teller()
    teller.put("a", 5)
    let live = try teller.start(.immediate, grave)
    let bus = teller.cluster.connect()
    try bus.deleteTopics([topics.changelog("alerts")])
    try bus.ensureTopics(topics.specs(table: "alerts", partitions: Teller.shards))
    teller.restart()
    try teller.run()
    #expect(teller.lines.all.contains { $0.contains("the changelog was made again") })
    teller.put("a", 6)
    try teller.run()
    #expect(teller.told(live).lines == ["a 6"])
  }
}
