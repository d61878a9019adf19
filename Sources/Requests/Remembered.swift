/// The newest of a kind by key: what is above a limit is forgotten, the oldest first. Numbers tell the age;
/// they rise from call to call.
struct Remembered<Key: Hashable, Value> {
  private var entries: [Key: (number: Int64, value: Value)] = [:]
  /// In the order of their numbers; those whose number is not in `entries` any more are passed over.
  private var order: [(number: Int64, key: Key)] = []
  private var first = 0

  var count: Int { entries.count }

  subscript(key: Key) -> Value? { entries[key]?.value }

  mutating func insert(_ key: Key, _ value: Value, number: Int64) {
    entries[key] = (number, value)
    order.append((number, key))
    if order.count > 2 * entries.count + 1024 {
      order = order[first...].filter { entries[$0.key]?.number == $0.number }
      first = 0
    }
  }

  mutating func remove(_ key: Key) { entries[key] = nil }

  /// Forgets the oldest above the limit; their keys.
  mutating func forget(above limit: Int) -> [Key] {
    var forgotten: [Key] = []
    while entries.count > limit {
      let oldest = order[first]
      first += 1
      guard entries[oldest.key]?.number == oldest.number else { continue }
      entries[oldest.key] = nil
      forgotten.append(oldest.key)
    }
    return forgotten
  }
}

/// The ids of streams that ended, so that a topic's name is not used twice: admin calls are not fenced, and
/// a master that was stopped and wakes could else delete the topic that was made again.
struct EndedStreams {
  /// Some id was forgotten: from then on any id may have ended before.
  var hasForgotten = false
  private var ids = Remembered<String, Void>()

  var count: Int { ids.count }

  func mayHaveEnded(_ id: String) -> Bool { hasForgotten || ids[id] != nil }

  mutating func remove(_ id: String) { ids.remove(id) }

  mutating func insert(_ id: String, number: Int64) { ids.insert(id, (), number: number) }

  /// Forgets the oldest above the limit; their ids.
  mutating func forget(above limit: Int) -> [String] {
    let forgotten = ids.forget(above: limit)
    if !forgotten.isEmpty { hasForgotten = true }
    return forgotten
  }
}
