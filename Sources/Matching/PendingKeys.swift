import Events

/// The row keys of a view that changed since it was collected last, in the order in which they first did.
/// A share of each key's code is held.
struct PendingKeys {
  struct Entry {
    let key: StringTable.Code
    /// At the last collect.
    let wasIn: Bool
    /// Now.
    var isIn: Bool
  }

  private(set) var entries: [Entry] = []
  /// Open addressing, linear probing: one more than an entry's index; 0 is an empty place.
  private var places: [UInt32] = Array(repeating: 0, count: Self.placesMin)
  private static let placesMin = 16
  /// What is kept from collect to collect; a first snapshot's memory is given back.
  private static let placesKept = 1 << 16

  var count: Int { entries.count }

  /// Notes where a key is now; `wasIn` counts only if it was not pending. False, and nothing is done: there
  /// are `max` keys already.
  mutating func note(_ key: StringTable.Code, wasIn: Bool, isIn: Bool, _ strings: StringTable, max: Int)
    -> Bool
  {
    let place = find(key)
    if places[place] != 0 {
      entries[Int(places[place]) - 1].isIn = isIn
      return true
    }
    if entries.count >= max { return false }
    strings.retain(key)
    entries.append(Entry(key: key, wasIn: wasIn, isIn: isIn))
    places[place] = UInt32(entries.count)
    if entries.count * 4 > places.count * 3 { grow() }
    return true
  }

  /// Forgets all keys and gives their shares back.
  mutating func removeAll(_ strings: StringTable) {
    if entries.isEmpty { return }
    for entry in entries { strings.release(entry.key) }
    let isSmall = places.count <= Self.placesKept
    entries.removeAll(keepingCapacity: isSmall)
    places = Array(repeating: 0, count: isSmall ? places.count : Self.placesMin)
  }

  @inline(__always)
  private func find(_ key: StringTable.Code) -> Int {
    let mask = places.count - 1
    var place = Int(truncatingIfNeeded: (UInt64(key) &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while places[place] != 0, entries[Int(places[place]) - 1].key != key { place = (place + 1) & mask }
    return place
  }

  private mutating func grow() {
    places = Array(repeating: 0, count: places.count * 2)
    for index in entries.indices { places[find(entries[index].key)] = UInt32(index + 1) }
  }
}
