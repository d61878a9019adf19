import Base
import Bus
import Events
import Matching
import Notifier
import Query
import Requests
import Table

/// The thread that owns the table: leads the shards, matches what was committed, and answers letters.
///
/// One thread calls `turn` again and again. Letters are answered only where no change is open, so every
/// answer shows one committed state. Crash-only, as the leader is.
public final class TableWorker {
  private let clock: any Clock
  private let settings: MemberSettings
  private let leader: Leader
  private let table: EventTable
  private let engine: Engine
  private let letters: Mailbox<TableLetter>
  /// Taken from the mailbox and not answered yet.
  private var waiting: ArraySlice<TableLetter> = []
  /// Of the publisher that began last.
  private var publisher: Mailbox<Collected>?
  /// Streams over a limit, until the publisher is told.
  private var failures: [StreamFailure] = []
  private let definitions: SharedDefinitions
  private let readiness: Readiness
  private var nextDrain = Duration.zero
  /// As many of the engine's candidates are in the metrics.
  private var candidatesSeen = 0
  /// Streams that had a sum beyond 64 bits.
  private var overflowed: Set<String> = []
  /// Streams in topics of their own.
  private var ownTopics: Set<String> = []
  private let log: Log
  private let telemetry: Telemetry

  /// What the worker says about its table.
  private struct Telemetry {
    let rowBytes: Base.Metric
    let stringBytes: Base.Metric
    let drains: Base.Metric
    let matched: Base.Metric
    let filters: Base.Metric
    let indexBytes: Base.Metric
    let candidates: Base.Metric
    let queries: Base.Metric
    let sumOverflows: Base.Metric

    init(_ metrics: Metrics) {
      rowBytes = metrics.gauge("belfry_table_row_bytes", "Bytes that the table's cells take")
      stringBytes = metrics.gauge("belfry_table_string_bytes", "Bytes of the table's distinct strings")
      drains = metrics.counter("belfry_drains_total", "Drains of changed rows into the views")
      matched = metrics.counter("belfry_rows_matched_total", "Changed rows matched against the filters")
      filters = metrics.gauge("belfry_filters", "Distinct filters that rows are matched against")
      indexBytes = metrics.gauge(
        "belfry_filter_index_bytes", "Bytes that the index of all filters takes, about")
      candidates = metrics.counter(
        "belfry_filter_candidates_total", "Filters evaluated for a row, which the index alone did not tell")
      queries = metrics.counter("belfry_queries_total", "Questions answered from the table")
      sumOverflows = metrics.counter(
        "belfry_sum_overflows_total", "Sums that became null because no 64-bit number holds them")
    }
  }

  /// `letters` come from publishers, one after the other, and from the console.
  public init(
    _ settings: MemberSettings, clock: any Clock, leader: Leader, letters: Mailbox<TableLetter>,
    definitions: SharedDefinitions, readiness: Readiness, log: Log, metrics: Metrics
  ) {
    self.definitions = definitions
    definitions.table(reached: 0)
    self.readiness = readiness
    self.clock = clock
    self.settings = settings
    self.leader = leader
    table = leader.table
    engine = Engine(rows: leader.table.rows)
    self.letters = letters
    self.log = log.named("table")
    telemetry = Telemetry(metrics)
  }

  /// One round: at most `wait` for records; then, where nothing is open, drains and answers.
  public func turn(wait: Duration) throws(BusError) {
    guard try leader.turn(wait: waiting.isEmpty ? wait : .zero), leader.isServing, hasAllShards else {
      return
    }
    if let position = table.commandsCommitted { definitions.table(reached: position) }
    let now = clock.elapsed()
    if now >= nextDrain, table.dirtyRows > 0 || engine.readsTheClock {
      drain()
      nextDrain = now + settings.drainInterval
    }
    takeLetters()
    answerLetters()
    tellSizes()
  }

  /// Letters change them as rows do.
  private func tellSizes() {
    telemetry.rowBytes.set(table.rowBytes)
    telemetry.stringBytes.set(table.rows.strings.bytesHeld)
    telemetry.filters.set(engine.setCount)
    telemetry.indexBytes.set(engine.indexBytes)
  }

  /// Views are views of the whole table: a part of it must never be published as if it were all.
  private var hasAllShards: Bool {
    let led = table.ledCount
    let all = table.settings.partitions
    readiness.set(
      "shards", led == all ? nil : "leads \(led) of \(all); the others are another member's still")
    return led == all
  }

  public func finish() throws(BusError) { try leader.finish() }

  public func close() { leader.close() }

  private func drain() {
    telemetry.drains.add()
    telemetry.matched.add(table.dirtyRows)
    table.drain { key, before, after in engine.apply(key: key, before: before, after: after) }
    engine.advance(to: clock.now().milliseconds) { table.row(ofKey: $0) }
    telemetry.candidates.add(engine.candidatesEvaluated - candidatesSeen)
    candidatesSeen = engine.candidatesEvaluated
  }

  /// Questions, for rows too, are answered at once. What a former publisher still waits for is of no interest any more.
  private func takeLetters() {
    if letters.isEmpty || waiting.count > settings.lettersMax { return }
    for letter in letters.takeAll() {
      switch letter {
      case .query(let view, let rowsMax, let reply): answer(view, rowsMax: rowsMax, reply)
      case .explain(let filter, let reply): reply(engine.accessPath(of: filter))
      case .snapshot(let views, let reply): reply(snapshot(views))
      case .reset: waiting = [letter]
      default: waiting.append(letter)
      }
    }
  }

