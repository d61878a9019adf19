import Events

/// A range that is all that remains of its filter: rows in it match, and are counted. Both ends belong to it.
struct BareRange: BitwiseCopyable {
  let low: Int64
  let high: Int64
  let filter: Int32

  init(_ test: RowTest, _ filter: Int32) {
    (low, high, self.filter) = (test.low, test.high, filter)
  }
}

/// The bare ranges of one column at one node, in memory that who holds it frees.
///
/// A change may cross thousands of their ends, so it does not touch their counts: it leaves a mark where its value came from
/// among the ends of all ranges, and one where it went. The sum of the marks up to an end is how many rows have crossed that
/// end upwards, less those that crossed it downwards. It is added to the counts when somebody wants to read them (`settle`),
/// in one pass over the ends for all changes since the last time.
struct CountedRanges: BitwiseCopyable {
  let column: UInt16
  /// Of the tests whose intervals they are.
  let kind: RowTest.Kind
  /// Ranges.
  private(set) var count = 0
  /// Whether there are marks, maybe.
  private(set) var isMarked = false
  /// Rows that came less those that went: each crosses all ends up to its value.
  private var entered: Int64 = 0
  /// The least key of each block, and the sum of its marks.
  private var firsts = Run<Int64>()
  private var sums = Run<Int64>()
  private var blocks = Run<Block>()
  /// Where the value that was looked for last was found: a guess, since blocks come and go.
  private var latest = 0

  /// An end of a filter's range.
  private struct End: BitwiseCopyable, Equatable {
    let filter: Int32
    /// 1: the range begins here. -1: it ended before.
    let step: Int32
  }

  /// Some ends, ascending.
  private struct Block: BitwiseCopyable {
    var keys = Run<Int64>()
    var ends = Run<End>()
    /// `marks[i]` is from the end `i` on, the last one from the next block on.
    var marks = Run<Int64>([0])

    mutating func free() {
      keys.free()
      ends.free()
      marks.free()
    }
  }

  private static let blockMax: Int32 = 32

  init(column: UInt16, kind: RowTest.Kind) {
    self.column = column
    self.kind = kind
  }

  // MARK: Changes of rows

  /// A row's value became another.
  @inline(__always)
  mutating func move(from a: Int64, to b: Int64) {
    isMarked = true
    let from = place(of: a)
    let to = place(of: b, near: from)
    if from == to { return }
    mark(from, 1)
    mark(to, -1)
  }

  /// A row with this value came (1), or went (-1).
  @inline(__always)
  mutating func enter(_ value: Int64, _ step: Int64) {
    isMarked = true
    entered += step
    mark(place(of: value), -step)
  }

  private struct Place: Equatable {
    let block: Int
    let index: Int
  }

  /// Behind the last end that is not above a value.
  @inline(__always)
  private mutating func place(of value: Int64) -> Place {
    let block = block(of: value)
    return Place(block: block, index: blocks[block].keys.partitionPoint { $0 <= value })
  }

  /// The last one that does not begin above a value, else the first. Values of most columns come near each other: times do.
  @inline(__always)
  private mutating func block(of value: Int64) -> Int {
    let next = latest + 1
    if next <= Int(firsts.count) && firsts[latest] <= value
      && (next == Int(firsts.count) || value < firsts[next])
    {
      return latest
    }
    latest = max(firsts.partitionPoint { $0 <= value } - 1, 0)
    return latest
  }

  /// Most values move little: within their block.
  @inline(__always)
  private mutating func place(of value: Int64, near place: Place) -> Place {
    let keys = blocks[place.block].keys
    if value < keys[0] || value >= keys[Int(keys.count) - 1] { return self.place(of: value) }
    return Place(block: place.block, index: keys.partitionPoint { $0 <= value })
  }

  @inline(__always)
  private mutating func mark(_ place: Place, _ step: Int64) {
    blocks[place.block].marks[place.index] += step
    sums[place.block] += step
  }

  // MARK: Counts

  /// Takes what is marked over into the counts.
  mutating func settle(_ counts: Run<Int64>) {
    var crossed = entered
    for at in blocks.indices {
      let block = blocks[at]
      if crossed == 0 && sums[at] == 0 && !block.marks.elements.contains(where: { $0 != 0 }) { continue }
      for i in block.ends.indices {
        crossed += block.marks[i]
        block.marks[i] = 0
        counts[Int(block.ends[i].filter)] += crossed * Int64(block.ends[i].step)
      }
      crossed += block.marks[Int(block.ends.count)]
      block.marks[Int(block.ends.count)] = 0
      sums[at] = 0
    }
    entered = 0
    isMarked = false
  }

