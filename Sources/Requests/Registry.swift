import Base
import Events
import Query

/// The registry: which requests live, which streams and request sets they make (docs/bus-contract.md).
///
/// A pure state machine. It is fed the records of `<cluster>.requests` and of `<cluster>.commands`, each in
/// order, and the time; what it
/// returns is to be committed to `<cluster>.cluster` and `<cluster>.replies`. The same input gives the
/// same output, byte for byte. If that commit fails for good, the registry is ahead of the bus: make a new
/// one from `<cluster>.cluster`, which alone rebuilds it.
///
/// One thread owns it. A renewal (a record sent again) costs a look-up and a pass over its bytes; a new
/// request costs the parsing of its SQL. What a client sends never traps.
///
/// Entities on `<cluster>.cluster`, all JSON objects, null when they are gone:
///
/// | key | members |
/// | --- | --- |
/// | `request/<client>/<name>` | `creation`, `stream`, `set` (ids), `replied_ms`, `away_ms` (since when its client is away), and the request's own members |
/// | `stream/<id>` | `creation`, `state` (`active`, `grace`), `text` (canonical), `mode`, `placement`, `topic`, `partition`, `key_prefix`, `again`, `set`, `grace_ms` (since when), `error` of one that stands still, `full` of one that stores no more (as in the reply) |
/// | `stream/<id>` of an ended one | `creation`, `state` (`ended`), `ended` (a number that rises) |
/// | `set/<id>` | `creation`, `filter` (canonical text of table and filter), `interval_ms` in force |
/// | `filter/<name>`, `view/<name>` | `creation`, `text`, `uses` (names) |
/// | `command/<id>` | `creation`, `reply`: what a command was answered; `content` (64 bits over it, hexadecimal), `offset` of its record |
/// | `throttle` | `interval_ms`: no set is published more often, whatever is asked for; 0: as it is asked for |
/// | `position/commands` | `offset` (next to read) |
/// | `position/requests` | `offset` (next to read), `creations` (the last number given), `forgotten` |
///
/// Two streams of one id differ in `creation`. A request that is changed into a bad one is ended (the registry
/// is what the requests topic says, nothing older); the role `primary` passes to the stream's oldest request
/// without new replies; a request that is changed but keeps its canonical form keeps its place; ended requests'
/// replies have a `reason`.
public final class Registry {
  let settings: RegistrySettings
  let catalog: any Catalog
  let progress: (_ stream: String) -> StreamProgress
  var identity = StreamIdentity()

  var requestEntries: [ByteKey: RequestEntry] = [:]
  var requestsPerClient: [ByteKey: Int] = [:]
  var requestBytes = 0
  var streamEntries: [String: StreamEntry] = [:]
  var ownTopics = 0
  var setEntries: [String: SetEntry] = [:]
  var links = Links()
  var endedStreams = EndedStreams()
  var leases = DueHeap<RequestEntry>()
  var graces = DueHeap<StreamEntry>()
  /// The last creation number given.
  var creations: Int64 = 0
  /// Records since the position was last written.
  var quietRecords = 0
  /// Entities as they were read, until `finishRestore`; and the creation numbers that were found in them.
  var staged: [ByteKey: JSON] = [:]
  var restoredCreations: Set<Int64> = []
  /// Streams that stood still when the registry was written.
  var retried: [StreamEntry] = []

  /// The named filters and views that requests may use.
  public internal(set) var definitions = Definitions() { didSet { views.forget() } }
  var views = ViewMemo()
  /// The answers to commands, by their ids.
  var answers = Remembered<ByteKey, AnsweredCommand>()
  /// No set is published more often, ms (`throttle`); and the sets whose clients are to be told so.
  public internal(set) var floor: Int64 = 0
  var untold: ArraySlice<SetEntry> = []
  /// Flushes that were read and not answered, in the order in which they came.
  public internal(set) var flushes: [Flush] = []
  /// The offset in `<cluster>.commands` of the next record to read. Kept in `position/commands`, which stays
  /// at a flush that waits: a crash before its answer has it read again, and what lies behind it answered
  /// again as it was.
  public var commandsPosition: Int64 = 0
  /// The offset in `<cluster>.requests` of the next record to read. Kept in `position/requests`.
  public var requestsPosition: Int64 = 0
  public internal(set) var counts = RegistryCounts()
  /// The last record that could not be answered.
  public internal(set) var unanswered: UnansweredRecord?

  /// `progress` tells how far a stream is, for the replies' `seq` and `epoch`; of a stream that it does not
  /// know, 0 and the present epoch.
  public init(
    settings: RegistrySettings, catalog: any Catalog,
    progress: @escaping (_ stream: String) -> StreamProgress
  ) {
    self.settings = settings
    self.catalog = catalog
    self.progress = progress
  }

  deinit { for set in setEntries.values { set.group.dissolve() } }

