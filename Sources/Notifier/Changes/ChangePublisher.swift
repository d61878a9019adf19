import Base
import Bus
import Events
import Matching
import Requests

/// Publishes every committed change on the streams of the modes `all` and `immediate`, on a thread of its own
/// under the seat `<cluster>.live`: so that no sweep, however wide, delays it.
///
/// The changelog is its only input, and a change brings its row before and after; so it keeps no rows. Each
/// transaction has the streams' records and how far they are: by shard the changelog's next offset and the number
/// of the last change, by stream epoch and seq, and for one that began with a snapshot the change numbers that this
/// held, up to which changes are skipped, or for one that began without rows the offsets from which it tells. So each
/// change is on a stream exactly once, whatever dies when.
///
/// Which streams there are, and in which epoch, the publisher tells it. `turn` is called again and again. It is
/// crash-only: an error with a remedy other than `.retry` means `reset`, after which it comes back from its topics.
public final class ChangePublisher {
  public struct Settings: Sendable {
    public var topics: ClusterTopics
    public var schema: Schema
    /// Of the changelog.
    public var partitions: Int
    /// The time between two transactions at least.
    public var commitInterval = Duration.milliseconds(100)
    /// Bytes, and records, after which a transaction takes no further change; one change is never split.
    public var transactionBytesMax = 8 << 20
    public var transactionRecordsMax = 20_000
    /// Bytes of one change on all its streams, after which those that are left stand still.
    public var changeBytesMax = 256 << 20
    /// Bytes of snapshots' rows that go into one transaction, so that a huge one delays no changes.
    public var snapshotBytesMax = 4 << 20
    /// Bytes of snapshots' rows that wait for their transactions, after which no further stream begins.
    public var snapshotHeldMax = 256 << 20
    /// How long the changelog's last changes are read for, before the rows are asked for that are not to be behind them.
    public var lookBackTimeout = Duration.seconds(5)
    /// How long a changelog that does not answer is not asked for them, nor for the lag.
    public var awayInterval = Duration.seconds(30)
    /// Bytes of changes that wait for their streams' snapshots, until no further ones are read.
    public var heldBytesMax = 64 << 20
    /// How often it is told how far the changelog is read, where nothing else is published; and, where nothing is
    /// read either, that somebody would publish.
    public var tellInterval = Duration.seconds(1)
    public var quietInterval = Duration.seconds(5)
    /// How often the brokers are asked how far the changelog goes on.
    public var lagInterval = Duration.seconds(5)
    /// Streams whose rows are asked for at once.
    public var snapshotStreamsMax = 64
    /// What a stream stores for clients that are away: bytes of keys, values and headers, and for how long. Its
    /// topic's retention is above both.
    public var storedBytesMax: Int64 = 256 << 20
    public var storedAgeMax = Duration.seconds(3 * 86_400)
    /// How often it is looked for streams' topics that somebody deleted.
    public var topicsInterval = Duration.seconds(10)
    /// How its transactions are waited for, and tried again.
    public var seat = Seat.Settings()

    public init(topics: ClusterTopics, schema: Schema, partitions: Int) {
      self.topics = topics
      self.schema = schema
      self.partitions = partitions
    }
  }

  /// What the publisher has told.
  struct Assignment {
    var epoch: Int64
    var streams: [String: Requests.Stream]
    /// Those whose clients are away.
    var storing: Set<String>
    let counts: ChangeCounts
    let news: Mailbox<ChangeNews>
    /// The publisher knows that they are taken over.
    var isTold = false
  }

  /// What it has restored for these streams.
  struct Running {
    var progress: ChangeProgress
    var matcher: ChangeMatcher
    /// By the matcher's number.
    var streams: [Int: ChangeStream] = [:]
    /// In the order of their making.
    var ordered: [ChangeStream] = []
    /// Of these, those that have no snapshot yet, or not all of it on their topic.
    var beginning: [ChangeStream] = []
    /// Those whose progress is to be told although nothing of them may be published.
    var changed: [ChangeStream] = []
    /// Those that store for clients that are away.
    var storing: [ChangeStream] = []
    /// Those that have not told yet what the others have, or begin behind that.
    var catchingUp: [ChangeStream] = []
    /// Bytes of changes that wait for snapshots.
    var heldBytes = 0
    /// Of the changelog, from `next` on; made when it is needed.
    var reader: (any Reader)?
    /// How far all streams have told it but those that catch up. Empty while none takes changes.
    var positions: [Int32: ChangePosition] = [:]
    /// By shard, the offset of the next record to be taken: less than in `positions` where a stream catches up.
    var next: [Int32: Int64] = [:]
    /// What was told of them last.
    var told: [Int32: ChangePosition] = [:]
    /// What was read, and how much of it is matched.
    let batch = RecordBatch(capacity: 1 << 20)
    var cursor = 0
    /// What goes into the next transaction.
    let items = ChangeItems()
    var snapshotBytes = 0
    /// The streams whose rows were asked for, and by shard the change number that the answer must have reached.
    var asked: (number: Int, streams: [ChangeStream])?
    var floors: [Int32: Int64] = [:]

