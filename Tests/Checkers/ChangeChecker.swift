import Base
import Bus
import Events

/// Compares the streams of every change with the changelog, as a client could that knows the topics only: counts
/// are contiguous, and what is told is exactly what the changes did to the view, in order, once.
struct ChangeChecker {
  private let world: any World
  private let partitions: Int
  private let lost: LostTopics
  /// By shard; the first has the number 1.
  private let changes: [[TableChecker.Change]]
  /// By stream id and creation, when the brokers took its first reply.
  private var begun: [String: Timestamp] = [:]
  /// Transitions that were compared; snapshots that were interrupted.
  private(set) var compared = 0
  private(set) var interrupted = 0
  /// Times that a stream for clients that were away had reached its limit; and those that are at the limit by bytes.
  private(set) var filled = 0
  private(set) var filledByBytes = 0

  /// `lost`: topics that somebody deleted. In one that was made again a history begins anew and says so, an
  /// immediate stream goes on; what was there before is gone.
  init(_ world: any World, _ table: TableChecker, _ lost: LostTopics) throws(Fault) {
    self.world = world
    self.lost = lost
    let topics = world.topics
    partitions = world.partitions
    changes = table.changes
    let progress = folded(world.present(topics.progress, 0)).mapValues { AlertRow($0) ?? [:] }
    let registry = folded(world.present(topics.registry, 0))
    for record in world.history(topics.registry, 0) where record.keyText!.hasPrefix("stream/") {
      let creation = (AlertRow(record.valueText) ?? [:]).number("creation")
      let life = "\(record.keyText!.dropFirst("stream/".count)) \(creation)"
      if begun[life] == nil { begun[life] = record.taken }
    }
    let requests = folded(world.present(topics.requests, 0))
    for (key, value) in folded(world.history(topics.replies, 0)).sorted(by: { $0.key < $1.key }) {
      guard let reply = value.flatMap({ try? JSON(parsing: $0) }), Gateways.isOne(key),
        let request = requests[key] ?? nil
      else { continue }
      let mode = reply["mode"]?.string ?? "none"
      let id = reply["stream"]?["id"]?.string ?? ""
      let entity = AlertRow(registry["stream/\(id)"] ?? nil) ?? [:]
      try check(reply, request, mode, progress[id] ?? [:], creation: entity.number("creation"))
    }
  }

  private mutating func check(
    _ reply: JSON, _ request: String, _ mode: String, _ progress: AlertRow, creation: Int64
  ) throws(Fault) {
    let stream = reply["stream"]!
    let id = stream["id"]!.string!
    let prefix = stream["key_prefix"]!.string!
    let place = "stream \(id) (\(mode))"
    guard let view = view(request) else { throw Fault("\(place): no view has the SQL of \(request)") }
    let isFull = reply["status"]?.string == "full"
    try demand(
      progress.number("creation") == creation
        && progress.text("phase") == (isFull ? "full" : "following"),
      "\(place): its progress is \(progress), by the reply it is full: \(isFull)")
    let topic = stream["topic"]!.string!
    // Its former lives may be there, too.
    let records = world.history(topic, Int32(stream["partition"]!.int!))
      .filter { $0.keyText!.hasPrefix(prefix) }.suffix(Int(progress.number("seq")))
    let told = try records.map { record throws(Fault) in
      try ToldRecord(
        record, key: String(record.keyText!.dropFirst(prefix.count)), "\(place)@\(record.offset)")
    }
    if lost.contains(topic) {
      try lost.check(topic, prefix: prefix, first: told.first?.seq ?? progress.number("seq") + 1, place)
      // While it waits, full, for its client, it tells nothing in the new one.
      if isFull && told.isEmpty { return }
      try checkBeginning(told, mode, progress, place)
    } else {
      try demand(
        Int64(told.count) == progress.number("seq"),
        "\(place): \(told.count) records, by its progress \(progress.number("seq"))")
    }
    try checkCounts(told, progress, place)
    try checkStore(records, told, progress, isFull: isFull, place)
    var positions: [Int64] = []
    for shard in 0..<partitions { positions.append(progress["positions"]?[String(shard)]?.int ?? 0) }
    if mode == "all" {
      try checkHistory(told, view, positions, isFull: isFull, place)
    } else {
      let since = begun["\(id) \(creation)"]
      try checkImmediate(told, view, progress["positions"], since, progress.number("seq"), place)
    }
  }

