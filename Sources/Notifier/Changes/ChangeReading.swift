import Base
import Bus
import Events
import Matching
import Requests

// From the changelog to the records of the streams.
extension ChangePublisher {
  /// Reads what there is, and matches it until the transaction is full or due.
  func readChanges(wait: Duration) throws(BusError) {
    var wait = wait
    let due = max(nextCommit, clock.elapsed() + settings.commitInterval)
    if running!.beginning.contains(where: \.isReading) { wait = .zero }
    if isPending { wait = min(wait, max(.zero, nextCommit - clock.elapsed())) }
    if !hasRoom && !isDue { return rest(wait) }  // until the table has answered
    while hasRoom {
      if running!.cursor == running!.batch.count {
        if clock.elapsed() > due { return }
        let reader = try openReader()
        endCatchingUp(reader)
        running!.batch.removeAll()
        running!.cursor = 0
        try reader.poll(into: running!.batch, max: BusLimits.pollRecordsMax, timeout: wait)
        if running!.batch.isEmpty { return }
        wait = .zero
      }
      let start = running!.cursor
      while running!.cursor < running!.batch.count, hasRoom {
        let record = running!.batch.records[running!.cursor]
        take(record, running!.batch)
        passed(record)
        running!.cursor += 1
      }
      telemetry.matched(running!.cursor - start)
    }
  }

  /// Where the changelog is read on: behind what all have told, or where one begins that has not told so much.
  func readOn(at positions: [Int32: ChangePosition], _ running: inout Running) {
    closeReader(&running)
    running.positions = positions
    for (shard, position) in positions {
      let begun = running.catchingUp.compactMap { $0.from[shard] }
      running.next[shard] = min(position.offset, begun.min() ?? position.offset)
    }
  }

  private func openReader() throws(BusError) -> any Reader {
    if let reader = running!.reader { return reader }
    var start: [TopicPartition: Int64] = [:]
    for partition in changelog { start[partition] = running!.next[partition.partition] }
    let reader = try bus.makeReader(start, isolation: .committed)
    running!.reader = reader
    return reader
  }

  /// With what was read and is not taken.
  func closeReader(_ running: inout Running) {
    running.reader?.close()
    running.reader = nil
    running.batch.removeAll()
    running.cursor = 0
  }

  private var hasRoom: Bool { !isFull && running!.heldBytes < settings.heldBytesMax }

  private func passed(_ record: RecordBatch.Record) {
    let (shard, next) = (record.partition, record.offset + 1)
    running!.next[shard] = next
    if next > running!.positions[shard]!.offset { running!.positions[shard]!.offset = next }
  }

  private func take(_ record: RecordBatch.Record, _ batch: RecordBatch) {
    let shard = record.partition
    guard let change = batch.change(record) else { return skip(record, "no change number") }
    let isAgain = record.offset < running!.positions[shard]!.offset
    let limit = running!.items.byteCount + running!.heldBytes + settings.changeBytesMax
    if !isAgain { reach(shard, change) }
    guard let key = batch.key(record) else {
      if !isAgain { lose(record, change, "no key") }
      return
    }
    let trace = batch.header(record, "traceparent")
    let refusal = running!.matcher.take(
      value: batch.value(record), before: batch.header(record, "belfry-before")
    ) {
      number, transition in
      let head = ChangeItems.Head(
        stream: number, operation: transition.operation, time: record.timestamp, shard: shard, change: change)
      append(head, transition, of: record, isAgain: isAgain, key: key, trace: trace, limit: limit)
    }
    if let refusal, !isAgain { lose(record, change, refusal.description) }
  }

  /// The shard's next change is read.
  private func reach(_ shard: Int32, _ change: Int64) {
    if let reached = running!.positions[shard]!.change {
      // The rows of a stream that begins may be ahead of what is read.
      if change <= reached { return }
      if change > reached + 1 { tellGap(shard, reached + 1, change - 1) }
    } else {
      running!.floors[shard] = change - 1
    }
    running!.positions[shard]!.change = change
  }

  private func lose(_ record: RecordBatch.Record, _ change: Int64, _ reason: String) {
    skip(record, reason)
    tellGap(record.partition, change, change)
  }

  private func append(
    _ head: ChangeItems.Head, _ transition: ChangeMatcher.Transition, of record: RecordBatch.Record,
    isAgain: Bool, key: UnsafeRawBufferPointer, trace: UnsafeRawBufferPointer?, limit: Int
  ) {
    guard let stream = running!.streams[head.stream],
      stream.from[head.shard].map({ record.offset >= $0 }) ?? !isAgain,
      let items = place(head.shard, head.change, stream)
    else {
      return
    }
    stream.begins(head.shard, with: head.change)
    let matcher = running!.matcher
    before.removeAll()
    after.removeAll()
    if stream.isHistory && transition != .entered { matcher.writeBefore(head.stream, to: &before) }
    if transition != .left { matcher.writeAfter(head.stream, to: &after) }
    if let reason = Self.tooLarge(key, key.count + before.count + after.count) { return fail(stream, reason) }
    if running!.items.byteCount + running!.heldBytes >= limit {
      return fail(stream, "one change has \(settings.changeBytesMax) bytes with all streams that tell it")
    }
    let size = items.byteCount
    items.append(
      head, key: key, before: before.count > 0 ? before.bytes : nil,
      after: after.count > 0 ? after.bytes : nil,
      trace: trace)
    if items === stream.held { running!.heldBytes += items.byteCount - size }
  }

  /// Where a change of a stream goes: into the transaction, or where it waits for the snapshot. nil: the stream has
  /// told it already, has it in its snapshot, or tells nothing more.
  private func place(_ shard: Int32, _ change: Int64, _ stream: ChangeStream) -> ChangeItems? {
    switch stream.phase {
    case .failed, .full: nil
    case .waiting: stream.isAsked ? stream.held : nil
    case .reading: stream.hasTold(shard, change) ? nil : stream.held
    case .following: stream.hasTold(shard, change) ? nil : running!.items
    }
  }

  /// Changes were lost: the changelog was compacted over them while nobody published. Every history stream says so.
  private func tellGap(_ shard: Int32, _ first: Int64, _ last: Int64) {
    log.error(
      "changes are lost", ("shard", "\(shard)"), ("from", "\(first)"), ("to", "\(last)"))
    telemetry.lost(last - first + 1)
    for stream in running!.ordered where stream.isHistory {
      guard let items = place(shard, last, stream) else { continue }
      let size = items.byteCount
      append(.gap(shard: shard, from: max(first, stream.told(shard) + 1), to: last), to: items, stream)
      if items === stream.held { running!.heldBytes += items.byteCount - size }
    }
  }

  private func skip(_ record: RecordBatch.Record, _ reason: String) {
    telemetry.couldNotRead()
    log.error(
      "a changelog record cannot be read", ("partition", "\(record.partition)"),
      ("offset", "\(record.offset)"), ("reason", reason))
  }
}

extension RecordBatch {
  /// The number that a changelog record has in its shard.
  func change(_ record: Record) -> Int64? {
    headerText(record, "belfry-change").flatMap { Int64($0) }.flatMap { $0.isCount ? $0 : nil }
  }
}

extension ChangeMatcher.Transition {
  fileprivate var operation: ChangeItems.Operation {
    switch self {
    case .entered: .entered
    case .changed: .changed
    case .left: .left
    }
  }
}
