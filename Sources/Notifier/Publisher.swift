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
/// back from their topics.
public final class Publisher {
  public struct Settings: Sendable {
    public var topics: ClusterTopics
    public var registry: RegistrySettings
    /// Records of `<cluster>.requests` taken into one transaction at most.
    public var requestsPerTurnMax = 2_000
    /// Times that a transaction whose outcome is unknown, or that was aborted, is tried again in a row.
    public var attemptsMax = 5
    /// How late what the table's thread collected may be seen.
    public var mailWait = Duration.milliseconds(5)
    /// How long the broker may gather requests, so that ten thousand renewals are some dozens of reads.
    public var requestGather = Duration.milliseconds(200)
    /// Own topics that one start makes or deletes in one call.
    public var topicsPerCallMax = 200

    public init(topics: ClusterTopics, registry: RegistrySettings) {
      self.topics = topics
      self.registry = registry
    }
  }

  private let bus: any Bus
  private let clock: any Clock
  private let settings: Settings
  private let catalog: any Catalog
  private let table: Mailbox<TableLetter>
  private let mail: Mailbox<Collected>
  private let readiness: Readiness
  private let log: Log
  private let telemetry: PublisherTelemetry

  /// What a started publisher has. nil until the first turn has restored it.
  private var running: Running?

  private struct Running {
    var producer: any TransactionalProducer
    var requests: any Reader
    var registry: Registry
    var contents: Contents
    var streams: [String: Stream]
    var schedule = Schedule()
    /// The sets of the sweep that the table's thread was asked for, not yet answered.
    var collecting: [String]?
    /// Streams that began again since: what was collected under their ids is of their former lives.
    var begunAgain: Set<String> = []
    var asked = Duration.zero
  }

  /// The streams' counts; a class, since the registry asks for them while it writes replies.
  private final class Counts {
    var progress = Progress()
    var epoch: Int64 = 0

    /// How far a stream is, as replies say it. One that ended in this epoch begins in the next.
    func position(of id: String) -> StreamProgress {
      guard let state = progress.streams[id] else { return StreamProgress(seq: 0, epoch: epoch) }
      let beginsAgain = state.seq == 0 && state.epoch == epoch
      return StreamProgress(seq: state.seq, epoch: beginsAgain ? epoch + 1 : epoch)
    }
  }
  private let counts = Counts()
  /// The table's thread did not get a letter: both roles must be made anew.
  private var hasLostLetter = false
  private let batch = RecordBatch()

  /// `table` takes what the publisher asks, `mail` brings what the table's thread collected.
  public init(
    bus: any Bus, clock: any Clock, settings: Settings, catalog: any Catalog, table: Mailbox<TableLetter>,
    mail: Mailbox<Collected>, readiness: Readiness, log: Log, metrics: Metrics
  ) {
    self.bus = bus
    self.clock = clock
    self.settings = settings
    self.catalog = catalog
    self.table = table
    self.mail = mail
    self.readiness = readiness
    self.log = log.named("publisher")
    telemetry = PublisherTelemetry(metrics)
    readiness.set("publisher", "restoring the registry")
  }

  public func close() {
    running?.requests.close()
    running?.producer.close()
    running = nil
  }

  /// Waits at most `wait`, for requests; then does what is due.
  public func turn(wait: Duration) throws(BusError) {
    if running == nil { running = try start() }
    try readRequests(wait: min(wait, untilNextWork))
    try carryOut(running!.registry.tick(now: clock.now()))
    for collected in mail.takeAll() { try publish(collected) }
    askForSweep()
    if hasLostLetter { throw BusError(.recreate, code: "MAILBOX", "the table's mailbox is full") }
    telemetry.report(running!.registry, streams: running!.streams.count, epoch: counts.epoch)
  }

  /// The next set that is due; or, while a sweep is being collected, a look at the mailbox now and then.
  private var untilNextWork: Duration {
    running!.collecting == nil ? running!.schedule.wait(now: clock.elapsed()) : settings.mailWait
  }

  // MARK: Start

  private func start() throws(BusError) -> Running {
    let topics = settings.topics
    let producer = try bus.makeProducer(transactionalID: topics.publishSeat)
    try producer.initialise()
    let counts = counts
    let registry = Registry(settings: settings.registry, catalog: catalog) { counts.position(of: $0) }
    var claimed: Int64 = 0
    try fold(topics.registry) { key, value in
      if key == "claim" { claimed = max(claimed, value?["epoch"]?.int ?? 0) }
      registry.restore(key: key, value: value)
    }
    try fold(topics.progress) { key, value in
      if let value { counts.progress.restore(key: key, value: value) }
    }
    counts.epoch = max(claimed, counts.progress.epoch) + 1
    let restored = registry.finishRestore(now: clock.now())
    let streams = registry.streams
    try makeTopics(of: streams)
    try deleteLeftovers(streams)
    let contents = try Contents.read(streams.map(\.place), bus, clock)
    var running = Running(
      producer: producer,
      requests: try bus.makeReader(
        [TopicPartition(topics.requests, 0): registry.requestsPosition], isolation: .committed,
        gather: settings.requestGather),
      registry: registry, contents: contents, streams: [:])
    try claim(restored, running)
    counts.progress.forgetCounts(except: streams.map(\.place))
    for stream in streams { begin(stream, &running) }
    for set in registry.sets { running.schedule.update(set, now: clock.elapsed()) }
    readiness.set("publisher", nil)
    log.info(
      "publishing", ("epoch", "\(counts.epoch)"), ("streams", "\(streams.count)"),
      ("sweep", "\(counts.progress.sweep)"))
    return running
  }