  /// How many rows crossed an end since they were taken over; with an index of -1, what lies before a block's first end.
  private func crossed(_ place: Place) -> Int64 {
    let before = entered + sums.elements.prefix(place.block).reduce(0, +)
    return blocks[place.block].marks.elements.prefix(place.index + 1).reduce(before, +)
  }

  // MARK: Changes of filters

  /// Adds a range. What is marked has nothing to do with it: its count is to be raised by what is returned.
  mutating func insert(_ range: BareRange) -> Int64 {
    count += 1
    var marked = insert(range.low, End(filter: range.filter, step: 1))
    if range.high < .max { marked -= insert(range.high + 1, End(filter: range.filter, step: -1)) }
    return -marked
  }

  /// Forgets a range that must be there; its count is to be raised by what is returned.
  mutating func remove(_ range: BareRange) -> Int64 {
    count -= 1
    var marked = remove(range.low, End(filter: range.filter, step: 1))
    if range.high < .max { marked -= remove(range.high + 1, End(filter: range.filter, step: -1)) }
    return marked
  }

  /// Returns how many rows crossed the place where it is now.
  private mutating func insert(_ key: Int64, _ end: End) -> Int64 {
    if blocks.isEmpty {
      firsts.append(key)
      sums.append(0)
      blocks.append(Block())
    }
    let place = place(of: key)
    let marked = crossed(Place(block: place.block, index: place.index - 1))
    let block = blocks.base! + place.block
    block.pointee.keys.insert(key, at: place.index)
    block.pointee.ends.insert(end, at: place.index)
    // What was marked for the end that was here is still for that one.
    block.pointee.marks.insert(0, at: place.index)
    firsts[place.block] = block.pointee.keys[0]
    if block.pointee.keys.count > Self.blockMax { split(place.block) }
    return marked
  }

  private mutating func split(_ at: Int) {
    let lower = blocks.base! + at
    let half = Int(lower.pointee.keys.count) / 2
    var upper = Block()
    for i in half..<Int(lower.pointee.keys.count) {
      upper.keys.append(lower.pointee.keys[i])
      upper.ends.append(lower.pointee.ends[i])
      upper.marks.append(lower.pointee.marks[i + 1])
    }
    lower.pointee.keys.truncate(to: half)
    lower.pointee.ends.truncate(to: half)
    lower.pointee.marks.truncate(to: half + 1)
    let sum = upper.marks.elements.reduce(0, +)
    sums[at] -= sum
    firsts.insert(upper.keys[0], at: at + 1)
    sums.insert(sum, at: at + 1)
    blocks.insert(upper, at: at + 1)
  }

  /// Returns how many rows crossed it.
  private mutating func remove(_ key: Int64, _ end: End) -> Int64 {
    var at = firsts.blockWhereBegins(key)
    while true {
      let block = blocks[at]
      for index in block.keys.partitionPoint({ $0 < key })..<Int(block.keys.count)
      where block.ends[index] == end {
        let crossed = crossed(Place(block: at, index: index))
        remove(Place(block: at, index: index))
        return crossed
      }
      at += 1
    }
  }

  private mutating func remove(_ place: Place) {
    let block = blocks.base! + place.block
    block.pointee.keys.remove(at: place.index)
    block.pointee.ends.remove(at: place.index)
    block.pointee.marks[place.index + 1] += block.pointee.marks[place.index]
    block.pointee.marks.remove(at: place.index)
    if !block.pointee.keys.isEmpty {
      firsts[place.block] = block.pointee.keys[0]
      return
    }
    handOver(block.pointee.marks[0], of: place.block)
    block.pointee.free()
    firsts.remove(at: place.block)
    sums.remove(at: place.block)
    blocks.remove(at: place.block)
    if blocks.isEmpty { free() }
  }

  /// What is marked in a block without ends is the block's before, or the next one's if there is none.
  private mutating func handOver(_ mark: Int64, of at: Int) {
    if at > 0 {
      blocks[at - 1].marks[Int(blocks[at - 1].ends.count)] += mark
      sums[at - 1] += mark
    } else if blocks.count > 1 {
      blocks[1].marks[0] += mark
      sums[1] += mark
    }
  }

  /// Whether a filter has an interval here. For people: all are looked at.
  func contains(_ filter: Int32) -> Bool {
    blocks.elements.contains { $0.ends.elements.contains { $0.filter == filter } }
  }

  mutating func free() {
    for var block in blocks.elements { block.free() }
    blocks.free()
    firsts.free()
    sums.free()
  }
}
