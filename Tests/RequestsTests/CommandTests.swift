import Base
import Events
import Query
import Testing

@testable import Requests

/// A desk that takes commands, too, whose records are read again after a restart.
final class CommandDesk {
  let desk: Desk
  private var commands: [(id: String, value: String?)] = []

  init(_ settings: RegistrySettings = RegistrySettings()) { desk = Desk(settings) }

  @discardableResult
  func command(_ id: String, _ sql: String) -> Effects {
    record(id, JSON.object(of: ["client": .string("noc"), "sql": .string(sql)]).text)
  }

  @discardableResult
  func record(_ id: String, _ value: String?) -> Effects {
    commands.append((id, value))
    return feed(commands.count - 1)
  }

  private func feed(_ index: Int) -> Effects {
    let effects = withBytes(commands[index].id) { key in
      withBytes(commands[index].value) { value in
        desk.registry.handle(command: key, value: value, now: desk.now, offset: Int64(index))
      }
    }
    desk.commit(effects)
    return effects
  }

  func restart() {
    desk.restart()
    for index in Int(desk.registry.commandsPosition)..<commands.count { _ = feed(index) }
  }

  func status(_ id: String) -> String {
    let status = desk[reply: id]["status"]?.string ?? "none"
    return status == "rejected" ? desk.error(id) : status
  }
}

struct CommandTests {
  private let door = CommandDesk()
  private var desk: Desk { door.desk }

  @Test func `a named filter stands for its condition, and shares the stream of who wrote it out`() {
    door.command("c/1", "CREATE FILTER core AS Severity >= 4")
    desk.ask("a/x", "SELECT Node, Severity FROM alerts WHERE core")
    desk.ask("b/y", core)
    #expect(door.status("c/1") == "done")
    #expect(desk.streamID("a/x") == desk.streamID("b/y"))
    #expect(desk[reply: "b/y"]["role"]?.string == "secondary")
  }

  @Test func `names and answers outlive a restart`() {
    door.command("c/1", "CREATE FILTER core AS Severity >= 4")
    door.command("c/2", "CREATE VIEW hot AS SELECT Node, Severity FROM alerts WHERE core")
    door.restart()
    desk.ask("a/x", "SELECT * FROM hot")
    #expect(desk[reply: "a/x"]["status"]?.string == "active")
    #expect(door.status("c/2") == "done")
    door.command("c/3", "DROP FILTER core")
    #expect(door.status("c/3") == "name at 1:13")
  }

  @Test func `a command that comes again is answered as before and done once`() {
    door.command("c/1", "CREATE FILTER core AS Severity >= 4")
    door.command("c/2", "DROP FILTER core")
    door.restart()
    let again = door.command("c/1", "CREATE FILTER core AS Severity >= 4")
    #expect(again.replies.map(\.value) == [desk[reply: "c/1"]])
    #expect(again.definitions == nil)
    #expect(door.status("c/1") == "done")
    #expect(desk.registry.definitions.count == 0)
  }

  @Test func `another command under a used id is refused, and the id's own answer stays its last`() {
    let sql = "CREATE FILTER core AS Severity >= 4"
    door.command("c/1", sql)
    let done = desk[reply: "c/1"]
    for _ in 0..<2 {
      let replies = door.command("c/1", "DROP FILTER core").replies.map(\.value)
      #expect(replies.first?["error"]?["code"]?.string == "id" && replies.first?["client"]?.string == "noc")
      #expect(replies.count == 2 && replies.last == done)
      #expect(door.command("c/1", sql).replies.map(\.value) == [done])
      #expect(desk.registry.definitions.count == 1)
      door.restart()
    }
  }

  @Test func `a rejected id is free for another command, and the rejected one is never done`() {
    let bad = "CREATE VIEW hot AS SELECT Node FROM alerts WHERE core"
    door.command("c/1", bad)
    door.command("c/1", bad)
    #expect(door.status("c/1") == "unknown_column at 1:50")
    door.command("c/1", "CREATE FILTER core AS Severity >= 4")
    #expect(door.status("c/1") == "done")
    // What the rejected one stood on is there by now.
    for _ in 0..<2 {
      let replies = door.command("c/1", bad).replies.map(\.value)
      #expect(replies.first?["error"]?["code"]?.string == "id" && replies.last?["status"]?.string == "done")
      door.restart()
    }
    #expect(desk.registry.definitions.count == 1)
  }

