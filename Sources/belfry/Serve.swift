import Base
import Bus
import Configuration
import Console
import Events
import FrontDoor
import Glibc
import Service

/// A member with its console and pipelines, started and stopped as one.
final class Server {
  let configuration: Configuration
  let schema: Schema
  let log: Log
  let metrics: Metrics
  let bus: KafkaBus
  let member: Member
  let backend: Backend
  let console: HTTPServer
  private var pipelines: Pipelines
  /// Sends what the pipelines before the last reload left.
  private var finishing: JoinedThread?

  /// Starts everything, or throws what stands in the way.
  init(_ configuration: Configuration, sink: Log.Sink) throws {
    self.configuration = configuration
    let clock = SystemClock()
    log = Log(sink, "belfry")
    metrics = Metrics()
    let settings = try MemberSettings(configuration)
    schema = settings.schema
    bus = try KafkaBus(configuration, log: log, metrics: metrics)
    member = Member(settings, bus: bus, clock: clock, log: log, metrics: metrics)
    backend = Backend(member, schema: schema, bus: bus, metrics: metrics)
    let listen = configuration.http.listen
    console = try HTTPServer(
      host: listen.host, port: listen.port, router: .console(backend), metrics: metrics)
    pipelines = try Self.makePipelines(configuration, settings.topics, schema, bus, clock, log, metrics)
    log.info(
      "starting", ("cluster", configuration.cluster), ("member", configuration.member.id),
      ("kafka", bus.bootstrap), ("http", "\(listen.host):\(console.port)"))
    // The embedded broker makes a topic that anyone asks for, with four partitions: ours come first.
    if configuration.kafka.bootstrap == .embedded { try bus.ensureTopics(settings.topicSpecs) }
    member.start()
    do {
      try pipelines.start()
    } catch {
      stop()
      throw error
    }
  }

  private static func makePipelines(
    _ configuration: Configuration, _ topics: ClusterTopics, _ schema: Schema, _ bus: KafkaBus,
    _ clock: any Clock, _ log: Log, _ metrics: Metrics
  ) throws -> Pipelines {
    try Pipelines(
      configuration.pipelines, bus: bus, topic: topics.events, schema: schema, clock: clock, log: log,
      metrics: metrics)
  }

  /// Where syslog is listened for: the real ports.
  var syslogPorts: [UInt16] { pipelines.syslogPorts }

  /// Takes over the pipelines of a configuration that was read again, and says which other keys changed that
  /// wait for a restart. Where its settings have a fault the old ones go on; the ports that both may use are
  /// free only once the old ones have stopped.
  func reload(_ fresh: Configuration) throws {
    let waiting = configuration.keysChanged(in: fresh).filter { $0 != "pipelines" }
    if !waiting.isEmpty {
      log.warning("changed, but in force only after a restart", ("keys", waiting.joined(separator: ", ")))
    }
    let next = try Self.makePipelines(
      fresh, ClusterTopics(cluster: configuration.cluster), schema, bus, SystemClock(), log, metrics)
    let (former, before) = (pipelines, finishing)
    former.stopProbes()
    pipelines = next
    // While Kafka is away this takes its time, for which neither the new ones wait nor this thread.
    finishing = JoinedThread {
      before?.join()
      former.finish()
    }
    if finishing == nil { former.finish() }
    try next.start()
    log.info("pipelines reloaded", ("count", "\(fresh.pipelines.count)"))
  }

  /// Stops everything, however long it takes.
  func stop() {
    pipelines.stop()
    finishing?.join()
    console.stop()
    member.stop()
    bus.close()
    log.info("stopped")
  }
}

/// `belfry serve`: one member in the foreground.
func serve(_ invocation: Invocation, _ output: Output) throws {
  Signals.block()
  let configuration = try loadConfiguration(invocation)
  let level = Log.Level.allCases.first { "\($0)" == configuration.log.level.rawValue } ?? .info
  let server = try Server(configuration, sink: Log.Sink(clock: SystemClock(), least: level))
  while true {
    switch Signals.wait(atMost: .milliseconds(250)) {
    case SIGHUP:
      do {
        try server.reload(try loadConfiguration(invocation))
      } catch {
        server.log.error("not reloaded", ("error", "\(error)"))
      }
    case .some:
      server.stopInTime()
      return
    case nil:
      if let failure = server.member.failure {
        server.stopInTime()
        throw CommandFailure("\(failure)")
      }
    }
  }
}
