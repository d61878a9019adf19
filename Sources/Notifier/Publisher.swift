import Base
import Bus
import Events
import Query
import Requests

/// The master's publishing side, on one thread under the seat `<cluster>.publish`: reads requests, keeps
/// the registry, and publishes each sweep in one transaction.
///
/// `turn` is called again and again. Like the leader it is crash-only: an error with a remedy other than
/// `.retry` means that it is to be thrown away and made anew; the registry and the streams' counts come
/// back from their topics. The table need not be made anew with it (but see `mailboxFull`): a publisher's
/// first letter resets what the table's thread matched for a former one.
public final class Publisher {
  public struct Settings: Sendable {
    public var topics: ClusterTopics
    public var registry: RegistrySettings
    /// Records of `<cluster>.requests` taken into one transaction at most.
    public var requestsPerTurnMax = 2_000
    /// How late what the table's thread collected may be seen.
    public var mailWait = Duration.milliseconds(5)
    /// How long the broker may gather requests, so that ten thousand renewals are some dozens of reads.
    public var requestGather = Duration.milliseconds(200)
    /// Streams that end in one epoch and are remembered; past it the next epoch is claimed.
    public var endedPerEpochMax = 10_000
    /// Of the table.
    public var changelog: [TopicPartition] = []
    /// Topics that must be there, with as many partitions, and how often they are looked at.
    public var neededTopics: [TopicSpec] = []
    public var topicsInterval = Duration.seconds(10)
    /// How often the brokers are asked where the requests end: an idle publisher would not see them go.
    public var lookInterval = Duration.seconds(1)
    /// How the interval grows where sweeps take longer than it.
    public var throttle = Throttle.Settings()
    /// How its transactions are waited for, and tried again.
    public var seat = Seat.Settings()

    public init(topics: ClusterTopics, registry: RegistrySettings) {
      self.topics = topics
      self.registry = registry
    }
  }

  /// The code of the error with which the table, too, must be made anew: its thread did not get a letter.
  public static let mailboxFull = "MAILBOX"
  /// The same: a topic was deleted, and must be made before anyone can go on.
  public static let topicGone = "TOPIC_GONE"
  /// What was collected and not published yet; one sweep at a time is under way.
  private static let collectedMax = 16
  /// News of streams of every change: more than there can be streams.
  private static let newsMax = 200_000

  let bus: any Bus
  let clock: any Clock
  let settings: Settings
  let catalog: any Catalog
  private let table: Mailbox<TableLetter>
  private let mail: Mailbox<Collected>
  /// To who publishes every change, and back.
  private let changes: Mailbox<ChangeLetter>
  private let changeNews: Mailbox<ChangeNews>
  let readiness: Readiness
  let definitions: SharedDefinitions
  let log: Log
  let telemetry: PublisherTelemetry
  let seat: Seat
  let streamTopics: StreamTopics
  /// The registry's time: that of the clock at the start, and what has elapsed since. So it never steps, and
  /// leases do not depend on the brokers' clocks.
  private let started: (now: Timestamp, elapsed: Duration)

  /// What a started publisher has. nil until the first turn has restored it.
  var running: Running?

  struct Running {
    /// The streams' own topics, as they were before this publisher took its seat.
    var listed: [String]
    var requests: any Reader
    /// A reader of its own: who flushes does not wait until requests are gathered.
    var commands: any Reader
    /// What was read last of them, and how many of these are handled.
    let commandsRead = RecordBatch()
    var commandsDone = 0
    var registry: Registry
    var contents: Contents
    /// Those that are published; a stream that failed is not among them.
    var streams: [String: Stream] = [:]
    var schedule = Schedule()
    /// Sets that are due and were not collected yet, as units of what is published together.
    var due: [[RequestSet]] = []
    /// The table's thread was asked for what is due and has not answered.
    var isCollecting = false
    var flushing = Flushing()
    var unanswered = UnansweredReport()
    var throttle: Throttle
    /// What was due together and is not published yet: the sweeps' work so far, and the smallest interval.
    var round: (work: Duration, smallest: Duration)?
    /// Streams that began again since: what was collected under their ids is of their former lives.
    var begunAgain: Set<String> = []
    var asked = Duration.zero
    /// Since when something is over, and how far the requests must be read before it ends.
    var ending: (since: Timestamp, requests: Int64)?
  }

  /// The streams' counts; a class, since the registry asks for them while it writes replies.
  final class Counts {
    var progress = Progress()
    var epoch: Int64 = 0
    /// Of the streams of every change.
    let changes = ChangeCounts()

