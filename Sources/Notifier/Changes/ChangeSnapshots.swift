import Base
import Bus
import Events
import Matching
import Requests

// How a stream of every change begins: with the rows of its view at one moment, then with each change behind it.
extension ChangePublisher {
  /// Asks the table for the rows of the streams that begin. What was committed before is in them: so, where nothing
  /// was read yet, reading begins at the end of what was committed by now.
  func askForSnapshots() throws(BusError) {
    guard running!.asked == nil else { return }
    let held = running!.beginning.reduce(0) { $0 + $1.rowBytes }
    if held >= settings.snapshotHeldMax { return }
    let begun = Array(running!.beginning.lazy.filter(\.isWaiting).prefix(settings.snapshotStreamsMax))
    if begun.isEmpty { return }
    if running!.next.isEmpty { try beginReading() }
    guard try findChanges() else { return }
    questions += 1
    let (number, answers) = (questions, answers)
    running!.asked = (number, begun)
    for stream in begun { stream.isAsked = true }
    running!.floors = running!.positions.compactMapValues(\.change)
    let views = begun.map { SnapshotView(id: $0.id, view: $0.isHistory ? $0.stream.view : nil) }
    if !table.send(.snapshot(views, reply: { answers.send((number, $0)) })) {
      throw BusError(.recreate, code: Publisher.mailboxFull, "the table's mailbox is full")
    }
  }

  private func beginReading() throws(BusError) {
    var positions: [Int32: ChangePosition] = [:]
    for partition in changelog {
      let end = try bus.endOffset(partition, isolation: .committed)
      positions[partition.partition] = ChangePosition(offset: end, change: nil)
    }
    readOn(at: positions, &running!)
  }

  /// Where no change of a shard was read yet, the changelog says which was the last: rows that are older are of a table
  /// that has lost its seat, as a member's that stood still. False: it does not answer now; what follows goes on.
  private func findChanges() throws(BusError) -> Bool {
    let topic = settings.topics.changelog(settings.schema.table)
    var unknown: [TopicPartition: Int64] = [:]
    for (shard, position) in running!.positions where position.change == nil && position.offset > 0 {
      unknown[TopicPartition(topic, shard)] = position.offset
    }
    if unknown.isEmpty { return true }
    if clock.elapsed() < nextLookBack { return false }
    do throws(BusError) {
      for (shard, change) in try lastChanges(before: unknown) { running!.positions[shard]!.change = change }
      return true
    } catch {
      guard error.remedy == .retry else { throw error }
      nextLookBack = clock.elapsed() + settings.awayInterval
      log.warning("no stream can begin with its rows: the changelog does not answer", ("error", "\(error)"))
      return false
    }
  }

  /// By shard. Where there is none, its changelog was read to its beginning.
  private func lastChanges(before ends: [TopicPartition: Int64]) throws(BusError) -> [Int32: Int64] {
    let topic = settings.topics.changelog(settings.schema.table)
    var changes: [Int32: Int64] = [:]
    var left = ends
    var depth: Int64 = 16
    while !left.isEmpty {
      let start = left.mapValues { max(0, $0 - depth) }
      try bus.read(start, to: left, clock: clock, timeout: settings.lookBackTimeout) { batch in
        for record in batch.records where record.offset < left[TopicPartition(topic, record.partition)]! {
          if let change = batch.change(record) { changes[record.partition] = change }
        }
      }
      // The last ones may be markers, or aborted.
      left = left.filter { $0.value > depth && changes[$0.key.partition] == nil }
      depth *= 16
    }
    return changes
  }

