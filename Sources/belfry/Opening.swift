import Base
import Bus
import Client
import Configuration
import FrontDoor
import Glibc
import Service

/// What the commands show; `Events.Cell` is a row's inside.
typealias Cell = FrontDoor.Cell

/// The configuration that an invocation names: its file and environment, over them its options.
func loadConfiguration(_ invocation: Invocation) throws -> Configuration {
  let loaded = try Configuration.load(
    path: invocation.text("config"), environment: environment(), readFile: readFile,
    check: { $0.faults })
  for warning in loaded.warnings { tell("\(visible(warning.description))\n") }
  var configuration = loaded.configuration
  if let bootstrap = invocation.text("bootstrap") { configuration.kafka.bootstrap = .servers(bootstrap) }
  if let cluster = invocation.text("cluster") {
    guard isClusterName(cluster) else { throw UsageError("--cluster: use a-z, 0-9, '.' and '-'") }
    configuration.cluster = cluster
  }
  if let address = invocation.text("http") {
    guard let listen = HostPort(address) else { throw UsageError("--http: expected HOST:PORT") }
    configuration.http.listen = listen
  }
  return configuration
}

private func isClusterName(_ text: String) -> Bool {
  !text.isEmpty
    && text.utf8.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
    }
}

/// A log that says only what a person at a terminal needs.
func quietLog() -> Log { Log(Log.Sink(clock: SystemClock(), least: .error), "belfry") }

/// A client's session with the cluster that the invocation names.
func openSession(_ invocation: Invocation) throws -> Session {
  try openSession(try loadConfiguration(invocation))
}

func openSession(_ configuration: Configuration) throws -> Session {
  guard case .servers(let bootstrap) = configuration.kafka.bootstrap else {
    throw CommandFailure(
      "the embedded broker lives inside `belfry demo`: give the address that it prints with --bootstrap")
  }
  let bus = try KafkaBus(
    bootstrap: bootstrap, properties: configuration.kafka.librdkafka, log: quietLog())
  return Session(
    bus: bus, topics: ClusterTopics(cluster: configuration.cluster), clock: SystemClock())
}

/// On whose behalf requests are made: `--client`, or the user and machine.
func clientName(_ invocation: Invocation) throws -> String {
  if let given = invocation.text("client") {
    if given.isEmpty || given.contains("/") { throw UsageError("--client: a name without '/'") }
    return given
  }
  let text = UnsafeMutablePointer<CChar>.allocate(capacity: 256)
  defer { text.deallocate() }
  let host = gethostname(text, 256) == 0 ? String(cString: text) : "localhost"
  return "\(environment()["USER"] ?? "cli")@\(host)"
}
