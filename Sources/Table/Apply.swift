import Base
import Bus
import Events

// Events become rows (docs/events.md).
extension EventTable {
  /// Takes records of the events, inbox and commands topics as they were polled, each partition in order. Records
  /// before a shard's position and those of other topics or of shards that are not served are counted and
  /// skipped. `now` is the clock's time.
  public func apply(_ batch: RecordBatch, now: Timestamp) {
    precondition(!isFinished)
    setNow(now)
    let events = batch.index(ofTopic: topics.events)
    let inbox = batch.index(ofTopic: topics.inbox)
    let commands = batch.index(ofTopic: topics.commands)
    for (index, record) in batch.records.enumerated() {
      fetchAhead(batch, index)
      guard let shard = shard(record.partition), shard.isServing else {
        counts.skipped.add()
        continue
      }
      if record.topic == events {
        guard record.offset >= shard.state.events else {
          counts.skipped.add()
          continue
        }
        shard.advanceTime(record: record.timestamp.milliseconds, now: now.milliseconds, horizon: horizon)
        applyEvent(record, batch, shard, isForwarded: false)
        shard.state.events = record.offset + 1
      } else if record.topic == inbox {
        applyInbox(record, batch, shard)
      } else if record.topic == commands {
        takeCommand(record, batch)
      } else {
        counts.skipped.add()
      }
    }
  }

  /// The next offset of the shard's events partition; nil where it is not led.
  public func eventsPosition(_ shard: Int32) -> Int64? { self.shard(shard)?.state.events }

  /// The shard's events partition has been read up to this offset although no record says so: behind the
  /// last record there can be a transaction's marker, aborted records, or nothing any more. Without this a
  /// clear that waits for that offset would wait for the next event.
  public func eventsReached(_ shard: Int32, offset: Int64) {
    precondition(!isFinished)
    guard let shard = self.shard(shard), shard.isServing else { return }
    shard.state.events = max(shard.state.events, offset)
  }

  func setNow(_ now: Timestamp) {
    self.now = now
    horizon = (now + settings.clockSkewMax).milliseconds
  }

  /// One event, of the events topic or forwarded by the inbox.
  func applyEvent(
    _ record: RecordBatch.Record, _ batch: RecordBatch, _ shard: Shard, isForwarded: Bool
  ) {
    counts.openEvents += 1
    if case .refused(let refusal) = decoder.decode(batch.value(record)) {
      return reject(record, batch, refusal, stage: "decode", isForwarded: isForwarded)
    }
    keyBytes.removeAll()
    decoder.writeKey(to: &keyBytes)
    let target = partition(ofKey: keyBytes.bytes, count: settings.partitions)
    if target != shard.number {
      return forward(record, batch, to: target, isForwarded: isForwarded)
    }
    let trace = batch.headerCount(record) == 0 ? nil : batch.header(record, ChangeHeader.trace)
    let refusal = applyDecoded(
      shard, recordTime: record.timestamp, trace: trace, limit: settings.changeBytesMax)
    if let refusal { reject(record, batch, refusal, stage: "apply", isForwarded: isForwarded) }
  }

  /// The event in the decoder, whose key is in `keyBytes` and is the shard's.
  @inline(__always)
  func applyDecoded(
    _ shard: Shard, recordTime: Timestamp, trace: UnsafeRawBufferPointer?, limit: Int
  ) -> Refusal? {
    let slot = strings.code(of: keyBytes.bytes).flatMap { knownSlot($0) }
    return if let slot, slots[Int(slot)].isLive {
      update(slot, shard, recordTime: recordTime, trace: trace, limit: limit)
    } else {
      insert(slot, shard, recordTime: recordTime, trace: trace, limit: limit)
    }
  }

  private func insert(
    _ known: RowStore.Slot?, _ shard: Shard, recordTime: Timestamp, trace: UnsafeRawBufferPointer?, limit: Int
  ) -> Refusal? {
    if let full = full(for: 1) { return full }
    fillNext(from: decoder, recordTime: recordTime)
    let isResolution = isResolution(of: nil)
    if isResolution { markResolved(shard) }
    changedCount = 0
    let slot = known ?? claimSlot(key: keyBytes.bytes, shard: shard)
    guard install(slot, shard, over: nil, trace: trace, limit: limit) else {
      if known == nil { freeSlot(slot) }
      return tooLarge
    }
    if isResolution { clearProblems(of: slot, shard, recordTime: recordTime) }
    return nil
  }