  /// Streams that were asked for have their rows. An answer that is behind what was read of the changelog is of no
  /// use: they are asked for again.
  func take(_ snapshot: Snapshot, _ number: Int) {
    guard let asked = running!.asked, asked.number == number else { return }
    running!.asked = nil
    guard running!.floors.allSatisfy({ snapshot.positions[$0.key] ?? 0 >= $0.value }) else { return }
    for (shard, position) in running!.positions where position.change == nil {
      running!.positions[shard]!.change = snapshot.positions[shard] ?? 0
    }
    let rows = Dictionary(uniqueKeysWithValues: snapshot.rows.map { ($0.id, $0) })
    for stream in asked.streams.prefix(snapshot.taken) where isThere(stream) {
      if let failure = rows[stream.id]?.failure {
        fail(stream, failure.description)
        continue
      }
      telemetry.began()
      stream.positions = snapshot.positions
      stream.isAsked = false
      stream.phase = .reading(rows[stream.id]?.rows ?? SweepBatch(), next: 0)
      tellBeginning(of: stream)
    }
  }

  /// What comes now is not the continuation of what the stream has told before.
  private func tellBeginning(of stream: ChangeStream) {
    guard stream.isHistory, let reason = stream.again else { return }
    stream.again = nil
    append(.again(reason), to: running!.items, stream)
  }

  func append(_ notice: ChangeNotice, to items: ChangeItems, _ stream: ChangeStream) {
    var head = ChangeItems.Head(stream: stream.number, operation: .notice, time: clock.now())
    if case .gap(let shard, let first, let last) = notice {
      (head.shard, head.first, head.change) = (shard, first, last)
    }
    var text = notice.json.text
    text.withUTF8 {
      items.append(
        head, key: UnsafeRawBufferPointer(start: nil, count: 0), before: nil,
        after: UnsafeRawBufferPointer($0),
        trace: nil)
    }
  }

  /// Puts rows of snapshots into the transaction, as many as it has room for; a stream whose rows are all there goes
  /// on with what changed meanwhile.
  func publishRows() {
    for stream in running!.beginning {
      guard case .reading(let rows, let next) = stream.phase else { continue }
      let end = appendRows(rows, from: next, stream)
      guard stream.isAlive else { continue }
      stream.phase = .reading(rows, next: end)
      if end == rows.count { follow(stream) }
    }
  }

  private func appendRows(_ rows: SweepBatch, from next: Int, _ stream: ChangeStream) -> Int {
    let time = clock.now()
    var index = next
    while index < rows.count, running!.snapshotBytes < settings.snapshotBytesMax {
      let row = rows.records[index]
      let (key, value) = (rows.key(row), rows.value(row))
      let size = key.count + (value?.count ?? 0)
      if let reason = Self.tooLarge(key, size) {
        fail(stream, reason)
        return index
      }
      var head = ChangeItems.Head(stream: stream.number, operation: .read, mark: .within, time: time)
      if index == rows.count - 1 { head.mark = .last } else if index == 0 { head.mark = .first }
      running!.items.append(head, key: key, before: nil, after: value, trace: nil)
      running!.snapshotBytes += size
      index += 1
    }
    return index
  }

  private func follow(_ stream: ChangeStream) {
    stream.phase = .following
    running!.beginning.removeAll { $0 === stream }
    running!.changed.append(stream)
    for item in stream.held.items where !stream.hasTold(item.head.shard, item.head.change) {
      // Of a gap that waited, the rows may hold a part.
      let head = item.head
      let told = stream.told(head.shard)
      if head.operation == .notice, head.first <= told {
        append(.gap(shard: head.shard, from: told + 1, to: head.change), to: running!.items, stream)
      } else {
        running!.items.append(copyOf: item, in: stream.held)
      }
    }
    release(stream)
  }

  /// Why a row's record cannot be sent: what the record carries besides has room up to the limit.
  static func tooLarge(_ key: UnsafeRawBufferPointer, _ size: Int) -> String? {
    let most = Sweep.recordBytesMax - ChangeRecords.envelopeBytesMax
    if size <= most { return nil }
    return
      "the record of \(String(decoding: key.prefix(100), as: UTF8.self)) has \(size) bytes, at most \(most)"
      + " can be sent"
  }
}
