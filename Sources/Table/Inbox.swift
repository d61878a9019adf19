import Base
import Bus
import Events

/// What an inbox record is.
enum InboxKind: CaseIterable {
  case event, clear

  var text: StaticString {
    switch self {
    case .event: "event"
    case .clear: "clear"
    }
  }

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

// Messages between shards. They are applied strictly in order: what comes behind a clear that waits for
// the shard's events waits with it.
extension EventTable {
  /// Takes one inbox record: applied at once unless it is a clear or waits behind one.
  func applyInbox(_ record: RecordBatch.Record, _ batch: RecordBatch, _ shard: Shard) {
    guard record.offset >= shard.inboxRead else {
      counts.skipped.add()
      return
    }
    shard.inboxRead = record.offset + 1
    let kind = InboxKind(batch.header(record, ChangeHeader.kind))
    if kind == .clear || !shard.pending.isEmpty {
      shard.pending.append(record, in: batch)
    } else {
      applyUnlessClear(record, batch, shard, kind)
      shard.state.inbox = shard.inboxRead
    }
  }

  private func applyUnlessClear(
    _ record: RecordBatch.Record, _ batch: RecordBatch, _ shard: Shard, _ kind: InboxKind?
  ) {
    shard.advanceTime(record: record.timestamp.milliseconds, now: now.milliseconds, horizon: horizon)
    if kind == .event {
      applyEvent(record, batch, shard, isForwarded: true)
    } else {
      reject(record, batch, Refusal(.inbox, "an inbox record of no known kind"), stage: "inbox")
    }
  }

  /// Applies the clears whose time has come, and what waits behind them. `eventsEnd` gives the high watermark
  /// of a shard's events partition, or nil if it is not known now; it is asked once a message (again after
  /// an abort) and remembered: a clear is applied when the shard's events are applied up to there, so that
  /// it does not overtake the problem that it clears (DESIGN section 4).
  public func applyPendingClears(eventsEnd: (_ shard: Int32) -> Int64?) {
    precondition(!isFinished)
    for shard in led where shard.isServing {
      while !shard.pending.isEmpty, applyFirstPending(shard, eventsEnd) {}
      if shard.pending.isEmpty { shard.state.inbox = shard.inboxRead }
    }
  }

  /// Shards that have an inbox record waiting; as long as there are any, call `applyPendingClears`.
  public var hasPendingInbox: Bool { led.contains { !$0.pending.isEmpty } }

  /// The inbox partitions behind whose waiting clears so much has come that they must be paused. To be
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
    if kind == .clear {
      if shard.pending.watermark == nil { shard.pending.watermark = eventsEnd(shard.number) }
      guard let watermark = shard.pending.watermark, shard.state.events >= watermark else { return false }
      shard.advanceTime(record: record.timestamp.milliseconds, now: now.milliseconds, horizon: horizon)
      if let refusal = applyClears(batch.value(record), shard) {
        reject(record, batch, refusal, stage: "inbox")
      }
    } else {
      applyUnlessClear(record, batch, shard, kind)
    }
    shard.state.inbox = record.offset + 1
    shard.pending.removeFirst()
    return true
  }
}
