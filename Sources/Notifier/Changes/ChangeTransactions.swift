import Base
import Bus
import Events
import Requests

// One transaction: the streams' records, and how far everything is.
extension ChangePublisher {
  /// There is something to publish.
  var isPending: Bool { !running!.items.isEmpty || !running!.changed.isEmpty }

  /// It takes nothing more.
  var isFull: Bool {
    let (items, rows) = (running!.items, running!.snapshotBytes)
    return items.count >= settings.transactionRecordsMax || rows >= settings.snapshotBytesMax
      || items.byteCount - rows >= settings.transactionBytesMax
  }

  /// At once after a quiet while, then once in an interval, or when it is full. Where nothing is to be published,
  /// how far the changelog is read is told now and then: so that a restart reads little again.
  var isDue: Bool {
    let now = clock.elapsed()
    if isPending { return now >= nextCommit || isFull }
    let quiet = running!.positions == running!.told ? settings.quietInterval : settings.tellInterval
    return now >= lastPublished + quiet && running!.ordered.contains(where: \.isFollowing)
  }

  func publish() throws(BusError) {
    let started = clock.elapsed()
    while true {
      let (changed, published, gone) = try publishOnce()
      if gone.isEmpty {
        finish(changed, started)
        telemetry.published(published, clock.elapsed() - started)
        return
      }
      for stream in changed { stream.takeBack() }
      try makeAgain(gone)
    }
  }

  /// One transaction of all that is to be published. Where topics are gone, nothing is, and they are returned.
  private func publishOnce() throws(BusError) -> (changed: [ChangeStream], published: Int, gone: [String]) {
    let (number, time) = running!.progress.next(now: clock.now())
    let out = RecordBatch(capacity: running!.items.byteCount * 2 + 4096)
    let changed = appendRecords(number, time, to: out)
    let published = out.count
    for stream in changed { append(stream, next: running!.next, number, time, to: out) }
    let told = ChangeProgress.record(
      running!.positions, epoch: assignment!.epoch, number: number, time: time)
    append(told.text, key: "*/\(settings.topics.liveSeat)", time, to: out)
    return (changed, published, try seat.transact(out, in: assignment!.epoch))
  }

  /// Gives the items their sequence counts; returns the streams whose progress is to be told, each once.
  private func appendRecords(_ number: Int64, _ time: Timestamp, to out: RecordBatch) -> [ChangeStream] {
    let items = running!.items
    var changed: [ChangeStream] = []
    for item in items.items {
      let stream = running!.streams[item.head.stream]!
      if stream.left == 0 { changed.append(stream) }
      stream.left += 1
    }
    changed += running!.changed.filter { $0.left == 0 }
    var records = ChangeRecords(
      topics: settings.topics, table: settings.schema.table, epoch: assignment!.epoch, number: number,
      time: time)
    for item in items.items {
      let stream = running!.streams[item.head.stream]!
      stream.left -= 1
      let start = out.byteCount
      records.append(
        item, in: items, of: stream.place, seq: stream.count(), isLast: stream.left == 0, to: out)
      stream.add(bytes: out.byteCount - start)
    }
    return changed
  }

  func append(
    _ stream: ChangeStream, next: [Int32: Int64], _ number: Int64, _ time: Timestamp, to out: RecordBatch
  ) {
    let state = stream.state(epoch: assignment!.epoch, next: next)
    append(ChangeProgress.record(state, number: number, time: time).text, key: stream.id, time, to: out)
  }

  private func append(_ value: String, key: String, _ time: Timestamp, to out: RecordBatch) {
    out.append(topic: settings.topics.progress, partition: 0, timestamp: time, key: key, value: value)
  }

  private func finish(_ changed: [ChangeStream], _ started: Duration) {
    let epoch = assignment!.epoch
    for stream in changed { stream.committed() }
    assignment!.counts.set(changed.map { ($0.place, StreamProgress(seq: $0.seq, epoch: epoch)) })
    tellFull(changed)
    running!.changed = []
    running!.items.removeAll()
    running!.snapshotBytes = 0
    nextCommit = started + settings.commitInterval
    lastPublished = started
    running!.told = running!.positions
  }
}
