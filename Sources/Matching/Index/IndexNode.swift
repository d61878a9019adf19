import Events

typealias NodePointer = UnsafeMutablePointer<IndexNode>
typealias RecordPointer = UnsafeMutablePointer<FilterRecord>

/// A place in the index: filters of which all that leads here is known to hold.
///
/// It holds filters as long as they are few. Then they are handed down to partitions by one more of their
/// tests, each by the one that the fewest others have; those that have none left but ranges go to `ranges`.
struct IndexNode: BitwiseCopyable {
  // What a walk looks at, in one line of a cache:

  /// Of the columns that anything here or below reads: a change of others passes by. May be too much, never
  /// too little.
  var signature: UInt64 = 0
  var entries = Run<Entry>()
  var partitions = Run<UnsafeMutablePointer<Partition>>()
  var ranges: UnsafeMutablePointer<NodeRanges>?
  /// The last change that came here by a gram, and by which of its images.
  var mark: UInt64 = 0
  /// Changes whose texts had this child's gram, of those that its partition has seen since `seenBefore`.
  var found: UInt32 = 0
  /// Of the columns whose changes concern `partitions` or `ranges`, in half.
  var onwards: UInt32 = 0

  // In the next line:

  /// Where `entries` are as long as they are few: most children by a gram have one.
  private let own = InlineArray<8, UInt64>(repeating: 0)

  // And the rest:

  var seenBefore: UInt32 = 0

  /// By column, the partitions that read it; nil: there are few, or they changed since it was made.
  var readers: Readers?
  /// Where it hangs: in which partition of which node, under which key.
  let parent: NodePointer?
  let partition: Partition.Name
  let key: UInt64
  let depth: Int32
  /// Homes here and below.
  var homes: Int32 = 0
  /// So many entries are looked at again, whether they can be handed down.
  var splitAt: Int32 = IndexNode.entriesMax

  typealias Readers = UnsafeMutablePointer<Run<UnsafeMutablePointer<Partition>>>

  /// Entries that are cheaper to evaluate than to tell apart.
  static let entriesMax: Int32 = 16
  static let depthMax: Int32 = 16
  /// More partitions than that are told apart by the columns that they read.
  static let partitionsMax: Int32 = 16

  private static let lineBytes = 64

  init(
    parent: NodePointer? = nil, partition: Partition.Name = Partition.Name(kind: .points, column: 0),
    key: UInt64 = 0, depth: Int32 = 0
  ) {
    (self.parent, self.partition, self.key, self.depth) = (parent, partition, key, depth)
  }

  static func make(_ node: IndexNode) -> NodePointer {
    let made = NodePointer.indexed(node)
    made.pointee.entries = Run(within: own(made), capacity: ownMax)
    return made
  }

  private static let ownMax = Int32(lineBytes / MemoryLayout<Entry>.stride)

  private static func own(_ node: NodePointer) -> UnsafeMutablePointer<Entry> {
    (UnsafeMutableRawPointer(node) + lineBytes).assumingMemoryBound(to: Entry.self)
  }

  static func append(_ entry: Entry, to node: NodePointer) {
    if node.pointee.entries.isFull && node.pointee.entries.base == own(node) {
      node.pointee.entries = Run(node.pointee.entries.elements + [entry])
    } else {
      node.pointee.entries.append(entry)
    }
    if node.pointee.entries.count <= entriesMax { settleLast(of: node.pointee.entries) }
  }

  /// Entries that changes of the same columns concern lie together, where they are few: most jumps of a walk along them are
  /// guessed right then.
  private static func settleLast(of entries: Run<Entry>) {
    var at = Int(entries.count) - 1
    let entry = entries[at]
    while at > 0 && entries[at - 1].company > entry.company {
      entries[at] = entries[at - 1]
      at -= 1
    }
    entries[at] = entry
  }

  static func freeEntries(_ node: NodePointer) {
    if node.pointee.entries.base != own(node) { node.pointee.entries.free() }
    node.pointee.entries = Run(within: own(node), capacity: ownMax)
  }

  /// Has the processor fetch what a walk looks at first.
  @inline(__always)
  static func prefetch(_ node: NodePointer) {
    Events.prefetch(node)
    Events.prefetch(UnsafeRawPointer(node) + lineBytes)
  }
}

/// Filters at a node of which ranges are left, in the order of their ends.
struct NodeRanges: BitwiseCopyable {
  var mixed = Run<UnsafeMutablePointer<RangeLists>>()
  /// Of filters of which nothing else is left.
  var bare = Run<UnsafeMutablePointer<CountedRanges>>()