  private func view(_ request: String) -> ViewCase? {
    let sql = (try? JSON(parsing: request))?["sql"]?.string ?? ""
    return viewPool.first { $0.spellings.contains(sql) }
  }

  /// A topic that was made again tells nothing that would be taken for the continuation of what a reader does not
  /// have.
  private func checkBeginning(_ told: [ToldRecord], _ mode: String, _ progress: AlertRow, _ place: String)
    throws(Fault)
  {
    guard mode == "all" else { return }
    let isFromStart = told.first.map { $0.seq == 1 } ?? (progress.number("seq") == 0)
    // Where the limit of what is stored was reached meanwhile, that is said first, and no change before the rows.
    let begun = told.drop { Self.notice($0) == "limit" }
    try demand(
      isFromStart || begun.first.map(Self.isNewBeginning) ?? !told.isEmpty,
      "\(place): its topic was deleted, and \(told.count) records go on there without a word")
  }

  private static func isNewBeginning(_ record: ToldRecord) -> Bool { notice(record) == "snapshot" }

  private func checkCounts(_ told: [ToldRecord], _ progress: AlertRow, _ place: String) throws(Fault) {
    let before = (told.first?.seq ?? 1) - 1
    for (index, record) in told.enumerated() where record.seq != before + Int64(index + 1) {
      throw Fault("\(place): seq \(record.seq) after \(before + Int64(index))")
    }
    try demand(
      told.last.map { $0.seq == progress.number("seq") } ?? true,
      "\(place): \(told.count) records behind \(before), by its progress \(progress.number("seq"))")
    try demand(told.map(\.epoch) == told.map(\.epoch).sorted(), "\(place): the epoch falls")
    for (index, record) in told.enumerated() {
      let next = index + 1 < told.count ? told[index + 1] : nil
      try demand(
        record.isLast == (next?.sweep != record.sweep), "\(place): belfry-last at seq \(record.seq)")
      try demand(next.map { $0.sweep >= record.sweep } ?? true, "\(place): transactions fall")
    }
  }

  /// What a row is in the view.
  private func record(_ view: ViewCase, _ key: String, _ row: AlertRow?) -> AlertRow? {
    row.flatMap { view.evaluate([key: $0])[key] }
  }

  // MARK: What is stored

  /// Since its clients are away a stream has stored what is on its topic: no more, behind its snapshot, than the limit
  /// and one transaction. It is full where the limit is reached.
  private mutating func checkStore(
    _ records: ArraySlice<SeenRecord>, _ told: [ToldRecord], _ progress: AlertRow, isFull: Bool,
    _ place: String
  ) throws(Fault) {
    guard let since = progress["stored_ms"]?.int else { return }
    let (stored, most) = (progress.number("stored_bytes"), world.pace.storedBytes)
    let surely = records.filter { $0.timestamp.milliseconds > since }
    let perhaps = records.filter { $0.timestamp.milliseconds >= since }
    let there = Self.bytes(surely)...Self.bytes(perhaps)
    try demand(there.contains(stored), "\(place): \(stored) bytes are stored, on the topic are \(there)")
    let age = (records.last?.timestamp ?? .zero) - Timestamp(milliseconds: since)
    let isOverBytes = stored >= most
    try demand(
      isFull ? isOverBytes || age >= world.pace.storedAge : !isOverBytes,
      "\(place): \(stored) bytes of \(most) are stored in \(age), it is full: \(isFull)")
    if isFull && isOverBytes { filledByBytes += 1 }
    let changes = isFull ? told.dropLast() : told[...]
    let rows = changes.last { $0.value?.text("op") == "r" }
    guard let last = changes.last?.sweep, last > rows?.sweep ?? 0 else { return }
    let before = Self.bytes(surely.dropLast(told.count { $0.sweep >= last }))
    try demand(before < most, "\(place): it stores on behind \(before) bytes of \(most)")
  }

