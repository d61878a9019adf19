import Base
import Bus
import Events

/// Leads the shards that the consumer group gives this member: consumes events and inbox, with shard 0 the
/// clients' commands too, and commits {positions, changelog, inbox, replies, dead letters} in one transaction
/// every commit interval (KIP-447).
///
/// One thread owns it and calls `turn` again and again. It is crash-only: what `turn` throws with a remedy
/// other than `.retry` means that this leader and its table are to be thrown away and made anew; all that
/// was committed comes back from the changelog.
public final class Leader: AssignmentHandler {
  public struct Settings: Sendable {
    public var topics: ClusterTopics
    /// Consumer-group instance id and transactional id.
    public var seat: String
    public var commitInterval: Duration
    /// Output of an open transaction at which it is committed before its time; with the largest poll it
    /// bounds what a transaction holds in memory.
    public var transactionBytesMax = 32 << 20
    /// Times that a commit whose outcome is unknown is asked for again.
    public var commitAttemptsMax = 5
    /// The pause behind an aborted transaction, the first in a row and the last.
    public var abortPauseMin = Duration.milliseconds(100)
    public var abortPauseMax = Duration.seconds(5)
    /// How long a leader that lost its transactional id waits for its group's word: its consumer's next
    /// heartbeat (every 3 s) tells whether another process has the seat.
    public static let fenceWait = Duration.seconds(5)

    public init(topics: ClusterTopics, seat: String, commitInterval: Duration) {
      self.topics = topics
      self.seat = seat
      self.commitInterval = commitInterval
    }
  }

  public let table: EventTable
  private let bus: any Bus
  private let clock: any Clock
  private let settings: Settings
  private let log: Log
  private let readiness: Readiness
  private var producer: (any TransactionalProducer)?
  private var consumer: (any GroupConsumer)?
  private var group: (any GroupMetadata)?
  private let batch = RecordBatch(capacity: 1 << 20)
  private var paused: Set<TopicPartition> = []
  private var nextCommit = Duration.zero
  private let pause: @Sendable (Duration) -> Void
  private var backoff: Backoff
  /// The producer's transaction has begun.
  private var isOpen = false
  /// The last transaction was aborted, and none was committed since.
  private var isFailing = false
  /// A topic was found made again: what the group has of it is moved at once, or it might come true again.
  private var isReset = false
  private let commits: Metric
  private let aborts: Metric
  private let resets: Metric
  private let lost: Metric
  private let commitTime: Metric

  /// `pause` waits before what was aborted is done again.
  public init(
    bus: any Bus, clock: any Clock, table: EventTable, settings: Settings, readiness: Readiness, log: Log,
    metrics: Metrics, pause: @escaping @Sendable (Duration) -> Void
  ) {
    self.pause = pause
    backoff = Backoff(first: settings.abortPauseMin, limit: settings.abortPauseMax)
    self.bus = bus
    self.clock = clock
    self.table = table
    self.settings = settings
    self.readiness = readiness
    self.log = log.named("leader")
    commits = metrics.counter("belfry_table_commits_total", "Transactions of the table that were committed")
    aborts = metrics.counter("belfry_table_aborts_total", "Transactions of the table that were aborted")
    resets = metrics.counter(
      "belfry_input_resets_total", "Partitions of events, inbox and commands that were found made again")
    lost = metrics.counter(
      "belfry_input_lost_total", "Offsets of events, inbox and commands that retention removed unread")
    commitTime = metrics.counter(
      "belfry_table_commit_milliseconds_total", "Time spent in the table's transactions, ms")
    readiness.set("table", "waiting for its shards")
  }

  /// True when the group has given this member its shards and they are restored.
  public var isServing: Bool { group != nil }

