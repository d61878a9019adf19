import Base
import Bus
import Events

/// The live, deduplicated table of events: rows of all shards that this member leads (docs/events.md).
///
/// A pure state machine: records in, records out. It knows no bus and no clock; the leader's loop gives it
/// what was polled and the time, and sends what comes back in one transaction. The order of calls:
///
///     addShard, restore …, startServing                per shard; then startCommands, restoreReplies
///     apply …, (unsent, sent) …, beginCommands, applyPendingClears, runTimers, finish
///                                                      a transaction
///     committed (then, at will, drain) | aborted (then seek)   its end
///
/// One thread uses it. Calls out of order trap; nothing that a record holds does.
public final class EventTable {
  /// What the rows' cells mean; its `strings` hold the texts. The rows themselves lie packed.
  public let rows: RowStore
  public let schema: Schema
  public let topics: TableTopics
  public let settings: TableSettings

  let packed: PackedRows
  let strings: StringTable
  let log: Log
  let counts: TableCounts
  let roles: ColumnRoles
  /// `settings.clearedKept` in ms.
  let clearedKept: Int64
  /// By column: problem chains or timers look at it.
  let isHookColumn: [Bool]
  let writer: RowWriter
  let decoder: EventDecoder
  let restoreDecoders: DecoderRing
  /// The string defaults' bytes, by column; empty for other columns.
  let defaultTexts: [[UInt8]]
  let defaultCells: [Cell]
  let types: [ColumnType]
  let rules: [DuplicateRule]
  let takesRecordTime: [Bool]

  var shards: [Shard?]
  /// The shards that are there, in the order of their numbers.
  var led: [Shard] = []
  var slots: [SlotState] = []
  /// The slot of a row key's code.
  var slotOfKey: [RowStore.Slot] = []
  var liveCount = 0

  /// Images at the start of the open transaction, and at the last drain.
  let open: Images
  let dirty: Images
  var out = RecordBatch(capacity: 1 << 20)
  /// What of the open transaction was in `out` before, and is sent.
  var sentBytes = 0
  var sentRecords = 0
  var isFinished = false
  /// The time of the call that is at work, and the last one's after it.
  var now = Timestamp.zero
  /// Beyond it (ms) a record's time does not count.
  var horizon: Int64 = 0

  /// nil: no commands are read here.
  let language: (any CommandLanguage)?
  /// Where shard 0 is served.
  var desk: CommandDesk?
  let commandCounts: CommandCounts
  var lastCompiled: (text: String, change: any RowChange)?
  /// By the commands of the open transaction; and bytes that it sends for them.
  var openRowsLookedAt = 0
  var openCommandBytes = 0
  let largeCommands: LargeCommands

  // Scratch, reused from event to event: a row as it is, the one that it becomes, and one for who asks.
  let current: UnsafeMutablePointer<Cell>
  let next: UnsafeMutablePointer<Cell>
  private let asked: UnsafeMutablePointer<Cell>
  var ahead = Lookahead()
  let changed: UnsafeMutablePointer<Int>
  var changedCount = 0
  var keyBytes = ByteBuffer(capacity: 256)
  var number = ByteBuffer(capacity: 64)
  var work = HeldChange()

  /// `metrics` gets `belfry_events_total`, `belfry_events_rejected_total{reason}`, `belfry_changes_total`,
  /// `belfry_rows` and others; work of a transaction is counted when it is committed. With a `language`,
  /// changes by clients are carried out.
  public init(
    schema: Schema, topics: TableTopics, settings: TableSettings, language: (any CommandLanguage)? = nil,
    largeCommands: LargeCommands = LargeCommands(), metrics: Metrics, log: Log
  ) {
    self.language = language
    self.largeCommands = largeCommands
    commandCounts = CommandCounts(metrics)
    self.schema = schema
    self.topics = topics
    self.settings = settings
    self.log = log
    counts = TableCounts(metrics)
    strings = StringTable()
    rows = RowStore(schema: schema, strings: strings)
    packed = PackedRows(schema)
    roles = ColumnRoles(schema)
    clearedKept = settings.clearedKept.milliseconds
    isHookColumn = roles.hookColumns(schema.columns.count)
    writer = RowWriter(schema)
    decoder = EventDecoder(
      schema, bytesMax: settings.eventBytesMax, unknownFields: settings.unknownFields)
    restoreDecoders = DecoderRing(strings) { EventDecoder(schema, bytesMax: .max, unknownFields: .drop) }
    defaultTexts = schema.columns.map { column in
      if case .string(let text) = column.default { Array(text.utf8) } else { [] }
    }
    let rows = rows
    defaultCells = schema.columns.map { $0.type == .string ? 0 : rows.cell($0.default) }
    types = schema.columns.map(\.type)
    rules = schema.columns.map(\.onDuplicate)
    takesRecordTime = schema.columns.map { $0.defaultsToRecordTime && $0.type == .time }
    shards = Array(repeating: nil, count: settings.partitions)
    open = Images(rows)
    dirty = Images(rows)
    current = .allocate(capacity: rows.width)
    next = .allocate(capacity: rows.width)
    asked = .allocate(capacity: rows.width)
    changed = .allocate(capacity: rows.width)
  }

  deinit {
    current.deallocate()
    next.deallocate()
    asked.deallocate()
    changed.deallocate()
  }

  /// The bytes that the rows take, their strings not counted.
  public var rowBytes: Int { packed.bytesHeld }

  /// Rows that are there, those of the open transaction counted as it has them.
  public var rowCount: Int { liveCount }