  /// Of keys, values and headers.
  private static func bytes(_ records: some Sequence<SeenRecord>) -> Int64 {
    records.reduce(0) { sum, record in
      let headers = record.headers.reduce(0) { $0 + $1.name.count + ($1.value?.count ?? 0) }
      return sum + Int64((record.key?.count ?? 0) + (record.value?.count ?? 0) + headers)
    }
  }

  // MARK: Histories

  private mutating func checkHistory(
    _ told: [ToldRecord], _ view: ViewCase, _ positions: [Int64], isFull: Bool, _ place: String
  ) throws(Fault) {
    var told = told
    if isFull {
      let last = told.popLast()
      try demand(
        last.flatMap(Self.notice) == "limit",
        "\(place): it stores no more, and ends with \(last?.value ?? [:])")
      filled += 1
    }
    let begun = told.lastIndex(where: Self.isNewBeginning).map { $0 + 1 } ?? 0
    try checkFormer(told[..<begun], view, place)
    let rows = told[begun...].prefix { $0.value?.text("op") == "r" }
    try checkSnapshot(Array(rows), view, positions, place)
    // What is stored up to the limit is there without gap; behind it comes nothing.
    let found = try transitionsFound(told[(begun + rows.count)...], place)
    for shard in 0..<partitions {
      let expected = transitions(view, shard, behind: positions[shard])
      let wanted = isFull ? Array(expected.prefix(found[shard].count)) : expected
      try compare(found[shard], wanted, "\(place), shard \(shard), behind change \(positions[shard])")
      compared += wanted.count
    }
  }

  /// What a stream told before it began anew for the last time: of snapshots that were interrupted a part; or a
  /// snapshot, and the changes behind it without gap up to the notice that the limit is reached.
  private mutating func checkFormer(_ told: ArraySlice<ToldRecord>, _ view: ViewCase, _ place: String)
    throws(Fault)
  {
    var part: [ToldRecord] = []
    var isFull = false
    for record in told {
      switch Self.notice(record) {
      case nil:
        try demand(!isFull, "\(place): seq \(record.seq) comes behind the limit, without a new beginning")
        part.append(record)
      case "snapshot":
        let other = part.first { $0.value?.text("op") != "r" }
        try demand(other == nil, "\(place): it begins anew behind seq \(other?.seq ?? 0), a change")
        interrupted += 1
        (part, isFull) = ([], false)
      case "limit":
        filled += 1
        let changes = part.drop { $0.value?.text("op") == "r" }
        try checkStored(try transitionsFound(changes, place), view, place)
        (part, isFull) = ([], true)
      case let kind?: throw Fault("\(place): a notice of the kind \(kind) at seq \(record.seq)")
      }
    }
  }

  /// From the first change on they are without gap.
  private mutating func checkStored(_ found: [[AlertRow]], _ view: ViewCase, _ place: String) throws(Fault) {
    for shard in 0..<partitions {
      guard let first = found[shard].first else { continue }
      let expected = transitions(view, shard, behind: first.number("change") - 1).prefix(found[shard].count)
      try compare(found[shard], Array(expected), "\(place), shard \(shard), stored")
      compared += expected.count
    }
  }

  /// What kind of notice a record is; nil: none.
  private static func notice(_ record: ToldRecord) -> String? {
    record.value?.text("op") == "m" ? record.value?["notice"]?["kind"]?.string ?? "none" : nil
  }

  private func transitionsFound(_ told: ArraySlice<ToldRecord>, _ place: String) throws(Fault)
    -> [[AlertRow]]
  {
    var found: [[AlertRow]] = Array(repeating: [], count: partitions)
    for record in told {
      guard let value = record.value, let shard = value["source"]?["shard"]?.int else {
        throw Fault("\(place): seq \(record.seq) has no shard")
      }
      let sequence = #"["\#(record.epoch)","\#(record.seq)"]"#
      try demand(
        value["source"]?["sequence"]?.string == sequence && value["source"]?["snapshot"]?.string == "false",
        "\(place): seq \(record.seq) has the source \(value["source"]!.text)")
      found[Int(shard)].append(
        [
          "key": .string(record.key), "op": value["op"]!, "change": value["source"]!["change"]!,
          "before": value["before"]!, "after": value["after"]!,
        ])
    }
    return found
  }

