import Base
import Events
import Testing

@testable import Table

@Suite struct PairingTests {
  static func problem(_ id: String, last: Int = 10, node: String = "n") -> String {
    #"{"Identifier":"\#(id)","Type":1,"Severity":5,"Node":"\#(node)","AlertKey":"k","LastOccurrence":\#(last)}"#
  }

  static func resolution(_ id: String, last: Int = 10, node: String = "n") -> String {
    #"{"Identifier":"\#(id)","Type":2,"Severity":1,"Node":"\#(node)","AlertKey":"k","LastOccurrence":\#(last)}"#
  }

  @Test func `a resolution clears its problems and itself, a change each`() {
    let bench = Bench()
    bench.send(Self.problem("p1"), Self.problem("p2", last: 11), Self.problem("p3", node: "m"))
    bench.now = Timestamp(milliseconds: 1_000_500)
    bench.send(Self.resolution("r"))
    #expect(bench.lastChanges.map(\.key) == ["r", "p1"])
    #expect(bench.lastChanges[1].header("belfry-before") == #"{"Severity":5,"StateChange":0}"#)
    #expect(bench.value("r", "Severity") == .int(0))
    #expect(bench.value("r", "StateChange") == .time(1_000_500))
    #expect(bench.value("p1", "StateChange") == .time(1_000_500))
    #expect(bench.value("p2", "Severity") == .int(5))
    #expect(bench.value("p3", "Severity") == .int(5))
  }

  @Test(arguments: [#""Type":0,"#, #""Type":13,"#, ""])
  func `a row that is no problem is cleared by no resolution`(type: String) {
    let bench = Bench()
    bench.send(#"{\#(type)"Identifier":"a","Severity":5,"Node":"n","AlertKey":"k","LastOccurrence":10}"#)
    bench.send(Self.problem("p"), Self.resolution("r"))
    #expect(bench.value("a", "Severity") == .int(5))
    #expect(bench.value("p", "Severity") == .int(0))
  }

  @Test func `a problem that comes again after its clear stays`() {
    let bench = Bench()
    bench.send(Self.problem("p"), Self.resolution("r"), Self.problem("p", last: 12))
    bench.now = bench.now + .seconds(121)
    bench.commit()
    #expect(bench.value("p", "Severity") == .int(5))
    #expect(bench.value("r", "Severity") == nil)
    #expect(bench.dump.count == 1)
  }

  @Test
  func `a resolution that comes again clears what came between, whether or not it says when it occurred`() {
    for last in [#","LastOccurrence":20"#, ""] {
      let bench = Bench()
      bench.add(#"{"Identifier":"r","Type":2,"Node":"n","AlertKey":"k"}"#, at: 10)
      bench.add(Self.problem("p", last: 15))
      bench.add(Self.problem("later", last: 21))
      bench.add(#"{"Identifier":"r","Type":2,"Node":"n","AlertKey":"k"\#(last)}"#, at: 20)
      bench.commit()
      #expect(bench.value("p", "Severity") == .int(0), "\(last)")
      #expect(bench.value("later", "Severity") == .int(5))
      #expect(bench.value("r", "LastOccurrence") == .time(last.isEmpty ? 10 : 20))
    }
  }

  @Test func `a resolution with the problem's own identifier clears that row`() {
    let bench = Bench()
    bench.send(Self.problem("p"), Self.resolution("p"))
    #expect(bench.value("p", "Severity") == .int(0))
    #expect(bench.value("p", "StateChange") == .time(1_000_000))
    #expect(bench.value("p", "Type") == .int(1))
  }

  @Test func `cleared rows go 120 s after their clear, not before`() {
    let bench = Bench()
    bench.send(Self.problem("p"), Self.resolution("r"))
    bench.now = Timestamp(milliseconds: 1_119_999)
    bench.commit()
    #expect(bench.dump.count == 2)
    bench.now = Timestamp(milliseconds: 1_120_000)
    bench.commit()
    #expect(bench.dump.isEmpty)
    #expect(bench.lastChanges.map(\.value) == [nil, nil])
    let before = try! JSON(parsing: bench.lastChanges[0].header("belfry-before")!)
    #expect(before.members?.count == Schema.alerts.columns.count)
    bench.table.drain { _, _, _ in }
    #expect(bench.table.strings.count == 0)
  }

  @Test
  func `a row goes when its ExpireTime passes, also one that was put off and one that was brought forward`() {
    let bench = Bench(PropertyTests.everyRule)
    func expire(_ id: String, _ time: Int) { bench.send(#"{"Identifier":"\#(id)","ExpireTime":\#(time)}"#) }
    expire("a", 1_000_100)
    expire("b", 1_000_100)
    expire("c", 1_009_000)
    expire("d", 0)
    expire("b", 1_000_200)
    expire("c", 1_000_050)
    func left(at time: Int64) -> [String] {
      bench.now = Timestamp(milliseconds: time)
      bench.commit()
      return bench.dump.keys.sorted()
    }
    #expect(left(at: 1_000_049) == ["a", "b", "c", "d"])
    #expect(left(at: 1_000_050) == ["a", "b", "d"])
    #expect(left(at: 1_000_199) == ["b", "d"])
    #expect(left(at: 1_000_200) == ["d"])
    #expect(left(at: .max) == ["d"])
  }

  @Test func `a mass expiry spreads over transactions`() {
    let bench = Bench { $0.timerDeletesMax = 4 }
    for id in 0..<10 { bench.add(#"{"Identifier":"\#(id)","ExpireTime":1000001}"#) }
    bench.commit()
    bench.now = Timestamp(milliseconds: 1_000_001)
    #expect(bench.table.runTimers(now: bench.now))
    #expect(bench.table.openRecords == 4)
    _ = bench.table.finish()
    bench.table.committed()
    #expect(bench.table.runTimers(now: bench.now))
    #expect(!bench.table.runTimers(now: bench.now))
    #expect(bench.table.rowCount == 0)
  }

  @Test func `deadlines that come ever earlier do not pile up`() {
    let bench = Bench(PropertyTests.everyRule)
    for step in 0..<5000 { bench.add(#"{"Identifier":"a","ExpireTime":\#(2_000_000 - step)}"#) }
    bench.commit()
    #expect(bench.table.led[0].timers.count <= 1026)
    bench.now = Timestamp(milliseconds: 2_000_000 - 4999)
    bench.commit()
    #expect(bench.dump.isEmpty)
  }

  @Test func `long chains of one problem are left in any order`() {
    let bench = Bench()
    for id in 0..<300 { bench.add(Self.problem("p\(id)", last: id % 3, node: id % 2 == 0 ? "n" : "m")) }
    bench.commit()
    #expect(bench.table.led[0].problems.count == 300)
    bench.send(Self.resolution("r", last: 1))
    #expect(bench.table.led[0].problems.count == 200)
    bench.send(Self.resolution("s", last: 2), Self.resolution("t", last: 2, node: "m"))
    #expect(bench.table.led[0].problems.count == 0)
  }

  @Test func `a table without the columns of pairing has none`() {
    let schema = Schema(
      table: "t", columns: [Column("Id", .string), Column("Type", .int), Column("Severity", .int)],
      key: ["Id"])
    let bench = Bench(schema)
    bench.send(#"{"Id":"a","Type":1,"Severity":5}"#, #"{"Id":"b","Type":2,"Severity":3}"#)
    #expect(bench.value("a", "Severity") == .int(5))
    #expect(bench.value("b", "Severity") == .int(3))
  }
}
