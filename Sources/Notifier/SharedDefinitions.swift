import Query
import Synchronization

/// The named filters and views as they were committed last: written by the publisher, read by whoever
/// parses a question. Any thread.
public final class SharedDefinitions: Sendable {
  private let value = Mutex(Definitions())

  public init() {}

  public var current: Definitions { value.withLock { $0 } }

  func set(_ definitions: Definitions) { value.withLock { $0 = definitions } }
}