  private func checkSnapshot(_ told: [ToldRecord], _ view: ViewCase, _ positions: [Int64], _ place: String)
    throws(Fault)
  {
    var rows: [String: AlertRow] = [:]
    for shard in 0..<partitions {
      for change in changes[shard].prefix(Int(positions[shard])) { rows[change.key] = change.row }
    }
    let expected = view.evaluate(rows)
    var found: [String: AlertRow] = [:]
    for record in told { found[record.key] = Self.row(record.value?["after"]) }
    try demand(
      found == expected && told.count == expected.count,
      "\(place): its snapshot at \(positions) is \(found.keys.sorted()), expected \(expected.keys.sorted())")
    let marks = told.map { $0.value?["source"]?["snapshot"]?.string ?? "" }
    var wanted = Array(repeating: "true", count: told.count)
    if !wanted.isEmpty {
      wanted[0] = "first"
      wanted[wanted.count - 1] = "last"
    }
    try demand(marks == wanted, "\(place): its snapshot is marked \(marks)")
  }

  private func transitions(_ view: ViewCase, _ shard: Int, behind position: Int64) -> [AlertRow] {
    changes[shard].enumerated().dropFirst(Int(position)).compactMap { index, change in
      let (before, after) = (record(view, change.key, change.before), record(view, change.key, change.row))
      guard before != after else { return nil }
      let op = before == nil ? "c" : after == nil ? "d" : "u"
      return [
        "key": .string(change.key), "op": .string(op), "change": .int(Int64(index + 1)),
        "before": Self.json(before), "after": Self.json(after),
      ]
    }
  }

  private func compare(_ found: [AlertRow], _ expected: [AlertRow], _ place: String) throws(Fault) {
    for (index, (a, b)) in zip(found, expected).enumerated() where Self.sorted(a) != Self.sorted(b) {
      throw Fault("\(place): transition \(index) is \(Self.sorted(a)), expected \(Self.sorted(b))")
    }
    try demand(found.count == expected.count, "\(place): \(found.count) transitions of \(expected.count)")
  }

  // MARK: Immediate streams

  /// It tells from its first change on each one, and its first one is no later than the first behind its first reply.
  private mutating func checkImmediate(
    _ told: [ToldRecord], _ view: ViewCase, _ positions: JSON?, _ since: Timestamp?, _ seq: Int64,
    _ place: String
  ) throws(Fault) {
    var found: [String: [AlertRow?]] = [:]
    for record in told { found[record.key, default: []].append(record.value) }
    var expected: [String: [AlertRow?]] = [:]
    for shard in 0..<partitions {
      let all = transitions(view, shard, behind: 0)
      let behind = all.first { change in
        let taken = changes[shard][Int(change.number("change")) - 1].taken
        return since != nil && taken != nil && taken! > since!
      }
      let position = positions?[String(shard)]?.int ?? .max
      try demand(
        behind.map { position < $0.number("change") } ?? true,
        "\(place): it begins behind change \(position) of shard \(shard), its reply was there before change"
          + " \(behind?.number("change") ?? 0)")
      for change in all where change.number("change") > position {
        expected[change.text("key"), default: []].append(Self.row(change["after"]))
        compared += 1
      }
    }
    let count = expected.values.reduce(0) { $0 + $1.count }
    try demand(seq == Int64(count), "\(place): seq is \(seq), by the changes \(count)")
    // Of a topic that was made again, what is there is the end of it.
    for key in Set(found.keys).union(expected.keys).sorted() {
      let told = found[key] ?? []
      let wanted = expected[key, default: []].suffix(Int64(told.count) < seq ? told.count : .max)
      guard told == Array(wanted) else { throw Fault("\(place): \(key) was \(told), expected \(wanted)") }
    }
  }

  // MARK: JSON

  private static func row(_ json: JSON?) -> AlertRow? {
    json?.members.map { Dictionary($0.map { ($0.name, $0.value) }) { $1 } }
  }

  private static func json(_ row: AlertRow?) -> JSON {
    row.map { .object($0.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value) }) } ?? .null
  }

  /// Objects' members in one order.
  private static func sorted(_ row: AlertRow) -> String {
    json(row.mapValues { value in value.members == nil ? value : json(Self.row(value)) }).text
  }
}
