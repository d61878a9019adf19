import Query
import Synchronization

/// The named filters and views as they were committed last: written by the publisher, read by whoever
/// parses a question or a change of rows. Any thread.
public final class SharedDefinitions: Sendable {
  private struct State {
    var definitions = Definitions()
    /// The next command that the publisher reads; 0 until it has restored them.
    var position: Int64 = 0
    /// All commands before this one have begun in the table, for good. Where no table says so, nobody waits for it.
    var table = Int64.max
  }
  private let state = Mutex(State())

  public init() {}

  public var current: Definitions { state.withLock { $0.definitions } }

  /// The names as the commands before `offset` made them; nil while the publisher has not come so far. To be asked by
  /// the table for commands that it has not done yet: names are not changed again before it has.
  public func upTo(command offset: Int64) -> Definitions? {
    state.withLock { $0.position >= offset ? $0.definitions : nil }
  }

  /// How far the table is with the commands.
  public func table(reached position: Int64) { state.withLock { $0.table = position } }

  /// Whether the command at `offset` may change the names: all before it, which they have a meaning for, are done.
  func mayChange(at offset: Int64) -> Bool { state.withLock { $0.table >= offset } }

  func set(_ definitions: Definitions) { state.withLock { $0.definitions = definitions } }

  /// The publisher has committed what all commands before this one did.
  func reached(command position: Int64) { state.withLock { $0.position = position } }
}
