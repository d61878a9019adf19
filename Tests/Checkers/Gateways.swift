import Base
import Bus
import Events

/// Clients that ask for every change: histories and immediate streams of the lists in the pool. Some are away for
/// longer than their lease, and have their history stored until they are back.
public struct Gateways {
  /// Their names; no other client has them.
  static let clients = ["g", "h"]

  private static let stays = "stays"
  /// Requests of this name store and forward.
  private static let stored = "stored"
  /// The key of the request that never ends.
  public static let staying = "\(clients[0])/\(stays)"

  private let world: any World
  private var random: SeededRandom
  /// The last record of each request that is stored, where that is no null.
  private var last: [String: [JSON.Member]] = [:]

  init(_ world: any World, seed: UInt64) {
    self.world = world
    random = SeededRandom(seed: seed)
  }

  static func isOne(_ key: String) -> Bool { clients.contains { key.hasPrefix("\($0)/") } }

  /// A request; now and then one ends.
  public mutating func send() {
    let client = Self.clients.randomElement(using: &random)!
    let name = ["v0", "v1", Self.stored].randomElement(using: &random)!
    if name == Self.stored { return sendStored(client) }
    guard Int.random(in: 0..<4, using: &random) > 0 else { return append(client, name, nil) }
    let view = viewPool.filter(\.isList).randomElement(using: &random)!
    var members = [
      JSON.Member("sql", .string(view.spellings.randomElement(using: &random)!)),
      JSON.Member("mode", .string(["all", "all", "immediate"].randomElement(using: &random)!)),
    ]
    if Bool.random(using: &random) { members.append(JSON.Member("placement", .string("lane"))) }
    append(client, name, members)
  }

  /// A client that was away, or may have been, is back; or it asks for something else, or leaves for good.
  private mutating func sendStored(_ client: String) {
    if let again = last[client], Int.random(in: 0..<3, using: &random) > 0 {
      return append(client, Self.stored, again)
    }
    guard last[client] == nil || Bool.random(using: &random) else {
      last[client] = nil
      return append(client, Self.stored, nil)
    }
    let view = viewPool.filter(\.isList).randomElement(using: &random)!
    last[client] = [
      JSON.Member("sql", .string(view.spellings.randomElement(using: &random)!)),
      JSON.Member("mode", .string("all")), JSON.Member("store_and_forward", .bool(true)),
      JSON.Member("lease_ms", .int(world.pace.shortLease.milliseconds)),
    ]
    append(client, Self.stored, last[client])
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
