import Events

/// Where filters go in the tree, and how it grows and shrinks.
extension FilterIndex {
  /// A way from a node to a child of it: a partition, and the keys in it (of an IN, several).
  private struct Way {
    let name: Partition.Name
    let keys: [UInt64]
    /// How many filters share it: the fewer the better.
    var crowd = 0

    /// Most texts go it.
    var isCommon = false

    func isBetter(than other: Way) -> Bool {
      isCommon == other.isCommon ? crowd < other.crowd : other.isCommon
    }

    /// What it costs besides: an entry for each key; looking up each byte of a text.
    var toll: Int { keys.count - 1 + (name.kind == .grams ? 4 : 0) }
  }

  /// So many entries at most are looked at again at once, which bounds what one filter more may cost.
  private static let splitMax: Int32 = 512

  // MARK: Down

  /// Puts a path of a filter into a node or below.
  func place(_ number: Int32, _ path: UInt16, in node: NodePointer) {
    node.pointee.homes += 1
    let record = records[Int(number)]!
    node.pointee.signature |= record.pointee.columns(path).signature
    if let way = bestWay(record, path, in: node) { return descend(number, path, way, from: node) }
    let entry = makeEntry(number, path, node)
    if node.pointee.ranges != nil, hasNoWays(record, path, node),
      let sorting = sorting(record, path, node), rangeCount(sorting.main.column, node) >= sorting.companyMin
    {
      return sort(entry, sorting, node)
    }
    IndexNode.append(entry, to: node)
    record.pointee.homes.append(FilterRecord.Home(node: node, path: path))
    homeCount += 1
    if node.pointee.entries.count > node.pointee.splitAt { split(node) }
  }

  private func descend(_ number: Int32, _ path: UInt16, _ way: Way, from node: NodePointer) {
    let record = records[Int(number)]!
    // A row goes one of these ways at most. Who is told of rows would hear twice of one that goes another way then.
    if way.keys.count > 1 && record.pointee.isObserved { record.pointee.isShared = true }
    let partition = node.pointee.partition(way.name) ?? makePartition(way.name, in: node)
    let columns = record.pointee.columns(path)
    if !partition.pointee.columns.isSuperset(of: columns) {
      partition.pointee.reads(columns)
      forgetReaders(node)
    }
    node.pointee.onwards |= partition.pointee.columns.half
    node.pointee.homes += Int32(way.keys.count) - 1
    for key in way.keys {
      place(number, path, in: partition.pointee.children.find(key) ?? makeChild(key, partition, of: node))
    }
    var above = node.pointee.parent
    while let ancestor = above {
      ancestor.pointee.homes += Int32(way.keys.count) - 1
      above = ancestor.pointee.parent
    }
  }

  /// Of the ways that are there, the one to the fewest filters, if those are few.
  private func bestWay(_ record: RecordPointer, _ path: UInt16, in node: NodePointer) -> Way? {
    if node.pointee.partitions.isEmpty || node.pointee.depth >= IndexNode.depthMax { return nil }
    var best: Way?
    forEachWay(record, path, node) { way in
      guard let partition = node.pointee.partition(way.name) else { return }
      var way = way
      way.crowd = way.toll
      for key in way.keys { way.crowd += Int(partition.pointee.children.find(key)?.pointee.homes ?? 0) }
      way.isCommon = isCommon(way)
      if best.map({ way.isBetter(than: $0) }) ?? true { best = way }
    }
    guard let best, best.crowd <= max(Int(IndexNode.entriesMax), Int(node.pointee.homes) / 2) else {
      return nil
    }
    return best
  }

  private func hasNoWays(_ record: RecordPointer, _ path: UInt16, _ node: NodePointer) -> Bool {
    var hasNone = true
    forEachWay(record, path, node) { _ in hasNone = false }
    return hasNone
  }

  /// Takes an entry from a child of a node to where another way leads, if there is one that few texts go.
  func move(_ entry: Entry, from child: NodePointer, below node: NodePointer) {
    let record = records[Int(entry.filter)]!
    guard let way = bestWay(record, entry.path, in: node), !way.isCommon else { return }
    let at = record.pointee.homes.elements.firstIndex { $0.node == child && $0.path == entry.path }!
    displace(entry.filter, record.pointee.homes[at])
    record.pointee.homes.remove(at: at)
    var above: NodePointer? = node
    while let ancestor = above {
      ancestor.pointee.homes += 1
      above = ancestor.pointee.parent
    }
    descend(entry.filter, entry.path, way, from: node)
  }

