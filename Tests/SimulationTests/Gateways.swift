import Base
import Bus
import Events

/// Clients that ask for every change: histories and immediate streams of the lists in the pool.
struct Gateways {
  /// Their names; no other client has them.
  static let clients = ["g", "h"]

  private let cluster: SimulatedCluster
  private let topic: String
  private var random: SeededRandom

  init(_ cluster: SimulatedCluster, topic: String, seed: UInt64) {
    self.cluster = cluster
    self.topic = topic
    random = SeededRandom(seed: seed)
  }

  static func isOne(_ key: String) -> Bool { clients.contains { key.hasPrefix("\($0)/") } }

  /// A request; now and then one ends.
  mutating func send() {
    let (client, name) = (
      Self.clients.randomElement(using: &random)!, "v\(Int.random(in: 0..<2, using: &random))"
    )
    var value: String?
    if Int.random(in: 0..<4, using: &random) > 0 {
      let view = viewPool.filter(\.isList).randomElement(using: &random)!
      var members = [
        JSON.Member("client", .string(client)), JSON.Member("name", .string(name)),
        JSON.Member("sql", .string(view.spellings.randomElement(using: &random)!)),
        JSON.Member("mode", .string(["all", "all", "immediate"].randomElement(using: &random)!)),
      ]
      if Bool.random(using: &random) { members.append(JSON.Member("placement", .string("lane"))) }
      value = JSON.object(members).text
    }
    cluster.append(topic: topic, partition: 0, key: "\(client)/\(name)", value: value)
  }
}
