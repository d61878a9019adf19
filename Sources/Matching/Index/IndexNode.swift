import Events

typealias NodePointer = UnsafeMutablePointer<IndexNode>
typealias RecordPointer = UnsafeMutablePointer<FilterRecord>

/// A place in the index: filters of which all that leads here is known to hold.
///
/// It holds filters as long as they are few. Then they are handed down to partitions by one more of their
/// tests, each by the one that the fewest others have; those that have none left but ranges go to `ranges`.
struct IndexNode: BitwiseCopyable {
  // What a walk looks at, together:

  /// What anything here or below reads: a change of other columns passes by. May be too much, never too
  /// little.
  var columns = ColumnSet()
  var entries = Run<Entry>()
  var partitions = Run<UnsafeMutablePointer<Partition>>()
  var ranges = Run<UnsafeMutablePointer<RangeLists<RangeEntry>>>()
  var bareRanges = Run<UnsafeMutablePointer<RangeLists<BareRange>>>()

  /// The last change that came here by a gram, and by which of its images.
  var mark: UInt64 = 0
  /// Texts that had this child's gram, of those that its partition has seen since `seenBefore`.
  var found: UInt32 = 0
  var seenBefore: UInt32 = 0
  /// By column, the partitions that read it; nil: there are few, or they changed since it was made.
  var readers: Readers?
  /// Where it hangs: in which partition of which node, under which key.
  var parent: NodePointer?
  var partition = Partition.Name(kind: .points, column: 0)
  var key: UInt64 = 0
  var depth: Int32 = 0
  /// Homes here and below.
  var homes: Int32 = 0
  /// So many entries are looked at again, whether they can be handed down.
  var splitAt: Int32 = IndexNode.entriesMax

  typealias Readers = UnsafeMutablePointer<Run<UnsafeMutablePointer<Partition>>>

  /// Entries that are cheaper to evaluate than to tell apart.
  static let entriesMax: Int32 = 8
  static let depthMax: Int32 = 16
  /// More partitions than that are told apart by the columns that they read.
  static let partitionsMax: Int32 = 16
}

/// A filter at a node, and what of it is not known to hold there.
struct Entry: BitwiseCopyable {
  enum Rest: UInt8, BitwiseCopyable {
    /// Nothing: whatever comes here matches.
    case nothing
    /// `test` is all that remains.
    case test
    /// The record's tests are to be evaluated.
    case whole
    /// The same, and several ways lead to the filter: once for each change.
    case shared
  }

  var filter: Int32
  /// Which of the filter's paths led here.
  var path: UInt16
  var rest: Rest
  /// Where the record is to be looked at, `low` is the signature of the columns for which it is: most changes
  /// are told by it without a look.
  var test: RowTest

  @inline(__always)
  func mayConcern(_ changes: UInt64) -> Bool { UInt64(bitPattern: test.low) & changes != 0 }
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
  /// Its column, and what anything below reads.
  var columns: ColumnSet
  /// Which lengths its pieces or grams have, one bit each.
  var sizes: UInt8 = 0
  /// The last change that came here.
  var mark: UInt64 = 0
  /// Of grams: most of those that there are not.
  var sieve = Sieve()
  /// Texts that were looked through, and grams that many of them had: poor ways to a filter that has others.
  var seen: UInt32 = 0
  var common = Sieve()

  /// A gram is common that so many texts had, and more than one of so many.
  static let commonLeast: UInt32 = 32
  static let commonShare: UInt32 = 8
  /// Common grams that are kept apart; more of them may be taken for common.
  static let commonMax = 1024
  /// Whether the column's cells are reals.
  let hasReals: Bool
  var children = PointerTable<IndexNode>()

  @inline(__always)
  func key(of cell: Cell) -> UInt64 {
    hasReals ? UInt64(bitPattern: RowTest.key(ofReal: cell)) : cell
  }
}

/// What the index knows of a filter.
struct FilterRecord: BitwiseCopyable {
  /// What it reads, and what is to be told of rows in it.
  var columns: ColumnSet
  /// A conjunction.
  var whole: Run<RowTest>
  /// Empty: `whole` is the only path.
  var paths = Run<Path>()
  var homes = Run<Home>()
  /// The last change for which it was evaluated.
  var stamp: UInt64 = 0
  /// Someone wants to know which rows enter, leave and change, not merely how many are in it.
  var isObserved: Bool
  /// Several ways lead to it.
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

  @inline(__always)
  func tests(_ path: UInt16) -> Run<RowTest> { paths.isEmpty ? whole : paths[Int(path)].tests }

  /// Only changes of these are to be looked for on a path.
  func columns(_ path: UInt16) -> ColumnSet {
    paths.isEmpty || isObserved || !isExact ? columns : paths[Int(path)].columns
  }

  @inline(__always)
  func holds(_ row: Row, _ context: MatchContext) -> Bool { Self.hold(whole, row, context) }

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