  /// Waits at most `wait` for records, applies them, and commits when the time has come. True when no
  /// change is open on return: what the table shows then is committed.
  public func turn(wait: Duration) throws(BusError) -> Bool {
    let consumer = try opened()
    let untilCommit = nextCommit - clock.elapsed()
    batch.removeAll()
    try consumer.poll(
      into: batch, max: BusLimits.pollRecordsMax,
      timeout: table.hasOpenWork ? max(.zero, min(wait, untilCommit)) : wait)
    if isRevoked { throw Self.revoked }
    guard isServing else { return false }
    let allEnds = consumer.takeEnds()
    let ends = allEnds.filter { $0.key.topic == settings.topics.events }
    for (partition, offset) in ends where offset < table.eventsPosition(partition.partition) ?? 0 {
      throw madeAgain(partition, offset)
    }
    let commands = TopicPartition(settings.topics.commands, 0)
    if let end = allEnds[commands], end < table.commandsPosition ?? 0 { throw madeAgain(commands, end) }
    if !batch.isEmpty { table.apply(batch, now: clock.now()) }
    for (partition, offset) in ends { table.eventsReached(partition.partition, offset: offset) }
    if clock.elapsed() >= nextCommit || table.openBytes >= settings.transactionBytesMax {
      table.beginCommands(now: clock.now())
      table.applyPendingClears { eventsEnd($0) }
      table.runTimers(now: clock.now())
      try pauseInbox(consumer)
      if table.hasOpenWork || isReset { try orLearnWhy(consumer, commit) }
      nextCommit = clock.elapsed() + settings.commitInterval
    } else if !table.unsent.isEmpty {
      try orLearnWhy(consumer, sendAhead)
    }
    if !isFailing { readiness.turned("table") }
    return !table.hasOpenWork
  }

  private func madeAgain(_ partition: TopicPartition, _ end: Int64) -> BusError {
    BusError(.recreate, code: "MADE_AGAIN", "\(partition) ends at \(end), before what was read of it")
  }

  /// Lets go of the seat's handles. What was open is aborted by whoever takes the seat next.
  public func close() {
    consumer?.close()
    producer?.close()
    consumer = nil
    producer = nil
    group = nil
  }

  /// Ends the open transaction by committing it, for a clean stop.
  public func finish() throws(BusError) {
    if isServing, table.hasOpenWork { try commit() }
  }

  /// The seat is taken in this order: first the transactional id, then the group's instance id; so the
  /// former holder's transaction is over before its shards are restored.
  private func opened() throws(BusError) -> any GroupConsumer {
    if let consumer { return consumer }
    if producer == nil {
      let made = try bus.makeProducer(transactionalID: settings.seat)
      try made.initialise()
      producer = made
    }
    let made = try bus.makeConsumer(
      group: settings.topics.tableGroup, instanceID: settings.seat,
      topics: [settings.topics.events, settings.topics.inbox]
        + (table.readsCommands ? [settings.topics.commands] : []), handler: self)
    consumer = made
    return made
  }

  /// Inbox partitions behind whose waiting clears too much has come are not fetched until those are applied, and
  /// commands not while too many run.
  private func pauseInbox(_ consumer: any GroupConsumer) throws(BusError) {
    let wanted = Set(table.inboxToPause + table.commandsToPause)
    if wanted == paused { return }
    try consumer.resume(paused.subtracting(wanted).sorted())
    try consumer.pause(wanted.subtracting(paused).sorted())
    paused = wanted
  }

  /// The high watermark, past records that an open transaction of another program still hides: what lies
  /// behind those was sent before the clear, too.
  private func eventsEnd(_ shard: Int32) -> Int64? {
    try? bus.endOffset(TopicPartition(settings.topics.events, shard), isolation: .uncommitted)
  }

  // MARK: The transaction

  /// Where the transactional id is lost, the group tells why: another process has the seat, and ours must not
  /// take it back from it; or the broker gave up on a transaction of ours.
  private func orLearnWhy(_ consumer: any GroupConsumer, _ body: () throws(BusError) -> Void)
    throws(BusError)
  {
    do throws(BusError) {
      try body()
    } catch  where error.remedy == .fenced {
      let deadline = clock.elapsed() + Settings.fenceWait
      while clock.elapsed() < deadline, !isRevoked {
        batch.removeAll()
        do throws(BusError) {
          try consumer.poll(into: batch, max: BusLimits.pollRecordsMax, timeout: .milliseconds(100))
        } catch let told where told.remedy == .retry {
          pause(settings.abortPauseMin)  // no answer yet; and what is over must not be tried again
        }
      }
      throw error
    }
  }

  /// Sends what there is so far: the brokers write it while the next records are polled and applied, and the
  /// commit has less to wait for.
  private func sendAhead() throws(BusError) {
    try orAbort { producer, _ throws(BusError) in
      try send(table.unsent, producer)
      table.sent()
    }
  }