  private func isCommon(_ way: Way) -> Bool {
    way.name.kind == .grams && commonGrams[Int(way.name.column)].contains(way.keys[0])
  }

  /// All ways that a path's tests offer which did not lead to the node already.
  private func forEachWay(_ record: RecordPointer, _ path: UInt16, _ node: NodePointer, _ body: (Way) -> Void)
  {
    let links = node.pointee.links
    for test in record.pointee.tests(path).elements {
      let linked = { (kind: Partition.Kind) in
        links.filter { $0.name.kind == kind && $0.name.column == test.column }
      }
      if let keys = test.points(rows), linked(.points).isEmpty {
        body(Way(name: Partition.Name(kind: .points, column: test.column), keys: keys))
      }
      if let text = test.beginning {
        let offset = linked(.pieces).reduce(0) { $0 + TextKey.count($1.key) }
        let count = min(text.count - offset, TextKey.pieceMax)
        if count > 0 {
          body(
            Way(
              name: Partition.Name(kind: .pieces, column: test.column, offset: UInt16(clamping: offset)),
              keys: [TextKey.make(text, offset, count)]))
        }
      }
      let grams = Set(linked(.grams).map(\.key))
      for gram in test.grams where !grams.contains(gram) {
        body(Way(name: Partition.Name(kind: .grams, column: test.column), keys: [gram]))
      }
    }
  }

  // MARK: Splitting

  /// Hands the node's latest entries down, each by what the fewest share; those with ranges are sorted.
  private func split(_ node: NodePointer) {
    let count = node.pointee.entries.count
    let first = Int(max(0, count - Self.splitMax))
    let moved = (first..<Int(count)).map { node.pointee.entries[$0] }
    let ways = node.pointee.depth < IndexNode.depthMax ? bestWays(moved, node) : moved.map { _ in nil }
    node.pointee.entries.truncate(to: first)
    var ranges: [UInt16: Int] = [:]
    for (entry, way) in zip(moved, ways) where way == nil {
      guard let sorting = sorting(records[Int(entry.filter)]!, entry.path, node) else { continue }
      ranges[sorting.main.column, default: rangeCount(sorting.main.column, node)] += 1
    }
    for (entry, way) in zip(moved, ways) {
      let record = records[Int(entry.filter)]!
      if let way {
        dropHome(record, node, entry.path)
        descend(entry.filter, entry.path, way, from: node)
      } else if let sorting = sorting(record, entry.path, node),
        ranges[sorting.main.column]! >= sorting.companyMin
      {
        dropHome(record, node, entry.path)
        sort(entry, sorting, node)
      } else {
        IndexNode.append(entry, to: node)
      }
    }
    let kept = node.pointee.entries.count
    node.pointee.splitAt = kept + max(IndexNode.entriesMax, min(kept, Self.splitMax / 2))
  }

  private func bestWays(_ entries: [Entry], _ node: NodePointer) -> [Way?] {
    var crowds: [IndexNode.Link: Int] = [:]
    let choices = entries.map { entry in
      var ways: [Way] = []
      forEachWay(records[Int(entry.filter)]!, entry.path, node) { ways.append($0) }
      return ways
    }
    for ways in choices {
      for way in ways {
        for key in way.keys { crowds[IndexNode.Link(name: way.name, key: key), default: 0] += 1 }
      }
    }
    return choices.map { ways in
      var best: Way?
      for var way in ways {
        way.crowd = way.keys.reduce(way.toll) { $0 + crowds[IndexNode.Link(name: way.name, key: $1)]! }
        way.isCommon = isCommon(way)
        if best.map({ way.isBetter(than: $0) }) ?? true { best = way }
      }
      return best.flatMap { $0.crowd <= entries.count / 2 ? $0 : nil }
    }
  }

