import Base
import Bus
import Requests

// What is due is asked of the table, and published in one transaction.
extension Publisher {
  /// One sweep at a time is under way; what falls due meanwhile waits for the next turn, and what a sweep
  /// had no room for comes next.
  func askForSweep() throws(BusError) {
    try settleFlushes()
    if running!.isCollecting { return }
    if running!.due.isEmpty { running!.due = running!.schedule.takeDue(now: clock.elapsed()) }
    joinFlushes()
    if running!.due.isEmpty, !mayProbe() { return }
    beginRound()
    running!.isCollecting = true
    running!.begunAgain = []
    running!.asked = clock.elapsed()
    ask(.collect(units: running!.due.map { $0.flatMap(\.streams) }))
  }

  func publish(_ collected: Collected) throws(BusError) {
    let taken = clock.elapsed()
    running!.isCollecting = false
    var streams = running!.streams
    for id in running!.begunAgain { streams[id] = nil }
    var failures = collected.failures
    if collected.units > 0 { failures += try sweep(collected, streams) }
    endFlushes(collected)
    endRound(work: collected.work + (clock.elapsed() - taken))
    try fail(failures.filter { streams[$0.stream] != nil })
  }

  /// Publishes what was collected. Returns the streams that cannot be published. Units of which a stream's
  /// topic is gone are left out, and begin again.
  private func sweep(_ collected: Collected, _ streams: [String: Stream]) throws(BusError) -> [StreamFailure]
  {
    let units = running!.due.prefix(collected.units)
    let sweep = nextSweep(time: collected.time)
    var lost: [[RequestSet]] = []
    while true {
      let kept = units.filter { !lost.contains($0) }
      let ids = Set(kept.joined().flatMap(\.streams))
      let streams = lost.isEmpty ? streams : streams.filter { ids.contains($0.key) }
      let sets = Set(kept.joined().map(\.id))
      var contents = running!.contents
      let outcome = sweep.records(
        of: collected, streams: streams, sets: sets.sorted(), progress: counts.progress,
        registryPosition: running!.registry.requestsPosition, contents: &contents)
      let answers = flushed(by: outcome, sweep, collected, sets)
      append(answers, to: outcome.batch)
      let gone = try commit(outcome, sweep)
      guard gone.isEmpty else {
        lost += try self.units(of: kept, without: gone, isFinal: !answers.isEmpty)
        continue
      }
      running!.contents = contents
      running!.due.removeFirst(collected.units)
      telemetry.flushed(answers.replies.count)
      telemetry.swept(outcome.published, clock.elapsed() - running!.asked)
      if !lost.isEmpty { try beginAgain(lost) }
      return outcome.failures
    }
  }

  /// Streams over a limit stand still until their requests end, and their clients are told why.
  private func fail(_ failures: [StreamFailure]) throws(BusError) {
    for failure in failures {
      log.error("stream stands still", ("stream", failure.stream), ("reason", failure.reason))
      telemetry.failed()
      stop(failure.stream)
      try carryOut(running!.registry.fail(failure.stream, reason: failure.reason, now: time))
    }
  }

  func nextSweep(time: Timestamp) -> Sweep {
    Sweep(
      topics: settings.topics, epoch: counts.epoch, number: counts.progress.sweep + 1,
      time: max(time, counts.progress.time))
  }

  /// Returns the topics that are not there any more: nothing is committed then.
  func commit(_ outcome: Sweep.Outcome, _ sweep: Sweep) throws(BusError) -> [String] {
    let gone = try seat.transact(outcome.batch, in: counts.epoch)
    if !gone.isEmpty { return gone }
    for (id, state) in outcome.states { counts.progress.set(id, state) }
    if outcome.isTold { counts.progress.set(sweep: sweep.number, time: sweep.time) }
    return []
  }
}