  private func answer(
    _ view: View, rowsMax: Int, _ reply: (Result<QueryResult, EngineError>) -> Void
  ) {
    telemetry.queries.add()
    let result = Result { () throws(EngineError) in
      try Engine.query(
        view, rows: table.rows, each: { table.forEachRow($0) }, limit: rowsMax,
        now: clock.now().milliseconds)
    }
    if case .success(let result) = result { telemetry.sumOverflows.add(result.sumOverflows) }
    reply(result)
  }

  /// The rows of as many views as one turn may match against all rows, at least one.
  private func snapshot(_ views: [SnapshotView]) -> Snapshot {
    let countMax = max(1, settings.startWorkMax / max(1, table.rowCount))
    var taken = views.prefix(countMax)
    let wanted = taken.compactMap { wanted in wanted.view.map { (wanted.id, $0) } }
    let rows = Engine.snapshots(
      of: wanted, table.rows.strings, bytesMax: settings.unitBytesMax, totalMax: settings.snapshotHeldMax
    ) { table.forEachRow($0) }
    if rows.count < wanted.count { taken = taken.prefix { $0.id != wanted[rows.count].0 } }
    return Snapshot(taken: taken.count, rows: rows, positions: positions)
  }

  private var positions: [Int32: Int64] {
    var positions: [Int32: Int64] = [:]
    for shard in table.ledShards { positions[shard] = table.changeNumber(shard) }
    return positions
  }

  /// In their order, until streams that begin have taken their share of the turn.
  private func answerLetters() {
    while let letter = waiting.first {
      if case .start = letter { return begin(takeStarts()) }
      waiting.removeFirst()
      switch letter {
      case .reset(let mailbox): reset(mailbox)
      case .stop(let id):
        engine.remove(stream: id)
        overflowed.remove(id)
        ownTopics.remove(id)
      case .collect(let units): collect(units)
      case .start, .query, .explain, .snapshot: preconditionFailure("answered elsewhere")
      }
    }
  }

  private func reset(_ mailbox: Mailbox<Collected>) {
    engine.removeAll()
    failures = []
    overflowed = []
    ownTopics = []
    publisher = mailbox
  }

  /// The streams that begin next: as many as one turn may match against all rows, at least one.
  private func takeStarts() -> [NewStream] {
    let countMax = max(1, settings.startWorkMax / max(1, table.rowCount))
    var streams: [NewStream] = []
    while streams.count < countMax, case .start(let stream)? = waiting.first {
      waiting.removeFirst()
      if stream.place.placement == .own { ownTopics.insert(stream.id) }
      streams.append(NewStream(id: stream.id, set: stream.set, view: stream.view))
    }
    return streams
  }

  /// Matches all rows against streams that begin, in one pass.
  private func begin(_ streams: [NewStream]) {
    // What is dirty would come twice: in the rows as they are, and again in the next drain.
    drain()
    let errors = engine.add(streams) { table.forEachRow($0) }
    for stream in streams {
      if let error = errors[stream.id] {
        failures.append(StreamFailure(stream: stream.id, reason: error.description))
      }
    }
  }

  /// Views over a limit end here; the publisher is told why.
  private func endStreamsOverLimit() {
    for (id, error) in engine.streamsOverLimit {
      failures.append(StreamFailure(stream: id, reason: error.description))
      engine.remove(stream: id)
    }
  }

  /// Each stream is named once; the counter goes on.
  private func reportOverflows(_ ids: some Sequence<String>, _ count: Int) {
    telemetry.sumOverflows.add(count)
    for id in ids where engine.sumOverflows(stream: id) > 0 && overflowed.insert(id).inserted {
      log.warning("a sum is beyond 64 bits: it is null until it is back", ("stream", id))
    }
  }

  private func topicsTouched(by unit: [String]) -> Int {
    unit.count { ownTopics.contains($0) && engine.pendingCount(stream: $0) > 0 }
  }

  /// Units are taken whole: a sweep shows all of what belongs together. So one unit alone may be large, up
  /// to a limit past which its streams fail, and have as many topics as it likes.
  private func collect(_ units: [[String]]) {
    let started = clock.elapsed()
    drain()
    let batch = SweepBatch()
    let overflows = engine.sumOverflows
    var taken = 0
    var topics = 0
    for unit in units {
      topics += topicsTouched(by: unit)
      let hasRoom = batch.byteCount < settings.sweepBytesMax && topics <= settings.sweepTopicsMax
      guard taken == 0 || hasRoom else { break }
      engine.collect(unit, into: batch, bytesMax: settings.unitBytesMax) { table.row(ofKey: $0) }
      taken += 1
    }
    if engine.sumOverflows > overflows {
      reportOverflows(units.prefix(taken).joined(), engine.sumOverflows - overflows)
    }
    endStreamsOverLimit()
    let collected = Collected(
      batch: batch, units: taken, failures: failures, positions: positions,
      commands: table.commandsDone ?? .max, time: clock.now(), work: clock.elapsed() - started)
    failures = []
    if publisher?.send(collected) != true { log.error("the publisher's mailbox is full") }
  }
}
