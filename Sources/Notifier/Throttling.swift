import Base
import Bus
import Requests

/// What a round is to the publisher, and what follows from it: the schedule keeps to a step at once, clients and
/// the registry are told when it stands.
extension Publisher {
  /// A round begins with what is due; what joins it later is part of it.
  func beginRound() {
    guard running!.round == nil else { return }
    let intervals = running!.due.lazy.joined().map(\.interval)
    running!.round = intervals.min().map { (.zero, running!.schedule.inForce($0)) }
  }

  /// A sweep is over, and with it the round, unless something is left for the next.
  func endRound(work: Duration) {
    running!.round?.work += work
    guard running!.due.isEmpty, let round = running!.round else { return }
    running!.round = nil
    let before = running!.throttle.floor
    running!.throttle.ended(round: round.work, smallest: round.smallest, now: clock.elapsed())
    if running!.throttle.floor < before {
      let smallest = running!.registry.smallestAsked
      running!.throttle.nobodyAsks(below: smallest ?? before, now: clock.elapsed())
    }
    telemetry.report(running!.throttle)
    let after = running!.throttle.floor
    if after != before { step(from: before, to: after) }
  }

  private func step(from before: Duration, to after: Duration) {
    running!.schedule.floor = after
    telemetry.stepped(isUp: after > before)
    let fields = [
      ("before", "\(before)"), ("now", "\(after)"), ("round", "\(running!.throttle.roundTime)"),
    ]
    if after > before {
      log.warning("sweeps take too long: no set is published more often", fields[0], fields[1], fields[2])
    } else {
      log.info("sweeps have slack: sets are published more often again", fields[0], fields[1], fields[2])
    }
  }

  /// Tells clients of a step that stands, some at a time.
  func tellThrottle() throws(BusError) {
    if running!.throttle.mayTell(now: clock.elapsed()) {
      try carryOut(running!.registry.throttle(to: running!.throttle.told, now: time))
    }
    try carryOut(running!.registry.tellThrottled(now: time))
  }
}
