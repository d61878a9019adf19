import Base
import Bus
import Events

/// What an inbox record is.
enum InboxKind: CaseIterable {
  case event, clear
  /// A shard's copy of a client's command, and its answer.
  case command, answer

  var text: StaticString {
    switch self {
    case .event: "event"
    case .clear: "clear"
    case .command: "command"
    case .answer: "answer"
    }
  }

  /// It is applied when the shard's events are, up to the end that was seen when it was read.
  var waitsForEvents: Bool { self == .clear || self == .command }

  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  }

  init?(_ bytes: UnsafeRawBufferPointer?) {
    guard let bytes, let kind = Self.allCases.first(where: { $0.bytes.elementsEqual(bytes) }) else {
      return nil
    }
    self = kind
  }
}

// Messages between shards. They are applied strictly in order: what comes behind a clear or a command that waits
// for the shard's events waits with it.
extension EventTable {
  /// Takes one inbox record: applied at once unless it waits for events, or behind one that does.
  func applyInbox(_ record: RecordBatch.Record, _ batch: RecordBatch, _ shard: Shard) {
    guard record.offset >= shard.inboxRead else {
      counts.skipped.add()
      return
    }
    shard.inboxRead = record.offset + 1
    let kind = InboxKind(batch.header(record, ChangeHeader.kind))
    if kind?.waitsForEvents == true || !shard.pending.isEmpty {
      shard.pending.append(record, in: batch)
    } else {
      applyMessage(record, batch, shard, kind)
      shard.state.inbox = shard.inboxRead
    }
  }

  private func applyMessage(
    _ record: RecordBatch.Record, _ batch: RecordBatch, _ shard: Shard, _ kind: InboxKind?
  ) {
    shard.advanceTime(record: record.timestamp.milliseconds, now: now.milliseconds, horizon: horizon)
    let refusal: Refusal?
    switch kind {
    case .event: return applyEvent(record, batch, shard, isForwarded: true)
    case .clear: refusal = applyClears(batch.value(record), shard)
    case .command where language != nil: refusal = applyCommand(record, batch, shard)
    case .answer where language != nil: refusal = takeAnswer(record, batch, shard)
    default: refusal = Refusal(.inbox, "an inbox record of no known kind")
    }
    if let refusal { reject(record, batch, refusal, stage: "inbox") }
  }

  /// Applies the clears and commands whose time has come, and what waits behind them. `eventsEnd` gives the high
  /// watermark of a shard's events partition, or nil if it is not known now; it is asked once a message (again
  /// after an abort) and remembered: a clear is applied when the shard's events are applied up to there, so that
  /// it does not overtake the problem that it clears, and a command likewise. Where commands
  /// have made the transaction large, the others wait for the next.
  public func applyPendingClears(eventsEnd: (_ shard: Int32) -> Int64?) {
    precondition(!isFinished)
    for shard in led where shard.isServing {
      while !shard.pending.isEmpty, applyFirstPending(shard, eventsEnd) {}
      if shard.pending.isEmpty { shard.state.inbox = shard.inboxRead }
    }
  }

  /// Shards that have an inbox record waiting; as long as there are any, call `applyPendingClears`.
  public var hasPendingInbox: Bool { led.contains { !$0.pending.isEmpty } }

  /// The inbox partitions behind whose waiting records so much has come that they must be paused. To be
  /// asked after `applyPendingClears`; those not in it may be resumed.
  public var inboxToPause: [TopicPartition] {
    led.filter {
      $0.pending.count >= settings.pendingRecordsMax || $0.pending.byteCount >= settings.pendingBytesMax
    }.map { TopicPartition(topics.inbox, $0.number) }
  }

  /// False: it has to wait.
  private func applyFirstPending(_ shard: Shard, _ eventsEnd: (Int32) -> Int64?) -> Bool {
    let batch = shard.pending.batch
    let record = shard.pending.first
    let kind = InboxKind(batch.header(record, ChangeHeader.kind))
    if kind?.waitsForEvents == true {
      if shard.pending.watermark == nil { shard.pending.watermark = eventsEnd(shard.number) }
      guard let watermark = shard.pending.watermark, shard.state.events >= watermark else { return false }
      if kind == .command, isBusy { return false }
    }
    applyMessage(record, batch, shard, kind)
    shard.state.inbox = record.offset + 1
    shard.pending.removeFirst()
    return true
  }
}
