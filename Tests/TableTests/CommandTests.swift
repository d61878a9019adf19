import Base
import Bus
import Events
import Testing

@testable import Table

/// Commands on the bench: what is sent to the inbox comes back.
private final class Desk {
  let language = PlainLanguage()
  let bench: Bench
  var table: EventTable { bench.table }
  private var commands: Int64 = 0
  private var inboxSeen = 0

  init(
    partitions: Int = 2, serve: [Int32] = [0, 1], largeCommands: LargeCommands = LargeCommands(),
    _ change: (inout TableSettings) -> Void = { _ in }
  ) {
    bench = Bench(
      partitions: partitions, serve: serve, language: language, largeCommands: largeCommands, change)
  }

  func event(_ key: String, severity: Int, shard: Int32) {
    bench.add(#"{"Identifier":"\#(key)","Severity":\#(severity)}"#, on: shard)
  }

  func command(_ id: String?, _ value: String) {
    bench.append(bench.topics.commands, 0, commands, id, value, nil, [])
    commands += 1
  }

  /// A command of the plain language, and all that follows from it.
  func run(_ id: String, _ text: String) {
    command(id, "\"\(text)\"")
    settle()
  }

  func insert(_ id: String, _ rows: String...) {
    command(id, #"{"rows":[\#(rows.joined(separator: ","))]}"#)
    settle()
  }

  /// Puts what was sent to the inbox since the last call into the batch; true if there was any.
  func carryInbox() -> Bool {
    let sent = bench.sent.filter { $0.topic == bench.topics.inbox }
    for record in sent[inboxSeen...] {
      let offset = bench.inboxOffsets[record.partition, default: 0]
      bench.inboxOffsets[record.partition] = offset + 1
      bench.append(
        record.topic, record.partition, offset, record.key, record.value, record.timestamp,
        record.headers.map { ($0.0, $0.1!) })
    }
    defer { inboxSeen = sent.count }
    return sent.count > inboxSeen
  }

  func settle() {
    bench.commit()
    while carryInbox() || table.hasPendingInbox { bench.commit() }
  }

  func replies(_ id: String) -> [String] {
    bench.sent.filter { $0.topic == bench.topics.replies && $0.key == id }.compactMap(\.value)
  }

  /// Answers counted, of one kind.
  func answered(_ result: String) -> Int {
    bench.metrics.value("belfry_commands_total", [("result", result)])
  }

  func grade(_ key: String) -> Int64? {
    if case .int(let grade)? = bench.value(key, "Grade") { return grade }
    return nil
  }

  /// A table restored from what this one has sent.
  func restored() -> Desk {
    let settings = table.settings
    let other = Desk(partitions: settings.partitions, serve: [], largeCommands: table.largeCommands) {
      $0 = settings
    }
    for shard in table.ledShards { other.table.addShard(shard) }
    func each(_ topic: String) {
      for record in bench.sent where record.topic == topic {
        other.bench.append(
          topic, record.partition, 0, record.key, record.value, record.timestamp,
          record.headers.map { ($0.0, $0.1!) })
      }
    }
    each(bench.topics.changelog)
    other.table.restore(other.bench.batch)
    other.bench.batch.removeAll()
    for shard in table.ledShards {
      other.table.startServing(
        shard, events: table.eventsPosition(shard)!, inbox: bench.inboxOffsets[shard, default: 0])
      other.bench.offsets[shard] = table.eventsPosition(shard)
      other.bench.inboxOffsets[shard] = bench.inboxOffsets[shard]
    }
    other.table.startCommands(at: other.table.commandsConsumedByChangelog ?? 0)
    other.commands = commands
    each(bench.topics.replies)
    other.table.restoreReplies(other.bench.batch)
    other.bench.batch.removeAll()
    return other
  }
}

@Suite struct CommandTests {
  private static let zero = ShardTests.keys(0)
  private static let one = ShardTests.keys(1)

  private static func desk(_ change: (inout TableSettings) -> Void = { _ in }) -> Desk {
    let desk = Desk(change)
    for n in 0..<3 {
      desk.event(zero[n], severity: n, shard: 0)
      desk.event(one[n], severity: n, shard: 1)
    }
    desk.bench.commit()
    return desk
  }

  @Test func `a command goes to all shards and is answered when all have`() {
    let desk = Self.desk()
    desk.command("c/1", "\"raise 2 7\"")
    let positions = desk.bench.commit()
    #expect(positions[TopicPartition("belfry.commands", 0)] == 1)
    #expect(desk.bench.lastInbox.map(\.partition) == [0, 1])
    for copy in desk.bench.lastInbox {
      #expect(copy.header("belfry-kind") == "command")
      #expect(copy.key == "c/1")
      #expect(copy.value == #"{"sql":"raise 2 7"}"#)
    }
    #expect(
      desk.replies("c/1") == [
        #"{"client":"c","status":"running","rows":0,"positions":{},"awaited":[0,1],"command":"raise 2 7"}"#
      ])
    #expect(desk.bench.metrics.value("belfry_commands_pending") == 1)
    #expect(desk.carryInbox())
    desk.bench.commit()
    #expect(desk.bench.lastChanges.map(\.key) == [Self.zero[2], Self.one[2]])
    #expect(desk.bench.lastChanges.map { $0.header("belfry-before") } == [#"{"Grade":0}"#, #"{"Grade":0}"#])
    #expect(desk.bench.lastInbox.map { $0.header("belfry-kind") } == ["answer", "answer"])
    #expect(desk.bench.lastInbox.map(\.value) == [0, 1].map { #"{"shard":\#($0),"rows":1,"change":4}"# })
    desk.settle()
    #expect(
      desk.replies("c/1").last == #"{"client":"c","status":"done","rows":2,"positions":{"0":4,"1":4}}"#)
    #expect(desk.answered("done") == 1)
    #expect(desk.bench.metrics.value("belfry_command_rows_total") == 2)
    #expect(desk.bench.metrics.value("belfry_commands_pending") == 0)
  }

  @Test func `a command is done when all before it are answered, also where it ran before a restart`() {
    let desk = Self.desk()
    desk.command(nil, "no change")
    #expect(desk.table.commandsDone == 0)
    desk.bench.commit()
    #expect(desk.table.commandsDone == 1, "what is no change is over when it is read")
    desk.command("c/1", "\"raise 2 7\"")
    desk.bench.apply()
    #expect(desk.table.commandsDone == 1)
    desk.bench.commit()
    desk.run("c/2", "key \(Self.zero[0])")
    #expect(desk.table.commandsDone == 3)
    desk.command("c/3", "\"raise 2 7\"")
    desk.bench.commit()
    desk.command("c/4", "\"key nobody\"")
    desk.bench.commit()
    #expect(desk.table.commandsDone == 3, "the first of those that run")
    let restored = desk.restored()
    #expect(restored.table.commandsDone == 0, "where it lies is not known any more")
    desk.settle()
    #expect(desk.table.commandsDone == 5)
    #expect(desk.restored().table.commandsDone == desk.table.commandsCommitted)
  }

  @Test func `what comes again is answered again and done once, running or done`() {
    let desk = Self.desk()
    desk.command("c/1", "\"raise 2 7\"")
    desk.command("c/1", "\"raise 2 7\"")
    desk.bench.commit()
    #expect(desk.bench.lastInbox.count == 2)
    desk.command("c/1", "\"raise 2 7\"")
    desk.bench.commit()
    #expect(desk.bench.lastInbox.isEmpty)
    #expect(desk.replies("c/1").count == 2)
    desk.settle()
    let done = desk.replies("c/1").last
    desk.run("c/1", "delete 2")
    #expect(desk.replies("c/1").last == done)
    #expect(desk.grade(Self.zero[2]) == 7)
    #expect(desk.answered("done") == 1)
    #expect(desk.answered("repeated") == 2, "the other command is refused")
  }

  @Test func `what is aborted leaves nothing behind and is done again`() {
    let desk = Self.desk()
    let strings = desk.table.strings.bytesHeld
    desk.command("c/1", "\"rename new\"")
    desk.bench.apply()
    desk.table.beginCommands(now: desk.bench.now)
    _ = desk.table.finish()
    let positions = desk.table.aborted()
    #expect(positions[TopicPartition("belfry.commands", 0)] == 0)
    #expect(desk.table.commandCounts.pending.value == 1, "as it was last told")
    desk.bench.append(desk.bench.topics.commands, 0, 0, "c/1", "\"rename new\"", nil, [])
    desk.bench.commit()
    #expect(desk.replies("c/1").count == 1)
    _ = desk.carryInbox()
    let copies = RecordBatch()
    for record in desk.bench.batch.records {
      copies.append(
        copyOf: record, in: desk.bench.batch, topic: copies.index(ofTopic: desk.bench.topics.inbox),
        partition: record.partition)
    }
    desk.bench.apply()
    desk.table.applyPendingClears { _ in 3 }
    #expect(desk.table.hasOpenChanges)
    desk.table.aborted()
    #expect(desk.table.strings.bytesHeld == strings)
    #expect(desk.bench.value(Self.zero[0], "Summary") == .string(""))
    for (offset, record) in copies.records.enumerated() {
      desk.bench.append(
        desk.bench.topics.inbox, record.partition, 0, copies.keyText(record), copies.valueText(record), nil,
        [("belfry-kind", "command")])
      #expect(offset < 2)
    }
    desk.settle()
    #expect(desk.bench.value(Self.zero[0], "Summary") == .string("new"))
    #expect(desk.replies("c/1").last == #"{"client":"c","status":"done","rows":6,"positions":{"0":6,"1":6}}"#)
  }

  @Test func `a command waits until the events that were there when its copy was read are applied`() {
    let desk = Self.desk()
    desk.command("c/1", "\"delete 5\"")
    desk.bench.commit()
    _ = desk.carryInbox()
    desk.bench.commit { $0 == 0 ? 4 : 3 }
    #expect(desk.table.hasPendingInbox)
    desk.event(Self.zero[9], severity: 5, shard: 0)
    desk.bench.commit { _ in 0 }
    #expect(!desk.table.hasPendingInbox)
    #expect(desk.bench.value(Self.zero[9], "Severity") == nil)
    desk.settle()
    #expect(desk.replies("c/1").last == #"{"client":"c","status":"done","rows":1,"positions":{"0":5}}"#)
  }

  @Test func `a command that names its row goes to its shard alone, and is done where there is none`() {
    let desk = Self.desk()
    desk.run("c/1", "key \(Self.one[0])")
    #expect(desk.grade(Self.one[0]) == 1)
    #expect(desk.replies("c/1").last == #"{"client":"c","status":"done","rows":1,"positions":{"1":4}}"#)
    #expect(
      desk.bench.sent.filter { $0.header("belfry-kind") == "command" && $0.topic == "belfry.inbox" }.count
        == 1)
    desk.run("c/2", "key nobody")
    #expect(desk.replies("c/2").last == #"{"client":"c","status":"done","rows":0,"positions":{}}"#)
  }

