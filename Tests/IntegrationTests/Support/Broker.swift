import Base
import Bus
import Foundation
import Glibc
import Synchronization
import Testing

/// One Apache Kafka for the whole run: one node on free loopback ports, its data in a temporary folder.
/// It is started by the first test that needs it and goes when the tests end, however they do.
final class Broker: Sendable {
  /// Without a Kafka there is nothing to run these tests on: what they show cannot be shown on a stand-in.
  static var isThere: Bool { home != nil }
  private static let home = ProcessInfo.processInfo.environment["KAFKA_HOME"].flatMap {
    $0.isEmpty ? nil : $0
  }

  private static let one = Result { try Broker() }
  static var running: Broker { get throws { try one.get() } }

  let bootstrap: String
  /// The same broker with TLS, and with TLS and passwords (PLAIN and SCRAM-SHA-512).
  let tls: String
  let sasl: String
  /// Its own certificate, which a client must trust; and one that is none of its business.
  let certificate: String
  let otherCertificate: String
  static let user = "belfry"
  static let password = "a-pass-word-nobody-logs"
  /// A listener whose clients are sent to another port: where a test may stand between (`Wire`).
  let wiredPort: Int
  let wirePort: Int
  private let settings: String
  private let pid = Mutex<pid_t>(0)
  static let environment = ["KAFKA_HEAP_OPTS": "-Xms256M -Xmx512M", "LOG_DIR": Scratch.folder]

  private init() throws {
    let ports = try freePorts(6)
    bootstrap = "127.0.0.1:\(ports[0])"
    tls = "localhost:\(ports[2])"
    sasl = "localhost:\(ports[3])"
    (wiredPort, wirePort) = (ports[4], ports[5])
    let keys = try Self.makeKeys("keys")
    certificate = keys.certificate
    otherCertificate = try Self.makeKeys("other").certificate
    settings = try Scratch.file(
      Self.properties(ports, data: "\(Scratch.folder)/kafka", keys: keys.store), "properties")
    let id = try Self.run("kafka-storage.sh", ["random-uuid"]).split(separator: "\n").last.map(String.init)
    _ = try Self.run(
      "kafka-storage.sh",
      [
        "format", "-t", try #require(id), "-c", settings, "--add-scram",
        "SCRAM-SHA-512=[name=\(Self.user),password=\(Self.password)]",
      ])
    try start()
  }

  /// A key, and the certificate that it signs itself. Where there is a Kafka there is a Java, and its keytool.
  private static func makeKeys(_ name: String) throws -> (store: String, certificate: String) {
    let stem = "\(Scratch.folder)/\(name)"
    let store = ["-storetype", "PKCS12", "-keystore", stem + ".p12", "-storepass", password, "-alias", name]
    for arguments in [
      ["-genkeypair", "-keyalg", "EC", "-dname", "CN=\(name)", "-ext", "san=dns:localhost"] + store,
      ["-exportcert", "-rfc", "-file", stem + ".pem"] + store,
    ] {
      let child = try Child(keytool, arguments)
      try #require(try child.end(within: .seconds(60)) == 0, "keytool: \(child.errors) \(child.output)")
    }
    return (stem + ".p12", stem + ".pem")
  }

  private static let keytool: String = {
    let environment = ProcessInfo.processInfo.environment
    let folders =
      (environment["JAVA_HOME"].map { ["\($0)/bin"] } ?? [])
      + (environment["PATH"] ?? "/usr/bin").split(separator: ":").map(String.init)
    return folders.map { $0 + "/keytool" }.first { FileManager.default.isExecutableFile(atPath: $0) }
      ?? "/usr/bin/keytool"
  }()

