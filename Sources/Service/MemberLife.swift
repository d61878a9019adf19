import Base
import Bus
import Events
import Notifier
import Requests
import Table

/// One life of a member's table, and the publishers that work with it: the table's worker, a publisher, one for
/// every change, and the mailboxes between. It ends with the table's first error that is not for trying again; the
/// next life restores from the bus. A publisher that fails is made anew within it.
public final class MemberLife {
  public let worker: TableWorker
  public private(set) var publisher: Publisher
  /// Of the streams of every change.
  public let changes: ChangePublisher
  /// For the console's questions.
  public let letters: Mailbox<TableLetter>
  private let makePublisher: () -> Publisher

  /// `pause` waits before an aborted transaction is tried again.
  public init(
    _ settings: MemberSettings, bus: any Bus, clock: any Clock, readiness: Readiness,
    definitions: SharedDefinitions = SharedDefinitions(), largeCommands: LargeCommands = LargeCommands(),
    log: Log, metrics: Metrics, pause: @escaping @Sendable (Duration) -> Void
  ) {
    let letters = Mailbox<TableLetter>(capacity: settings.lettersMax)
    self.letters = letters
    let table = EventTable(
      schema: settings.schema,
      topics: TableTopics(settings.topics, table: settings.schema.table),
      settings: settings.table,
      language: CommandReader(
        catalog: OneTable(settings.schema), settings: settings.registry, definitions: definitions),
      largeCommands: largeCommands, metrics: metrics, log: log)
    let leader = Leader(
      bus: bus, clock: clock, table: table,
      settings: Leader.Settings(
        topics: settings.topics, seat: settings.topics.tableSeat(settings.memberID),
        commitInterval: settings.commitInterval),
      readiness: readiness, log: log, metrics: metrics, pause: pause)
    worker = TableWorker(
      settings, clock: clock, leader: leader, letters: letters, definitions: definitions,
      readiness: readiness, log: log, metrics: metrics)
    var publishing = Publisher.Settings(topics: settings.topics, registry: settings.registry)
    publishing.neededTopics = settings.preparedSpecs
    publishing.throttle = settings.throttle
    publishing.changelog = settings.topics.changelog(
      settings.schema.table, partitions: settings.table.partitions)
    let changeLetters = Mailbox<ChangeLetter>(capacity: settings.lettersMax)
    var changing = ChangePublisher.Settings(
      topics: settings.topics, schema: settings.schema, partitions: settings.table.partitions)
    changing.commitInterval = settings.commitInterval
    changing.snapshotBytesMax = settings.snapshotBytesMax
    changing.snapshotHeldMax = settings.snapshotHeldMax
    changing.storedBytesMax = settings.storedBytesMax
    changes = ChangePublisher(
      bus: bus, clock: clock, settings: changing, letters: changeLetters, table: letters,
      readiness: readiness, log: log, metrics: metrics, pause: pause)
    makePublisher = { [publishing] in
      Publisher(
        bus: bus, clock: clock, settings: publishing,
        catalog: OneTable(settings.schema), table: letters, changes: changeLetters,
        readiness: readiness, definitions: definitions, log: log, metrics: metrics, pause: pause)
    }
    publisher = makePublisher()
  }

  /// Another process has the seat, or what is asked of the bus cannot be: going on would not help. Only the
  /// group tells the first for certain: a producer is fenced, too, when the broker ended a transaction of
  /// ours that took too long, and whoever takes the seat from us joins the group under our instance id.
  public static func isFinal(_ error: BusError) -> Bool {
    let codes = [
      "FENCED_INSTANCE_ID", "_FENCED_INSTANCE_ID", "PARTITIONS", "CONFIGURATION", Member.notAlone,
      // A property is not within what the brokers allow.
      "INVALID_TRANSACTION_TIMEOUT", "INVALID_SESSION_TIMEOUT",
    ]
    return codes.contains(error.code) || error.remedy == .closed
  }

  /// Makes the publisher anew, where this error of its was none of the table's. False: the table must be
  /// made anew with it.
  public func remakePublisher(after error: BusError) -> Bool {
    guard error.remedy != .closed, ![Publisher.mailboxFull, Publisher.topicGone].contains(error.code) else {
      return false
    }
    publisher.close()
    publisher = makePublisher()
    return true
  }

  /// The same of who publishes every change: it knows still what it was told, and restores the rest.
  public func resetChanges(after error: BusError) -> Bool {
    guard error.remedy != .closed, error.code != Publisher.mailboxFull else { return false }
    changes.reset()
    return true
  }

  /// Lets go of all seats' handles.
  public func close() {
    worker.close()
    publisher.close()
    changes.close()
  }
}