  private func dropHome(_ record: RecordPointer, _ node: NodePointer, _ path: UInt16) {
    let at = record.pointee.homes.elements.firstIndex { $0.node == node && $0.path == path }!
    record.pointee.homes.remove(at: at)
    homeCount -= 1
  }

  // MARK: Ranges

  /// How a path's entry is sorted by intervals at a node.
  private struct Sorting {
    /// What is left to be known there.
    let left: [RowTest]
    /// Which of them it is sorted by: all, if all are intervals and nothing else matters, else one.
    let intervals: [Int]
    let isMixed: Bool
    var main: RowTest { left[intervals[0]] }
    /// Fewer ranges of the column are evaluated sooner than found; where more is left, evaluating is dear.
    var companyMin: Int { left.count == 1 ? 32 : 8 }
    var isBare: Bool { !isMixed && left.count == 1 }

    func rest(without interval: Int) -> [RowTest] { left.indices.filter { $0 != interval }.map { left[$0] } }
  }

  /// nil where no interval is left.
  private func sorting(_ record: RecordPointer, _ path: UInt16, _ node: NodePointer) -> Sorting? {
    let links = node.pointee.links
    let left = record.pointee.tests(path).elements.filter { !isKnown($0, links) }
    let intervals = left.indices.filter {
      left[$0].isInterval
    }
    guard let main = intervals.min(by: { left[$0].width < left[$1].width }) else { return nil }
    let areAll = intervals.count == left.count && Set(left.map(\.column)).count == left.count
    if areAll && !record.pointee.isShared && !record.pointee.isObserved {
      return Sorting(left: left, intervals: [main] + intervals.filter { $0 != main }, isMixed: false)
    }
    return Sorting(left: left, intervals: [main], isMixed: true)
  }

  private func sort(_ entry: Entry, _ sorting: Sorting, _ node: NodePointer) {
    let record = records[Int(entry.filter)]!
    record.pointee.homes.append(FilterRecord.Home(node: node, path: entry.path, isRanged: true))
    homeCount += 1
    let ranges = node.pointee.ranges ?? makeRanges(node)
    var columns = ColumnSet(sorting.intervals.map { Int(sorting.left[$0].column) })
    defer { node.pointee.onwards |= columns.half }
    if sorting.isBare {
      let lists = counted(by: sorting.main, ranges)
      counts[Int(entry.filter)] += lists.pointee.insert(BareRange(sorting.main, entry.filter))
      return
    }
    for at in sorting.intervals {
      let interval = sorting.left[at]
      let lists = lists(of: interval, isMixed: sorting.isMixed, ranges)
      let sorted = makeEntry(entry.filter, entry.path, sorting.rest(without: at))
      intervalCount += 1
      lists.pointee.insert(
        RangeEntry(
          low: interval.low, high: interval.high, entry: sorted, isMain: at == sorting.intervals[0]))
      if sorting.isMixed {
        lists.pointee.restColumns.formUnion(restColumns(record, entry.path, interval))
        columns.formUnion(lists.pointee.restColumns)
      }
    }
  }

  /// Changes that concern an entry although its interval's answer stays.
  private func restColumns(_ record: RecordPointer, _ path: UInt16, _ interval: RowTest) -> ColumnSet {
    var columns = record.pointee.columns(path)
    let readers = record.pointee.tests(path).elements.filter {
      $0.kind == .program || $0.column == interval.column
    }
    let isOnlyReader = readers.count == 1 && record.pointee.isExact && !record.pointee.isObserved
    if isOnlyReader { columns.remove(Int(interval.column)) }
    return columns
  }

  private func makeRanges(_ node: NodePointer) -> UnsafeMutablePointer<NodeRanges> {
    let ranges = UnsafeMutablePointer<NodeRanges>.indexed(NodeRanges())
    node.pointee.ranges = ranges
    return ranges
  }

  private func counted(by test: RowTest, _ ranges: UnsafeMutablePointer<NodeRanges>)
    -> UnsafeMutablePointer<CountedRanges>
  {
    if let known = ranges.pointee.bare(test) { return known }
    let new = UnsafeMutablePointer<CountedRanges>.indexed(
      CountedRanges(column: test.column, kind: test.kind))
    ranges.pointee.bare.append(new)
    return new
  }