    /// Where theirs are all there was, no transaction comes that would make room for others'.
    mutating func forgetItems(of streams: Set<Int>) {
      items.removeAll(ofStreams: streams)
      if items.isEmpty { snapshotBytes = 0 }
    }

    mutating func forget(where isGone: (ChangeStream) -> Bool) {
      ordered.removeAll(where: isGone)
      beginning.removeAll(where: isGone)
      catchingUp.removeAll(where: isGone)
      changed.removeAll(where: isGone)
      storing.removeAll(where: isGone)
    }
  }

  let bus: any Bus
  let clock: any Clock
  let settings: Settings
  let log: Log
  let telemetry: ChangeTelemetry
  let readiness: Readiness
  private let letters: Mailbox<ChangeLetter>
  let table: Mailbox<TableLetter>
  let answers = Mailbox<(number: Int, snapshot: Snapshot)>(capacity: 16)
  private let pause: @Sendable (Duration) -> Void
  let seat: Seat

  var assignment: Assignment?
  var running: Running?
  /// The number of the last question to the table.
  var questions = 0
  var nextCommit = Duration.zero
  /// When the last transaction began.
  var lastPublished = Duration.zero
  private var nextLag = Duration.zero
  /// When the changelog is asked for its last changes again.
  var nextLookBack = Duration.zero
  var nextTopics = Duration.zero
  /// The images of a change, and texts.
  var before = ByteBuffer(capacity: 1024)
  var after = ByteBuffer(capacity: 1024)

  /// `letters` come from publishers, one after the other; `table` takes what it asks of the table's thread. `pause`
  /// waits, where nothing is to be read, and before an aborted transaction is tried again.
  public init(
    bus: any Bus, clock: any Clock, settings: Settings, letters: Mailbox<ChangeLetter>,
    table: Mailbox<TableLetter>, readiness: Readiness, log: Log, metrics: Metrics,
    pause: @escaping @Sendable (Duration) -> Void
  ) {
    self.bus = bus
    self.clock = clock
    self.settings = settings
    self.letters = letters
    self.table = table
    self.readiness = readiness
    self.log = log.named("changes")
    self.pause = pause
    telemetry = ChangeTelemetry(metrics)
    seat = Seat(
      settings.topics.liveSeat, role: "changes", topics: settings.topics, bus: bus, clock: clock,
      settings: settings.seat, readiness: readiness, log: self.log, aborts: telemetry.aborts, pause: pause)
  }

  /// Lets go of the seat and of all that was restored; what the publisher has told stays.
  public func reset() {
    nextLookBack = .zero
    if running != nil { closeReader(&running!) }
    running = nil
    seat.close()
  }

  public func close() {
    reset()
    assignment = nil
  }

  /// Waits at most `wait` for changes; then publishes what is due.
  public func turn(wait: Duration) throws(BusError) {
    takeLetters()
    // Also before there is a term: what a former holder left open ends here, and hides nothing any more.
    if !seat.isHeld { try takeSeat() }
    guard assignment != nil else { return rest(wait) }
    if running == nil { running = try restored() }
    if !assignment!.isTold { assignment!.isTold = assignment!.news.send(.begun) }
    for (number, snapshot) in answers.takeAll() { take(snapshot, number) }
    stopStoring()
    try askForSnapshots()
    if running!.next.isEmpty {
      rest(running!.items.isEmpty ? wait : .zero)
    } else {
      try readChanges(wait: wait)
    }
    publishRows()
    try lookForStreamTopics()
    if isDue { try publish() }
    try lookForLag()
    readiness.turned("changes")
  }

  func rest(_ wait: Duration) {
    if wait > .zero { pause(wait) }
    readiness.turned("changes")
  }

  /// A term that is over is not ours to publish in; where it is not the publisher's own claim that ended it, the
  /// publisher hears of that.
  private func takeSeat() throws(BusError) {
    do throws(BusError) {
      try seat.take(in: assignment?.epoch)
    } catch {
      if let assignment, seat.claimed > assignment.epoch {
        assignment.news.send(.late(claimed: seat.claimed))
      }
      throw error
    }
  }

  // MARK: Streams