  @Test func `rows that are inserted are events: new, duplicates and resolutions, each in its shard`() {
    let desk = Self.desk()
    desk.bench.add(PairingTests.problem(Self.one[5]), on: 1)
    desk.insert(
      "c/1", #"{"Identifier":"\#(Self.zero[0])","Severity":4}"#, #"{"Identifier":"\#(Self.one[0])"}"#,
      #"{"Identifier":"\#(Self.zero[0])","Summary":"twice"}"#, PairingTests.resolution(Self.zero[7]))
    #expect(desk.bench.value(Self.zero[0], "Tally") == .int(3))
    #expect(desk.bench.value(Self.zero[0], "Severity") == .int(4))
    #expect(desk.bench.value(Self.zero[0], "Summary") == .string("twice"))
    #expect(desk.bench.value(Self.one[0], "Tally") == .int(2))
    #expect(desk.bench.value(Self.one[5], "Severity") == .int(0), "cleared")
    #expect(desk.replies("c/1").last?.contains(#""status":"done","rows":4"#) == true)
  }

  @Test func `what a shard cannot hold is not done there, and said`() {
    let desk = Self.desk {
      $0.changeBytesMax = 1_000
      $0.rowsMax = 7
    }
    let strings = desk.table.strings.bytesHeld
    let long = String(repeating: "x", count: 1_000)
    desk.run("c/1", "rename \(long)")
    let reply = try! JSON(parsing: desk.replies("c/1").last!)
    #expect(reply["status"]?.string == "failed")
    #expect(reply["rows"]?.int == 0)
    #expect(reply["error"]?["code"]?.string == "row_oversize")
    #expect(reply["error"]?["message"]?.string?.hasPrefix("shard 0, where nothing was changed: ") == true)
    desk.insert("c/2", #"{"Identifier":"\#(Self.zero[5])"}"#, #"{"Identifier":"\#(Self.zero[6])"}"#)
    #expect(desk.replies("c/2").last?.contains("table_full") == true)
    desk.insert(
      "c/3", #"{"Identifier":"\#(Self.zero[0])"}"#, #"{"Identifier":"\#(Self.zero[1])","Summary":"\#(long)"}"#
    )
    #expect(desk.replies("c/3").last?.contains("row_oversize") == true)
    #expect(desk.bench.value(Self.zero[0], "Tally") == .int(1), "as a whole or not at all")
    #expect(desk.table.strings.bytesHeld == strings)
    #expect(desk.answered("failed") == 3)
  }

  @Test func `a command whose changes fit in no transaction changes nothing`() {
    let desk = Self.desk { $0.commandBytesMax = 1_000 }
    desk.run("c/1", "rename new")
    #expect(desk.replies("c/1").last?.contains(#""code":"limit""#) == true)
    #expect(desk.bench.value(Self.zero[0], "Summary") == .string(""))
    desk.run("c/2", "delete 1")
    #expect(desk.replies("c/2").last?.contains(#""status":"done","rows":2"#) == true)
  }

  @Test func `a large command whose transactions are aborted again and again is given up`() {
    var desk = Self.desk {
      $0.commandsOpenBytesMax = 500
      $0.commandAttemptsMax = 3
    }
    desk.command("c/1", "\"rename new\"")
    desk.bench.commit()
    let copies = desk.bench.lastInbox
    for attempt in 1...4 {
      for (shard, copy) in copies.enumerated() {
        desk.bench.append(
          copy.topic, Int32(shard), 0, copy.key, copy.value, copy.timestamp, [("belfry-kind", "command")])
      }
      desk.bench.apply()
      desk.table.applyPendingClears { _ in 3 }
      if attempt < 4 { desk.table.aborted() }
      if attempt == 2 { desk = desk.restored() }  // the last of them ended the table
    }
    desk.bench.commit()
    #expect(desk.bench.value(Self.zero[0], "Summary") == .string(""))
    #expect(desk.bench.value(Self.one[0], "Summary") == .string("new"), "never tried before")
    #expect(desk.bench.lastInbox[0].value?.contains("did not take its changes in 3 attempts") == true)
  }

  @Test func `a command's trace goes with it to the changes`() {
    let desk = Self.desk()
    desk.bench.append(
      desk.bench.topics.commands, 0, 0, "c/1", "\"key \(Self.zero[0])\"", nil, [("traceparent", "00-7")])
    desk.settle()
    let traced = desk.bench.sent.filter { $0.header("traceparent") == "00-7" }
    #expect(traced.map(\.topic) == [desk.bench.topics.inbox, desk.bench.topics.changelog])
  }

  @Test func `one transaction begins and applies only so much`() {
    let desk = Self.desk {
      $0.commandRowsLookedAtMax = 1
      $0.commandsRunningMax = 2
    }
    for n in 1...4 { desk.command("c/\(n)", "\"raise \(n % 3) 1\"") }
    desk.bench.commit()
    #expect(desk.replies("c/2").count == 1)
    #expect(desk.replies("c/3").isEmpty)
    #expect(desk.table.commandsToPause == [TopicPartition("belfry.commands", 0)])
    _ = desk.carryInbox()
    desk.bench.commit()
    #expect(desk.bench.lastInbox.count == 1, "one copy, one answer")
    desk.settle()
    for n in 1...4 { #expect(desk.replies("c/\(n)").last?.contains(#""done","rows":2"#) == true) }
    #expect(desk.table.commandsToPause == [])
  }

  @Test func `commands whose names are not known yet wait, and those behind them`() {
    let desk = Self.desk()
    desk.language.early = 1
    desk.command("c/1", "\"raise 1 1\"")
    desk.command("c/2", "\"raise 1 1\"")
    desk.command("c/3", "\"raise 1 1\"")
    let positions = desk.bench.commit()
    #expect(positions[TopicPartition("belfry.commands", 0)] == 1)
    #expect(desk.bench.metrics.value("belfry_commands_pending") == 3)
    desk.language.early = .max
    desk.settle()
    #expect(desk.grade(Self.zero[1]) == 3)
  }

  @Test func `what is none of the table's is passed over, what is wrong is refused`() {
    let desk = Self.desk()
    desk.command(nil, "\"delete 1\"")
    desk.command("c/1", "{")
    desk.command("c/2", "\"what\"")
    desk.insert("c/3", #"{"Identifier":""}"#)
    #expect(desk.replies("c/1").isEmpty)
    #expect(desk.replies("c/2") == [#"{"client":"c","status":"rejected","error":{"code":"syntax"}}"#])
    #expect(desk.replies("c/3").last?.contains("key_missing") == true)
    #expect(desk.answered("rejected") == 2)
    #expect(desk.table.rowCount == 6)
  }

  @Test(arguments: [
    ("command", "{", "c/1"), ("command", #"{"sql":"delete 1"}"#, nil), ("answer", "{}", "c/1"),
    ("answer", #"{"shard":0,"rows":1,"change":1}"#, "c/1"),
    ("answer", #"{"shard":0,"rows":-1,"change":1}"#, "c/1"),
    ("answer", #"{"shard":0,"rows":1,"change":1}"#, nil),
  ])
  func `an inbox record that is no command or answer is a dead letter`(
    kind: String, value: String, id: String?
  ) {
    let desk = Self.desk()
    desk.bench.append(desk.bench.topics.inbox, 0, 0, id, value, nil, [("belfry-kind", kind)])
    desk.bench.commit()
    #expect(desk.bench.lastDead.map { $0.header("belfry.error.code") } == ["inbox"])
    #expect(desk.table.rowCount == 6)
  }

  @Test func `a copy that this member cannot read is answered`() {
    let desk = Self.desk()
    desk.bench.append(
      desk.bench.topics.inbox, 1, 0, "c/1", #"{"sql":"what"}"#, nil, [("belfry-kind", "command")])
    desk.bench.commit()
    #expect(desk.bench.lastInbox.first?.value?.contains("unsupported") == true)
  }

  @Test func `what runs and what was answered outlives a restart`() {
    let desk = Self.desk()
    desk.run("c/1", "raise 1 1")
    desk.command("c/2", "\"raise 2 1\"")
    desk.bench.commit()
    let other = desk.restored()
    #expect(other.table.commandsConsumedByChangelog == 1)
    #expect(other.bench.metrics.value("belfry_commands_pending") == 1)
    // The offset of the second command was committed with its copies, but in no change: it is read again.
    other.bench.append(other.bench.topics.commands, 0, 1, "c/2", "\"raise 2 1\"", nil, [])
    other.command("c/1", "\"raise 1 1\"")
    other.bench.commit()
    #expect(other.bench.lastInbox.isEmpty)
    #expect(other.replies("c/1") == [desk.replies("c/1").last!])
    #expect(other.replies("c/2") == [desk.replies("c/2").last!])
    for shard in Int32(0)..<2 {
      other.bench.append(
        other.bench.topics.inbox, shard, other.bench.inboxOffsets[shard]!, "c/2", #"{"sql":"raise 2 1"}"#,
        nil,
        [("belfry-kind", "command")])
      other.bench.inboxOffsets[shard]! += 1
    }
    other.settle()
    #expect(
      other.replies("c/2").last == #"{"client":"c","status":"done","rows":2,"positions":{"0":5,"1":5}}"#)
  }

  @Test func `answers of several members come one by one, each into the reply`() {
    let desk = Desk(partitions: 3, serve: [0])
    desk.command("c/1", "\"raise 1 1\"")
    desk.bench.commit()
    for (n, shard) in [2, 1].enumerated() {
      desk.bench.append(
        desk.bench.topics.inbox, 0, Int64(n), "c/1", #"{"shard":\#(shard),"rows":\#(n),"change":9}"#, nil,
        [("belfry-kind", "answer")])
      desk.bench.inboxOffsets[0] = Int64(n + 1)
      desk.bench.commit()
    }
    #expect(
      desk.replies("c/1").last
        == #"{"client":"c","status":"running","rows":1,"positions":{"1":9},"awaited":[0],"command":"raise 1 1"}"#
    )
    let other = desk.restored()
    other.bench.append(
      other.bench.topics.inbox, 0, 2, "c/1", #"{"shard":0,"rows":0,"change":0,"error":{"code":"x"}}"#, nil,
      [("belfry-kind", "answer")])
    other.bench.commit()
    #expect(
      other.replies("c/1")
        == [#"{"client":"c","status":"failed","rows":1,"positions":{"1":9},"error":{"code":"x"}}"#])
  }

  @Test func `answers are remembered up to a limit, the newest`() {
    let desk = Self.desk { $0.commandsRememberedMax = 2 }
    for n in 1...3 { desk.run("c/\(n)", "key \(Self.zero[0])") }
    desk.run("c/3", "key \(Self.zero[0])")
    #expect(desk.grade(Self.zero[0]) == 3)
    desk.run("c/1", "key \(Self.zero[0])")
    #expect(desk.grade(Self.zero[0]) == 4)
    let few = Self.desk { $0.commandBytesRememberedMax = 100 }
    for n in 1...3 { few.run("c/\(n)", "key \(Self.zero[0])") }
    few.run("c/1", "key \(Self.zero[0])")
    #expect(few.grade(Self.zero[0]) == 4)
  }

  @Test func `another command under a used id is refused, and the id's own answer stays its last`() {
    let desk = Self.desk()
    desk.run("c/1", "raise 2 1")
    let done = desk.replies("c/1").last
    func refuse(_ desk: Desk) {
      let before = desk.replies("c/1").count
      desk.run("c/1", "raise 2 5")
      let replies = desk.replies("c/1").dropFirst(before)
      #expect(replies.count == 2 && replies.last == done)
      #expect(replies.first?.contains(#""client":"c","status":"rejected","error":{"code":"id""#) == true)
      desk.run("c/1", "raise 2 1")
      #expect(desk.replies("c/1").last == done)
      #expect(desk.grade(Self.zero[2]) == 1 && desk.grade(Self.one[2]) == 1)
    }
    refuse(desk)
    refuse(desk.restored())
  }

  @Test func `another command under the id of one that runs is refused, and that is answered`() {
    let desk = Self.desk()
    desk.command("c/1", "\"raise 2 1\"")
    desk.bench.commit()
    desk.run("c/1", "raise 2 5")
    #expect(desk.replies("c/1").count { $0.contains(#""code":"id""#) } == 1)
    #expect(desk.replies("c/1").last?.contains(#""status":"done","rows":2"#) == true)
    #expect(desk.grade(Self.zero[2]) == 1)
  }

  @Test func `a rejected id is free for another command, and the rejected one is never done`() {
    let desk = Self.desk()
    desk.run("c/1", "nonsense")
    let rejected = desk.replies("c/1").last
    desk.run("c/1", "nonsense")
    #expect(desk.replies("c/1") == [rejected, rejected])
    for desk in [desk.restored(), desk] {
      desk.run("c/1", "raise 2 1")
      let done = desk.replies("c/1").last
      #expect(done?.contains(#""status":"done""#) == true)
      for desk in [desk, desk.restored()] {
        desk.run("c/1", "nonsense")
        #expect(desk.replies("c/1").suffix(2).first?.contains(#""code":"id""#) == true)
        #expect(desk.replies("c/1").last == done)
        desk.run("c/1", "raise 2 1")
        #expect(desk.grade(Self.zero[2]) == 1)
      }
    }
  }

  @Test func `answers of a version that did not say what they are for are given to any command`() {
    let desk = Desk()
    desk.bench.append(
      desk.bench.topics.replies, 0, 0, "c/1", #"{"status":"done"}"#, nil, [("belfry-kind", "command")])
    desk.table.restoreReplies(desk.bench.batch)
    desk.bench.batch.removeAll()
    desk.run("c/1", "raise 2 1")
    #expect(desk.replies("c/1") == [#"{"status":"done"}"#])
  }

  @Test func `others' replies on the topic are passed over when it is restored`() {
    let desk = Desk()
    for value in [#"{"status":"active"}"#, "{", #"{"status":"running"}"#] {
      for kind in ["command", "x"] {
        desk.bench.append(desk.bench.topics.replies, 0, 0, value, value, nil, [("belfry-kind", kind)])
      }
      desk.bench.append(desk.bench.topics.replies, 0, 0, value, nil, nil, [("belfry-kind", "command")])
    }
    desk.table.restoreReplies(desk.bench.batch)
    desk.bench.batch.removeAll()
    #expect(desk.table.desk?.runningCount == 0)
    desk.run("{", "raise 1 1")
    #expect(desk.replies("{").last?.contains("done") == true)
  }

  @Test func `a member without shard 0 applies copies and reads no commands`() {
    let desk = Desk(partitions: 2, serve: [1])
    desk.event(Self.one[0], severity: 2, shard: 1)
    desk.command("c/1", "\"raise 2 1\"")
    let positions = desk.bench.commit()
    #expect(positions[TopicPartition("belfry.commands", 0)] == nil)
    desk.bench.append(
      desk.bench.topics.inbox, 1, 0, "c/1", #"{"sql":"raise 2 1"}"#, nil, [("belfry-kind", "command")])
    desk.bench.commit()
    #expect(desk.bench.lastInbox.map(\.partition) == [0])
    #expect(desk.bench.lastInbox.first?.value == #"{"shard":1,"rows":1,"change":2}"#)
  }
}