  private func lists(
    of test: RowTest, isMixed: Bool, _ ranges: UnsafeMutablePointer<NodeRanges>
  ) -> UnsafeMutablePointer<RangeLists> {
    if let known = ranges.pointee.mixed(test, isMixed: isMixed) { return known }
    let new = UnsafeMutablePointer<RangeLists>.indexed(
      RangeLists(column: test.column, kind: test.kind, isMixed: isMixed))
    ranges.pointee.mixed.append(new)
    return new
  }

  /// How many ranges of a column are sorted at a node.
  private func rangeCount(_ column: UInt16, _ node: NodePointer) -> Int {
    guard let ranges = node.pointee.ranges?.pointee else { return 0 }
    let bare = ranges.bare.elements.reduce(0) { $0 + ($1.pointee.column == column ? $1.pointee.count : 0) }
    return ranges.mixed.elements.reduce(bare) {
      $0 + ($1.pointee.column == column ? $1.pointee.count : 0)
    }
  }

  // MARK: Entries

  private func makeEntry(_ number: Int32, _ path: UInt16, _ node: NodePointer) -> Entry {
    let links = node.pointee.links
    return makeEntry(
      number, path, records[Int(number)]!.pointee.tests(path).elements.filter { !isKnown($0, links) })
  }

  /// Of a path of which no more than these tests are left.
  private func makeEntry(_ number: Int32, _ path: UInt16, _ left: [RowTest]) -> Entry {
    let record = records[Int(number)]!
    let test = left.filter { $0.kind != .program }.min { $0.rank < $1.rank }
    let isBare = left.isEmpty || left.count == 1 && test != nil
    let rest: Entry.Rest =
      if record.pointee.isShared { .shared } else if isBare && !record.pointee.isObserved { .test } else {
        .whole
      }
    let columns =
      rest == .test
      ? ColumnSet(left.map { Int($0.column) }) : record.pointee.columns(path)
    return Entry(filter: number, path: path, rest: rest, test: test ?? .always, columns: columns)
  }

  /// Whether the way to a node has shown that a test holds.
  private func isKnown(_ test: RowTest, _ links: [IndexNode.Link]) -> Bool {
    if test.kind == .program { return false }
    for link in links where link.name.column == test.column {
      switch link.name.kind {
      case .points: if test.holds(point: link.key, context) { return true }
      case .pieces: break
      case .grams: if test.kind == .contains, !test.isNegated, [link.key] == test.grams { return true }
      }
    }
    if test.kind != .prefix || test.isNegated { return false }
    let pieces = links.filter { $0.name.kind == .pieces && $0.name.column == test.column }
    return pieces.reversed().flatMap { TextKey.bytes($0.key) }.starts(with: test.bytes)
  }

  // MARK: Growing and shrinking

  private func makePartition(_ name: Partition.Name, in node: NodePointer) -> UnsafeMutablePointer<Partition>
  {
    let column = Int(name.column)
    let isReal = column < rows.width && rows.schema.columns[column].type == .real
    let partition = UnsafeMutablePointer<Partition>.indexed(Partition(name: name, hasReals: isReal))
    partitionCount += 1
    // What looks through texts is last.
    if name.kind == .grams {
      node.pointee.partitions.append(partition)
    } else {
      node.pointee.partitions.insert(partition, at: 0)
    }
    if name.kind != .points { readsText(of: name.column) }
    forgetReaders(node)
    return partition
  }

  private func makeChild(_ key: UInt64, _ partition: UnsafeMutablePointer<Partition>, of node: NodePointer)
    -> NodePointer
  {
    let child = IndexNode.make(
      IndexNode(parent: node, partition: partition.pointee.name, key: key, depth: node.pointee.depth + 1))
    child.pointee.seenBefore = partition.pointee.seen
    partition.pointee.insert(key, child)
    nodeCount += 1
    return child
  }

  /// By column, the partitions of a node that read it.
  func readers(_ node: NodePointer) -> IndexNode.Readers {
    if let readers = node.pointee.readers { return readers }
    let readers = IndexNode.Readers.indexed(capacity: computed.widthMax)
    readers.initialize(repeating: Run(), count: computed.widthMax)
    for partition in node.pointee.partitions.elements {
      partition.pointee.columns.visit { readers[$0].append(partition) }
    }
    node.pointee.readers = readers
    return readers
  }

