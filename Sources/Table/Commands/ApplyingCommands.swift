import Base
import Bus
import Events

// A shard's copy of a command: applied as a whole or not at all, as ordinary changes of rows, and answered.
extension EventTable {
  /// Another command must wait for the next transaction: this one has much to send for commands, or has looked
  /// at many rows. What events have made of it does not count, or else commands could wait for ever.
  var isBusy: Bool {
    openCommandBytes >= settings.commandsOpenBytesMax || openRowsLookedAt >= settings.commandRowsLookedAtMax
  }

  /// Applies a copy; a refusal where it can not even be answered.
  func applyCommand(_ record: RecordBatch.Record, _ batch: RecordBatch, _ shard: Shard) -> Refusal? {
    guard let id = batch.key(record), let value = batch.value(record), let copy = try? JSON(parsing: value)
    else { return Refusal(.inbox, "a command without id or content") }
    let trace = batch.header(record, ChangeHeader.trace)
    let bytes = openBytes
    let outcome: Result<Int, CommandFault> =
      if largeCommands.isGivenUp(shard.number, record.offset, settings) {
        .failure(
          CommandFault(
            "limit", "the brokers did not take its changes in \(settings.commandAttemptsMax) attempts"))
      } else if let rows = copy["insert"]?.array {
        insert(rows.map { Array($0.text.utf8) }, shard, record.timestamp, trace)
      } else if let change = copy["sql"]?.string.flatMap(compiled) {
        self.change(change, shard, trace)
      } else {
        .failure(CommandFault("unsupported", "this member cannot read the change"))
      }
    answer(id, shard, outcome)
    openCommandBytes += openBytes - bytes
    if openBytes - bytes >= settings.commandsOpenBytesMax {
      largeCommands.applied(shard.number, record.offset)
    }
    return nil
  }

  /// The shards of one member get the same text one after the other.
  private func compiled(_ text: String) -> (any RowChange)? {
    if let lastCompiled, lastCompiled.text == text { return lastCompiled.change }
    guard let change = language?.compile(text) else { return nil }
    lastCompiled = (text, change)
    return change
  }

  private func answer(_ id: UnsafeRawBufferPointer, _ shard: Shard, _ outcome: Result<Int, CommandFault>) {
    var rows = 0
    var error: JSON?
    switch outcome {
    case .success(let count): rows = count
    case .failure(let fault): error = fault.json(shard: shard.number)
    }
    let answer = CommandAnswer(
      shard: shard.number, rows: Int64(rows), change: shard.state.change, error: error)
    commandCounts.openRows += rows
    var text = answer.json.text
    text.withUTF8 { text in
      out.append(
        topic: out.index(ofTopic: topics.inbox), partition: 0, timestamp: now, key: id,
        value: UnsafeRawBufferPointer(text))
    }
    out.appendHeader(ChangeHeader.kind, InboxKind.answer.bytes)
  }

  // MARK: UPDATE and DELETE

  /// Measures first and changes then, since what is half done could not be undone alone.
  private func change(_ change: any RowChange, _ shard: Shard, _ trace: UnsafeRawBufferPointer?)
    -> Result<Int, CommandFault>
  {
    let slots = matches(of: change, shard)
    if !change.isDeletion, !slots.isEmpty, let full = full(for: 0) { return .failure(CommandFault(full)) }
    var bytes = 0
    for slot in slots {
      let size = change.isDeletion ? measureDeletion(slot) : measure(change, slot)
      if !change.isDeletion, size > settings.changeBytesMax { return .failure(oversize(slot, size)) }
      bytes += size
      if bytes > settings.commandBytesMax { return .failure(tooManyBytes) }
    }
    for slot in slots {
      if change.isDeletion {
        delete(slot, cells(slot), shard, trace: trace)
      } else {
        let row = prepare(change, slot)
        if changedCount > 0 { _ = install(slot, shard, over: row, trace: trace) }
      }
    }
    return .success(slots.count)
  }