  private func commit() throws(BusError) {
    let started = clock.elapsed()
    let (out, positions) = table.finish()
    try orAbort { producer, group throws(BusError) in
      try send(out, producer)
      try producer.sendOffsets(positions, group: group)
      try producer.commit(attemptsMax: settings.commitAttemptsMax)
      isOpen = false
      table.committed()
      isReset = false
      commits.add()
      backoff.reset()
      isFailing = false
    }
    commitTime.add(Int((clock.elapsed() - started).milliseconds))
  }

  private func send(_ out: RecordBatch, _ producer: any TransactionalProducer) throws(BusError) {
    if !isOpen { try producer.begin() }
    isOpen = true
    try producer.send(out)
  }

  /// Does a part of the open transaction; where it cannot be completed, it is aborted.
  private func orAbort(
    _ body: (any TransactionalProducer, any GroupMetadata) throws(BusError) -> Void
  ) throws(BusError) {
    guard let producer, let group else { preconditionFailure("a transaction without a seat") }
    do throws(BusError) {
      try body(producer, group)
    } catch  where error.remedy == .abort || error.remedy == .retry {
      let wait = backoff.take()
      isFailing = true
      readiness.failed("table", error.description)
      log.warning(
        "transaction aborted", ("code", error.code), ("error", error.message), ("again_after", "\(wait)"))
      try abort(producer)
      pause(wait)
    }
  }

  /// Undoes the open changes and rewinds to the committed positions.
  private func abort(_ producer: any TransactionalProducer) throws(BusError) {
    isOpen = false
    try producer.abortOrGiveUp()
    do throws(BusError) {
      try consumer?.seek(to: table.aborted())
    } catch  where error.remedy == .retry || error.remedy == .abort {
      throw BusError(.recreate, code: error.code, error.message)
    }
    aborts.add()
  }

  // MARK: Assignment

  /// Restores the shards before they serve: the group's stable positions first, then the changelog up to
  /// its true end.
  ///
  /// The consumer does not ask again, so an error here is never for trying again.
  public func assigned(_ partitions: [TopicPartition], group: any GroupMetadata)
    throws(BusError) -> [TopicPartition: Int64]
  {
    if isRevoked { throw Self.revoked }  // taken away and given again within one poll
    do throws(BusError) {
      return try take(partitions, group)
    } catch  where error.remedy == .retry {
      throw BusError(.recreate, code: error.code, error.message)
    }
  }

  private func take(_ partitions: [TopicPartition], _ group: any GroupMetadata)
    throws(BusError) -> [TopicPartition: Int64]
  {
    let topics = settings.topics
    let shards = partitions.filter { $0.topic == topics.events }.map(\.partition).sorted()
    readiness.set("table", "restoring \(shards.count) shards")
    let committed = try bus.committedOffsets(group: topics.tableGroup, partitions)
    for shard in shards { table.addShard(shard) }
    try restore(shards)
    var start: [TopicPartition: Int64] = [:]
    var isInboxCut = false
    for shard in shards {
      let events = TopicPartition(topics.events, shard)
      let inbox = TopicPartition(topics.inbox, shard)
      let consumed = table.consumedByChangelog(shard)
      // A transaction moves both.
      let isServed = committed[events] != nil || committed[inbox] != nil
      start[events] = try position(
        events, Known(group: committed[events], changelog: consumed?.events, isServed: isServed)
      ).next
      let read = try position(
        inbox, Known(group: committed[inbox], changelog: consumed?.inbox, isServed: isServed))
      start[inbox] = read.next
      isInboxCut = isInboxCut || read.isCut
      table.startServing(shard, events: start[events]!, inbox: start[inbox]!)
    }
    let commands = TopicPartition(topics.commands, 0)
    if partitions.contains(commands) {
      // Shard 0's positions and the commands' are committed together.
      let isServed = [topics.events, topics.inbox].contains { committed[TopicPartition($0, 0)] != nil }
      start[commands] = try commandsStart(
        commands,
        Known(
          group: committed[commands], changelog: table.commandsConsumedByChangelog,
          isServed: isServed), hasServed: isServed || table.consumedByChangelog(0) != nil)
      table.startCommands(at: start[commands]!, isNew: committed[commands] == nil)
      try restoreReplies()
      if isInboxCut { table.loseInbox() }
    }
    self.group = group
    nextCommit = clock.elapsed() + settings.commitInterval
    readiness.turned("table")
    log.info("serving", ("shards", "\(shards.count)"), ("rows", "\(table.rowCount)"))
    return start
  }

