import Query
import Synchronization

/// The named filters and views as they were committed last: written by the publisher, read by whoever
/// parses a question or a change of rows. Any thread.
public final class SharedDefinitions: Sendable {
  private struct State {
    var definitions = Definitions()
    /// The next command that the publisher reads; 0 until it has restored them.
    var position: Int64 = 0
  }
  private let state = Mutex(State())

  public init() {}

  public var current: Definitions { state.withLock { $0.definitions } }

  /// The names as the commands before `offset` made them, and maybe some after it; nil while the publisher has
  /// not come so far.
  public func upTo(command offset: Int64) -> Definitions? {
    state.withLock { $0.position >= offset ? $0.definitions : nil }
  }

  func set(_ definitions: Definitions, commands position: Int64) {
    state.withLock { $0 = State(definitions: definitions, position: position) }
  }

  /// The publisher has committed what all commands before this one did.
  func reached(command position: Int64) { state.withLock { $0.position = position } }
}