  /// Folds a one-partition topic of JSON records from its start to its true end.
  private func fold(_ topic: String, _ body: (String, JSON?) -> Void) throws(BusError) {
    try bus.readToEnd([TopicPartition(topic, 0): earliestOffset], clock: clock) { batch in
      for record in batch.records {
        guard let key = batch.keyText(record) else { continue }
        let value = batch.value(record)
        let json = value.flatMap { try? JSON(parsing: $0) }
        if value != nil, json == nil {
          log.error("not JSON", ("topic", topic), ("offset", "\(record.offset)"))
        } else {
          body(key, json)
        }
      }
    }
  }

  /// A new term: its epoch, written under the seat before anything is published in it.
  /// With it goes what the registry sorted out when it was restored.
  private func claim(_ restored: Effects, _ running: Running) throws(BusError) {
    let (sweep, outcome) = try ending(restored.ended, running)
    append(claim: counts.epoch, to: outcome.batch)
    append(restored, to: outcome.batch)
    try commit(outcome, sweep, running.producer)
  }

  private func append(claim epoch: Int64, to batch: RecordBatch) {
    let value = JSON.object(of: ["epoch": .int(epoch), "seat": .string(settings.topics.publishSeat)])
    batch.append(
      topic: settings.topics.registry, partition: 0, timestamp: clock.now(), key: "claim", value: value.text)
  }

  // MARK: Topics

  /// Makes the own topics that are missing.
  private func makeTopics(of streams: [Stream]) throws(BusError) {
    let own = streams.filter { $0.place.placement == .own }.map { ClusterTopics.view($0.place.topic) }
    for first in stride(from: 0, to: own.count, by: settings.topicsPerCallMax) {
      try bus.ensureTopics(Array(own[first..<min(own.count, first + settings.topicsPerCallMax)]))
    }
  }

  /// Own topics that a crash left behind: no stream of the registry has them.
  private func deleteLeftovers(_ streams: [Stream]) throws(BusError) {
    let living = Set(streams.map(\.place.topic))
    let prefix = settings.topics.viewPrefix
    let left = try bus.topics(prefix: prefix).filter { name in
      !living.contains(name) && Self.isStreamName(name.dropFirst(prefix.count))
    }
    if !left.isEmpty { log.warning("deleting topics left behind", ("count", "\(left.count)")) }
    try bus.deleteTopics(left)
  }

  /// `<16 hex digits>` or `<16 hex digits>.<number>`: nothing else is ours to delete.
  private static func isStreamName(_ name: Substring) -> Bool {
    let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    return parts[0].count == 16 && parts[0].allSatisfy { $0.isHexDigit && !$0.isUppercase }
      && (parts.count == 1 || Int64(parts[1]) != nil)
  }

  // MARK: Requests

  private func readRequests(wait: Duration) throws(BusError) {
    batch.removeAll()
    try running!.requests.poll(into: batch, max: settings.requestsPerTurnMax, timeout: wait)
    if batch.isEmpty { return }
    var all: [Effects] = []
    for record in batch.records {
      let effects = running!.registry.handle(
        key: batch.key(record), value: batch.value(record), timestamp: record.timestamp, offset: record.offset
      )
      if !effects.isEmpty { all.append(effects) }
    }
    try carryOut(all)
  }

  private func carryOut(_ effects: Effects) throws(BusError) {
    if !effects.isEmpty { try carryOut([effects]) }
  }

  /// Makes topics, commits the registry's records and replies in one transaction, then starts and ends
  /// streams. The registry is ahead of the bus until then: an error here is never for trying again.
  private func carryOut(_ all: [Effects]) throws(BusError) {
    if all.isEmpty { return }
    do throws(BusError) {
      try commitAndApply(all)
    } catch  where error.remedy == .retry {
      throw BusError(.recreate, code: error.code, error.message)
    }
  }

  private func commitAndApply(_ all: [Effects]) throws(BusError) {
    try makeTopics(of: all.flatMap(\.started))
    let (sweep, outcome) = try ending(all.flatMap(\.ended), running!)
    let out = outcome.batch
    for effects in all { append(effects, to: out) }
    let needsEpoch = all.flatMap(\.started).contains { stream in
      stream.place.isAgain && counts.progress.streams[stream.id]?.epoch == counts.epoch
    }
    // A stream that lives again begins in a higher epoch than the one that saw it end.
    if needsEpoch { append(claim: counts.epoch + 1, to: out) }
    try commit(outcome, sweep, running!.producer)
    if needsEpoch { counts.epoch += 1 }
    for effects in all { apply(effects) }
  }

