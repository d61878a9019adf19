import Base

/// What is wrong with a connector's settings or start, and where in the configuration: `12:3: …`.
public struct ConnectorError: Error, Equatable, CustomStringConvertible, Sendable {
  /// `line:column` of the key or value, or empty when there is no configuration behind it.
  public var place: String
  public var message: String

  public init(place: String, _ message: String) {
    self.place = place
    self.message = message
  }

  public var description: String { place.isEmpty ? message : "\(place): \(message)" }
}

/// One event on its way to the events topic.
public struct ProbeEvent: Equatable, Sendable {
  /// What the event is known by; the key of its row in `alerts`. The record's key comes from `value`.
  public var identifier: String
  /// One JSON object, UTF-8.
  public var value: [UInt8]
  /// The record's timestamp.
  public var time: Timestamp

  public init(identifier: String, value: [UInt8], time: Timestamp) {
    self.identifier = identifier
    self.value = value
    self.time = time
  }
}

/// Where a probe's events go. Any thread may send; sending never waits.
public protocol EventSink: Sendable {
  /// False when the sink is full: the event is not taken, and the probe counts or keeps it.
  func send(_ event: ProbeEvent) -> Bool
}

/// All that a probe may reach for, passed in.
public struct ProbeContext: Sendable {
  /// The pipeline's name: the `connector` label of its metrics and its name in logs.
  public var name: String
  public var sink: any EventSink
  public var clock: any Clock
  public var metrics: Metrics
  public var log: Log
  /// The name of the machine, for events about itself.
  public var hostName: String

  public init(
    name: String, sink: any EventSink, clock: any Clock, metrics: Metrics, log: Log, hostName: String
  ) {
    self.name = name
    self.sink = sink
    self.clock = clock
    self.metrics = metrics
    self.log = log
    self.hostName = hostName
  }
}

/// A source of events with threads of its own. It listens (a probe in the narrow sense) or measures (a
/// monitor).
///
/// `start` and `stop` may be called from any thread, any number of times, in any order; a stopped probe
/// can be started again. `ConnectorConformance` in the tests holds every probe to this.
public protocol Probe: AnyObject, Sendable {
  /// The key under `source:` that chooses this probe, such as `syslog`.
  static var kind: String { get }

  /// Reads the settings; opens nothing and starts nothing.
  /// - Throws: an unknown key, a wrong type, a value out of range, each with its place.
  init(settings: ConnectorSettings, context: ProbeContext) throws(ConnectorError)

  /// Returns once the probe is at work. Does nothing when it is already.
  /// - Throws: what the world refused (a port in use), with the setting's place; trying again is allowed.
  func start() throws(ConnectorError)

  /// Returns once the probe's threads have ended and its sockets are closed. Waits for no input: a
  /// probe must never block where `stop` cannot wake it.
  func stop()
}
