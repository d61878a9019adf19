import Base
import Bus
import Events

// Changes by clients (docs/bus-contract.md) at shard 0, where the commands topic is read: each is checked, and its
// shards get a copy by the inbox; their answers come back the same way. Replies say what is known, in the same
// transactions, and are what this is restored from.
extension EventTable {
  /// The commands topic is to be subscribed to; who leads shard 0 is given it.
  public var readsCommands: Bool { language != nil }

  /// The next offset of the commands to be read; nil where they are not read.
  public var commandsPosition: Int64? { desk?.read }

  /// Shard 0 is served and reads commands from this offset on. `isNew`: no transaction has had it.
  public func startCommands(at position: Int64, isNew: Bool = false) {
    let shard = shard(0)!
    precondition(language != nil && desk == nil)
    shard.state.commands = position
    shard.committed.commands = position
    desk = CommandDesk(read: position, isUntold: isNew)
  }

  /// All commands before this one have begun, in committed transactions; nil where none are read.
  public var commandsCommitted: Int64? { desk == nil ? nil : shard(0)?.committed.commands }

  /// All commands before this one are answered, and what they did is in the table; nil where none are read. To be asked
  /// where no work is open.
  public var commandsDone: Int64? { desk.map { min($0.next, $0.firstUnderway ?? .max) } }

  /// Takes committed records of the replies topic, in order, after `startCommands`: what the commands before were
  /// answered, and how far those are that run. O(records).
  public func restoreReplies(_ batch: RecordBatch) {
    precondition(!hasOpenChanges)
    let replies = batch.index(ofTopic: topics.replies)
    for record in batch.records where record.topic == replies {
      guard InboxKind(batch.header(record, ChangeHeader.kind)) == .command, let id = batch.key(record),
        let state = batch.value(record).flatMap({
          let content = batch.headerText(record, ChangeHeader.command)
          return CommandState(reply: $0, content: content.flatMap { CommandID.Content($0, radix: 16) })
        })
      else { continue }
      desk!.restore(Array(id), state)
    }
    desk!.settle(settings)
    reportPending()
  }

  /// Records of the inbox are gone that nobody has read. What runs may wait for one of them: it is answered as far as it
  /// is known. After `restoreReplies`.
  public func loseInbox() { desk?.lose() }

  func answerLost() {
    for id in desk?.lost ?? [] {
      guard case .running(var command)? = desk![id] else { continue }
      command.giveUp()
      keep(id, command)
    }
  }

  /// The commands partition, where so many wait or run that it must be paused.
  public var commandsToPause: [TopicPartition] {
    guard let desk, desk.pending.count > 0 else { return [] }
    return desk.runningCount >= settings.commandsRunningMax
      || desk.pending.count >= settings.pendingRecordsMax
      || desk.pending.byteCount >= settings.pendingBytesMax
      ? [TopicPartition(topics.commands, 0)] : []
  }

  func takeCommand(_ record: RecordBatch.Record, _ batch: RecordBatch) {
    guard let desk, record.partition == 0, record.offset >= desk.read else { return counts.skipped.add() }
    desk.read = record.offset + 1
    guard language!.isChange(key: batch.key(record), value: batch.value(record)) else { return }
    desk.pending.append(record, in: batch)
  }

  /// Begins the commands that were read, in their order, as far as the limits of a transaction allow. `now` is the
  /// clock's time, and what their NOW() means.
  public func beginCommands(now: Timestamp) {
    precondition(!isFinished)
    guard let desk, let language else { return }
    setNow(now)
    while !desk.pending.isEmpty, desk.runningCount < settings.commandsRunningMax, !isBusy {
      let record = desk.pending.first
      let bytes = out.byteCount
      guard begin(record, desk.pending.batch, desk, language) else { break }
      openCommandBytes += out.byteCount - bytes
      desk.pending.removeFirst()
    }
    shard(0)!.state.commands = desk.next
    reportPending()
  }

  /// False: it has to wait.
  private func begin(
    _ record: RecordBatch.Record, _ batch: RecordBatch, _ desk: CommandDesk, _ language: any CommandLanguage
  ) -> Bool {
    let (id, value) = (Array(batch.key(record)!), batch.value(record)!)
    let identity = language.identity(of: value)
    let content = identity.content
    // A rejected id is free for another command: nothing was done under it. The same one stays rejected, as was said.
    if let state = desk[id], !state.isRejected || !state.isOther(content) {
      answer(id, identity, again: state, desk)
      return true
    }
    switch language.read(value, offset: record.offset, now: now) {
    case .early: return false
    case .refused(let client, let error): refuse(id, client, content, error)
    case .insert(let client, let sql, let rows):
      switch shares(of: rows) {
      case .success(let shares):
        begin(id, RunningCommand(client: client, sql: sql, content: content), shares, record, batch)
      case .failure(let fault): refuse(id, client, content, fault.json())
      }
    case .change(let client, let sql, let text, let keys):
      let copy = JSON.object(of: ["sql": .string(text)]).text
      let all = Array(0..<Int32(settings.partitions))
      let shards = keys.map { keys in Set(keys.map(shard(ofKey:))).sorted() } ?? all
      let command = RunningCommand(client: client, sql: sql, content: content)
      begin(id, command, shards.map { ($0, copy) }, record, batch)
    }
    return true
  }

