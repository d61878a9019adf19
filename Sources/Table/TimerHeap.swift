import Events

/// When rows of a shard have to be looked at: a binary heap, earliest first. An entry is a hint: who pops
/// it checks it against the row.
struct TimerHeap {
  struct Entry {
    var deadline: Int64
    var slot: RowStore.Slot
  }

  private(set) var entries: [Entry] = []

  var first: Entry? { entries.first }
  var count: Int { entries.count }

  mutating func push(_ entry: Entry) {
    entries.append(entry)
    var at = entries.count - 1
    while at > 0 {
      let parent = (at - 1) / 2
      guard entries[parent].deadline > entry.deadline else { break }
      entries[at] = entries[parent]
      at = parent
    }
    entries[at] = entry
  }

  mutating func popFirst() {
    let last = entries.removeLast()
    if entries.isEmpty { return }
    sink(last, from: 0)
  }

  /// Keeps the entries that pass, in linear time.
  mutating func filter(_ isKept: (Entry) -> Bool) {
    entries.removeAll { !isKept($0) }
    for at in stride(from: entries.count / 2 - 1, through: 0, by: -1) { sink(entries[at], from: at) }
  }

  private mutating func sink(_ entry: Entry, from start: Int) {
    var at = start
    while true {
      var child = at * 2 + 1
      guard child < entries.count else { break }
      if child + 1 < entries.count, entries[child + 1].deadline < entries[child].deadline { child += 1 }
      guard entries[child].deadline < entry.deadline else { break }
      entries[at] = entries[child]
      at = child
    }
    entries[at] = entry
  }
}
