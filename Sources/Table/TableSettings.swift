import Base
import Bus
import Events

/// The topics that one table reads and writes (docs/bus-contract.md).
public struct TableTopics: Sendable, Equatable {
  public let events: String
  public let inbox: String
  public let dlq: String
  public let changelog: String
  public let commands: String
  public let replies: String

  public init(_ cluster: ClusterTopics, table: String) {
    events = cluster.events
    inbox = cluster.inbox
    dlq = cluster.deadLetters
    changelog = cluster.changelog(table)
    commands = cluster.commands
    replies = cluster.replies
  }
}

/// How a table behaves, and the named limits of all that grows in it.
public struct TableSettings: Sendable {
  /// Shards, and partitions of the events, inbox and changelog topics.
  public var partitions: Int
  /// Bytes of an event's value at most; a larger one is dead-lettered.
  public var eventBytesMax = 1 << 20
  public var unknownFields = EventDecoder.UnknownFields.keep
  /// A cleared row stays for this long after its StateChange.
  public var clearedKept: Duration = .seconds(120)
  /// A record further ahead of the clock does not move the shard's time.
  public var clockSkewMax: Duration = .seconds(60)
  /// Rows at most; past it new rows are dead-lettered. A row of `alerts` with its texts takes about 400 bytes,
  /// so this is about 4 GiB, and far from the 2^32 slots and string codes that there are.
  public var rowsMax = 10_000_000
  /// Bytes of all texts, each counted once, past which no row is added or changed: such events are dead-lettered.
  public var textBytesMax = 8 << 30
  /// Key, new row and old values of one change, together: they travel as one record, and Kafka's default
  /// `max.message.bytes` is 1,048,588. An event that would pass it is dead-lettered.
  public var changeBytesMax = 1_000_000
  /// Bytes of one inbox message with clears; more go in several.
  public var clearMessageBytesMax = 256 << 10
  /// Bytes of the changes that one command makes in a shard; with more, nothing is done there. It is atomic, so
  /// they go in one transaction: at 35 MB/s some 4 s of the 60 s that one may take.
  public var commandBytesMax = 128 << 20
  /// Bytes of an open transaction, and rows looked at in it, past which no further command is begun or applied.
  public var commandsOpenBytesMax = 32 << 20
  public var commandRowsLookedAtMax = 5_000_000
  /// Times that a command is applied which makes a transaction so large, where each is aborted.
  public var commandAttemptsMax = 5
  /// Commands that run at a time; others wait, and the commands topic is paused. Each has its text, of 64 KiB at
  /// most, in its reply.
  public var commandsRunningMax = 1_000
  /// Commands that are remembered by their ids, so that none is carried out twice, and bytes of their replies; the
  /// oldest are forgotten first.
  public var commandsRememberedMax = 100_000
  public var commandBytesRememberedMax = 64 << 20
  /// Bytes of a command's copy for a shard. A text of 64 KiB makes more only of thousands of rows with long column
  /// names.
  public var commandCopyBytesMax = 4 << 20
  /// Inbox records of a shard that may wait behind a clear before its inbox is to be paused, and their bytes.
  public var pendingRecordsMax = 10_000
  public var pendingBytesMax = 8 << 20
  /// Rows that one call of `runTimers` deletes in each shard, so that a mass expiry spreads over transactions.
  public var timerDeletesMax = 10_000

  public init(partitions: Int) {
    precondition(partitions > 0 && partitions <= Int(UInt16.max))
    self.partitions = partitions
  }
}