  /// One record of `<cluster>.requests`. Records below `requestsPosition` are passed over.
  ///
  /// `now` is the reader's time, on the scale of `tick`: leases are counted on one clock, so that they end
  /// neither early nor late where the brokers' clocks differ from it.
  public func handle(
    key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, now: Timestamp, offset: Int64
  ) -> Effects {
    guard offset >= requestsPosition, offset < .max else {
      counts.ignored += 1
      return Effects()
    }
    requestsPosition = offset + 1
    counts.records += 1
    let keyBytesMax = settings.clientBytesMax + 1 + settings.nameBytesMax
    guard let key, key.count <= keyBytesMax else { return ignored(now, offset, badKey(keyBytesMax)) }
    let name = ByteKey(key)
    let entry = requestEntries[name]
    guard let value else { return unsubscribe(name, entry, now, offset) }
    let fingerprint = Fingerprint(value)
    if let entry, entry.fingerprint == fingerprint { return renew(entry, now) }
    guard entry != nil || isText(key) else { return ignored(now, offset, badKey(keyBytesMax)) }
    return read(value, fingerprint, name, entry, now)
  }

  /// Whether a lease or a grace period is over: there is something for `tick`.
  public func isEnding(now: Timestamp) -> Bool {
    while let entry = leases.first, entry.due <= now, entry.leaseEnd > now {
      entry.due = entry.leaseEnd
      leases.postponed(entry)
    }
    return leases.first.map { $0.due <= now } ?? false || graces.first.map { $0.due <= now } ?? false
  }

  /// Ends what ran out: leases, and grace periods. To be called a few times a second; costs nothing while
  /// nothing is due.
  public func tick(now: Timestamp) -> Effects {
    var draft = Draft(now: now)
    var budget = settings.endingsPerTickMax
    while budget > 0, let entry = leases.first, entry.due <= now {
      if entry.leaseEnd > now {
        entry.due = entry.leaseEnd
        leases.postponed(entry)
      } else {
        counts.leasesEnded += 1
        if entry.content.storesAndForwards {
          leave(entry, &draft)
        } else {
          end(entry, reason: .lease, &draft)
        }
        budget -= 1
      }
    }
    while budget > 0, let entry = graces.first, entry.due <= now {
      end(entry, &draft)
      budget -= 1
    }
    return draft.isEmpty ? Effects() : settle(&draft)
  }

  // MARK: Records

  /// Keys that are no text cannot be answered: replies' keys are texts.
  func isText(_ key: UnsafeRawBufferPointer) -> Bool {
    key.count > 0 && String(validating: key, as: UTF8.self) != nil
  }

  private func ignored(_ now: Timestamp, _ offset: Int64, _ reason: String) -> Effects {
    passOver(.requests, offset, reason)
    return quietly(now)
  }

  private func unsubscribe(
    _ key: ByteKey, _ entry: RequestEntry?, _ now: Timestamp, _ offset: Int64
  ) -> Effects {
    var draft = Draft(now: now)
    if let entry {
      end(entry, reason: .unsubscribed, &draft)
    } else if let names = ClientAndName(key) {
      // A client that ends what was rejected, or is gone already, waits for an answer too.
      draft.effects.replies.append((key.text, names.endedReply(.unsubscribed)))
    } else {
      return ignored(now, offset, "its key is no <client>/<name>")
    }
    return settle(&draft)
  }

  private func renew(_ entry: RequestEntry, _ now: Timestamp) -> Effects {
    counts.renewals += 1
    entry.lastSent = max(entry.lastSent, now)
    if entry.awaySince != nil { return comeBack(entry, now) }
    if now - entry.repliedAt <= settings.replyRepeatAfter { return quietly(now) }
    var draft = Draft(now: now)
    draft.reply(entry)
    draft.write(entry)
    return settle(&draft)
  }

  /// A record that changed nothing: the position in its topic is written now and then.
  func quietly(_ now: Timestamp, isCommand: Bool = false) -> Effects {
    quietRecords += 1
    if quietRecords < settings.quietRecordsMax { return Effects() }
    var draft = Draft(now: now)
    return isCommand ? settle(commands: &draft) : settle(&draft)
  }

  private func read(
    _ value: UnsafeRawBufferPointer, _ fingerprint: Fingerprint, _ key: ByteKey, _ entry: RequestEntry?,
    _ now: Timestamp
  ) -> Effects {
    var draft = Draft(now: now)
    do throws(Rejection) {
      counts.recordsParsed += 1
      let content = try RequestContent(parsing: value, settings)
      guard content.key == key else {
        throw Rejection(.key, "the record's key is \(key.text), the request's own is \(content.key.text)")
      }
      if let entry, entry.content == content {
        entry.fingerprint = fingerprint
        return renew(entry, now)
      }
      try accept(content, fingerprint, &draft)
    } catch {
      reject(error, key, &draft)
    }
    return settle(&draft)
  }
}
