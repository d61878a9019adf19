import Events

/// A range of a filter of which more remains to be known, both ends included.
struct RangeEntry: BitwiseCopyable {
  var low: Int64
  var high: Int64
  /// Its rest does not contain the interval.
  var entry: Entry
  /// It is found here by a row, not only by a change of this column.
  var isMain: Bool

  var filter: Int32 { entry.filter }
  var path: UInt16 { entry.path }

  @inline(__always)
  func contains(_ value: Int64) -> Bool { value >= low && value <= high }
}

/// Ranges in the order of a key, in blocks: a place is found by two searches, and little is moved.
struct SortedBlocks: BitwiseCopyable {
  private struct Block: BitwiseCopyable {
    var keys = Run<Int64>()
    var entries = Run<RangeEntry>()
  }

  /// Its keys are a few lines of a cache, which are fetched together.
  private static let blockMax: Int32 = 32
  /// The least key of each block.
  private var firsts = Run<Int64>()
  private var blocks = Run<Block>()
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// Has the keys fetched among which this one belongs.
  @inline(__always)
  func fetchAhead(_ key: Int64) {
    if count == 0 { return }
    let keys = blocks[firsts.blockWhereBegins(key)].keys
    let base = UnsafeRawPointer(keys.base.unsafelyUnwrapped)
    let bytes = Int(keys.count) * MemoryLayout<Int64>.stride
    for line in stride(from: 0, to: bytes, by: 64) { prefetch(base + line) }
  }

  /// Calls for each key within the bounds and its entry, ascending.
  @inline(__always)
  func forEach(from low: Int64, through high: Int64, _ body: (Int64, RangeEntry) -> Void) {
    if count == 0 || low > high { return }
    var at = firsts.blockWhereBegins(low)
    var index = blocks[at].keys.partitionPoint { $0 < low }
    while at < Int(blocks.count) {
      let block = blocks.base.unsafelyUnwrapped + at
      let keys = block.pointee.keys
      while index < Int(keys.count) {
        if keys[index] > high { return }
        body(keys[index], block.pointee.entries[index])
        index += 1
      }
      (at, index) = (at + 1, 0)
    }
  }

  mutating func insert(_ key: Int64, _ entry: RangeEntry) {
    count += 1
    if blocks.isEmpty {
      firsts.append(key)
      blocks.append(Block())
    }
    let at = firsts.blockWhereBegins(key)
    let place = blocks.base! + at
    let index = place.pointee.keys.partitionPoint { $0 < key }
    place.pointee.keys.insert(key, at: index)
    place.pointee.entries.insert(entry, at: index)
    firsts[at] = place.pointee.keys[0]
    if place.pointee.keys.count > Self.blockMax { split(at) }
  }

  private mutating func split(_ at: Int) {
    let place = blocks.base! + at
    let half = Int(place.pointee.keys.count) / 2
    var upper = Block()
    for i in half..<Int(place.pointee.keys.count) {
      upper.keys.append(place.pointee.keys[i])
      upper.entries.append(place.pointee.entries[i])
    }
    place.pointee.keys.truncate(to: half)
    place.pointee.entries.truncate(to: half)
    firsts.insert(upper.keys[0], at: at + 1)
    blocks.insert(upper, at: at + 1)
  }

  /// The filter must be there under this key.
  mutating func remove(_ key: Int64, filter: Int32, path: UInt16) {
    var at = firsts.blockWhereBegins(key)
    while true {
      let place = blocks.base! + at
      var index = place.pointee.keys.partitionPoint { $0 < key }
      while index < Int(place.pointee.keys.count), place.pointee.keys[index] == key {
        let entry = place.pointee.entries[index]
        if entry.filter == filter && entry.path == path { return remove(at, index) }
        index += 1
      }
      at += 1
    }
  }

  private mutating func remove(_ at: Int, _ index: Int) {
    let place = blocks.base! + at
    count -= 1
    place.pointee.keys.remove(at: index)
    place.pointee.entries.remove(at: index)
    if !place.pointee.keys.isEmpty {
      firsts[at] = place.pointee.keys[0]
      return
    }
    place.pointee.keys.free()
    place.pointee.entries.free()
    firsts.remove(at: at)
    blocks.remove(at: at)
    if blocks.isEmpty { free() }
  }

  mutating func free() {
    for var block in blocks.elements {
      block.keys.free()
      block.entries.free()
    }
    firsts.free()
    blocks.free()
  }
}

/// The intervals of one column at one node: which contain a value, and which of two values exactly one is
/// in, is found in time that grows with the answer, not with the intervals.
///
/// They are kept by how wide they are. Between two values that are less apart than an interval is wide lies
/// at most one of its ends: there each end is an answer. Where the values are farther apart than it is wide,
/// no interval contains both, and those around each value are the answer; they begin near it.
struct RangeLists: BitwiseCopyable {
  let column: UInt16
  /// Of the tests whose intervals they are.
  let kind: RowTest.Kind
  /// Entries have a rest that reads more than what is sorted here and in the lists beside it.
  let isMixed: Bool
  /// What those rests read.
  var restColumns = ColumnSet()
  private var widths = Run<UnsafeMutablePointer<Width>>()
  private(set) var count = 0