  @Test func `commands that are read again behind a flush that waits are not judged anew`() {
    desk.ask("noc/list", core)
    door.record("c/0", #"{"client":"noc","flush":"list","positions":{"0":9}}"#)
    let refused = door.record("c/0", #"{"client":"noc","flush":"list"}"#).replies.map(\.value)
    #expect(refused.map { $0["error"]?["code"]?.string } == ["id"])
    let bad = "CREATE VIEW hot AS SELECT Node FROM alerts WHERE core"
    door.command("c/1", bad)
    door.command("c/1", bad + " AND core")
    door.command("c/2", "CREATE FILTER core AS Severity >= 4")
    door.restart()
    #expect(desk.registry.flushes.count == 1)
    #expect(door.status("c/1").hasPrefix("unknown_column"))
    #expect(desk.registry.definitions.count == 1)
    door.command("c/1", bad)
    #expect(door.status("c/1") == "done")
  }

  @Test func `a request that stands does not follow a name to its new meaning`() {
    door.command("c/1", "CREATE FILTER core AS Severity >= 4")
    desk.ask("a/x", "SELECT Node, Severity FROM alerts WHERE core")
    let before = desk.streamID("a/x")
    door.command("c/2", "DROP FILTER core")
    door.command("c/3", "CREATE FILTER core AS Severity = 1")
    desk.ask("a/x", "SELECT Node, Severity FROM alerts WHERE core", #""interval_ms":1000"#)
    #expect(desk.streamID("a/x") == before)
    desk.ask("b/y", "SELECT Node, Severity FROM alerts WHERE core")
    #expect(desk.streamID("b/y") != before)
  }

  @Test(arguments: [
    (#"nonsense"#, "json at 1:3"), (#"[1]"#, "json at 1:1"), (#"{"sql":"DROP VIEW v"}"#, "value"),
    (#"{"client":"noc"}"#, "value"), (#"{"client":"noc","sql":"x","sqk":1}"#, "member"),
    (#"{"client":"noc","sql":"CREATE FILTER f AS Severty = 1"}"#, "unknown_column at 1:20"),
    (#"{"client":"noc","sql":"CREATE FILTER Severity AS Node = 'a'"}"#, "name at 1:15"),
    (#"{"client":"noc","sql":"DROP VIEW v"}"#, "name at 1:11"),
    (#"{"client":"noc","sql":"ALTER TABLE alerts"}"#, "syntax at 1:1"),
  ])
  func `what cannot be done is rejected with its place`(value: String, expected: String) {
    door.record("c/1", value)
    // Where JSON ends is the parser's to say; that it is told is ours.
    #expect(door.status("c/1").prefix(4) == expected.prefix(4))
    if !expected.hasPrefix("json") { #expect(door.status("c/1") == expected) }
    #expect(desk.registry.definitions.count == 0)
  }

  @Test(arguments: [
    #"{"client":"noc"}"#, #"{"client":"noc","sql":1}"#, #"{"client":"noc","sql":"x","sqk":1}"#,
    #"{"sqk":1,"client":"noc"}"#, #"{"client":"noc","flush":"a","sql":"x"}"#,
    #"{"client":"noc","flush":"a","positions":[]}"#, #"{"client":"noc","sql":"DROP VIEW v","positions":{}}"#,
    #"{"client":"noc","flush":"nothing"}"#, #"{"client":"noc","sql":"DROP VIEW v"}"#,
  ])
  func `a refusal names the client wherever the record does`(value: String) {
    door.record("c/1", value)
    #expect(desk[reply: "c/1"]["status"]?.string == "rejected")
    #expect(desk[reply: "c/1"]["client"]?.string == "noc")
    let change = withBytes(value) { $0.map { ChangeCommand.read($0, RegistrySettings()) } }
    if case .failure(let refusal)? = change { #expect(refusal.client == "noc") }
  }

  @Test(arguments: ["UPDATE alerts SET Severity = 1", "\\n-- now\\n/* */insert", "delete(", "Update"])
  func `changes of rows are the table's to answer`(sql: String) {
    let value = #"{"client":"noc","sql":"\#(sql)"}"#
    #expect(door.record("c/1", value).isEmpty)
    #expect(door.status("c/1") == "none")
    #expect(desk.registry.commandsPosition == 1)
    let isOne = withBytes("c/1") { key in
      withBytes(value) { ChangeCommand.isOne(key: key, value: $0, RegistrySettings()) }
    }
    #expect(isOne)
  }

  @Test(arguments: [
    "UPDATEs alerts", "CREATE FILTER x AS Severity = 1", "", "'UPDATE'", "-- UPDATE", "/* UPDATE", "flush",
  ])
  func `all other commands are the registry's`(sql: String) {
    let value = #"{"client":"noc","sql":"\#(sql)"}"#
    door.record("c/1", value)
    #expect(door.status("c/1") != "none")
    withBytes("c/1") { key in
      withBytes(value) { #expect(!ChangeCommand.isOne(key: key, value: $0, RegistrySettings())) }
    }
  }

  @Test func `records that nobody could be answered for change nothing`() {
    #expect(door.record("", "x").isEmpty)
    #expect(door.record(String(repeating: "k", count: 386), "x").isEmpty)
    #expect(door.record("c/1", nil).isEmpty)
    #expect(desk.registry.counts.unanswered == [.commands: 3])
    #expect(desk.registry.unanswered?.offset == 2 && desk.registry.unanswered?.reason == "its value is null")
    desk.send("no slash", nil)
    desk.send(nil, "{}")
    #expect(desk.registry.counts.unanswered == [.commands: 3, .requests: 2])
  }

  @Test func `answers are remembered up to a limit, the newest`() {
    var settings = RegistrySettings()
    settings.answersMax = 2
    let door = CommandDesk(settings)
    for n in 1...3 { door.command("c/\(n)", "CREATE FILTER f\(n) AS Severity = \(n)") }
    #expect(
      Set(door.desk.cluster.keys.filter { $0.hasPrefix("command/") }) == ["command/c/2", "command/c/3"])
    door.command("c/1", "CREATE FILTER f1 AS Severity = 1")
    #expect(door.status("c/1") == "name at 1:15")
  }

  @Test func `a position that no topic can have is not believed`() {
    for key in ["position/requests", "position/commands"] {
      desk.cluster[key] = .object(of: ["offset": .int(.max)])
    }
    desk.restart()
    #expect(desk.registry.requestsPosition == 0)
    #expect(desk.registry.commandsPosition == 0)
  }
}
