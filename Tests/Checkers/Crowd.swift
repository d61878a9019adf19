import Base
import Bus

/// All who do something to a cluster.
public struct Crowd {
  public var events: Traffic
  public var clients: Clients
  public var gateways: Gateways
  public var operators: Operators
  public var screen: Screen
  public var vandal: Vandal

  public init(_ world: any World, _ random: inout SeededRandom) {
    events = Traffic(world, seed: random.next())
    clients = Clients(world, seed: random.next())
    gateways = Gateways(world, seed: random.next())
    operators = Operators(world, seed: random.next())
    screen = Screen(world, seed: random.next())
    vandal = Vandal(world, seed: random.next())
  }
}

extension World {
  /// A text under a key, in a topic with one partition.
  func append(topic: String, key: String, value: String?) {
    append(
      topic: topic, partition: 0, key: Array(key.utf8), value: value.map { Array($0.utf8) }, headers: [],
      timestamp: now())
  }
}
