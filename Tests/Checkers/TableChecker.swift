import Base
import Bus
import Events

/// Compares the table's topics with the fold of the events. Knows the topics only, and the times at which
/// what was cleared had to be gone.
struct TableChecker {
  /// A change of a row, as its record says it.
  struct Change {
    let key: String
    let before: AlertRow?
    let row: AlertRow?
    /// When the brokers took it, where that is known.
    let taken: Timestamp?
  }

  private let world: any World
  private let topics: ClusterTopics
  private let partitions: Range<Int32>
  /// By shard.
  private(set) var changes: [[Change]] = []
  private(set) var rows: [String: AlertRow] = [:]

  init(_ world: any World, _ deletions: [Int64]) throws(Fault) {
    self.world = world
    topics = world.topics
    partitions = 0..<Int32(world.partitions)
    for shard in partitions { changes.append(try readShard(shard)) }
    try checkRows(deletions)
    try checkDeadLetters()
  }

  // MARK: The changelog

  private mutating func readShard(_ shard: Int32) throws(Fault) -> [Change] {
    var changes: [Change] = []
    var reached = (events: Int64(0), inbox: Int64(0), time: Int64(0))
    let records = world.history(topics.changelog("alerts"), shard)
    for record in records {
      let place = "changelog[\(shard)]@\(record.offset)"
      let change = try read(record, place)
      changes.append(change)
      try demand(shard == home(change.key), "\(place): \(change.key) is a row of shard \(home(change.key))")
      let number = record.headerText("belfry-change")
      try demand(
        number == String(changes.count), "\(place): change \(number ?? "none"), not \(changes.count)")
      try demand(record.timestamp.milliseconds >= reached.time, "\(place): shard time falls")
      reached.time = record.timestamp.milliseconds
      if let consumed = AlertRow(record.headerText("belfry-consumed")) {
        let (events, inbox) = (consumed.number("events"), consumed.number("inbox"))
        try demand(events >= reached.events && inbox >= reached.inbox, "\(place): belfry-consumed falls")
        (reached.events, reached.inbox) = (events, inbox)
      }
    }
    try demand(
      records.last.map { $0.headerText("belfry-consumed") != nil } ?? true,
      "changelog[\(shard)]: the last change of a transaction does not say what was consumed")
    return changes
  }

  /// Checks a change against the row before it, and makes it.
  private mutating func read(_ record: SeenRecord, _ place: String) throws(Fault) -> Change {
    guard let key = record.keyText else { throw Fault("\(place): no key") }
    let row = AlertRow(record.valueText)
    let before = AlertRow(record.headerText("belfry-before"))
    try demand(row == nil || row!.text("Identifier") == key, "\(place): \(key) is not its row's key")
    switch (rows[key], row, before) {
    case (nil, .some, nil): break
    case (let old?, let new?, let before?):
      try demand(new.merging(before) { $1 } == old, "\(place): belfry-before is not what \(key) was")
      try demand(
        !before.isEmpty && before.allSatisfy { new[$0.key] != $0.value },
        "\(place): belfry-before has columns that did not change")
    case (let old?, nil, let before?): try demand(before == old, "\(place): belfry-before is not the row")
    default:
      throw Fault("\(place): \(key) was there: \(rows[key] != nil), with belfry-before: \(before != nil)")
    }
    defer { rows[key] = row }
    return Change(key: key, before: rows[key], row: row, taken: record.taken)
  }

  private func home(_ key: String) -> Int32 {
    Array(key.utf8).withUnsafeBytes { Base.partition(ofKey: $0, count: partitions.count) }
  }

  // MARK: The events

  private var events: [(number: Int64, partition: Int32, record: SeenRecord)] {
    partitions.flatMap { partition in
      world.history(topics.events, partition).map {
        (Int64($0.headerText(Traffic.number)!)!, partition, $0)
      }
    }.sorted { $0.number < $1.number }
  }

  private func checkRows(_ deletions: [Int64]) throws(Fault) {
    var naive = NaiveAlerts()
    var deletions = deletions[...]
    for (number, _, record) in events where record.headerText(Traffic.refusal) == nil {
      while let deletion = deletions.first, deletion < number {
        naive.forgetCleared()
        deletions.removeFirst()
      }
      naive.apply(AlertRow(record.valueText)!, time: record.timestamp.milliseconds)
    }
    for _ in deletions { naive.forgetCleared() }
    naive.expire(at: world.now().milliseconds)
    if let fault = naive.difference(to: rows) { throw Fault(fault) }
  }

  private func checkDeadLetters() throws(Fault) {
    var expected: [TopicPartitionOffset: SeenRecord] = [:]
    for (_, partition, record) in events where record.headerText(Traffic.refusal) != nil {
      expected[TopicPartitionOffset(String(partition), String(record.offset))] = record
    }
    for letter in world.history(topics.deadLetters, 0) {
      let at = TopicPartitionOffset(
        letter.headerText("belfry.error.partition") ?? "", letter.headerText("belfry.error.offset") ?? "")
      guard let event = expected.removeValue(forKey: at) else {
        throw Fault(
          "dlq@\(letter.offset): \(letter.headerText("belfry.error.topic") ?? "")[\(at)] is no malformed event, or is there"
            + " twice: \(letter.headerText("belfry.error.message") ?? "")")
      }
      try demand(letter.key == event.key && letter.value == event.value, "dlq@\(letter.offset): other bytes")
      try demand(
        Array(letter.headers.prefix(event.headers.count)) == event.headers,
        "dlq@\(letter.offset): other headers")
      let code = letter.headerText("belfry.error.code")
      try demand(
        code == event.headerText(Traffic.refusal), "dlq@\(letter.offset): code \(code ?? "none") of \(at)")
      try demand(
        letter.headerText("belfry.error.topic") == topics.events, "dlq@\(letter.offset): another topic")
    }
    if let lost = expected.keys.first {
      throw Fault("the malformed event \(lost) is not in the dead letters")
    }
  }
}

private struct TopicPartitionOffset: Hashable, CustomStringConvertible {
  let partition: String
  let offset: String

  init(_ partition: String, _ offset: String) {
    self.partition = partition
    self.offset = offset
  }

  var description: String { "\(partition)@\(offset)" }
}
