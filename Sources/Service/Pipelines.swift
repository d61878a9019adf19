import Base
import Bus
import Configuration
import ConnectorKit
import Events
import Glibc
import HostMonitor
import Synchronization
import Syslog

/// The probes of the configuration, and the thread that sends their events to the events topic.
public final class Pipelines: Sendable {
  /// Events and bytes that wait to be sent, at most; what comes beyond is refused and counted by the probe.
  public static let queueEventsMax = 100_000
  public static let queueBytesMax = 64 << 20

  private let probes: [any Probe]
  private let queue: EventQueue
  private let bus: any Bus
  /// Made anew when it fails for good.
  private let producer: Mutex<any PlainProducer>
  private let topic: String
  private let schema: Schema
  private let wake = Signal()
  private let stopping = Atomic<Bool>(false)
  private let thread = Mutex<JoinedThread?>(nil)
  private let log: Log
  private let failures: Metric

  /// `schema`: the table whose row keys the events' records get. Throws a fault of the settings with its
  /// place; nothing is started.
  public init(
    _ nodes: [Node], bus: any Bus, topic: String, schema: Schema, clock: any Clock, log: Log,
    metrics: Metrics
  ) throws {
    self.topic = topic
    self.schema = schema
    self.log = log.named("pipelines")
    failures = metrics.counter(
      "belfry_connector_send_failures_total", "Batches of events that Kafka did not take at once")
    self.bus = bus
    producer = Mutex(try bus.makeProducer())
    let wake = wake
    let queue = EventQueue(eventsMax: Self.queueEventsMax, bytesMax: Self.queueBytesMax) { wake.raise() }
    self.queue = queue
    if let fault = Self.nameFaults(nodes).first { throw fault }
    probes = try nodes.map { node in
      try Self.probe(node) { name in
        ProbeContext(
          name: name, sink: queue, clock: clock, metrics: metrics, log: log.named(name),
          hostName: Self.hostName)
      }
    }
  }

  /// The ports of the syslog probes that run, for those who chose port 0.
  public var syslogPorts: [UInt16] {
    probes.compactMap { $0 as? SyslogProbe }.flatMap { $0.listening.map(\.port) }
  }

  public func start() throws(ConnectorError) {
    thread.withLock { $0 = JoinedThread { [self] in send() } }
    for probe in probes { try probe.start() }
  }

  /// Stops the probes, then sends what they left.
  public func stop() {
    stopProbes()
    finish()
  }

  /// No more events come, and the probes' ports are free.
  public func stopProbes() {
    for probe in probes { probe.stop() }
    queue.close()
  }

  /// Sends what the stopped probes left, which takes a minute or so where no broker answers.
  public func finish() {
    stopping.store(true, ordering: .relaxed)
    wake.raise()
    thread.withLock { $0?.join() }
    producer.withLock { $0.close() }
  }

  private func send() {
    let batch = RecordBatch()
    let index = batch.index(ofTopic: topic)
    let keys = EventKeys(schema)
    while true {
      let isLast = stopping.load(ordering: .relaxed)
      let events = queue.takeAll()
      if events.isEmpty {
        if isLast { return }
        wake.wait(atMost: .milliseconds(200))
        continue
      }
      batch.removeAll()
      for event in events {
        event.value.withUnsafeBytes { value in
          batch.append(
            topic: index, partition: -1, timestamp: event.time, key: keys.key(of: value), value: value)
        }
      }
      deliver(batch)
    }
  }

  /// The client itself tries again for as long as it may. A client that failed for good is made anew, and
  /// the batch sent again (a repeated event is a duplicate like any other); what is given up is logged and
  /// counted.
  private func deliver(_ batch: RecordBatch) {
    for isLast in [false, true] {
      do throws(BusError) {
        let present = producer.withLock { $0 }
        try present.send(batch)
        return try present.flush(timeout: .seconds(30))
      } catch {
        failures.add()
        log.error("events were not delivered", ("error", error.message), ("records", "\(batch.count)"))
        if isLast || error.remedy == .retry || error.remedy == .refuse { return }
        replaceProducer()
      }
    }
  }

  /// The one that failed stays where no other can be made; the next delivery tries again.
  private func replaceProducer() {
    do throws(BusError) {
      let fresh = try bus.makeProducer()
      producer.withLock { $0 = fresh }
    } catch {
      log.error("no new producer", ("code", error.code), ("error", error.message))
    }
  }

  // MARK: From the configuration

  /// Metrics, log lines and events are told apart by the name: the pipelines that take another's.
  static func nameFaults(_ nodes: [Node]) -> [ConnectorError] {
    var first: [String: Place] = [:]
    var faults: [ConnectorError] = []
    for node in nodes {
      guard let name = node["name"], let text = name.text else { continue }
      if let place = first[text] {
        faults.append(
          ConnectorError(place: "\(name.place)", "the pipeline at \(place) has the name \(text) already"))
      }
      first[text] = first[text] ?? name.place
    }
    return faults
  }

  static func probe(_ node: Node, _ context: (String) -> ProbeContext) throws(ConnectorError) -> any Probe {
    guard let name = node["name"]?.text, let sources = node["source"]?.map, let source = sources.first else {
      throw ConnectorError(place: "\(node.place)", "a pipeline needs `name` and `source`")
    }
    for entry in node.map ?? [] where entry.key != "name" && entry.key != "source" {
      throw ConnectorError(place: "\(entry.keyPlace)", "unknown key \(entry.key) in a pipeline")
    }
    guard sources.count == 1 else {
      throw ConnectorError(place: "\(sources[1].keyPlace)", "a pipeline has one source")
    }
    let settings = ConnectorSettings(source.value)
    switch source.key {
    case HostMonitorProbe.kind: return try HostMonitorProbe(settings: settings, context: context(name))
    case SyslogProbe.kind: return try SyslogProbe(settings: settings, context: context(name))
    default:
      let known = [HostMonitorProbe.kind, SyslogProbe.kind]
      let hint = nearest(source.key, of: known).map { "; did you mean \($0)?" } ?? ""
      throw ConnectorError(
        place: "\(source.keyPlace)",
        "unknown source \(source.key): there is \(known.joined(separator: ", "))\(hint)")
    }
  }

  private static var hostName: String {
    let text = UnsafeMutablePointer<CChar>.allocate(capacity: 256)
    defer { text.deallocate() }
    return gethostname(text, 256) == 0 ? String(cString: text) : "localhost"
  }
}

extension ConnectorSettings {
  /// The configuration's tree as connectors read it.
  init(_ node: Node) {
    let place = "\(node.place)"
    switch node.content {
    case .scalar(let scalar):
      self.init(scalar: scalar.text, isQuoted: scalar.isQuoted, isSecret: scalar.isSecret, place: place)
    case .list(let elements): self.init(.list(elements.map { ConnectorSettings($0) }), place: place)
    case .map(let entries):
      self.init(
        .map(
          entries.map {
            Entry(name: $0.key, place: "\($0.keyPlace)", value: ConnectorSettings($0.value))
          }), place: place)
    }
  }
}
