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
  private let settings: String
  private let pid = Mutex<pid_t>(0)
  private static let environment = ["KAFKA_HEAP_OPTS": "-Xms256M -Xmx512M", "LOG_DIR": Scratch.folder]

  private init() throws {
    let ports = try freePorts(2)
    bootstrap = "127.0.0.1:\(ports[0])"
    settings = try Scratch.file(Self.properties(ports, data: "\(Scratch.folder)/kafka"), "properties")
    let id = try Self.run("kafka-storage.sh", "random-uuid").split(separator: "\n").last.map(String.init)
    _ = try Self.run("kafka-storage.sh", "format", "-t", try #require(id), "-c", settings)
    try start()
  }

  private static func properties(_ ports: [Int], data: String) -> String {
    """
    process.roles=broker,controller
    node.id=1
    controller.quorum.voters=1@127.0.0.1:\(ports[1])
    listeners=PLAINTEXT://127.0.0.1:\(ports[0]),CONTROLLER://127.0.0.1:\(ports[1])
    advertised.listeners=PLAINTEXT://127.0.0.1:\(ports[0])
    controller.listener.names=CONTROLLER
    listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
    inter.broker.listener.name=PLAINTEXT
    log.dirs=\(data)
    num.network.threads=2
    num.io.threads=2
    offsets.topic.replication.factor=1
    offsets.topic.num.partitions=4
    transaction.state.log.replication.factor=1
    transaction.state.log.min.isr=1
    transaction.state.log.num.partitions=4
    share.coordinator.state.topic.replication.factor=1
    share.coordinator.state.topic.min.isr=1
    default.replication.factor=1
    min.insync.replicas=1
    group.initial.rebalance.delay.ms=0
    auto.create.topics.enable=false

    """
  }

  private static func run(_ script: String, _ arguments: String...) throws -> String {
    let child = try Child("\(home!)/bin/\(script)", arguments, environment: environment)
    let status = try child.end(within: .seconds(60))
    try #require(status == 0, "\(script): \(child.errors) \(child.output)")
    return child.output
  }

  /// Starts the broker on its data and waits until it answers.
  func start() throws {
    let child = try Child(
      "\(Self.home!)/bin/kafka-server-start.sh", [settings], environment: Self.environment)
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