  /// The rows of a shard that a change is for, by their keys or by a look at all.
  private func matches(of change: any RowChange, _ shard: Shard) -> [RowStore.Slot] {
    func isOurs(_ slot: RowStore.Slot) -> Bool {
      slots[Int(slot)].isLive && Int32(slots[Int(slot)].shard) == shard.number
    }
    if let keys = change.keys {
      openRowsLookedAt += keys.count
      var found = keys.compactMap { key in key.withUnsafeBytes { slot(ofKey: $0) } }.filter(isOurs)
      change.keepMatches(&found, strings) { give($0) }
      return found
    }
    openRowsLookedAt += Int(packed.slotLimit)
    var found: [RowStore.Slot] = []
    var some: [RowStore.Slot] = []
    for start in stride(from: 0, to: packed.slotLimit, by: Self.slotsAtOnce) {
      some.removeAll(keepingCapacity: true)
      for slot in start..<min(packed.slotLimit, start + UInt32(Self.slotsAtOnce)) where isOurs(slot) {
        some.append(slot)
      }
      change.keepMatches(&some, strings) { give($0) }
      found += some
    }
    return found
  }

  /// Rows that are given to the filter together: a list of this many stays in the fastest memory.
  private static let slotsAtOnce = 1024

  /// Makes `next` what the row becomes, with a share of each string that is not the row's, and lists the columns;
  /// gives the row as it is.
  private func prepare(_ change: any RowChange, _ slot: RowStore.Slot) -> Row {
    let row = cells(slot)
    next.update(from: row, count: rows.width)
    change.assign(row, to: next, strings)
    collectChanges(row)
    return row
  }

  private func measure(_ change: any RowChange, _ slot: RowStore.Slot) -> Int {
    let row = prepare(change, slot)
    return changedCount == 0 ? 0 : measureNext(slot, over: row)
  }

  private func oversize(_ slot: RowStore.Slot, _ size: Int) -> CommandFault {
    let key = strings.string(slots[Int(slot)].key)
    let name = key.count <= 64 ? key : key.prefix(64) + "…"
    return CommandFault(
      Refusal.Code.rowOversize.rawValue,
      "the change of row \(name) would take \(size) bytes, at most \(settings.changeBytesMax) are sent")
  }

  private var tooManyBytes: CommandFault {
    CommandFault(
      "limit",
      "the changed rows take more than \(settings.commandBytesMax) bytes, so that they fit in no transaction; "
        + "narrow the WHERE")
  }

  // MARK: INSERT

  /// Each row is an event: new, or a duplicate.
  private func insert(
    _ events: [[UInt8]], _ shard: Shard, _ time: Timestamp, _ trace: UnsafeRawBufferPointer?
  ) -> Result<Int, CommandFault> {
    var bytes = 0
    var newRows = 0
    for event in events {
      switch event.withUnsafeBytes({ measureInsert($0, shard) }) {
      case .failure(let fault): return .failure(fault)
      case .success(nil): newRows += 1
      case .success(let size?): bytes += size
      }
      if bytes > settings.commandBytesMax { return .failure(tooManyBytes) }
    }
    if let full = full(for: newRows) { return .failure(CommandFault(full)) }
    for event in events {
      _ = event.withUnsafeBytes { decoder.decode($0) }
      keyBytes.removeAll()
      decoder.writeKey(to: &keyBytes)
      // Measured above; two rows of one key may together grow a little past the limit of one change, and
      // the topic takes that.
      _ = applyDecoded(shard, recordTime: time, trace: trace, limit: .max)
    }
    return .success(events.count)
  }

  /// The bytes of the change that an event would be; nil for a new row, which is never larger than what one SQL
  /// text can say.
  private func measureInsert(_ event: UnsafeRawBufferPointer, _ shard: Shard) -> Result<Int?, CommandFault> {
    if case .refused(let refusal) = decoder.decode(event) { return .failure(CommandFault(refusal)) }
    keyBytes.removeAll()
    decoder.writeKey(to: &keyBytes)
    guard partition(ofKey: keyBytes.bytes, count: settings.partitions) == shard.number else {
      return .failure(CommandFault(Refusal.Code.inbox.rawValue, "a row of another shard"))
    }
    guard let slot = slot(ofKey: keyBytes.bytes) else { return .success(nil) }
    let row = cells(slot)
    _ = prepareDuplicate(row, shard)
    let size = changedCount == 0 ? 0 : measureNext(slot, over: row)
    return size > settings.changeBytesMax ? .failure(oversize(slot, size)) : .success(size)
  }
}