  private func update(
    _ slot: RowStore.Slot, _ shard: Shard, recordTime: Timestamp, trace: UnsafeRawBufferPointer?, limit: Int
  ) -> Refusal? {
    if let full = full(for: 0) { return full }
    let row = cells(slot)
    let isResolution = prepareDuplicate(row, shard)
    if changedCount > 0 {
      guard install(slot, shard, over: row, trace: trace, limit: limit) else { return tooLarge }
    }
    if isResolution { clearProblems(of: slot, shard, recordTime: recordTime) }
    return nil
  }

  /// Makes `next` what the event in the decoder makes of a row, and lists the columns that differ; true where
  /// the event is a resolution.
  @inline(__always)
  func prepareDuplicate(_ row: Row, _ shard: Shard) -> Bool {
    next.update(from: row, count: rows.width)
    for column in decoder.present { merge(column, row) }
    for column in roles.increments where !decoder.isPresent(column) { increment(column, row, nil) }
    let isResolution = isResolution(of: row)
    if isResolution { markResolved(shard) }
    collectChanges(row)
    return isResolution
  }

  /// Why so many rows cannot be added, or, if it is none, no row can be changed.
  func full(for newRows: Int) -> Refusal? {
    if newRows > 0, liveCount + newRows > settings.rowsMax {
      return Refusal(.tableFull, "the table has \(liveCount) rows, at most \(settings.rowsMax) are kept")
    }
    if strings.bytesHeld >= settings.textBytesMax || strings.isNearlyFull {
      return Refusal(
        .tableFull,
        "the table's texts take \(strings.bytesHeld) bytes, at most \(settings.textBytesMax) are kept, and fewer of"
          + " very long ones")
    }
    return nil
  }

  private var tooLarge: Refusal {
    Refusal(
      .rowOversize,
      "the change would take \(work.bytes.count) bytes, at most \(settings.changeBytesMax) are sent")
  }

  /// The whole new row in `next`, each string with a share.
  func fillNext(from decoder: EventDecoder, recordTime: Timestamp) {
    decoder.internStrings(strings)
    for column in 0..<rows.width {
      if decoder.isPresent(column) {
        next[column] = decoder.cell(column)
      } else if types[column] == .string {
        next[column] = defaultTexts[column].withUnsafeBytes { Cell(strings.intern($0)) }
      } else if takesRecordTime[column] {
        next[column] = Cell(int: max(recordTime.milliseconds, 0))
      } else {
        next[column] = defaultCells[column]
      }
    }
  }

  /// Applies a column's rule for duplicates to the event's value. A string that changes takes a share.
  @inline(__always)
  private func merge(_ column: Int, _ row: Row) {
    let rule = rules[column]
    if rule == .keep { return }
    if types[column] == .string { return mergeString(column, row, rule) }
    let old = row[column]
    let new = decoder.cell(column)
    switch rule {
    case .replace: next[column] = new
    case .keep: return
    case .increment: increment(column, row, new)
    case .latest, .max: if isLess(old, new, types[column]) { next[column] = new }
    case .min: if isLess(new, old, types[column]) { next[column] = new }
    }
  }

  private func mergeString(_ column: Int, _ row: Row, _ rule: DuplicateRule) {
    let order = compareBytes(decoder.string(column), strings.bytes(row[column].code))
    let isTaken =
      switch rule {
      case .replace: order != 0
      case .latest, .max: order > 0
      case .min: order < 0
      case .keep, .increment: false
      }
    if isTaken { next[column] = Cell(strings.intern(decoder.string(column))) }
  }

  /// Adds the event's value, or 1. Stops at the ends of the range.
  private func increment(_ column: Int, _ row: Row, _ by: Cell?) {
    switch types[column] {
    case .int, .time:
      let by = by?.int ?? 1
      let (sum, overflow) = row[column].int.addingReportingOverflow(by)
      next[column] = Cell(int: overflow ? (by < 0 ? .min : .max) : sum)
    case .real:
      let limit = Double.greatestFiniteMagnitude
      next[column] = Swift.min(Swift.max(row[column].real + (by?.real ?? 1), -limit), limit).bitPattern
    case .bool, .string: return
    }
  }

  @inline(__always)
  private func isLess(_ a: Cell, _ b: Cell, _ type: ColumnType) -> Bool {
    type == .real ? a.real < b.real : a.int < b.int
  }

  /// Lists the columns in which `next` differs from the row.
  func collectChanges(_ row: Row) {
    changedCount = 0
    for column in 0..<rows.width where next[column] != row[column] {
      changed[changedCount] = column
      changedCount += 1
    }
  }
}