  private static func properties(_ ports: [Int], data: String, keys: String) -> String {
    let listeners = zip(["PLAINTEXT", "CONTROLLER", "SSL", "SASL_SSL", "WIRED"], ports).map { ($0, $1) }
    func list(_ all: [(String, Int)]) -> String {
      all.map { name, port in
        "\(name)://\(name.hasSuffix("SSL") ? "localhost" : "127.0.0.1"):\(port)"
      }.joined(separator: ",")
    }
    let advertised = listeners.filter { $0.0 != "CONTROLLER" }.map { name, port in
      (name, name == "WIRED" ? ports[5] : port)
    }
    return """
      \(common(count: 1))
      node.id=1
      controller.quorum.voters=1@127.0.0.1:\(ports[1])
      listeners=\(list(listeners))
      advertised.listeners=\(list(advertised))
      listener.security.protocol.map=\
      PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,WIRED:PLAINTEXT
      ssl.keystore.type=PKCS12
      ssl.keystore.location=\(keys)
      ssl.keystore.password=\(password)
      sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
      listener.name.sasl_ssl.plain.sasl.jaas.config=\
      org.apache.kafka.common.security.plain.PlainLoginModule required user_\(user)="\(password)";
      listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
      org.apache.kafka.common.security.scram.ScramLoginModule required;
      log.dirs=\(data)
      log.cleaner.backoff.ms=500
      log.retention.ms=-1
      log.retention.check.interval.ms=1000
      log.initial.task.delay.ms=1000
      transaction.abort.timed.out.transaction.cleanup.interval.ms=1000

      """
  }

  /// What is the same for each broker of the tests; `count`: brokers that replicate.
  static func common(count: Int) -> String {
    """
    process.roles=broker,controller
    controller.listener.names=CONTROLLER
    inter.broker.listener.name=PLAINTEXT
    num.network.threads=2
    num.io.threads=2
    offsets.topic.replication.factor=\(count)
    offsets.topic.num.partitions=4
    transaction.state.log.replication.factor=\(count)
    transaction.state.log.min.isr=\(max(1, count - 1))
    transaction.state.log.num.partitions=4
    share.coordinator.state.topic.replication.factor=\(count)
    share.coordinator.state.topic.min.isr=\(max(1, count - 1))
    default.replication.factor=\(count)
    min.insync.replicas=\(max(1, count - 1))
    group.initial.rebalance.delay.ms=0
    auto.create.topics.enable=false
    """
  }

  static func script(_ name: String) -> String { "\(home!)/bin/\(name)" }

  static func run(_ script: String, _ arguments: [String]) throws -> String {
    let child = try Child(Self.script(script), arguments, environment: environment)
    let status = try child.end(within: .seconds(60))
    try #require(status == 0, "\(script): \(child.errors) \(child.output)")
    return child.output
  }

  /// Starts the broker on its data and waits until it answers.
  func start() throws {
    let child = try Child(
      Self.script("kafka-server-start.sh"), [settings], environment: Self.environment)
    Self.children.withLock { $0.append(Kept(child)) }
    pid.withLock { $0 = child.pid }
    let bus = try KafkaBus(bootstrap: bootstrap)
    defer { bus.close() }
    try eventually(within: .seconds(90), "Kafka's first answer: \(child.output.suffix(2000))") {
      (try? bus.topics(prefix: "")) != nil
    }
  }

  /// `SIGSTOP`, `SIGCONT`: it stands still, and goes on.
  func signal(_ number: Int32) { kill(pid.withLock { $0 }, number) }

  /// `kill -9`; `start` brings it back.
  func killNow() throws {
    try Self.children.withLock { $0.removeLast() }.child.killNow()
  }

  /// Handles of the brokers that run.
  private static let children = Mutex<[Kept]>([])
  private struct Kept: @unchecked Sendable {
    // @unchecked: used under the lock, by one test at a time.
    let child: Child
    init(_ child: Child) { self.child = child }
  }
}

/// Ports that are free now.
func freePorts(_ count: Int) throws -> [Int] {
  var sockets: [Int32] = []
  defer { for socket in sockets { close(socket) } }
  return try (0..<count).map { _ in
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    sockets.append(descriptor)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    try #require(isBound, "no free port")
    return Int(UInt16(bigEndian: address.sin_port))
  }
}
