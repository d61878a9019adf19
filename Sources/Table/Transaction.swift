import Base
import Bus
import Events

// The end of a transaction, and what leaves the table after it.
extension EventTable {
  /// Records of the open transaction that can be sent before its end. The batch is the table's own, valid
  /// until its next call.
  public var unsent: RecordBatch { out }

  /// What `unsent` had was sent, in the transaction that `finish` will close.
  public func sent() {
    precondition(!isFinished)
    sentBytes += out.byteCount
    sentRecords += out.count
    out.removeAll()
  }

  /// Closes the transaction: all records that are still to be sent, and the positions of the events and inbox
  /// partitions of every shard that is led, and of the commands, moved or not (KIP-447). The batch is the table's
  /// own, valid until `committed` or `aborted`, one of which must come next.
  public func finish() -> (out: RecordBatch, positions: [TopicPartition: Int64]) {
    precondition(!isFinished)
    isFinished = true
    for shard in led where shard.isServing { send(shard, isLast: true) }
    sendClears()
    answerLost()
    sendReplies()
    return (out, openPositions)
  }

  /// Where the next record is to be applied of all that is read.
  private var openPositions: [TopicPartition: Int64] {
    var positions: [TopicPartition: Int64] = [:]
    for shard in led where shard.isServing {
      positions[TopicPartition(topics.events, shard.number)] = shard.state.events
      positions[TopicPartition(topics.inbox, shard.number)] = shard.state.inbox
      if shard.number == 0, desk != nil {
        positions[TopicPartition(topics.commands, 0)] = shard.state.commands
      }
    }
    return positions
  }

  /// The transaction was committed: its changes are now the table, and wait for the next drain.
  public func committed() {
    precondition(isFinished)
    for (index, entry) in open.entries.enumerated() {
      let image = open.image(index)
      slots[Int(entry.slot)].isOpen = false
      if !slots[Int(entry.slot)].isDirty {
        slots[Int(entry.slot)].isDirty = true
        dirty.append(entry.slot, owning: entry.existed ? Row(image) : nil)
      } else if entry.existed {
        rows.releaseStrings(image)
      }
    }
    open.removeAll()
    for shard in led { shard.committed = shard.state }
    counts.commit()
    commandCounts.commit()
    desk?.commit(settings)
    reportPending()
    counts.rows.set(liveCount)
    beginTransaction()
  }

  /// The transaction was aborted, or given up before its end: everything is as it was at its start. Returns
  /// where to read on in every partition that is led; records behind these must come again.
  @discardableResult
  public func aborted() -> [TopicPartition: Int64] {
    for (index, entry) in open.entries.enumerated() { putBack(entry, open.image(index)) }
    open.removeAll()
    for shard in led {
      shard.state = shard.committed
      shard.pending.removeAll()
      shard.inboxRead = shard.state.inbox
    }
    if let desk { desk.abort(to: shard(0)!.state.commands) }
    counts.forget()
    commandCounts.forget()
    beginTransaction()
    return openPositions
  }

  private func putBack(_ entry: Images.Entry, _ image: UnsafeMutablePointer<Cell>) {
    let slot = entry.slot
    let shard = shards[Int(slots[Int(slot)].shard)]!
    if slots[Int(slot)].isLive { dropRow(slot, shard) }
    slots[Int(slot)].isOpen = false
    slots[Int(slot)].isLive = entry.existed
    if entry.existed {
      packed.write(slot, image)
      liveCount += 1
      hook(slot, image, shard)
    } else {
      slots[Int(slot)].timer = .max
      if !slots[Int(slot)].isDirty { freeSlot(slot) }
    }
  }

  private func beginTransaction() {
    isFinished = false
    // What one large command needed is not held for ever.
    if openCommandBytes > settings.commandsOpenBytesMax { out = RecordBatch(capacity: 1 << 20) }
    out.removeAll()
    openRowsLookedAt = 0
    openCommandBytes = 0
    sentBytes = 0
    sentRecords = 0
    for shard in led {
      shard.held.isHeld = false
      shard.clears.removeAll()
      shard.clearEnds.removeAll(keepingCapacity: true)
    }
  }

  /// Gives each row that committed transactions changed since the last drain once, in the order of their
  /// first change: the image before the first (nil: there was no row) and the row now (nil: deleted). Rows
  /// that came and went in between are left out. Call it without open changes, as right after
  /// `committed`. What is given is valid during the call only; who keeps a code retains it. `body` must
  /// not call the table. O(rows changed).
  public func drain(_ body: (_ key: StringTable.Code, _ before: Row?, _ after: Row?) -> Void) {
    precondition(!hasOpenChanges, "open changes cannot be told from committed ones")
    for (index, entry) in dirty.entries.enumerated() {
      let slot = entry.slot
      let image = dirty.image(index)
      let isLive = slots[Int(slot)].isLive
      if entry.existed || isLive {
        body(slots[Int(slot)].key, entry.existed ? Row(image) : nil, isLive ? give(slot) : nil)
      }
      if entry.existed { rows.releaseStrings(image) }
      slots[Int(slot)].isDirty = false
      if !isLive { freeSlot(slot) }
    }
    dirty.removeAll()
  }
}
