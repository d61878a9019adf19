import Base
import Events
import Testing

@testable import Table

@Suite struct RejectionTests {
  @Test func `an event that cannot be used goes to the dead letters byte for byte with its headers`() {
    let bench = Bench()
    bench.send(#"{"Identifier":"a"}"#)
    bench.add("{bad", key: "their key", at: 777, headers: [("traceparent", "00-1"), ("x", "1"), ("x", "2")])
    bench.add(#"{"Identifier":"b"}"#)
    bench.commit()
    let dead = bench.lastDead
    #expect(dead.count == 1)
    #expect(dead[0].key == "their key")
    #expect(dead[0].value == "{bad")
    #expect(dead[0].timestamp == 777)
    #expect(dead[0].partition == 0)
    #expect(
      dead[0].headers.map { "\($0.0)=\($0.1 ?? "null")" } == [
        "traceparent=00-1", "x=1", "x=2", "belfry.error.code=json",
        "belfry.error.message=1:4: string or '}' expected near 'bad'", "belfry.error.topic=belfry.events",
        "belfry.error.partition=0", "belfry.error.offset=1", "belfry.error.stage=decode",
      ])
    #expect(bench.dump.count == 2)
  }

  @Test func `rejected events are counted by reason, once, when they are committed`() {
    let bench = Bench()
    func rejected(_ reason: String) -> Int {
      bench.metrics.value("belfry_events_rejected_total", [("reason", reason)])
    }
    bench.add(nil)
    bench.add("[]")
    bench.add(#"{"Identifier":1}"#)
    bench.apply()
    bench.table.aborted()
    #expect(rejected("empty") == 0)
    bench.offsets = [:]
    bench.add(nil)
    bench.add("[]")
    bench.add(#"{"Identifier":1}"#)
    bench.add(#"{"Identifier":"a"}"#)
    bench.commit()
    #expect(rejected("empty") == 1)
    #expect(rejected("not_object") == 1)
    #expect(rejected("type") == 1)
    #expect(bench.metrics.value("belfry_events_total") == 4)
    #expect(bench.metrics.value("belfry_changes_total") == 1)
    #expect(bench.metrics.value("belfry_rows") == 1)
  }

  @Test func `an event whose row would not fit into a record is rejected and leaves nothing behind`() {
    let bench = Bench { $0.changeBytesMax = 1500 }
    bench.send(#"{"Identifier":"a","Summary":"small"}"#)
    let (count, bytes) = (bench.table.strings.count, bench.table.strings.bytesHeld)
    let long = String(repeating: "x", count: 1500)
    bench.send(
      #"{"Identifier":"a","Summary":"\#(long)"}"#, #"{"Identifier":"b","Summary":"\#(long)"}"#)
    #expect(bench.lastDead.map { $0.header("belfry.error.code") } == ["row_oversize", "row_oversize"])
    #expect(bench.lastDead[0].header("belfry.error.stage") == "apply")
    #expect(bench.value("a", "Summary") == .string("small"))
    #expect(bench.value("a", "Tally") == .int(1))
    #expect(bench.value("b", "Tally") == nil)
    #expect(bench.table.strings.count == count)
    #expect(bench.table.strings.bytesHeld == bytes)
    #expect(bench.lastChanges.isEmpty)
  }

  @Test func `a full table takes duplicates but no new rows`() {
    let bench = Bench { $0.rowsMax = 1 }
    bench.send(#"{"Identifier":"a"}"#, #"{"Identifier":"b"}"#, #"{"Identifier":"a"}"#)
    #expect(bench.lastDead.map { $0.header("belfry.error.code") } == ["table_full"])
    #expect(bench.value("a", "Tally") == .int(2))
  }

  @Test func `a table that is full of texts changes no rows until some are gone`() {
    let bench = Bench { $0.textBytesMax = 1_000 }
    let long = String(repeating: "x", count: 1_000)
    bench.send(
      #"{"Identifier":"a"}"#, #"{"Identifier":"b","Summary":"\#(long)","ExpireTime":1000001}"#)
    #expect(bench.lastDead.isEmpty)
    bench.send(#"{"Identifier":"c"}"#, #"{"Identifier":"a"}"#)
    #expect(bench.lastDead.map { $0.header("belfry.error.code") } == ["table_full", "table_full"])
    #expect(bench.value("a", "Tally") == .int(1) && bench.value("c", "Tally") == nil)
    bench.now = Timestamp(milliseconds: 1_000_002)
    bench.commit()
    bench.table.drain { _, _, _ in }
    bench.send(#"{"Identifier":"c"}"#, #"{"Identifier":"a"}"#)
    #expect(bench.lastDead.isEmpty)
    #expect(bench.value("a", "Tally") == .int(2) && bench.value("c", "Tally") == .int(1))
  }

  @Test func `an inbox record of no known kind is a dead letter`() {
    let bench = Bench()
    bench.addInbox(#"{"Identifier":"a"}"#, kind: nil)
    bench.addInbox(#"{"Identifier":"a"}"#, kind: "evnt")
    bench.addInbox(#"{"clears":7}"#, kind: "clear")
    bench.addInbox(#"{"clears":[{"Node":"a"}]}"#, kind: "clear")
    bench.addInbox(nil, kind: "clear")
    let positions = bench.commit()
    #expect(bench.lastDead.count == 5)
    #expect(bench.lastDead.allSatisfy { $0.header("belfry.error.code") == "inbox" })
    #expect(
      bench.lastDead.compactMap { $0.header("belfry.error.offset") }.sorted() == ["0", "1", "2", "3", "4"])
    #expect(positions.values.sorted() == [0, 5])
  }

  @Test func `times at the ends of the range do no harm`() {
    let bench = Bench()
    let ends = [Int64.min, -1, 0, Int64.max]
    for (index, time) in ends.enumerated() {
      bench.add(
        #"{"Identifier":"\#(index)","Severity":0,"StateChange":\#(time),"ExpireTime":\#(time),"Tally":\#(time)}"#,
        at: time)
      bench.add(#"{"Identifier":"\#(index)","Type":2,"LastOccurrence":\#(time)}"#, at: time)
    }
    bench.commit()
    #expect(bench.dump.count == 4)
    #expect(bench.table.led[0].state.time == 1_000_000)
    #expect(bench.value("3", "Tally") == .int(.max))
  }
}