  private func forgetReaders(_ node: NodePointer) {
    guard let readers = node.pointee.readers else { return }
    for column in 0..<computed.widthMax { readers[column].free() }
    readers.deindex(capacity: computed.widthMax)
    node.pointee.readers = nil
  }

  /// Takes an entry out, and with it what is empty then.
  func displace(_ number: Int32, _ home: FilterRecord.Home) {
    let node = home.node
    if home.isRanged {
      unsort(number, home)
    } else {
      let at = node.pointee.entries.elements.firstIndex { $0.filter == number && $0.path == home.path }!
      node.pointee.entries.remove(at: at)
      node.pointee.splitAt = max(
        IndexNode.entriesMax, min(node.pointee.splitAt, node.pointee.entries.count * 2))
    }
    homeCount -= 1
    var at: NodePointer? = node
    while let place = at {
      at = place.pointee.parent
      place.pointee.homes -= 1
      if place.pointee.homes == 0, place != root { drop(place) }
    }
    if root.pointee.homes == 0 { clear(root) }
  }

  private func unsort(_ number: Int32, _ home: FilterRecord.Home) {
    let sorting = sorting(records[Int(number)]!, home.path, home.node)!
    let ranges = home.node.pointee.ranges!
    if sorting.isBare {
      uncount(sorting.main, number, ranges)
    } else {
      for at in sorting.intervals { remove(sorting.left[at], sorting.isMixed, number, home.path, ranges) }
    }
    if ranges.pointee.bare.isEmpty && ranges.pointee.mixed.isEmpty { dropRanges(home.node) }
  }

  private func uncount(_ interval: RowTest, _ number: Int32, _ ranges: UnsafeMutablePointer<NodeRanges>) {
    let counted = ranges.pointee.bare(interval)!
    counts[Int(number)] += counted.pointee.remove(BareRange(interval, number))
    if counted.pointee.count > 0 { return }
    if counted.pointee.isMarked {
      trail.pointee.marked.remove(at: trail.pointee.marked.elements.firstIndex(of: counted)!)
    }
    counted.pointee.free()
    counted.deindex()
    ranges.pointee.bare.remove(at: ranges.pointee.bare.elements.firstIndex(of: counted)!)
  }

  private func remove(
    _ interval: RowTest, _ isMixed: Bool, _ number: Int32, _ path: UInt16,
    _ ranges: UnsafeMutablePointer<NodeRanges>
  ) {
    let lists = ranges.pointee.mixed(interval, isMixed: isMixed)!
    lists.pointee.remove(interval.low, interval.high, filter: number, path: path)
    intervalCount -= 1
    if lists.pointee.count > 0 { return }
    lists.pointee.free()
    lists.deindex()
    ranges.pointee.mixed.remove(at: ranges.pointee.mixed.elements.firstIndex(of: lists)!)
  }

  private func drop(_ node: NodePointer) {
    let parent = node.pointee.parent!
    let at = parent.pointee.partitions.elements.firstIndex { $0.pointee.name == node.pointee.partition }!
    let partition = parent.pointee.partitions[at]
    partition.pointee.remove(node.pointee.key)
    if partition.pointee.children.count == 0 {
      partition.pointee.free()
      partition.deindex()
      partitionCount -= 1
      parent.pointee.partitions.remove(at: at)
      forgetReaders(parent)
    }
    clear(node)
    node.deindex()
    nodeCount -= 1
  }

  /// Frees what an empty node holds.
  func clear(_ node: NodePointer) {
    IndexNode.freeEntries(node)
    node.pointee.partitions.free()
    dropRanges(node)
    forgetReaders(node)
    (node.pointee.signature, node.pointee.onwards) = (0, 0)
    node.pointee.splitAt = IndexNode.entriesMax
  }

  private func dropRanges(_ node: NodePointer) {
    guard let ranges = node.pointee.ranges else { return }
    ranges.pointee.bare.free()
    ranges.pointee.mixed.free()
    ranges.deindex()
    node.pointee.ranges = nil
  }
}