    /// How far a stream is, as replies say it. One that ended in this epoch begins in the next.
    func position(of id: String) -> StreamProgress {
      if progress.ended.contains(id) { return StreamProgress(seq: 0, epoch: epoch + 1) }
      if let count = changes[id] { return count }
      return StreamProgress(seq: progress.streams[id]?.seq ?? 0, epoch: epoch)
    }
  }
  let counts = Counts()
  private var hasLostLetter = false
  /// When the brokers, and the topics, are looked at next.
  var nextLook = Duration.zero
  private var nextTopics = Duration.zero
  var nextStreamTopics = Duration.zero
  private let batch = RecordBatch()

  /// `table` takes what the publisher asks; the answers come into a mailbox of the publisher's own. `changes` goes
  /// to who publishes every change, and what becomes of it comes back likewise. `pause`
  /// waits before an aborted transaction is tried again.
  public init(
    bus: any Bus, clock: any Clock, settings: Settings, catalog: any Catalog, table: Mailbox<TableLetter>,
    changes: Mailbox<ChangeLetter>, readiness: Readiness, definitions: SharedDefinitions, log: Log,
    metrics: Metrics,
    pause: @escaping @Sendable (Duration) -> Void
  ) {
    self.bus = bus
    self.clock = clock
    self.settings = settings
    self.catalog = catalog
    self.table = table
    mail = Mailbox(capacity: Self.collectedMax)
    self.changes = changes
    changeNews = Mailbox(capacity: Self.newsMax)
    self.readiness = readiness
    self.definitions = definitions
    self.log = log.named("publisher")
    telemetry = PublisherTelemetry(metrics)
    seat = Seat(
      settings.topics.publishSeat, role: "publisher", topics: settings.topics, bus: bus, clock: clock,
      settings: settings.seat, readiness: readiness, log: self.log, aborts: telemetry.aborts, pause: pause)
    streamTopics = StreamTopics(bus: bus, topics: settings.topics, log: self.log)
    started = (clock.now(), clock.elapsed())
    readiness.set("publisher", "restoring the registry")
  }

  public func close() {
    running?.requests.close()
    running?.commands.close()
    seat.close()
    running = nil
  }

  /// Waits at most `wait`, for requests; then does what is due.
  public func turn(wait: Duration) throws(BusError) {
    if running == nil { running = try start() }
    try readInput(wait: min(wait, untilNextWork))
    try endWhatIsOver()
    for collected in mail.takeAll() { try publish(collected) }
    try take(changeNews.takeAll())
    try tellThrottle()
    try lookForStreamTopics()
    try askForSweep()
    if hasLostLetter { throw BusError(.recreate, code: Self.mailboxFull, "a mailbox is full") }
    telemetry.report(running!.registry, epoch: counts.epoch)
    reportUnanswered()
    try look()
    readiness.turned("publisher")
  }

  /// Looks now and then whether the brokers answer and all topics are what they were.
  private func look() throws(BusError) {
    guard clock.elapsed() >= nextLook else { return }
    try lookForTopics()
    let requests = TopicPartition(settings.topics.requests, 0)
    do throws(BusError) {
      let end = try bus.endOffset(requests, isolation: .uncommitted)
      if end < running!.registry.requestsPosition {
        throw BusError(
          .recreate, code: "MADE_AGAIN", "\(requests) ends at \(end), before what was read of it")
      }
    } catch  where error.code.contains("UNKNOWN_") {
      nextTopics = .zero  // is it gone?
      throw error
    }
    nextLook = clock.elapsed() + settings.lookInterval
  }

  func lookForTopics() throws(BusError) {
    guard clock.elapsed() >= nextTopics else { return }
    var gone = try bus.missing(of: settings.neededTopics).map(\.name)
    // Who begins makes the lanes, once the seat is taken.
    if running != nil { gone += bus.knownMissing(of: [settings.topics.viewLanes]) }
    if !gone.isEmpty { throw remedy(forDeleted: gone) }
    nextTopics = clock.elapsed() + settings.topicsInterval
  }

  /// The next set that is due; or, while a sweep is being collected, a look at the mailbox now and then.
  private var untilNextWork: Duration {
    running!.isCollecting ? settings.mailWait : running!.schedule.wait(now: clock.elapsed())
  }

  var time: Timestamp { started.now + (clock.elapsed() - started.elapsed) }

  // MARK: Requests

  /// Leases and grace periods end when the requests are read that were there when they ran out: renewals may
  /// be among them, where this thread was held up.
  private func endWhatIsOver() throws(BusError) {
    let partition = TopicPartition(settings.topics.requests, 0)
    if running!.ending == nil, running!.registry.isEnding(now: time) {
      running!.ending = (time, try bus.endOffset(partition, isolation: .committed))
    }
    guard let (since, end) = running!.ending, running!.requests.position(partition) >= end else { return }
    running!.ending = nil
    try carryOut(running!.registry.tick(now: since))
  }