  /// What is known of where a partition was to be read on.
  private struct Known {
    /// What the group has committed, and what the changelog says was consumed; nil: it says nothing.
    let group: Int64?
    let changelog: Int64?
    /// The group has a position of another partition that the same transactions move.
    let isServed: Bool

    /// The group's, as the changelog is told only with a change: what it says may be of a log that is gone. A
    /// group's offsets expire when nobody is there for a week, all at once; then the changelog tells. One offset
    /// alone goes with its topic.
    var position: Int64? { group ?? (isServed ? nil : changelog) }
    var isAny: Bool { group != nil || changelog != nil }
  }

  /// Where to read on. A position beyond the partition's end is of a log that is gone, since the topic was made
  /// again: then all of what is there is new. What retention has removed unread is lost. Both are said, and it goes
  /// on; `isCut`: by the first that is known.
  private func position(_ partition: TopicPartition, _ known: Known) throws(BusError)
    -> (next: Int64, isCut: Bool)
  {
    let end = try bus.endOffset(partition, isolation: .uncommitted)
    let isGone = known.isAny && (known.position ?? .max) > end
    if isGone {
      resets.add()
      isReset = true
      log.error(
        "the topic was made again: it is read from its start", ("partition", "\(partition)"),
        ("position", "\(known.group ?? known.changelog!)"), ("end", "\(end)"))
    }
    let position = isGone ? 0 : known.position ?? 0
    let first = try bus.startOffset(partition)
    if known.isAny, position < first {
      lost.add(Int(clamping: first - position))
      log.error(
        "records were removed before they were read", ("partition", "\(partition)"),
        ("position", "\(position)"), ("first", "\(first)"))
    }
    // Also where nothing was lost but what was read before: else a partition to which nothing comes would be cut at
    // each start.
    let isCut = isGone || known.position.map { $0 < first } ?? false
    return (max(position, first), isCut)
  }

  /// Every transaction with shard 0's positions has the commands' too. A shard 0 that was served without is of a
  /// version that knew no commands of this kind and refused them: what was refused is not done now.
  private func commandsStart(_ commands: TopicPartition, _ known: Known, hasServed: Bool)
    throws(BusError) -> Int64
  {
    let isOld = hasServed && !known.isAny
    return isOld ? try bus.endOffset(commands, isolation: .uncommitted) : try position(commands, known).next
  }

  /// What was answered, and what runs, before any command is read: so none is carried out twice.
  private func restoreReplies() throws(BusError) {
    try bus.readToEnd([TopicPartition(settings.topics.replies, 0): earliestOffset], clock: clock) { batch in
      table.restoreReplies(batch)
    }
  }

  private func restore(_ shards: [Int32]) throws(BusError) {
    let changelog = settings.topics.changelog(table.rows.schema.table)
    var start: [TopicPartition: Int64] = [:]
    var total: Int64 = 0
    for shard in shards {
      let partition = TopicPartition(changelog, shard)
      start[partition] = earliestOffset
      total += try bus.endOffset(partition, isolation: .uncommitted)
    }
    var done: Int64 = 0
    var nextReport = clock.elapsed() + .seconds(1)
    try bus.readToEnd(start, clock: clock) { batch throws(BusError) in
      table.restore(batch)
      done += Int64(batch.count)
      guard clock.elapsed() >= nextReport else { return }
      nextReport = clock.elapsed() + .seconds(1)
      let percent = total > 0 ? min(99, done * 100 / total) : 100
      readiness.set("table", "restoring \(shards.count) shards: \(percent) % (\(table.rowCount) rows)")
      log.info("restoring", ("percent", "\(percent)"), ("records", "\(done)"), ("rows", "\(table.rowCount)"))
    }
  }

  /// The shards go elsewhere (or the group lost sight of us): whoever gets them finds no open transaction of
  /// ours on them. Nothing is kept: what follows is a new leader, which aborts what this one could not.
  public func revoked(lost: Bool) {
    log.warning("shards revoked", ("lost", "\(lost)"))
    if isOpen { try? producer?.abort() }
    isOpen = false
    readiness.set("table", "its shards were revoked")
    group = nil
    isRevoked = true
  }

  private static let revoked = BusError(.recreate, code: "REVOKED", "the group took the shards away")

  /// The group took the shards away: this leader is to be made anew.
  public private(set) var isRevoked = false
}