  /// Those of a test's column.
  func bare(_ test: RowTest) -> UnsafeMutablePointer<CountedRanges>? {
    bare.elements.first { $0.pointee.column == test.column && $0.pointee.kind == test.kind }
  }

  func mixed(_ test: RowTest, isMixed: Bool) -> UnsafeMutablePointer<RangeLists>? {
    mixed.elements.first {
      $0.pointee.column == test.column && $0.pointee.kind == test.kind && $0.pointee.isMixed == isMixed
    }
  }
}

/// A filter at a node, and what of it is not known to hold there: 32 bytes, of which most changes need no
/// more to tell that it does not concern them.
struct Entry: BitwiseCopyable {
  enum Rest: UInt8, BitwiseCopyable {
    /// `test` is all that remains. It always holds where nothing does.
    case test
    /// The record's tests are to be evaluated where `test`, which is one of them, holds.
    case whole
    /// The same, and several ways lead to the filter: once for each change.
    case shared
  }

  // `test`, laid out so that the rest fits into its gaps.
  private let kind: RowTest.Kind
  private let isNegated: Bool
  private let column: UInt16
  let filter: Int32
  private let low: Int64
  private let high: Int64
  /// Of the columns whose changes concern it here.
  private let signature: UInt32
  /// Which of the filter's paths led here.
  let path: UInt16
  let rest: Rest
  /// Two comparisons of one cell are all that remains, as of most entries.
  let isPlain: Bool

  init(filter: Int32, path: UInt16, rest: Rest, test: RowTest, columns: ColumnSet) {
    (kind, isNegated, column) = (test.kind, test.isNegated, test.column)
    (low, high) = (test.low, test.high)
    (self.filter, self.path, self.rest) = (filter, path, rest)
    signature = columns.half
    isPlain = rest == .test && test.kind == .integers
  }

  @inline(__always)
  var test: RowTest { RowTest(kind: kind, isNegated: isNegated, column: column, low: low, high: high) }

  /// Alike of those that the same changes concern, and that are weighed in the same way.
  var company: UInt64 { UInt64(signature) << 1 | (isPlain ? 1 : 0) }

  @inline(__always)
  func mayConcern(_ changes: UInt32) -> Bool { signature & changes != 0 }

  /// Of a plain one: what a change adds to its filter's count.
  @inline(__always)
  func step(_ before: Row, _ after: Row) -> Int64 {
    let (a, b) = (before[Int(column)].int, after[Int(column)].int)
    if a == b { return 0 }
    let was = (a >= low && a <= high) != isNegated
    let isNow = (b >= low && b <= high) != isNegated
    return (isNow ? 1 : 0) &- (was ? 1 : 0)
  }
}

/// The children of a node by what they have of one kind in one column.
struct Partition: BitwiseCopyable {
  enum Kind: UInt8, BitwiseCopyable {
    /// By the cell.
    case points
    /// By the text's bytes from `offset` on.
    case pieces
    /// By some bytes that the text has anywhere.
    case grams
  }

  struct Name: BitwiseCopyable, Hashable {
    var kind: Kind
    var column: UInt16
    var offset: UInt16 = 0
  }

  let name: Name
  /// Whether the column's cells are reals.
  let hasReals: Bool
  /// Which lengths its pieces or grams have, one bit each.
  private(set) var sizes: UInt8 = 0
  /// Of `columns`.
  private(set) var signature: UInt64 = 0
  private(set) var children = PointerTable<IndexNode>()
  /// Of grams: it tells most that have no child.
  private(set) var sieve = Sieve()
  /// The last change that came here.
  var mark: UInt64 = 0
  /// Of grams: changes whose texts were looked through.
  var seen: UInt32 = 0
  /// Its column, and what anything below reads.
  private(set) var columns = ColumnSet()
  /// Children by the length of their piece or gram.
  private var lengths = InlineArray<8, UInt32>(repeating: 0)
  /// Grams in the sieve whose children went.
  private var stale = 0

  init(name: Name, hasReals: Bool) {
    (self.name, self.hasReals) = (name, hasReals)
    reads(ColumnSet([Int(name.column)]))
  }

  mutating func reads(_ more: ColumnSet) {
    columns.formUnion(more)
    signature = columns.signature
  }

  /// The key must not be there yet.
  mutating func insert(_ key: UInt64, _ child: NodePointer) {
    children.insert(key, child)
    if name.kind == .points { return }
    let size = TextKey.count(key)
    lengths[size] += 1
    sizes |= 1 << UInt8(size)
    if name.kind != .grams { return }
    if children.count + stale <= sieve.capacity { sieve.insert(key) } else { sift() }
  }

