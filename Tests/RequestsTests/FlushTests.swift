import Base
import Events
import Query
import Testing

@testable import Requests

/// Flushes as the registry has them: taken, answered once, rejected with a code, read again after a crash.
struct FlushTests {
  private let door = CommandDesk()
  private var desk: Desk { door.desk }

  init() {
    desk.ask("noc/list", core)
  }

  private func flush(_ id: String, _ name: String = "list", _ more: String = "") {
    door.record(id, #"{"client":"noc","flush":"\#(name)"\#(more)}"#)
  }

  /// The sweep with which all flushes that wait are answered.
  private func sweep(_ number: Int64, seq: Int64) {
    let flushes = desk.registry.flushes
    desk.commit(desk.registry.flushed(flushes.map { ($0, seq) }, sweep: number, now: desk.now))
  }

  private func settle(after wait: Duration, at positions: [Int32: Int64]? = nil, commands: Int64 = 0) {
    desk.now = desk.now + wait
    let state = positions.map { TableState(positions: $0, commands: commands) } ?? .unknown
    desk.commit(desk.registry.settleFlushes(now: desk.now, at: state, underway: []))
  }

  @Test func `a flush waits without an answer until its sweep, and is answered with seq and sweep`() {
    flush("noc/1", "list", #","positions":{"2":8812,"0":3}"#)
    #expect(door.status("noc/1") == "none")
    let waiting = desk.registry.flushes
    #expect(waiting.map(\.positions) == [[2: 8812, 0: 3]])
    func isReached(at positions: [Int32: Int64]) -> [Bool] {
      waiting.map { $0.isReached(at: TableState(positions: positions, commands: 0)) }
    }
    #expect(isReached(at: [0: 3, 2: 8811]) == [false])
    #expect(isReached(at: [0: 4, 1: 0, 2: 8812]) == [true])
    sweep(204, seq: 17)
    #expect(desk[reply: "noc/1"].text == #"{"client":"noc","status":"flushed","seq":17,"sweep":204}"#)
    #expect(desk.registry.flushes.isEmpty)
    #expect(desk.registry.counts.flushed == 1)
  }

  @Test func `an id that was answered gets that answer again, and nothing waits`() {
    flush("noc/1")
    sweep(7, seq: 1)
    desk.replies = [:]
    flush("noc/1")
    #expect(desk[reply: "noc/1"]["sweep"]?.int == 7)
    #expect(desk.registry.flushes.isEmpty)
    flush("noc/2")
    flush("noc/2")
    #expect(desk.registry.flushes.count == 1, "an id that waits is answered once")
    for id in ["caf\u{E9}", "cafe\u{301}"] { flush(id) }
    #expect(desk.registry.flushes.count == 3, "ids are what their bytes are")
  }

  @Test(arguments: [
    (#"{"client":"noc","flush":"other"}"#, "request"),
    (#"{"client":"us","flush":"list"}"#, "request"),
    (#"{"client":"noc","flush":7}"#, "value"),
    (#"{"client":"noc","flush":"list","sql":"DROP FILTER x"}"#, "value"),
    (#"{"client":"noc","sql":"CREATE FILTER x AS Severity = 1","positions":{}}"#, "value"),
    (#"{"client":"noc","flush":"list","positions":[1]}"#, "value"),
    (#"{"client":"noc","flush":"list","positions":{"a":1}}"#, "value"),
    (#"{"client":"noc","flush":"list","positions":{"-1":1}}"#, "value"),
    (#"{"client":"noc","flush":"list","positions":{"0":-1}}"#, "value"),
    (#"{"client":"noc","flush":"list","positions":{"0":1,"00":2}}"#, "value"),
    (#"{"client":"noc","flush":"list","positions":{"0":9223372036854775807}}"#, "value"),
    (#"{"client":"noc","flush":"list","positions":{"4294967296":1}}"#, "value"),
    (#"{"client":"noc","flush":"list","flash":1}"#, "member"),
  ])
  func `what is no flush that can be done is rejected at once`(value: String, code: String) {
    door.record("noc/1", value)
    #expect(door.status("noc/1") == code)
    #expect(desk.registry.flushes.isEmpty)
  }

  @Test func `a flush whose positions are not reached is rejected after thirty seconds, others are not`() {
    flush("noc/1", "list", #","positions":{"2":8812}"#)
    settle(after: .seconds(29), at: [2: 8800])
    flush("noc/2")
    #expect(door.status("noc/1") == "none")
    settle(after: .seconds(2), at: [2: 8800])
    #expect(door.status("noc/1") == "timeout")
    let message = desk[reply: "noc/1"]["error"]?["message"]?.string
    #expect(message == "shard 2 is at 8800, not at 8812 in 30 s")
    #expect(desk.registry.flushes.map(\.id.text) == ["noc/2"])
  }

  @Test func `a flush without positions waits for the commands before it, thirty seconds at most`() {
    door.command("noc/0", "UPDATE alerts SET Severity = 1")
    flush("noc/1")
    let waiting = desk.registry.flushes
    #expect(waiting.map(\.offset) == [1])
    let states = [0, 1].map { TableState(positions: [0: 7], commands: $0) }
    #expect(states.map { waiting[0].isReached(at: $0) } == [false, true])
    settle(after: .seconds(29), at: [0: 7], commands: 0)
    #expect(door.status("noc/1") == "none")
    settle(after: .seconds(2), at: [0: 7], commands: 0)
    #expect(door.status("noc/1") == "timeout")
    let message = desk[reply: "noc/1"]["error"]?["message"]?.string
    #expect(message == "the commands before it were not done in 30 s")
  }

  @Test func `a shard that the table does not have is named as soon as the table's state is known`() {
    flush("noc/1", "list", #","positions":{"9":1}"#)
    settle(after: .zero)
    #expect(door.status("noc/1") == "none")
    settle(after: .zero, at: [0: 5, 1: 5])
    #expect(door.status("noc/1") == "value")
  }

  @Test func `a flush of a request that ends, or stands still, is rejected`() {
    desk.ask("noc/other", other)
    flush("noc/1")
    flush("noc/2", "other")
    desk.send("noc/list", nil)
    desk.commit(desk.registry.fail(desk.streamID("noc/other"), reason: "too large", now: desk.now))
    settle(after: .zero)
    #expect(door.status("noc/1") == "request")
    #expect(door.status("noc/2") == "limit")
    flush("noc/3", "other")
    #expect(door.status("noc/3") == "limit")
  }

  @Test func `flushes that wait are bounded`() {
    var settings = RegistrySettings()
    settings.flushesMax = 2
    let door = CommandDesk(settings)
    door.desk.ask("noc/list", core)
    for n in 1...3 { door.record("noc/\(n)", #"{"client":"noc","flush":"list"}"#) }
    #expect(door.status("noc/3") == "limit")
    #expect(door.desk.registry.flushes.map(\.id.text) == ["noc/1", "noc/2"])
  }

  @Test func `a flush that was not answered is read again, what lies behind it is not done twice`() {
    flush("noc/1")
    door.command("noc/2", "CREATE FILTER hot AS Severity >= 4")
    #expect(door.status("noc/2") == "done")
    door.restart()
    #expect(desk.registry.flushes.map(\.id.text) == ["noc/1"])
    #expect(door.status("noc/2") == "done")
    #expect(desk.registry.definitions["hot"] != nil)
    sweep(3, seq: 2)
    door.restart()
    #expect(desk.registry.flushes.isEmpty)
    #expect(desk.registry.commandsPosition == 2)
  }
}
