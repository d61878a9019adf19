import Base
import Bus
import Events
import Testing

@testable import Table

@Suite struct DeduplicationTests {
  @Test func `a new row takes the event's values and the columns' defaults`() {
    let bench = Bench()
    bench.add(#"{"Identifier":"a","Severity":4,"Summary":"down"}"#, at: 999_000)
    bench.commit()
    #expect(bench.value("a", "Severity") == .int(4))
    #expect(bench.value("a", "Tally") == .int(1))
    #expect(bench.value("a", "FirstOccurrence") == .time(999_000))
    #expect(bench.value("a", "Node") == .string(""))
    #expect(bench.lastChanges.count == 1)
    let change = bench.lastChanges[0]
    #expect(change.key == "a")
    #expect(change.partition == 0)
    #expect(change.json?["Summary"] == .string("down"))
    #expect(change.header("belfry-before") == nil)
    #expect(change.header("belfry-change") == "1")
    #expect(change.header("belfry-consumed") == #"{"events":1,"inbox":0}"#)
    #expect(change.timestamp == 1_000_000)
  }

  @Test func `a duplicate raises the tally and replaces summary and severity`() {
    let bench = Bench()
    bench.send(#"{"Identifier":"a","Severity":4,"Summary":"down","Node":"n1","LastOccurrence":5}"#)
    bench.send(#"{"Identifier":"a","Severity":5,"Node":"n2","LastOccurrence":4}"#)
    #expect(bench.value("a", "Tally") == .int(2))
    #expect(bench.value("a", "Severity") == .int(5))
    #expect(bench.value("a", "Summary") == .string("down"))
    #expect(bench.value("a", "Node") == .string("n1"))
    #expect(bench.value("a", "LastOccurrence") == .time(5))
    #expect(bench.lastChanges[0].header("belfry-before") == #"{"Severity":4,"Tally":1}"#)
    #expect(bench.lastChanges[0].header("belfry-change") == "2")
  }
}