  private func takeLetters() {
    var stopped: [StreamPlace] = []
    for letter in letters.takeAll() {
      if case .stop(let place) = letter {
        stopped.append(place)
        continue
      }
      stop(stopped)
      stopped = []
      switch letter {
      case .begin(let epoch, let streams, let storing, let counts, let news):
        reset()  // the seat is taken anew in every term
        assignment = Assignment(
          epoch: epoch, streams: Dictionary(uniqueKeysWithValues: streams.map { ($0.id, $0) }),
          storing: storing, counts: counts, news: news)
      case .epoch(let epoch): assignment?.epoch = epoch
      case .start(let stream, let from): start(stream, from)
      case .store(let id): store(id)
      case .takeUp(let id): takeUp(id)
      case .stop: preconditionFailure("stopped together")
      }
    }
    stop(stopped)
  }

  private func start(_ stream: Requests.Stream, _ from: [Int32: Int64]) {
    assignment?.streams[stream.id] = stream
    if running?.ordered.isEmpty ?? true {
      running = nil  // the first one begins where the transactions before it ended
    } else if from.isEmpty {
      add(stream, found: nil, &running!)
    } else {
      begin(stream, from: from)
    }
  }

  func add(_ stream: Requests.Stream, found: ChangeState?, _ running: inout Running) {
    let isStoring = assignment!.storing.contains(stream.id)
    let made = ChangeStream(
      stream, number: running.matcher.add(stream.view), found: found, isStoring: isStoring)
    if isStoring { store(made, &running) }
    running.streams[made.number] = made
    running.ordered.append(made)
    if made.isWaiting { running.beginning.append(made) }
    if !made.from.isEmpty {
      running.catchingUp.append(made)
      // Compaction keeps one word on it: that has to come behind the last one on a former life.
      running.changed.append(made)
    }
    telemetry.report(streams: running.ordered.count, held: running.heldBytes)
  }

  /// Together, since thousands may end at once.
  private func stop(_ places: [StreamPlace]) {
    guard assignment != nil, !places.isEmpty else { return }
    let ids = Set(places.map(\.id))
    for place in places { assignment!.counts.remove(place) }
    for id in ids {
      assignment!.streams[id] = nil
      assignment!.storing.remove(id)
    }
    let gone = running?.ordered.filter { ids.contains($0.id) } ?? []
    if !gone.isEmpty {
      running!.forgetItems(of: Set(gone.map(\.number)))
      for stream in gone {
        running!.matcher.remove(stream.number)
        running!.streams[stream.number] = nil
        release(stream)
      }
      running!.forget { ids.contains($0.id) }
      telemetry.report(streams: running!.ordered.count, held: running!.heldBytes)
      if !running!.ordered.contains(where: \.isAlive) { stopReading() }
    }
    for place in places { assignment!.news.send(.stopped(place)) }
  }

  /// Whether it was not stopped meanwhile.
  func isThere(_ stream: ChangeStream) -> Bool { running!.streams[stream.number] === stream }

  /// Nobody wants to know of changes any more: the next stream begins where the changelog is then.
  func stopReading() {
    closeReader(&running!)
    running!.asked = nil
    running!.positions = [:]
    running!.next = [:]
  }

  var changelog: [TopicPartition] {
    settings.topics.changelog(settings.schema.table, partitions: settings.partitions)
  }

  /// How far the changelog goes on, for the metrics.
  private func lookForLag() throws(BusError) {
    guard running!.reader != nil, clock.elapsed() >= nextLag else { return }
    nextLag = clock.elapsed() + settings.awayInterval
    var behind: Int64 = 0
    for partition in changelog {
      let end = try bus.endOffset(partition, isolation: .committed)
      behind += max(0, end - running!.reader!.position(partition))
    }
    nextLag = clock.elapsed() + settings.lagInterval
    telemetry.isBehind(behind)
  }

  /// What waited for a stream's snapshot has gone elsewhere.
  func release(_ stream: ChangeStream) {
    running!.heldBytes -= stream.held.byteCount
    stream.held.removeAll()
    telemetry.report(streams: running!.ordered.count, held: running!.heldBytes)
  }

  /// It takes no changes any more.
  func leave(_ stream: ChangeStream, _ running: inout Running) {
    stream.from = [:]
    running.beginning.removeAll { $0 === stream }
    running.catchingUp.removeAll { $0 === stream }
  }

  /// A stream is over a limit: nothing more of it is published, and everything else goes on.
  func fail(_ stream: ChangeStream, _ reason: String) {
    log.error("stream stands still", ("stream", stream.id), ("reason", reason))
    telemetry.failed()
    stream.phase = .failed
    leave(stream, &running!)
    release(stream)
    running!.changed.append(stream)
    assignment!.news.send(.failed(StreamFailure(stream: stream.id, reason: reason)))
  }
}
