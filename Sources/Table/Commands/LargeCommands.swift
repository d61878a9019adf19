import Synchronization

/// The last command that alone made a transaction large, with how often it was applied in a row: one that the brokers
/// never take in time must not stand in the way of all else for ever. It outlives a member's tables, since a
/// transaction that takes too long may be the end of one. Any thread.
public final class LargeCommands: Sendable {
  private struct Last {
    let shard: Int32
    let offset: Int64
    var attempts = 0
  }
  private let last = Mutex<Last?>(nil)

  public init() {}

  /// The copy of a command at this offset of the shard's inbox.
  func applied(_ shard: Int32, _ offset: Int64) {
    last.withLock { last in
      if last?.shard != shard || last?.offset != offset { last = Last(shard: shard, offset: offset) }
      last!.attempts += 1
    }
  }

  func isGivenUp(_ shard: Int32, _ offset: Int64, _ settings: TableSettings) -> Bool {
    last.withLock { last in
      guard let last, last.shard == shard, last.offset == offset else { return false }
      return last.attempts >= settings.commandAttemptsMax
    }
  }
}