  /// The shard numbers that are led, in order.
  public var ledShards: [Int32] { led.map(\.number) }
  public var ledCount: Int { led.count }

  /// The open transaction has changed rows.
  public var hasOpenChanges: Bool { !open.entries.isEmpty }

  /// The open transaction has something to commit: records to send or positions that moved.
  public var hasOpenWork: Bool {
    sentRecords > 0 || !out.isEmpty || desk?.isUntold == true || desk?.lost.isEmpty == false
      || led.contains { $0.held.isHeld || $0.state != $0.committed && positionsMoved($0) }
  }

  /// Bytes of the records that the open transaction sends so far, and their number: to bound it.
  public var openBytes: Int {
    led.reduce(sentBytes + out.byteCount) { $0 + ($1.held.isHeld ? $1.held.bytes.count : 0) }
  }
  public var openRecords: Int {
    led.reduce(sentRecords + out.count) { $0 + ($1.held.isHeld ? 1 : 0) }
  }

  /// Rows changed since the last drain, of committed transactions: what the next `drain` gives.
  public var dirtyRows: Int { dirty.entries.count }

  private func positionsMoved(_ shard: Shard) -> Bool {
    shard.state.events != shard.committed.events || shard.state.inbox != shard.committed.inbox
      || shard.state.commands != shard.committed.commands
  }

  /// Every row. Only when no transaction has open changes. What is given is valid during the call only; who
  /// keeps a code retains it in `rows.strings`. `body` must not call the table.
  public func forEachRow(_ body: (_ key: StringTable.Code, _ row: Row) -> Void) {
    precondition(!hasOpenChanges, "rows of an open transaction are nobody's business")
    for slot in 0..<packed.slotLimit where slots[Int(slot)].isLive {
      body(slots[Int(slot)].key, give(slot))
    }
  }

  /// The slot of a row by its key's text; nil if there is none.
  public func slot(ofKey key: UnsafeRawBufferPointer) -> RowStore.Slot? {
    guard let code = strings.code(of: key), let slot = knownSlot(code), slots[Int(slot)].isLive else {
      return nil
    }
    return slot
  }

  /// The row of a key, by the code of its text; nil if there is none. Valid until the next call.
  public func row(ofKey code: StringTable.Code) -> Row? {
    guard let slot = knownSlot(code), slots[Int(slot)].isLive else { return nil }
    return give(slot)
  }

  /// The cells of a row at work, valid until the next call.
  func cells(_ slot: RowStore.Slot) -> Row {
    packed.read(slot, into: current)
    return Row(current)
  }

  /// The cells of a row for who asks, valid until the next call.
  func give(_ slot: RowStore.Slot) -> Row {
    packed.read(slot, into: asked)
    return Row(asked)
  }

  /// The slot that belongs to a key, be there a row or only its old image.
  @inline(__always)
  func knownSlot(_ key: StringTable.Code) -> RowStore.Slot? {
    guard Int(key) < slotOfKey.count, slotOfKey[Int(key)] != SlotState.none else { return nil }
    return slotOfKey[Int(key)]
  }

  func shard(_ number: Int32) -> Shard? {
    number >= 0 && Int(number) < shards.count ? shards[Int(number)] : nil
  }
}

/// What the table counts. The open transaction's counts wait for its end, as an aborted one is done again.
final class TableCounts {
  let rows: Metric
  let restored: Metric
  let restoreErrors: Metric
  let skipped: Metric
  private let events: Metric
  private let changes: Metric
  private let forwarded: Metric
  private let clearsSent: Metric
  private let clearsApplied: Metric
  private let rejected: [Metric]

  var openEvents = 0
  var openChanges = 0
  var openForwarded = 0
  var openClearsSent = 0
  var openClearsApplied = 0
  var openRejected: [Refusal.Code] = []

  init(_ metrics: Metrics) {
    rows = metrics.gauge("belfry_rows", "Rows of the shards that this member leads.")
    restored = metrics.counter("belfry_restored_total", "Changelog records read into the table.")
    restoreErrors = metrics.counter(
      "belfry_restore_errors_total", "Changelog records that could not be read.")
    skipped = metrics.counter(
      "belfry_records_skipped_total", "Records of events and inbox that were applied before or are not ours.")
    events = metrics.counter("belfry_events_total", "Events applied, rejected or forwarded.")
    changes = metrics.counter("belfry_changes_total", "Changes of rows, committed to the changelog.")
    forwarded = metrics.counter("belfry_forwarded_total", "Events sent on to their right shard.")
    clearsSent = metrics.counter("belfry_clears_sent_total", "Clear messages to other shards.")
    clearsApplied = metrics.counter(
      "belfry_clears_applied_total", "Clear messages of other shards that were applied.")
    rejected = Refusal.Code.allCases.map {
      metrics.counter(
        "belfry_events_rejected_total", "Events that went to the dead-letter topic.",
        [("reason", $0.rawValue)])
    }
  }

  func commit() {
    events.add(openEvents)
    changes.add(openChanges)
    forwarded.add(openForwarded)
    clearsSent.add(openClearsSent)
    clearsApplied.add(openClearsApplied)
    for code in openRejected { rejected[Refusal.Code.allCases.firstIndex(of: code)!].add() }
    forget()
  }

  func forget() {
    openEvents = 0
    openChanges = 0
    openForwarded = 0
    openClearsSent = 0
    openClearsApplied = 0
    openRejected.removeAll(keepingCapacity: true)
  }
}
