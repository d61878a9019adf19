import Base
import Bus
import Events

/// Clients that ask for every change: histories and immediate streams of the lists in the pool.
public struct Gateways {
  /// Their names; no other client has them.
  static let clients = ["g", "h"]

  private static let stays = "stays"
  /// The key of the request that never ends.
  public static let staying = "\(clients[0])/\(stays)"

  private let world: any World
  private var random: SeededRandom

  init(_ world: any World, seed: UInt64) {
    self.world = world
    random = SeededRandom(seed: seed)
  }

  static func isOne(_ key: String) -> Bool { clients.contains { key.hasPrefix("\($0)/") } }

  /// A request; now and then one ends.
  public mutating func send() {
    let (client, name) = (
      Self.clients.randomElement(using: &random)!, "v\(Int.random(in: 0..<2, using: &random))"
    )
    guard Int.random(in: 0..<4, using: &random) > 0 else { return append(client, name, nil) }
    let view = viewPool.filter(\.isList).randomElement(using: &random)!
    var members = [
      JSON.Member("sql", .string(view.spellings.randomElement(using: &random)!)),
      JSON.Member("mode", .string(["all", "all", "immediate"].randomElement(using: &random)!)),
    ]
    if Bool.random(using: &random) { members.append(JSON.Member("placement", .string("lane"))) }
    append(client, name, members)
  }

  /// A request that never ends, for the history of all rows.
  public func stay() {
    let view = viewPool.first { $0.isList && $0.filter == "all" }!
    append(
      Self.clients[0], Self.stays,
      [JSON.Member("sql", .string(view.spellings[0])), JSON.Member("mode", .string("all"))])
  }

  private func append(_ client: String, _ name: String, _ members: [JSON.Member]?) {
    let own = [JSON.Member("client", .string(client)), JSON.Member("name", .string(name))]
    world.append(
      topic: world.topics.requests, key: "\(client)/\(name)",
      value: members.map { JSON.object(own + $0).text })
  }
}
