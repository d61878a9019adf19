import Base
import Bus
import Events

/// Clients that ask for the views of the pool, again and again in other spellings, renew and end what they
/// asked for, and sometimes ask for what cannot be.
public struct Clients {
  static let kept = "kept"

  private let world: any World
  private var random: SeededRandom
  /// The last record of each key that is no null.
  private var last: [String: String] = [:]

  init(_ world: any World, seed: UInt64) {
    self.world = world
    random = SeededRandom(seed: seed)
  }

  public mutating func send() {
    let name = Int.random(in: 0..<5, using: &random)
    let key = "\(["a", "b", "c"].randomElement(using: &random)!)/\(name == 0 ? Self.kept : "v\(name)")"
    switch Int.random(in: 0..<12, using: &random) {
    case 0..<2: append(key, nil)
    case 2: append(key, bad(key))
    case 3..<6: renew(key)
    default: append(key, request(key))
    }
  }

  /// A request that never ends, for one of the views.
  public func stay() {
    world.append(
      topic: world.topics.requests, key: "a/stays", value: Self.text("a/stays", viewPool[0].spellings[0], []))
  }

  /// Sends again what clients keep up: requests named `kept`.
  public mutating func renewKept() {
    for key in last.keys.sorted() where key.hasSuffix(Self.kept) { renew(key) }
  }

  private mutating func renew(_ key: String) {
    if let value = last[key] { append(key, value) }
  }

  private mutating func append(_ key: String, _ value: String?) {
    last[key] = value
    world.append(topic: world.topics.requests, key: key, value: value)
  }

  private mutating func bad(_ key: String) -> String {
    if Int.random(in: 0..<4, using: &random) == 0 { return "{\"client\":" }
    return Self.text(key, badRequests.randomElement(using: &random)!, [])
  }

  private mutating func request(_ key: String) -> String {
    let view = viewPool.randomElement(using: &random)!
    var more: [JSON.Member] = []
    func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
    if chance(4) { more.append(JSON.Member("placement", .string(chance(2) ? "own" : "lane"))) }
    if chance(2) {
      more.append(JSON.Member("interval_ms", .int(Int64.random(in: 1...9, using: &random) * 100)))
    }
    if chance(3) { more.append(JSON.Member("link", .string("wall"))) }
    let lease = key.hasSuffix(Self.kept) ? world.pace.keptLease : world.pace.lease
    if chance(3) { more.append(JSON.Member("lease_ms", .int(lease.milliseconds))) }
    return Self.text(key, view.spellings.randomElement(using: &random)!, more)
  }

  private static func text(_ key: String, _ sql: String, _ more: [JSON.Member]) -> String {
    let parts = key.split(separator: "/").map(String.init)
    let members = [
      JSON.Member("client", .string(parts[0])), JSON.Member("name", .string(parts[1])),
      JSON.Member("sql", .string(sql)),
    ]
    return JSON.object(members + more).text
  }
}
