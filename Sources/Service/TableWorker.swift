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
  private let leader: Leader
  private let table: EventTable
  private let engine: Engine
  private let letters: Mailbox<TableLetter>
  /// Taken from the mailbox and not answered yet.
  private var waiting: ArraySlice<TableLetter> = []
  private let publisher: Mailbox<Collected>
  private let drainInterval: Duration
  private let startWorkMax: Int
  private let readiness: Readiness
  private var nextDrain = Duration.zero
  private var overLimit: Set<String> = []
  /// Streams that had a sum beyond 64 bits.
  private var overflowed: Set<String> = []
  private let log: Log
  private let telemetry: Telemetry

  /// What the worker says about its table.
  private struct Telemetry {
    let rowBytes: Base.Metric
    let stringBytes: Base.Metric
    let drains: Base.Metric
    let matched: Base.Metric
    let queries: Base.Metric
    let overLimit: Base.Metric
    let sumOverflows: Base.Metric

    init(_ metrics: Metrics) {
      rowBytes = metrics.gauge("belfry_table_row_bytes", "Bytes that the table's cells take")
      stringBytes = metrics.gauge("belfry_table_string_bytes", "Bytes of the table's distinct strings")
      drains = metrics.counter("belfry_drains_total", "Drains of changed rows into the views")
      matched = metrics.counter("belfry_rows_matched_total", "Changed rows matched against the filters")
      queries = metrics.counter("belfry_queries_total", "Questions answered from the table")
      overLimit = metrics.counter("belfry_streams_over_limit_total", "Streams that stand still over a limit")
      sumOverflows = metrics.counter(
        "belfry_sum_overflows_total", "Sums that became null because no 64-bit number holds them")
    }
  }

  /// `letters` come from the publisher and the console; `publisher` takes what was collected.
  public init(
    clock: any Clock, leader: Leader, letters: Mailbox<TableLetter>, publisher: Mailbox<Collected>,
    drainInterval: Duration, startWorkMax: Int, readiness: Readiness, log: Log, metrics: Metrics
  ) {
    self.readiness = readiness
    self.clock = clock
    self.leader = leader
    table = leader.table
    engine = Engine(rows: leader.table.rows)
    self.letters = letters
    self.publisher = publisher
    self.drainInterval = drainInterval
    self.startWorkMax = startWorkMax
    self.log = log.named("table")
    telemetry = Telemetry(metrics)
  }

  /// One round: at most `wait` for records; then, where nothing is open, drains and answers.
  public func turn(wait: Duration) throws(BusError) {
    guard try leader.turn(wait: waiting.isEmpty ? wait : .zero), leader.isServing, hasAllShards else {
      return
    }
    let now = clock.elapsed()
    if now >= nextDrain, table.dirtyRows > 0 {
      drain()
      nextDrain = now + drainInterval
    }
    answerLetters()
  }

  /// Views are views of the whole table: a part of it must never be published as if it were all.
  private var hasAllShards: Bool {
    let led = table.ledShards.count
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
    engine.now = clock.now().milliseconds
    table.drain { key, before, after in engine.apply(key: key, before: before, after: after) }
    telemetry.rowBytes.set(table.rows.bytesHeld)
    telemetry.stringBytes.set(table.rows.strings.bytesHeld)
  }

  /// In their order, until streams that begin have taken their share of the turn.
  private func answerLetters() {
    if waiting.isEmpty, !letters.isEmpty { waiting = letters.takeAll()[...] }
    while let letter = waiting.first {
      if case .start = letter { return begin(takeStarts()) }
      waiting.removeFirst()
      answer(letter)
    }
  }

  /// The streams that begin next: as many as one turn may match against all rows, at least one.
  private func takeStarts() -> [NewStream] {
    let countMax = max(1, startWorkMax / max(1, table.rowCount))
    var streams: [NewStream] = []
    while streams.count < countMax, case .start(let stream)? = waiting.first {
      waiting.removeFirst()
      streams.append(NewStream(id: stream.id, set: stream.set, view: stream.view))
    }
    return streams
  }

  private func answer(_ letter: TableLetter) {
    switch letter {
    case .start: preconditionFailure("streams begin together")
    case .stop(let id):
      engine.remove(stream: id)
      overLimit.remove(id)
      overflowed.remove(id)
    case .collect(let ids):
      drain()
      collect(ids)
    case .query(let view, let rowsMax, let reply):
      telemetry.queries.add()
      reply(
        Result { () throws(EngineError) in
          try Engine.query(
            view, rows: table.rows, each: { table.forEachRow($0) }, limit: rowsMax,
            now: clock.now().milliseconds)
        })
    }
  }

  /// Matches all rows against streams that begin, in one pass. A view over a limit (such as groups) stands
  /// still, and says so, until its requests end.
  private func begin(_ streams: [NewStream]) {
    // What is dirty would come twice: in the rows as they are, and again in the next drain.
    drain()
    let failures = engine.add(streams) { table.forEachRow($0) }
    for stream in streams { if let error = failures[stream.id] { report(stream.id, error) } }
  }

  /// Views that grew over a limit since they began: each is said once.
  private func reportStreamsOverLimit() {
    for (id, error) in engine.streamsOverLimit where !overLimit.contains(id) { report(id, error) }
  }

  private func report(_ id: String, _ error: EngineError) {
    overLimit.insert(id)
    telemetry.overLimit.add()
    log.error("stream over a limit: it stands still", ("stream", id), ("error", "\(error)"))
  }

  /// Each stream is named once; the counter goes on.
  private func reportOverflows(_ ids: [String], _ count: Int) {
    telemetry.sumOverflows.add(count)
    for id in ids where engine.sumOverflows(stream: id) > 0 && overflowed.insert(id).inserted {
      log.warning("a sum is beyond 64 bits: it is null until it is back", ("stream", id))
    }
  }

  private func collect(_ ids: [String]) {
    let batch = SweepBatch()
    reportStreamsOverLimit()
    let overflows = engine.sumOverflows
    engine.collect(ids, into: batch) { table.row(ofKey: $0) }
    if engine.sumOverflows > overflows { reportOverflows(ids, engine.sumOverflows - overflows) }
    var positions: [Int32: Int64] = [:]
    for shard in table.ledShards { positions[shard] = table.changeNumber(shard) }
    let collected = Collected(batch: batch, positions: positions, time: clock.now())
    if !publisher.send(collected) { log.error("the publisher's mailbox is full") }
  }
}
