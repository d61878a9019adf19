import Bus
import Foundation
import Glibc
import Testing

/// Brokers that one test has for itself, to do with them what the others must not see: one node, or three that
/// replicate.
final class OwnKafka {
  let bootstrap: String
  let count: Int
  private let settings: [String]
  private var children: [Child?]

  /// `data`: the folder in which the nodes keep their logs.
  init(count: Int = 1, data: String? = nil) throws {
    self.count = count
    let ports = try freePorts(2 * count)
    let folder = "\(Scratch.folder)/kafka\(Scratch.next())"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    bootstrap = ports[..<count].map { "127.0.0.1:\($0)" }.joined(separator: ",")
    let voters = (0..<count).map { "\($0 + 1)@127.0.0.1:\(ports[count + $0])" }.joined(separator: ",")
    settings = try (0..<count).map { node in
      try Scratch.file(
        Self.properties(
          node: node + 1, of: count, ports: (ports[node], ports[count + node]), voters: voters,
          data: "\(data ?? folder)/\(node + 1)"),
        "properties")
    }
    children = Array(repeating: nil, count: count)
    let words = try Broker.run("kafka-storage.sh", ["random-uuid"])
    let id = try #require(words.split(separator: "\n").last.map(String.init))
    for file in settings { _ = try Broker.run("kafka-storage.sh", ["format", "-t", id, "-c", file]) }
    for node in 0..<count { try launch(node) }
    try waitUntilReady()
  }

  deinit { for child in children { child?.signal(SIGKILL) } }

  private static func properties(
    node: Int, of count: Int, ports: (client: Int, controller: Int), voters: String, data: String
  ) -> String {
    """
    \(Broker.common(count: count))
    node.id=\(node)
    controller.quorum.voters=\(voters)
    listeners=PLAINTEXT://127.0.0.1:\(ports.client),CONTROLLER://127.0.0.1:\(ports.controller)
    advertised.listeners=PLAINTEXT://127.0.0.1:\(ports.client)
    listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
    log.dirs=\(data)

    """
  }

  private func launch(_ node: Int) throws {
    children[node] = try Child(
      Broker.script("kafka-server-start.sh"), [settings[node]], environment: Broker.environment)
  }

  /// Brings a node back on its own data.
  func start(_ node: Int = 0) throws {
    try launch(node)
    try waitUntilReady()
  }

  func kill(_ node: Int = 0) throws { try children[node]!.killNow() }

  /// A node that ended by itself.
  func hasEnded(_ node: Int = 0) -> Bool { children[node]!.status != nil }

  private func waitUntilReady() throws {
    let bus = try KafkaBus(bootstrap: bootstrap)
    defer { bus.close() }
    try eventually(within: .seconds(90), "Kafka's first answer: \(children.map { $0?.output.suffix(500) })") {
      (try? bus.topics(prefix: "")) != nil
    }
  }
}
