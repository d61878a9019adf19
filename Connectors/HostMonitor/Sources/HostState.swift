import Base
import ConnectorKit

/// An event of the monitor, and the reading that it is about.
struct HostEvent: Equatable, Sendable {
  var reading: Reading
  var alert: Alert
}

/// The monitor's core: readings in, events out. It has no clock, no thread and no sink; it remembers of each
/// resource whether it is a problem and what has been told.
///
/// - A problem is told when it begins, when its severity changes, and again every `repeat`.
/// - Its end is told once; so is the health of a resource that is fine when the monitor starts, because an
///   earlier run may have left its problem in the table.
/// - What the sink refused (`refused`) is told again with the next readings.
struct HostState {
  private struct Tracker {
    /// `clear` while it is fine.
    var severity = Severity.clear
    /// When the problem began; the time of its first event.
    var since = Timestamp.zero
    /// When this severity was last told, on the clock of `elapsed`; nil: not yet.
    var told: Duration?
    /// The wall clock may step back; a resolution must not be older than its problem, or it clears nothing.
    var latest = Timestamp.zero
    /// The last reading, to speak of a resource that is gone.
    var reading: Reading
  }

  private let settings: HostSettings
  private let node: String
  private var trackers: [Resource: Tracker] = [:]

  init(settings: HostSettings, node: String) {
    self.settings = settings
    self.node = node
  }

  /// - Parameters:
  ///   - unread: groups of which the readings say nothing; their resources stay as they were.
  ///   - now: the events' time.
  ///   - elapsed: the time that `repeat` is measured in; never steps back.
  mutating func observe(
    _ readings: [Reading], unread: Set<Resource.Group> = [], now: Timestamp, elapsed: Duration
  ) -> [HostEvent] {
    var events: [HostEvent] = []
    for reading in readings {
      if let event = track(reading, now, elapsed) { events.append(event) }
      if settings.status, reading.status { events.append(statusEvent(reading, now)) }
    }
    let present = Set(readings.map(\.resource))
    for resource in trackers.keys.sorted() where !present.contains(resource) {
      if unread.contains(resource.group) { continue }
      if let event = forget(resource, now) { events.append(event) }
    }
    return events
  }

  /// The sink did not take an event: what it said is told again with the next readings. (The resource may be
  /// gone by now; then its end is what is told.)
  mutating func refused(_ event: HostEvent) {
    guard event.alert.type != .information else { return }
    let gone = Tracker(latest: event.alert.lastOccurrence, reading: event.reading)
    trackers[event.reading.resource, default: gone].told = nil
  }

  private mutating func track(_ reading: Reading, _ now: Timestamp, _ elapsed: Duration) -> HostEvent? {
    guard let levels = reading.levels else { return nil }
    let known = trackers[reading.resource]
    guard known != nil || trackers.count < HostLimits.resourcesMax else { return nil }
    var tracker = known ?? Tracker(reading: reading)
    tracker.reading = reading
    tracker.latest = max(tracker.latest, now)
    let severity = levels.severity(of: reading.value, held: tracker.severity)
    if severity != tracker.severity {
      if tracker.severity == .clear { tracker.since = tracker.latest }
      tracker.severity = severity
      tracker.told = nil
    }
    defer { trackers[reading.resource] = tracker }
    guard isDue(tracker, levels, reading.value, elapsed) else { return nil }
    tracker.told = elapsed
    return severity == .clear ? resolution(tracker) : problem(tracker, levels)
  }

  /// In the gap between `clear` and the lowest level a resource of unknown past is neither: nothing is told
  /// until it leaves the gap.
  private func isDue(_ tracker: Tracker, _ levels: Levels, _ value: Double, _ elapsed: Duration) -> Bool {
    guard let told = tracker.told else { return tracker.severity != .clear || levels.isFine(value) }
    return tracker.severity != .clear && elapsed - told >= settings.again
  }

  /// A resource that is no longer there is no longer a problem.
  private mutating func forget(_ resource: Resource, _ now: Timestamp) -> HostEvent? {
    guard var tracker = trackers.removeValue(forKey: resource) else { return nil }
    guard tracker.severity != .clear || tracker.told == nil else { return nil }
    tracker.latest = max(tracker.latest, now)
    tracker.reading.text = "\(resource.group.rawValue) \(resource.key) is no longer there"
    return resolution(tracker)
  }

  private func problem(_ tracker: Tracker, _ levels: Levels) -> HostEvent {
    let level = levels.level(of: tracker.severity) ?? 0
    let limit = tracker.reading.isYesOrNo ? "" : ", \(tracker.severity) from \(fixed(level, 1))"
    var alert = alert(
      tracker.reading, .problem, tracker.severity, tracker.reading.text + limit, tracker.latest)
    alert.firstOccurrence = tracker.since
    alert.extendedAttributes.real("threshold", level)
    return HostEvent(reading: tracker.reading, alert: alert)
  }

  private func resolution(_ tracker: Tracker) -> HostEvent {
    HostEvent(
      reading: tracker.reading,
      alert: alert(tracker.reading, .resolution, .clear, tracker.reading.text, tracker.latest))
  }

  private func statusEvent(_ reading: Reading, _ now: Timestamp) -> HostEvent {
    HostEvent(
      reading: reading, alert: alert(reading, .information, .indeterminate, reading.text, now))
  }

  private func alert(
    _ reading: Reading, _ type: AlertType, _ severity: Severity, _ summary: String, _ time: Timestamp
  ) -> Alert {
    let manager = HostMonitorProbe.kind
    let resource = reading.resource
    var alert = Alert(
      identifier: "\(manager):\(node):\(resource.group.rawValue):\(resource.key):\(type.rawValue)",
      node: node, manager: manager, alertGroup: resource.group.rawValue, alertKey: resource.key,
      severity: severity, type: type, summary: summary, first: time, last: time)
    alert.nodeAlias = node
    alert.agent = "belfry"
    alert.defaults = settings.defaults
    alert.extendedAttributes.real("value", reading.value)
    if !reading.unit.isEmpty { alert.extendedAttributes.string("unit", reading.unit) }
    return alert
  }
}
