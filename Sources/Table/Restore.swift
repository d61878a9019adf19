import Base
import Bus
import Events

// A shard's rows come from its changelog before it serves.
extension EventTable {
  /// Begins a shard, without rows.
  public func addShard(_ shard: Int32) {
    precondition(shard >= 0 && Int(shard) < shards.count && shards[Int(shard)] == nil)
    let made = Shard(shard)
    shards[Int(shard)] = made
    let at = led.firstIndex { $0.number > shard } ?? led.endIndex
    led.insert(made, at: at)
  }

  /// Takes committed changelog records of shards that were added and do not serve yet, in order; others are
  /// skipped. A record that cannot be read is counted and logged, and its row is as it was before. Restored
  /// rows are not given to `drain`: `forEachRow` shows them. O(records).
  public func restore(_ batch: RecordBatch) {
    precondition(!hasOpenChanges)
    let changelog = batch.index(ofTopic: topics.changelog)
    let records = batch.records
    for ahead in 0..<records.count + DecoderRing.ahead {
      if ahead < records.count, records[ahead].topic == changelog {
        restoreDecoders.decode(ahead, batch.value(records[ahead]))
      }
      let index = ahead - DecoderRing.ahead
      if index >= 0, records[index].topic == changelog {
        restore(records[index], batch, restoreDecoders[index])
      }
    }
    counts.rows.set(liveCount)
  }

  private func restore(_ record: RecordBatch.Record, _ batch: RecordBatch, _ decoder: EventDecoder) {
    guard let shard = shard(record.partition), !shard.isServing else { return }
    counts.restored.add()
    shard.state.time = max(shard.state.time, record.timestamp.milliseconds)
    if let change = batch.header(record, ChangeHeader.change) { readChange(change, record, shard) }
    if let consumed = batch.header(record, ChangeHeader.consumed) { readConsumed(consumed, shard) }
    restoreRow(record, batch, shard, decoder)
  }

  /// The positions that the shard's changelog told of, nil if it did not: a group's own offsets expire.
  public func consumedByChangelog(_ shard: Int32) -> (events: Int64, inbox: Int64)? {
    self.shard(shard)?.consumed
  }

  /// Where the commands were to be read on, as shard 0's changelog told.
  public var commandsConsumedByChangelog: Int64? { shard(0)?.commandsConsumed }

  /// The number of the shard's last change; 0 before the first.
  public func changeNumber(_ shard: Int32) -> Int64? { self.shard(shard)?.state.change }

  /// The shard is restored: it takes events and inbox records from these offsets on.
  public func startServing(_ shard: Int32, events: Int64, inbox: Int64) {
    let shard = self.shard(shard)!
    precondition(!shard.isServing)
    shard.isServing = true
    shard.state.events = events
    shard.state.inbox = inbox
    shard.inboxRead = inbox
    shard.committed = shard.state
  }

  private func restoreRow(
    _ record: RecordBatch.Record, _ batch: RecordBatch, _ shard: Shard, _ decoder: EventDecoder
  ) {
    guard let key = batch.key(record), key.count > 0 else {
      return skip(record, shard, "no key")
    }
    let known = strings.code(of: key).flatMap { knownSlot($0) }
    if batch.value(record) == nil {
      if let known { forgetRow(known, shard) }
      return
    }
    if case .refused(let refusal) = decoder.outcome { return skip(record, shard, refusal.description) }
    fillNext(from: decoder, recordTime: record.timestamp)
    if let known { dropRow(known, shard) }
    let slot = known ?? claimSlot(key: key, shard: shard)
    packed.write(slot, next)
    slots[Int(slot)].isLive = true
    liveCount += 1
    hook(slot, next, shard)
  }

  /// Takes a row away without a word.
  func dropRow(_ slot: RowStore.Slot, _ shard: Shard) {
    let row = cells(slot)
    unhook(slot, row, shard)
    rows.releaseStrings(row)
    packed.remove(slot)
    slots[Int(slot)].isLive = false
    liveCount -= 1
  }

  private func forgetRow(_ slot: RowStore.Slot, _ shard: Shard) {
    dropRow(slot, shard)
    freeSlot(slot)
  }

  private func skip(_ record: RecordBatch.Record, _ shard: Shard, _ reason: String) {
    counts.restoreErrors.add()
    log.warning(
      "a changelog record cannot be read", ("partition", String(shard.number)),
      ("offset", String(record.offset)), ("reason", reason))
  }

  private func readConsumed(_ text: UnsafeRawBufferPointer, _ shard: Shard) {
    guard let positions = try? JSON(parsing: text), let events = positions["events"]?.int,
      let inbox = positions["inbox"]?.int, events >= 0, inbox >= 0
    else { return }
    shard.consumed = (events, inbox)
    if let commands = positions["commands"]?.int, commands >= 0 { shard.commandsConsumed = commands }
  }

  /// A number that no shard can have counted up to is not believed: the next change could have none.
  private func readChange(_ text: UnsafeRawBufferPointer, _ record: RecordBatch.Record, _ shard: Shard) {
    let text = String(decoding: text, as: UTF8.self)
    guard let number = Int64(text), number.isCount else {
      return skip(record, shard, "a change cannot have the number \(text.prefix(20))")
    }
    shard.state.change = max(shard.state.change, number)
  }
}