  /// Intervals that are alike wide, within a factor of 16: each class is one more search for a change, and one
  /// that is wider has more intervals that are looked at for nothing.
  private struct Width: BitwiseCopyable {
    let name: Int
    /// The most by which an upper end is above its lower end, or was.
    var reach: UInt64
    /// Each interval by its ends: under `low`, and under what follows `high`. It changes its answer there. Those
    /// without a lower end have one, those without an upper end too.
    var ends = SortedBlocks()
  }

  private static let bitsOfClass = 4
  /// No upper end; no lower end.
  private static let rising = 65
  private static let falling = 66

  init(column: UInt16, kind: RowTest.Kind, isMixed: Bool) {
    self.column = column
    self.kind = kind
    self.isMixed = isMixed
  }

  @inline(__always)
  func value(_ row: Row, _ context: MatchContext) -> Int64 { kind.rangeValue(row, column, context) }

  private static func width(_ low: Int64, _ high: Int64) -> UInt64 {
    UInt64(bitPattern: high) &- UInt64(bitPattern: low)
  }

  private static func name(_ low: Int64, _ high: Int64) -> Int {
    if high == .max { return rising }
    if low == .min { return falling }
    return (UInt64.bitWidth - width(low, high).leadingZeroBitCount) / bitsOfClass
  }

  // MARK: Questions

  /// Calls for each interval that contains the value.
  @inline(__always)
  func forEach(around value: Int64, _ body: (RangeEntry) -> Void) {
    for i in widths.indices { Self.forEach(widths[i], around: value, body) }
  }

  @inline(__always)
  private static func forEach(
    _ width: UnsafeMutablePointer<Width>, around value: Int64, _ body: (RangeEntry) -> Void
  ) {
    let ends = width.pointee.ends
    switch width.pointee.name {
    case rising: ends.forEach(from: .min, through: value) { _, range in body(range) }
    case falling: if value < .max { ends.forEach(from: value + 1, through: .max) { _, range in body(range) } }
    default:
      let below = Self.width(.min, value)
      let least = width.pointee.reach < below ? value &- Int64(bitPattern: width.pointee.reach) : .min
      ends.forEach(from: least, through: value) { end, range in
        if end == range.low && range.high >= value { body(range) }
      }
    }
  }

  /// Calls for each interval that exactly one of two different values is in; true: the second.
  @inline(__always)
  func forEach(between a: Int64, _ b: Int64, _ body: (RangeEntry, Bool) -> Void) {
    let (low, high, isUp) = a < b ? (a, b, true) : (b, a, false)
    let apart = Self.width(low, high)
    for i in widths.indices { widths[i].pointee.ends.fetchAhead(low + 1) }
    for i in widths.indices {
      let width = widths[i]
      if apart <= width.pointee.reach {
        width.pointee.ends.forEach(from: low + 1, through: high) { end, range in
          if range.contains(low) != range.contains(high) { body(range, isUp == (end == range.low)) }
        }
      } else {
        Self.forEach(width, around: a) { if !$0.contains(b) { body($0, false) } }
        Self.forEach(width, around: b) { if !$0.contains(a) { body($0, true) } }
      }
    }
  }

  // MARK: Changes

  mutating func insert(_ entry: RangeEntry) {
    count += 1
    let name = Self.name(entry.low, entry.high)
    let width = widths.elements.first { $0.pointee.name == name } ?? make(name)
    width.pointee.reach = max(width.pointee.reach, Self.width(entry.low, entry.high))
    if name != Self.falling { width.pointee.ends.insert(entry.low, entry) }
    if name != Self.rising { width.pointee.ends.insert(entry.high + 1, entry) }
  }

  private mutating func make(_ name: Int) -> UnsafeMutablePointer<Width> {
    let width = UnsafeMutablePointer<Width>.indexed(
      Width(name: name, reach: name >= Self.rising ? .max : 0))
    widths.append(width)
    return width
  }

  mutating func remove(_ low: Int64, _ high: Int64, filter: Int32, path: UInt16) {
    count -= 1
    let name = Self.name(low, high)
    let at = widths.elements.firstIndex { $0.pointee.name == name }!
    let width = widths[at]
    if name != Self.falling { width.pointee.ends.remove(low, filter: filter, path: path) }
    if name != Self.rising { width.pointee.ends.remove(high + 1, filter: filter, path: path) }
    if !width.pointee.ends.isEmpty { return }
    width.deindex()
    widths.remove(at: at)
  }

  /// Whether a filter has an interval here. For people: all are looked at.
  func contains(_ filter: Int32) -> Bool {
    var isThere = false
    for width in widths.elements {
      width.pointee.ends.forEach(from: .min, through: .max) { isThere = isThere || $1.filter == filter }
    }
    return isThere
  }

  mutating func free() {
    for width in widths.elements {
      width.pointee.ends.free()
      width.deindex()
    }
    widths.free()
  }
}

extension RowTest.Kind {
  /// What is compared with the bounds of an interval of this kind.
  @inline(__always)
  func rangeValue(_ row: Row, _ column: UInt16, _ context: MatchContext) -> Int64 {
    let cell = row[Int(column)]
    switch self {
    case .reals: return RowTest.key(ofReal: cell)
    case .texts: return RowTest.key(ofText: context.bytes(cell.code))
    default: return cell.int
    }
  }
}
