import Base
import Events
import Query

/// The groups of a metric view, numbered from 0 and found by their cells. A number is used again when its
/// group is dropped. A share of each group's strings is held.
struct GroupTable {
  struct Group {
    var rows = 0
    var hash: UInt32 = 0
    /// It is in the list of those to be collected.
    var isPending = false
    /// Its record is with the readers.
    var isPublished = false
  }

  let columns: [Int]
  private let types: [ColumnType]
  private let groupsMax: Int
  private(set) var groups: [Group] = []
  /// `columns.count` cells a group.
  private var cells: [Cell] = []
  private var free: [Int] = []
  /// Open addressing, linear probing: one more than a group's number; 0 is an empty place.
  private var places: [UInt32] = Array(repeating: 0, count: Self.placesMin)
  /// Most views are small, and there are many.
  private static let placesMin = 2

  init(_ columns: [Int], _ schema: Schema, groupsMax: Int) {
    self.columns = columns
    types = columns.map { schema.columns[$0].type }
    self.groupsMax = min(groupsMax, Int(UInt32.max) - 1)
  }

  /// Groups that are there, those counted that are gone and not yet collected.
  var count: Int { groups.count - free.count }

  subscript(group: Int) -> Group {
    @inline(__always) _read { yield groups[group] }
    @inline(__always) _modify { yield &groups[group] }
  }

  /// The group of a row; nil if there is none.
  func find(_ row: Row) -> Int? {
    let place = places[find(row, hash(row))]
    return place == 0 ? nil : Int(place) - 1
  }

  /// The group of a row, made if it is new. Nil: there are `groupsMax` already.
  mutating func findOrMake(_ row: Row, _ strings: StringTable) -> (group: Int, isNew: Bool)? {
    let hash = hash(row)
    let place = find(row, hash)
    if places[place] != 0 { return (Int(places[place]) - 1, false) }
    if count >= groupsMax { return nil }
    let group = makeNumber()
    groups[group] = Group(hash: hash)
    for (i, column) in columns.enumerated() {
      cells[group * columns.count + i] = cell(row, i)
      if types[i] == .string { strings.retain(row[column].code) }
    }
    places[place] = UInt32(group + 1)
    if count * 4 > places.count * 3 { grow() }
    return (group, true)
  }

  private mutating func makeNumber() -> Int {
    if let group = free.popLast() { return group }
    groups.append(Group())
    cells.append(contentsOf: repeatElement(0, count: columns.count))
    return groups.count - 1
  }

  mutating func drop(_ group: Int, _ strings: StringTable) {
    close(placeOf(group))
    releaseStrings(group, strings)
    groups[group] = Group()
    free.append(group)
  }

  mutating func removeAll(_ strings: StringTable) {
    for place in places where place != 0 { releaseStrings(Int(place) - 1, strings) }
    self.groups = []
    cells = []
    free = []
    places = Array(repeating: 0, count: Self.placesMin)
  }

  private func releaseStrings(_ group: Int, _ strings: StringTable) {
    for i in columns.indices where types[i] == .string {
      strings.release(cells[group * columns.count + i].code)
    }
  }

  // MARK: Texts

  /// The key of the record of a view without groups.
  static let ungroupedKey = UInt8(ascii: "*")

  /// A record's key: the value as text; several, a JSON array of them; of no columns `*`.
  func writeKey(_ group: Int, _ strings: StringTable, to buffer: inout ByteBuffer) {
    if columns.isEmpty { return buffer.append(Self.ungroupedKey) }
    if columns.count == 1, types[0] == .string {
      return buffer.append(strings.bytes(cells[group].code))
    }
    for i in columns.indices where columns.count > 1 || i == 0 {
      if columns.count > 1 { buffer.append(i == 0 ? UInt8(ascii: "[") : UInt8(ascii: ",")) }
      writeValue(group, i, strings, to: &buffer)
    }
    if columns.count > 1 { buffer.append(UInt8(ascii: "]")) }
  }

  /// The group's value in the column `columns[index]`, as JSON.
  func writeValue(_ group: Int, _ index: Int, _ strings: StringTable, to buffer: inout ByteBuffer) {
    buffer.append(cells[group * columns.count + index], as: types[index], strings)
  }

  // MARK: Places

  /// One zero: -0.0 equals 0.0, and would be another cell.
  @inline(__always)
  private func cell(_ row: Row, _ index: Int) -> Cell {
    let cell = row[columns[index]]
    return types[index] == .real ? (cell.real + 0).bitPattern : cell
  }

  @inline(__always)
  private func hash(_ row: Row) -> UInt32 {
    var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
    for i in columns.indices {
      let (high, low) = (hash ^ cell(row, i)).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
      hash = high ^ low
    }
    return UInt32(truncatingIfNeeded: hash ^ (hash >> 32))
  }

  @inline(__always)
  private func find(_ row: Row, _ hash: UInt32) -> Int {
    let mask = places.count - 1
    var place = Int(hash) & mask
    while places[place] != 0, !isGroup(Int(places[place]) - 1, of: row, hash) { place = (place + 1) & mask }
    return place
  }

  @inline(__always)
  private func isGroup(_ group: Int, of row: Row, _ hash: UInt32) -> Bool {
    if groups[group].hash != hash { return false }
    for i in columns.indices where cells[group * columns.count + i] != cell(row, i) { return false }
    return true
  }

  private func placeOf(_ group: Int) -> Int {
    let mask = places.count - 1
    var place = Int(groups[group].hash) & mask
    while Int(places[place]) != group + 1 { place = (place + 1) & mask }
    return place
  }

  private mutating func grow() {
    let old = places
    places = Array(repeating: 0, count: old.count * 2)
    let mask = places.count - 1
    for number in old where number != 0 {
      var place = Int(groups[Int(number) - 1].hash) & mask
      while places[place] != 0 { place = (place + 1) & mask }
      places[place] = number
    }
  }

  /// Empties a place and closes the hole in its probe run (Knuth 6.4, algorithm R).
  private mutating func close(_ place: Int) {
    let mask = places.count - 1
    var hole = place
    var next = (hole + 1) & mask
    while places[next] != 0 {
      let home = Int(groups[Int(places[next]) - 1].hash) & mask
      if (next &- home) & mask >= (next &- hole) & mask {
        places[hole] = places[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    places[hole] = 0
  }
}
