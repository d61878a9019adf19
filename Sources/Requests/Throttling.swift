import Base
import Events

/// The interval in force where sweeps take longer than what is asked for (docs/bus-contract.md, "Requests").
extension Registry {
  /// From now on no set is published more often than this; zero: all are as it is asked for. What it changes
  /// is told by `tellThrottled`.
  public func throttle(to interval: Duration, now: Timestamp) -> Effects {
    floor = interval.milliseconds
    let changed = setEntries.values.filter { set in
      set.group.least.map { max($0, floor) != set.interval } ?? false
    }
    untold = changed.sorted { $0.creation < $1.creation }[...]
    var draft = Draft(now: now)
    draft.effects.cluster.append((Entity.throttle, .object(of: ["interval_ms": .int(floor)])))
    return settle(&draft)
  }

  /// Gives sets their new intervals, and their clients new replies: so many as one transaction may tell. To be
  /// called until it has no effects.
  public func tellThrottled(now: Timestamp) -> Effects {
    var draft = Draft(now: now)
    var count = 0
    while count < settings.toldPerTurnMax, let set = untold.popFirst() {
      guard setEntries[set.id] === set else { continue }
      count += set.group.sets.reduce(1) { $0 + $1.streams.reduce(0) { $0 + $1.requests.count } }
      set.group.isStale = true
      draft.touch(set)
    }
    return draft.isEmpty ? Effects() : settle(&draft)
  }

  /// The smallest interval that a living request asks for; nil: there is none. Takes O(n).
  public var smallestAsked: Duration? {
    setEntries.values.lazy.compactMap(\.least).min().map { .milliseconds($0) }
  }

  func restoreThrottle(_ json: JSON?) {
    let interval = json?["interval_ms"]?.int ?? 0
    floor = (0...settings.intervalMax.milliseconds).contains(interval) ? interval : 0
  }
}