  private func shard(ofKey key: [UInt8]) -> Int32 {
    key.withUnsafeBytes { partition(ofKey: $0, count: settings.partitions) }
  }

  private func refuse(_ id: [UInt8], _ client: String?, _ content: CommandID.Content, _ error: JSON) {
    let reply = Self.rejection(client, error)
    desk!.set(id, .answered(AnsweredCommand(reply: reply, content: content, isRejected: true)))
    commandCounts.answered(.rejected)
  }

  private static func rejection(_ client: String?, _ error: JSON) -> [UInt8] {
    let reply = JSON.object(of: [
      "client": client.map { .string($0) }, "status": .string("rejected"), "error": error,
    ])
    return Array(reply.text.utf8)
  }

  /// A record under an id that was used: it gets the reply that the id has by now, unless it is another command.
  private func answer(_ id: [UInt8], _ asked: CommandID, again state: CommandState, _ desk: CommandDesk) {
    if !state.isOther(asked.content) {
      desk.set(id, state)
      return commandCounts.answered(.repeated)
    }
    let fault = CommandFault("id", "the id stands for another command: choose one of its own")
    desk.refuse(id, Self.rejection(asked.client, fault.json()), state: state)
    commandCounts.answered(.rejected)
  }

  /// The copies of an INSERT: to each shard the rows whose keys are its own.
  private func shares(of rows: [JSON]) -> Result<[(shard: Int32, copy: String)], CommandFault> {
    var shares: [Int32: [JSON]] = [:]
    for row in rows {
      if case .refused(let refusal) = Array(row.text.utf8).withUnsafeBytes({ decoder.decode($0) }) {
        return .failure(CommandFault(refusal))
      }
      keyBytes.removeAll()
      decoder.writeKey(to: &keyBytes)
      shares[partition(ofKey: keyBytes.bytes, count: settings.partitions), default: []].append(row)
    }
    let copies = shares.sorted { $0.key < $1.key }.map { shard, rows in
      (shard, JSON.object(of: ["insert": .array(rows)]).text)
    }
    if copies.contains(where: { $0.1.utf8.count > settings.commandCopyBytesMax }) {
      return .failure(
        CommandFault("limit", "the rows take more than \(settings.commandCopyBytesMax) bytes: INSERT fewer"))
    }
    return .success(copies)
  }

  private func begin(
    _ id: [UInt8], _ command: RunningCommand, _ copies: [(shard: Int32, copy: String)],
    _ record: RecordBatch.Record, _ batch: RecordBatch
  ) {
    var command = command
    command.awaited = copies.map(\.shard)
    for (shard, copy) in copies {
      var copy = copy
      copy.withUTF8 { copy in
        id.withUnsafeBytes { id in
          out.append(
            topic: out.index(ofTopic: topics.inbox), partition: shard, timestamp: now, key: id,
            value: UnsafeRawBufferPointer(copy))
        }
      }
      if let trace = batch.header(record, ChangeHeader.trace) { out.appendHeader(ChangeHeader.trace, trace) }
      out.appendHeader(ChangeHeader.kind, InboxKind.command.bytes)
    }
    desk!.begin(id, at: record.offset)
    keep(id, command)
  }

  private func keep(_ id: [UInt8], _ command: RunningCommand) {
    if !command.awaited.isEmpty { return desk!.set(id, .running(command)) }
    let reply = Array(command.reply.text.utf8)
    desk!.set(id, .answered(AnsweredCommand(reply: reply, content: command.content, isRejected: false)))
    commandCounts.answered(command.error == nil ? .done : .failed)
  }

  /// A shard's answer; a refusal where none is awaited from it.
  func takeAnswer(_ record: RecordBatch.Record, _ batch: RecordBatch, _ shard: Shard) -> Refusal? {
    guard let desk, shard.number == 0 else { return Refusal(.inbox, "an answer where no commands are read") }
    guard let id = batch.key(record).map({ Array($0) }), let answer = CommandAnswer(batch.value(record))
    else {
      return Refusal(.inbox, "an answer that cannot be read")
    }
    guard case .running(var command)? = desk[id], command.take(answer) else {
      return Refusal(.inbox, "an answer to a command that does not wait for it")
    }
    keep(id, command)
    return nil
  }

  /// The replies of the open transaction.
  func sendReplies() {
    desk?.forEachReply { id, reply, state in
      id.withUnsafeBytes { id in
        reply.withUnsafeBytes { reply in
          out.append(
            topic: out.index(ofTopic: topics.replies), partition: 0, timestamp: now, key: id, value: reply)
        }
      }
      guard let state else { return }
      out.appendHeader(ChangeHeader.kind, InboxKind.command.bytes)
      if let content = state.content {
        Array(String(content, radix: 16).utf8).withUnsafeBytes { out.appendHeader(ChangeHeader.command, $0) }
      }
    }
  }

  func reportPending() {
    if let desk { commandCounts.pending.set(desk.runningCount + desk.pending.count) }
  }
}
