import Base
import Bus
import ConnectorKit
import Events

/// Reads a stream and checks it: hands its records on in their order, each once, and says what is missing, comes
/// twice, or was written by a publisher that had been replaced (docs/gateways.md). `belfry history` and
/// `belfry subscribe` are built on it, and so can be any gateway: one that keeps the position of the last entry in the
/// transaction in which it wrote that entry, and starts after it, has every record exactly once.
///
/// Reads read_committed, one batch at a time, and holds no more than that. One thread uses it. An error of the
/// bus costs nothing: where it is not for trying again, make another reader from the last position.
public final class HistoryReader {
  public enum Start: Sendable {
    /// With this number, whatever its epoch; 1: the whole stream.
    case from(seq: Int64)
    /// Behind what a gateway has taken. Where the position's offset is missing, or does not lead to that record
    /// any more, the topic is read from its beginning, and what comes up to the position is passed over.
    case after(StreamPosition)
    /// With what comes next.
    case latest
  }

  /// How long the stream's end may stand behind an open transaction, which a dead publisher leaves: past the
  /// transaction's own time-out (`KafkaBus`) and the brokers' pause between looks for it.
  public static let endWithin = Duration.seconds(90)
  /// The code of the error of a stream whose topic is not there.
  public static let noTopic = "NO_TOPIC"

  /// Records at or before the start that were read and passed over.
  public private(set) var passed = 0
  /// How often the position's offset turned out to be of no use.
  public private(set) var restartsFromBeginning = 0
  /// The last record that was handed on, or where reading began. nil before there was one.
  public private(set) var position: StreamPosition?

  private let address: StreamAddress
  private let bus: any Bus
  private let place: TopicPartition
  /// Superseded records are removed from the topic, so that holes are no gaps.
  private let isCompacted: Bool
  /// Where the checker begins, when reading begins again at the topic's beginning.
  private var start: SequenceChecker.Start
  private var checker: SequenceChecker
  private var offsets: PartitionOffsets
  private var watch: TopicWatch
  private var reader: any Reader
  private let batch = RecordBatch()
  /// The offset at which the position's record must lie; nil once that is certain, or was given up.
  private var hint: Int64?
  /// Of the record read last.
  private var lastOffset: Int64 = -1
  /// The topic may have been made again: before the next poll that is looked at.
  private var isInDoubt = false
  /// Of the record before which numbers are missing, and that brought the topic into doubt.
  private var gapOffset: Int64?
  private var end: Int64?

  /// Throws what the bus says where it cannot answer; `.refuse` where the stream's topic is not there.
  public init(_ address: StreamAddress, bus: any Bus, start: Start) throws(BusError) {
    self.address = address
    self.bus = bus
    place = TopicPartition(address.topic, address.partition)
    let partitions = try bus.partitionCounts([address.topic])[address.topic] ?? 0
    guard (0..<partitions).contains(Int(address.partition)) else {
      throw BusError(
        .refuse, code: Self.noTopic, "there is no topic \(address.topic) with partition \(address.partition)")
    }
    let policy = try bus.topicProperties([address.topic])[address.topic]?["cleanup.policy"]
    isCompacted = policy?.contains("compact") ?? false
    switch start {
    case .from(let seq):
      self.start = .from(seq)
    case .latest:
      self.start = .anywhere
    case .after(let position):
      self.start = .after(position.point)
      self.position = position
      hint = try Self.usable(position.offset, in: place, bus)
    }
    checker = SequenceChecker(self.start)
    let isLatest = self.start == .anywhere
    let first = isLatest ? latestOffset : hint ?? earliestOffset
    offsets = PartitionOffsets(from: isLatest ? nil : hint ?? 0)
    watch = TopicWatch(place)
    reader = try bus.makeReader([place: first], isolation: .committed)
  }

  /// An offset that the partition has now. Before that all is gone, so that its beginning is as good.
  private static func usable(_ offset: Int64?, in place: TopicPartition, _ bus: any Bus) throws(BusError)
    -> Int64?
  {
    guard let offset, offset >= (try bus.startOffset(place)),
      offset < (try bus.endOffset(place, isolation: .uncommitted))
    else { return nil }
    return offset
  }

  /// What comes next; empty when there is nothing within `timeout`, or nothing new.
  public func poll(timeout: Duration) throws(BusError) -> [HistoryEvent] {
    if isInDoubt { try lookAgain() }
    batch.removeAll()
    try reader.poll(into: batch, max: BusLimits.pollRecordsMax, timeout: timeout)
    if batch.isEmpty { isInDoubt = watch.isMadeAgain(bus, readUpTo: reader.position(place)) }
    var events: [HistoryEvent] = []
    for record in batch.records {
      if record.offset <= lastOffset {
        // The topic was deleted and made again: what it has now is at lower offsets.
        try readAgain()
        break
      }
      lastOffset = record.offset
      guard try isWhereItWas(record), isOfTopic(record) else { break }
      judge(record, &events)
    }
    return events
  }

