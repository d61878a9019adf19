import Base
import Requests

/// When each set is due: once per its interval, spread evenly over it; linked sets together. A plain
/// state machine; times are those of `Clock.elapsed`.
struct Schedule {
  private struct Unit {
    var interval: Duration
    var due: Duration
    var sets: [String: RequestSet]

    var inOrder: [RequestSet] { sets.values.sorted { $0.id < $1.id } }
  }

  /// By link group.
  private var units: [String: Unit] = [:]
  private var groupOfSet: [String: String] = [:]
  /// No unit is due more often than this, whatever its interval (`Throttle`).
  var floor = Duration.zero
  /// No unit is due before this.
  private var earliest = Duration.zero

  var setCount: Int { groupOfSet.count }

  /// Adds a set or takes over its new interval, link group and streams. A set that is new, or has new
  /// streams, is due at once, so that a client sees its snapshot without waiting an interval. One without
  /// net streams is never due.
  mutating func update(_ set: RequestSet, now: Duration) {
    if set.streams.isEmpty { return remove(set.id) }
    let known = groupOfSet[set.id].flatMap { units[$0]?.sets[set.id] }
    let isNew = known.map { !Swift.Set(set.streams).isSubset(of: $0.streams) } ?? true
    if let group = groupOfSet[set.id], group != set.linkGroup { remove(set.id) }
    groupOfSet[set.id] = set.linkGroup
    var unit = units[set.linkGroup] ?? Unit(interval: set.interval, due: now, sets: [:])
    unit.sets[set.id] = set
    if unit.interval != set.interval {
      unit.interval = set.interval
      unit.due = Swift.min(unit.due, next(set.linkGroup, set.interval, after: now))
    }
    if isNew { unit.due = now }
    units[set.linkGroup] = unit
    earliest = Swift.min(earliest, unit.due)
  }

  mutating func remove(_ id: String) {
    guard let group = groupOfSet.removeValue(forKey: id) else { return }
    units[group]?.sets[id] = nil
    if units[group]?.sets.isEmpty == true { units[group] = nil }
  }

  /// The sets that are due now; each is due again a whole interval's grid point later. Those that are linked
  /// are one unit; units and the sets in them are in the order of their ids.
  mutating func takeDue(now: Duration) -> [[RequestSet]] {
    guard now >= earliest else { return [] }
    var due: [[RequestSet]] = []
    earliest = .seconds(1 << 40)
    for (group, unit) in units {
      if unit.due <= now {
        due.append(unit.inOrder)
        units[group]!.due = next(group, unit.interval, after: now)
      }
      earliest = Swift.min(earliest, units[group]!.due)
    }
    return due.sorted { $0[0].id < $1[0].id }
  }

  func inForce(_ interval: Duration) -> Duration { max(interval, floor) }

  /// Time until something is due.
  func wait(now: Duration) -> Duration { units.isEmpty ? .seconds(1) : max(.zero, earliest - now) }

  /// The unit that a set is in, to be published now; it is due again a full interval later, and then on its
  /// grid. nil: there is no such set.
  mutating func flush(_ set: String, now: Duration) -> [RequestSet]? {
    guard let group = groupOfSet[set], let unit = units[group] else { return nil }
    units[group]!.due = now + inForce(unit.interval)
    return unit.inOrder
  }

  /// The next point of the group's grid: its phase within the interval follows from its id, so that sets
  /// spread evenly and stay where they are over a restart.
  private func next(_ group: String, _ interval: Duration, after now: Duration) -> Duration {
    let step = max(1, inForce(interval).milliseconds)
    let phase = Int64((UInt64(group.prefix(12), radix: 16) ?? 0) % UInt64(step))
    let rounds = (now.milliseconds - phase + step) / step
    return .milliseconds(rounds * step + phase)
  }
}