  private func readInput(wait: Duration) throws(BusError) {
    let commands = running!.commandsRead
    if running!.commandsDone == commands.count {
      commands.removeAll()
      running!.commandsDone = 0
      try running!.commands.poll(into: commands, max: settings.requestsPerTurnMax, timeout: wait)
    }
    batch.removeAll()
    let isHeld = running!.commandsDone < commands.count
    try running!.requests.poll(
      into: batch, max: settings.requestsPerTurnMax, timeout: isHeld ? wait : .zero)
    var all = handleCommands()
    for record in batch.records {
      let effects = running!.registry.handle(
        key: batch.key(record), value: batch.value(record), now: time, offset: record.offset)
      if !effects.isEmpty { all.append(effects) }
    }
    try carryOut(all)
    definitions.reached(command: running!.registry.commandsPosition)
  }

  /// In their order. A definition waits, and all behind it, until the table has done what came before: there, names
  /// mean what they meant.
  private func handleCommands() -> [Effects] {
    let (commands, registry) = (running!.commandsRead, running!.registry)
    var all: [Effects] = []
    while running!.commandsDone < commands.count {
      let record = commands.records[running!.commandsDone]
      let value = commands.value(record)
      if !definitions.mayChange(at: record.offset), registry.isDefinition(value) { break }
      let effects = registry.handle(
        command: commands.key(record), value: value, now: time, offset: record.offset)
      if !effects.isEmpty { all.append(effects) }
      running!.commandsDone += 1
    }
    return all
  }

  // MARK: Streams

  /// `ends`: where the changelog ended before the stream's reply was committed, if it is an immediate one.
  func begin(_ stream: Stream, at ends: [Int32: Int64], _ running: inout Running) {
    if stream.mode != .net {
      counts.changes.begin(stream.place)
      return tell(.start(stream, from: stream.mode == .immediate ? ends : [:]))
    }
    running.streams[stream.id] = stream
    if stream.place.isAgain, running.isCollecting { running.begunAgain.insert(stream.id) }
    ask(.start(stream))
  }

  func end(_ place: StreamPlace) {
    if place.mode == .net { stop(place.id) } else { tell(.stop(place)) }
    log.info("stream ended", ("id", place.id), ("topic", place.topic))
  }

  func stop(_ id: String) {
    running!.streams[id] = nil
    ask(.stop(id: id))
    _ = running!.contents.take(id)
  }

  /// The mailbox holds far more letters than there can be streams; what it refuses would be lost.
  func ask(_ letter: TableLetter) {
    if !table.send(letter) {
      log.error("the table's mailbox is full")
      hasLostLetter = true
    }
  }

  func tell(_ letter: ChangeLetter) {
    if !changes.send(letter) {
      log.error("the mailbox of the changes' publisher is full")
      hasLostLetter = true
    }
  }

  /// Whoever publishes every change goes on in this publisher's term.
  func beginChanges(_ streams: [Stream], storing: Set<String>) {
    tell(
      .begin(
        epoch: counts.epoch, streams: streams, storing: storing, counts: counts.changes, news: changeNews))
  }

  private func take(_ all: [ChangeNews]) throws(BusError) {
    for news in all { try take(news) }
    // To delete takes as long for one as for many.
    streamTopics.delete(
      all.compactMap { news in
        guard case .stopped(let place) = news, place.placement == .own else { return nil }
        return place.topic
      })
  }

  private func take(_ news: ChangeNews) throws(BusError) {
    switch news {
    case .begun:
      // Once nobody of a former term writes to them any more.
      streamTopics.deleteLeftovers(running!.listed, ofEveryChange: true, living: running!.registry.streams)
      running!.listed = []
    case .late(let claimed):
      guard claimed > counts.epoch else { break }
      throw BusError(
        .fenced, code: "TERM", "epoch \(claimed) was claimed, this is epoch \(counts.epoch)'s publisher")
    case .refused(let refused):
      let effects = running!.registry.refuse([(refused.stream, refused.reason)], now: time)
      try carryOut(effects)
    case .stopped: break  // see above
    case .full(let full): try carryOut(running!.registry.fill(full.stream, reason: full.reason, now: time))
    case .failed(let failure):
      try carryOut(running!.registry.fail(failure.stream, reason: failure.reason, now: time))
    }
  }

  /// The table's thread forgets what a former publisher asked of it.
  func resetTable() { ask(.reset(mail)) }
}