  mutating func remove(_ key: UInt64) {
    children.remove(key)
    if name.kind == .points { return }
    let size = TextKey.count(key)
    lengths[size] -= 1
    if lengths[size] == 0 { sizes &= ~(1 << UInt8(size)) }
    // The sieve forgets none. Once it is full of them it is made anew, which costs no more than they did.
    if name.kind == .grams { stale += 1 }
  }

  /// Makes the sieve anew, of the grams that are there.
  mutating func sift() {
    var capacity = Sieve.capacityMin
    // With room for as many changes again before the next time.
    while capacity < children.count * 3 / 2 { capacity *= 2 }
    sieve.reset(capacity: capacity)
    let sieve = sieve
    children.visitKeys { sieve.insert($0) }
    stale = 0
  }

  mutating func free() {
    children.free()
    sieve.free()
  }

  @inline(__always)
  func key(of cell: Cell) -> UInt64 {
    hasReals ? UInt64(bitPattern: RowTest.key(ofReal: cell)) : cell
  }
}

/// What the index knows of a filter.
struct FilterRecord: BitwiseCopyable {
  /// What it reads.
  let read: ColumnSet
  /// The same, and what is to be told of rows in it.
  private(set) var columns: ColumnSet
  /// The computed columns that its tests read.
  var computed = ColumnSet()
  /// A conjunction.
  var whole: Run<RowTest>
  /// Empty: `whole` is the only path.
  var paths = Run<Path>()
  var homes = Run<Home>()
  /// The last change for which it was evaluated.
  var stamp: UInt64 = 0
  /// Someone wants to know which rows enter, leave and change, not merely how many are in it.
  private(set) var isObserved = false
  /// A change may come to it by several ways: it is settled once, by its stamp.
  var isShared = false
  /// The OR of its paths is the filter, and not merely implied by it.
  var isExact = true

  /// A conjunction that holds in some of the rows that pass the filter; one of its paths holds in each.
  struct Path: BitwiseCopyable {
    var tests: Run<RowTest>
    /// What its tests read.
    var columns: ColumnSet
  }

  /// Where an entry of it is.
  struct Home: BitwiseCopyable {
    var node: NodePointer
    var path: UInt16
    /// In the node's ranges, not in its entries.
    var isRanged = false
  }

  init(read: ColumnSet, whole: Run<RowTest>) {
    (self.read, columns, self.whole) = (read, read, whole)
  }

  /// What is to be told of rows in it from now on; nil: it is enough to count them.
  mutating func observe(_ observed: ColumnSet?) {
    isObserved = observed != nil
    columns = read
    if let observed { columns.formUnion(observed) }
  }

  /// What a walk looks at.
  @inline(__always)
  static func prefetch(_ record: RecordPointer) {
    Events.prefetch(record)
    Events.prefetch(UnsafeRawPointer(record) + MemoryLayout<FilterRecord>.offset(of: \.whole)!)
  }

  @inline(__always)
  func tests(_ path: UInt16) -> Run<RowTest> { paths.isEmpty ? whole : paths[Int(path)].tests }

  /// Only changes of these are to be looked for on a path.
  func columns(_ path: UInt16) -> ColumnSet {
    paths.isEmpty || isObserved || !isExact ? columns : paths[Int(path)].columns
  }

  @inline(__always)
  func holds(_ row: Row, _ context: MatchContext) -> Bool { Self.hold(whole, row, context) }

  /// The same by its paths, of which most rows pass none.
  func passes(_ row: Row, _ context: MatchContext) -> Bool {
    if paths.isEmpty { return holds(row, context) }
    for i in paths.indices where Self.hold(paths[i].tests, row, context) {
      return isExact || holds(row, context)
    }
    return false
  }

  @inline(__always)
  static func hold(_ tests: Run<RowTest>, _ row: Row, _ context: MatchContext) -> Bool {
    for i in tests.indices where !tests[i].holds(row, context) { return false }
    return true
  }
}

extension IndexNode {
  /// The partitions and keys by which a node is reached.
  struct Link: Hashable {
    let name: Partition.Name
    let key: UInt64
  }

  var links: [Link] {
    var links: [Link] = []
    var (parent, link) = (parent, Link(name: partition, key: key))
    while let above = parent {
      links.append(link)
      (parent, link) = (above.pointee.parent, Link(name: above.pointee.partition, key: above.pointee.key))
    }
    return links
  }

  func partition(_ name: Partition.Name) -> UnsafeMutablePointer<Partition>? {
    partitions.elements.first { $0.pointee.name == name }
  }
}
