import Events

/// An interval of a column's values, and the filter whose test it is. Both ends belong to it.
protocol FilterRange: BitwiseCopyable {
  var low: Int64 { get }
  var high: Int64 { get }
  var filter: Int32 { get }
  var path: UInt16 { get }
}

extension FilterRange {
  @inline(__always)
  func contains(_ value: Int64) -> Bool { value >= low && value <= high }
}

/// A range that is all that remains of its filter: rows in it match. Most are such, and a change may cross
/// thousands of them.
struct BareRange: FilterRange {
  let low: Int64
  let high: Int64
  let filter: Int32
  let path: UInt16
}

/// A range of a filter of which more remains to be known.
struct RangeEntry: FilterRange {
  var low: Int64
  var high: Int64
  /// Its rest does not contain the interval.
  var entry: Entry
  /// It is found here by a row, not only by a change of this column.
  var isMain: Bool

  var filter: Int32 { entry.filter }
  var path: UInt16 { entry.path }
}

/// Ranges in the order of a key, in blocks: a place is found by two searches, and little is moved.
struct SortedBlocks<Range: FilterRange>: BitwiseCopyable {
  private struct Block: BitwiseCopyable {
    var keys = Run<Int64>()
    var entries = Run<Range>()
  }

  private static var blockMax: Int32 { 128 }
  /// The least key of each block.
  private var firsts = Run<Int64>()
  private var blocks = Run<Block>()
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// Calls for each entry whose key is within the bounds, ascending.
  @inline(__always)
  func forEach(from low: Int64, through high: Int64, _ body: (Range) -> Void) {
    if count == 0 || low > high { return }
    var at = block(of: low)
    var index = Self.first(blocks[at].keys, notBelow: low)
    while at < Int(blocks.count) {
      let block = blocks.base.unsafelyUnwrapped + at
      let keys = block.pointee.keys
      while index < Int(keys.count) {
        if keys[index] > high { return }
        body(block.pointee.entries[index])
        index += 1
      }
      (at, index) = (at + 1, 0)
    }
  }