  /// True once all is read that was on the topic when this was first called: up to the high watermark, behind
  /// which nothing is hidden by a transaction that is still open; or, with `committed`, up to the first of those.
  public func isAtEnd(_ isolation: Isolation = .uncommitted) throws(BusError) -> Bool {
    if isInDoubt { return false }
    if end == nil { end = try bus.endOffset(place, isolation: isolation) }
    return reader.position(place) >= end!
  }

  public func close() { reader.close() }

  private func readAgain() throws(BusError) { try begin(at: nil) }

  /// nil: at the topic's beginning.
  private func begin(at offset: Int64?) throws(BusError) {
    reader.close()
    reader = try bus.makeReader([place: offset ?? earliestOffset], isolation: .committed)
    offsets = PartitionOffsets(from: offset ?? 0)
    lastOffset = (offset ?? 0) - 1
    hint = offset
    end = nil
    watch = TopicWatch(place)
  }

  /// Goes on from the last record, as a gateway from what it keeps: where that does not lie there any more, from the
  /// beginning of what is a new topic.
  private func lookAgain() throws(BusError) {
    if let position {
      let offset = try Self.usable(position.offset, in: place, bus)
      start = .after(position.point)
      checker = SequenceChecker(start)
      try begin(at: offset)
    } else {
      try readAgain()
    }
    isInDoubt = false
  }

  /// Numbers that are missing without room for them are of a topic that was made again and has grown past where
  /// reading was, or of a publisher that skipped them. False where that has to be looked at.
  private func isOfTopic(_ record: RecordBatch.Record) -> Bool {
    guard position != nil, gapOffset != record.offset, isOwn(record), let point = point(record) else {
      return true
    }
    var (checker, offsets) = (self.checker, self.offsets)
    let verdict = checker.take(point)
    let finding = offsets.take(point, verdict, at: record.offset)
    if finding.hasRoom || finding.isMadeAgain { return true }
    gapOffset = record.offset
    isInDoubt = true
    return false
  }

  /// Whether the hint holds, as far as this record tells. Where it does not, reading begins again: false.
  private func isWhereItWas(_ record: RecordBatch.Record) throws(BusError) -> Bool {
    guard let offset = hint else { return true }
    let found = isOwn(record) ? point(record) : nil
    if record.offset == offset, found == position?.point {
      hint = nil
    } else if record.offset == offset {
      return try giveHintUp()
    } else if let found {
      // The very record was removed. That the next one follows it is as good; anything else may be another topic's.
      var trial = checker
      guard trial.take(found) == .deliver(isRestart: false, missing: nil) else { return try giveHintUp() }
      hint = nil
    }
    return true
  }

  private func giveHintUp() throws(BusError) -> Bool {
    restartsFromBeginning += 1
    checker = SequenceChecker(start)
    try readAgain()
    return false
  }

  // MARK: A record

  /// By bytes: a key may begin with what Unicode takes for a part of the prefix's last character.
  private func isOwn(_ record: RecordBatch.Record) -> Bool {
    address.keyPrefix.isEmpty || batch.key(record)?.starts(with: address.keyPrefix.utf8) ?? false
  }

  private func point(_ record: RecordBatch.Record) -> SequencePoint? {
    SequencePoint(epoch: batch.header(record, "belfry-epoch"), seq: batch.header(record, "belfry-seq"))
  }

  private func judge(_ record: RecordBatch.Record, _ events: inout [HistoryEvent]) {
    guard isOwn(record) else { return offsets.pass(record.offset) }
    guard let point = point(record) else {
      offsets.pass(record.offset)
      return events.append(.foreign(offset: record.offset))
    }
    let here = StreamPosition(point, offset: record.offset)
    let verdict = checker.take(point)
    let finding = offsets.take(point, verdict, at: record.offset)
    switch verdict {
    case .passed: passed += 1
    case .fenced: events.append(.fenced(here))
    case .repeated: events.append(.repeated(here))
    case .deliver(let isRestart, let missing):
      if finding.isMadeAgain { events.append(.madeAgain(here)) }
      if isRestart { events.append(.restarted(here)) }
      if let missing {
        let hole = SequenceHole(missing, before: here)
        events.append(isCompacted && finding.hasRoom ? .compacted(hole) : .gap(hole))
      }
      events.append(entry(record, here))
      position = here
    }
  }

  private func entry(_ record: RecordBatch.Record, _ here: StreamPosition) -> HistoryEvent {
    do {
      let value = try batch.value(record).map { try JSON(parsing: $0) }
      let key = batch.key(record).map {
        String(decoding: $0.dropFirst(address.keyPrefix.utf8.count), as: UTF8.self)
      }
      return .entry(
        HistoryEntry(
          key: key ?? "",
          content: try HistoryEntry.Content(value, isNet: isCompacted), position: here,
          sweep: batch.headerText(record, "belfry-sweep").flatMap { Int64($0) } ?? 0,
          isLast: batch.header(record, "belfry-last") != nil, time: record.timestamp, value: value))
    } catch {
      return .unreadable(here, "\(error)")
    }
  }
}
