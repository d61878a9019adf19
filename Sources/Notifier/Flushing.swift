import Base
import Bus
import Requests

/// How far the publisher is with the flushes that wait in the registry.
struct Flushing {
  /// How often the table is asked for its positions while a flush waits for them.
  static let probeInterval = Duration.milliseconds(20)

  /// Those whose sets are in the sweep under way.
  var underway: [Flush] = []
  /// Offsets of those that were in a sweep already, before the table was as far as they want it.
  var tried: Set<Int64> = []
  /// The table's state, as it told last.
  var state = TableState.unknown
  var nextProbe = Duration.zero
  /// The last sweep had flushes, and left sets over that were due: it is their turn.
  var isOthersTurn = false
}

/// A flush publishes its request's set, and what is linked with it, in the next sweep, and is answered in the
/// sweep's own transaction. The first time it does not ask how far the table is, which has mostly come so far by
/// then; afterwards it waits for that, which holds up nothing.
extension Publisher {
  /// Rejects flushes that cannot be done, or have waited for too long.
  func settleFlushes() throws(BusError) {
    guard !running!.registry.flushes.isEmpty else { return }
    let underway = Set(running!.flushing.underway.map(\.offset))
    try carryOut(
      running!.registry.settleFlushes(now: time, at: running!.flushing.state, underway: underway))
    running!.flushing.tried.formIntersection(running!.registry.flushes.map(\.offset))
  }

  /// Puts the sets of flushes that may go in front of those that are due.
  func joinFlushes() {
    guard !running!.registry.flushes.isEmpty else { return }
    let flushing = running!.flushing
    running!.flushing.isOthersTurn = false
    if flushing.isOthersTurn, !running!.due.isEmpty { return }
    let ready = running!.registry.flushes.filter {
      $0.isReached(at: flushing.state) || !flushing.tried.contains($0.offset)
    }
    var first: [[RequestSet]] = []
    var isFirst: Set<String> = []
    for flush in ready {
      guard let set = running!.registry.target(of: flush)?.set,
        let unit = running!.schedule.flush(set, now: clock.elapsed())
      else { continue }
      if isFirst.insert(unit[0].linkGroup).inserted { first.append(unit) }
    }
    running!.due = first + running!.due.filter { !isFirst.contains($0[0].linkGroup) }
    running!.flushing.underway = ready
  }

  /// Whether the table is to be asked for no more than its state.
  func mayProbe() -> Bool {
    guard !running!.registry.flushes.isEmpty, clock.elapsed() >= running!.flushing.nextProbe else {
      return false
    }
    running!.flushing.nextProbe = clock.elapsed() + Flushing.probeInterval
    return true
  }

  /// The answers that go out with a sweep: to flushes whose set it publishes, and which it reaches.
  func flushed(by outcome: Sweep.Outcome, _ sweep: Sweep, _ collected: Collected, _ sets: Set<String>)
    -> Effects
  {
    if running!.flushing.underway.isEmpty { return Effects() }
    let failed = Set((collected.failures + outcome.failures).map(\.stream))
    let states = Dictionary(outcome.states.map { ($0.id, $0.state.seq) }) { $1 }
    var done: [(flush: Flush, seq: Int64)] = []
    for flush in running!.flushing.underway {
      guard let (set, stream) = running!.registry.target(of: flush), sets.contains(set) else { continue }
      guard flush.isReached(at: collected.state) else {
        running!.flushing.tried.insert(flush.offset)
        continue
      }
      if failed.contains(stream) || running!.begunAgain.contains(stream) { continue }
      done.append((flush, states[stream] ?? counts.position(of: stream).seq))
    }
    return running!.registry.flushed(done, sweep: sweep.number, now: time)
  }

  /// The table has answered: what waits on may be put in front again.
  func endFlushes(_ collected: Collected) {
    running!.flushing.state = collected.state
    running!.flushing.isOthersTurn = !running!.flushing.underway.isEmpty && !running!.due.isEmpty
    running!.flushing.underway = []
  }
}
