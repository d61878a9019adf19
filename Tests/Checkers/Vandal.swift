import Base
import Bus

/// Somebody who deletes streams' own topics, whatever is going on in them. Belfry makes them again; who reads one from
/// its beginning then finds the whole view, with counts that go on (DESIGN section 7).
public struct Vandal {
  private let world: any World
  private var random: SeededRandom
  /// Names of topics that were deleted, be it several times.
  private(set) var deleted: Set<String> = []

  init(_ world: any World, seed: UInt64) {
    self.world = world
    random = SeededRandom(seed: seed)
  }

  public mutating func strike() {
    guard let topic = world.streamTopics().randomElement(using: &random) else { return }
    deleted.insert(topic)
    world.delete(topic)
  }
}