  mutating func insert(_ key: Int64, _ entry: Range) {
    count += 1
    if blocks.isEmpty {
      firsts.append(key)
      blocks.append(Block())
    }
    let at = block(of: key)
    let place = blocks.base! + at
    let index = Self.first(place.pointee.keys, notBelow: key)
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
    var at = block(of: key)
    while true {
      let place = blocks.base! + at
      var index = Self.first(place.pointee.keys, notBelow: key)
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

  /// The last block that begins below the key, else the first: equal keys may begin in it.
  @inline(__always)
  private func block(of key: Int64) -> Int { max(Self.first(firsts, notBelow: key) - 1, 0) }

  /// How many keys are below one. Without jumps that depend on them: they are guessed wrong every other time.
  @inline(__always)
  private static func first(_ keys: Run<Int64>, notBelow key: Int64) -> Int {
    var (first, count) = (0, Int(keys.count))
    while count > 1 {
      let half = count >> 1
      first &+= keys[first &+ half &- 1] < key ? half : 0
      count &-= half
    }
    return first + (count == 1 && keys[first] < key ? 1 : 0)
  }
}

/// The intervals of one column at one node: which contain a value, and which of two values exactly one is
/// in, is found in time that grows with the answer, not with the intervals.
///
/// They are kept by how wide they are. Between two values that are less apart than an interval is wide lies
/// at most one of its ends: there each end is an answer. Where the values are farther apart than it is wide,
/// no interval contains both, and those around each value are the answer; they begin near it.
struct RangeLists<Range: FilterRange>: BitwiseCopyable {
  let column: UInt16
  /// Of the tests whose intervals they are.
  let kind: RowTest.Kind
  /// Entries have a rest that reads more than what is sorted here and in the lists beside it.
  let isMixed: Bool
  /// What those rests read.
  var restColumns = ColumnSet()
  private var widths = Run<UnsafeMutablePointer<Width>>()
  private(set) var count = 0

  /// Intervals that are alike wide. Those without an upper end are only in `byLow`, those without a lower
  /// end only in `byHigh`.
  private struct Width: BitwiseCopyable {
    /// The interval's `high - low` has so many bits; 65: no upper end; 66: no lower end.
    let bits: Int
    var byLow = SortedBlocks<Range>()
    var byHigh = SortedBlocks<Range>()
  }

  private static var rising: Int { 65 }
  private static var falling: Int { 66 }

  init(column: UInt16, kind: RowTest.Kind, isMixed: Bool) {
    self.column = column
    self.kind = kind
    self.isMixed = isMixed
  }

  @inline(__always)
  func value(_ row: Row, _ context: MatchContext) -> Int64 {
    let cell = row[Int(column)]
    switch kind {
    case .reals: return RowTest.key(ofReal: cell)
    case .texts: return RowTest.key(ofText: context.strings.bytes(cell.code))
    default: return cell.int
    }
  }

  private static func bits(_ low: Int64, _ high: Int64) -> Int {
    if high == .max { return rising }
    if low == .min { return falling }
    return 64 - (UInt64(bitPattern: high) &- UInt64(bitPattern: low)).leadingZeroBitCount
  }

  // MARK: Questions

  /// Calls for each interval that contains the value.
  @inline(__always)
  func forEach(around value: Int64, _ body: (Range) -> Void) {
    for i in widths.indices { Self.forEach(widths[i], around: value, body) }
  }

  @inline(__always)
  private static func forEach(
    _ width: UnsafeMutablePointer<Width>, around value: Int64, _ body: (Range) -> Void
  ) {
    switch width.pointee.bits {
    case rising: width.pointee.byLow.forEach(from: .min, through: value, body)
    case falling: width.pointee.byHigh.forEach(from: value, through: .max, body)
    case let bits:
      let reach = bits >= 63 ? Int64.max : (1 << Int64(bits)) - 1
      let (least, overflow) = value.subtractingReportingOverflow(reach)
      width.pointee.byLow.forEach(from: overflow || bits >= 63 ? .min : least, through: value) {
        if $0.high >= value { body($0) }
      }
    }
  }

  /// Calls for each interval that exactly one of two different values is in; true: the second.
  @inline(__always)
  func forEach(between a: Int64, _ b: Int64, _ body: (Range, Bool) -> Void) {
    let (low, high, isUp) = a < b ? (a, b, true) : (b, a, false)
    let apart = 64 - (UInt64(bitPattern: high) &- UInt64(bitPattern: low)).leadingZeroBitCount
    for i in widths.indices {
      let width = widths[i]
      if width.pointee.bits > apart || width.pointee.bits >= Self.rising {
        width.pointee.byLow.forEach(from: low + 1, through: high) { if $0.high >= high { body($0, isUp) } }
        width.pointee.byHigh.forEach(from: low, through: high - 1) { if $0.low <= low { body($0, !isUp) } }
      } else {
        Self.forEach(width, around: a) { if !$0.contains(b) { body($0, false) } }
        Self.forEach(width, around: b) { if !$0.contains(a) { body($0, true) } }
      }
    }
  }

  // MARK: Changes

  mutating func insert(_ entry: Range) {
    count += 1
    let bits = Self.bits(entry.low, entry.high)
    let width = widths.elements.first { $0.pointee.bits == bits } ?? make(bits)
    if bits != Self.falling { width.pointee.byLow.insert(entry.low, entry) }
    if bits != Self.rising { width.pointee.byHigh.insert(entry.high, entry) }
  }

  private mutating func make(_ bits: Int) -> UnsafeMutablePointer<Width> {
    let width = UnsafeMutablePointer<Width>.allocate(capacity: 1)
    width.initialize(to: Width(bits: bits))
    widths.append(width)
    return width
  }

  mutating func remove(_ low: Int64, _ high: Int64, filter: Int32, path: UInt16) {
    count -= 1
    let bits = Self.bits(low, high)
    let at = widths.elements.firstIndex { $0.pointee.bits == bits }!
    let width = widths[at]
    if bits != Self.falling { width.pointee.byLow.remove(low, filter: filter, path: path) }
    if bits != Self.rising { width.pointee.byHigh.remove(high, filter: filter, path: path) }
    if !width.pointee.byLow.isEmpty || !width.pointee.byHigh.isEmpty { return }
    width.deallocate()
    widths.remove(at: at)
  }

  /// Whether a filter has an interval here. For people: all are looked at.
  func contains(_ filter: Int32) -> Bool {
    var isThere = false
    for width in widths.elements {
      width.pointee.byLow.forEach(from: .min, through: .max) {
        isThere = isThere || $0.filter == filter
      }
      width.pointee.byHigh.forEach(from: .min, through: .max) {
        isThere = isThere || $0.filter == filter
      }
    }
    return isThere
  }

  mutating func free() {
    for width in widths.elements {
      width.pointee.byLow.free()
      width.pointee.byHigh.free()
      width.deallocate()
    }
    widths.free()
  }
}