  /// The registry's records and replies.
  private func append(_ effects: Effects, to out: RecordBatch) {
    let time = clock.now()
    for (key, value) in effects.cluster {
      out.append(topic: settings.topics.registry, partition: 0, timestamp: time, key: key, value: value?.text)
    }
    for (key, value) in effects.replies {
      out.append(topic: settings.topics.replies, partition: 0, timestamp: time, key: key, value: value.text)
    }
  }

  private func apply(_ effects: Effects) {
    for place in effects.ended { end(place) }
    for stream in effects.started { begin(stream, &running!) }
    for set in effects.sets { running!.schedule.update(set, now: clock.elapsed()) }
    for id in effects.setsEnded { running!.schedule.remove(id) }
  }

  private func begin(_ stream: Stream, _ running: inout Running) {
    running.streams[stream.id] = stream
    if stream.place.isAgain, running.collecting != nil { running.begunAgain.insert(stream.id) }
    ask(.start(stream))
  }

  private func end(_ place: StreamPlace) {
    running!.streams[place.id] = nil
    counts.progress.forgetCount(of: place.id)
    ask(.stop(id: place.id))
    _ = running!.contents.take(place.id)
    if place.placement == .own { deleteTopic(place.topic) }
    log.info("stream ended", ("id", place.id), ("topic", place.topic))
  }

  /// A topic that cannot be deleted now is found left behind at the next start.
  private func deleteTopic(_ name: String) {
    do throws(BusError) {
      try bus.deleteTopics([name])
    } catch {
      log.warning("topic not deleted", ("topic", name), ("error", error.message))
    }
  }

  /// Streams in lanes that end say null for the keys that they have there: in the transaction that ends
  /// them in the registry, since nobody would look for what a crash left in between.
  private func ending(_ places: [StreamPlace], _ running: Running) throws(BusError) -> (Sweep, Sweep.Outcome)
  {
    let lanes = places.filter { $0.placement == .lane }
    var contents = try Contents.read(lanes, bus, clock)
    let sweep = nextSweep(running, time: clock.now())
    let outcome = sweep.ending(
      lanes, progress: counts.progress, registryPosition: running.registry.requestsPosition,
      contents: &contents)
    return (sweep, outcome)
  }

  private func nextSweep(_ running: Running, time: Timestamp) -> Sweep {
    Sweep(
      topics: settings.topics, epoch: counts.epoch, number: counts.progress.sweep + 1,
      time: max(time, counts.progress.time))
  }

  /// The mailbox holds far more letters than there can be streams; what it refuses would be lost.
  private func ask(_ letter: TableLetter) {
    if !table.send(letter) {
      log.error("the table's mailbox is full")
      hasLostLetter = true
    }
  }

  // MARK: Sweeps

  /// One sweep at a time is under way; what falls due meanwhile waits for the next turn.
  private func askForSweep() {
    guard running!.collecting == nil else { return }
    let due = running!.schedule.takeDue(now: clock.elapsed())
    if due.isEmpty { return }
    running!.collecting = due.map(\.id)
    running!.begunAgain = []
    running!.asked = clock.elapsed()
    ask(.collect(ids: due.flatMap(\.streams)))
  }

  private func publish(_ collected: Collected) throws(BusError) {
    guard let sets = running!.collecting else { return }
    var streams = running!.streams
    for id in running!.begunAgain { streams[id] = nil }
    let sweep = nextSweep(running!, time: collected.time)
    let outcome = sweep.records(
      of: collected, streams: streams, sets: sets, progress: counts.progress,
      registryPosition: running!.registry.requestsPosition, contents: &running!.contents)
    try commit(outcome, sweep, running!.producer)
    running!.collecting = nil
    telemetry.swept(outcome.published, clock.elapsed() - running!.asked)
  }

  private func commit(_ outcome: Sweep.Outcome, _ sweep: Sweep, _ producer: any TransactionalProducer)
    throws(BusError)
  {
    try transact(outcome.batch, producer)
    for (id, state) in outcome.states { counts.progress.set(id, state) }
    if outcome.isTold { counts.progress.set(sweep: sweep.number, time: sweep.time) }
  }

  /// One transaction of these records. Aborted ones are tried again, the same records with the same counts;
  /// a commit whose outcome is not known is asked for again. Past that the publisher is made anew, and
  /// reads back what became of it.
  private func transact(_ batch: RecordBatch, _ producer: any TransactionalProducer) throws(BusError) {
    for attempt in 1... {
      do throws(BusError) {
        try producer.begin()
        try producer.send(batch)
        return try producer.commit(attemptsMax: settings.attemptsMax)
      } catch {
        guard attempt < settings.attemptsMax, error.remedy == .abort else {
          throw error.remedy == .retry || error.remedy == .abort
            ? BusError(.recreate, code: error.code, error.message) : error
        }
        log.warning("transaction aborted", ("code", error.code), ("error", error.message))
        telemetry.aborted()
        try producer.abortOrGiveUp()
      }
    }
  }
}
