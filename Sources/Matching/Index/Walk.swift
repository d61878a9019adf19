import Events

/// One change's way through the index. For an update both images are there, for an insert or a delete one.
struct Walk {
  let index: FilterIndex
  /// For the image before and for the one after: NOW() may be another.
  private let past: MatchContext
  private let context: MatchContext
  private let before: Row?
  private let after: Row?
  private let changed: ColumnSet
  private let signature: UInt64
  private let change: UInt64
  private let counts: Run<Int64>
  private let records: Run<RecordPointer?>

  init(index: FilterIndex, before: Row?, after: Row?) {
    self.index = index
    past = MatchContext(strings: index.rows.strings, now: index.past)
    context = index.context
    (self.before, self.after) = (before, after)
    (changed, change) = (index.changed, index.change)
    signature = changed.signature
    (counts, records) = (index.counts, index.records)
  }

  /// On which side of the change a walk is, where its images parted or only one is there.
  enum Side {
    case leaving, entering

    @inline(__always) var step: Int64 { self == .entering ? 1 : -1 }
  }

  // MARK: Both images come here

  /// An update whose images both came to this node.
  func both(_ node: NodePointer, _ before: Row, _ after: Row) {
    if !node.pointee.columns.intersects(changed) { return }
    let entries = node.pointee.entries
    for i in entries.indices { both(entries[i], before, after) }
    let partitions = node.pointee.partitions
    if partitions.count > IndexNode.partitionsMax {
      bothOfMany(node, before, after)
    } else {
      for i in partitions.indices where partitions[i].pointee.columns.intersects(changed) {
        both(partitions[i], before, after)
      }
    }
    bare(node.pointee.bareRanges, before, after)
    let ranges = node.pointee.ranges
    if !ranges.isEmpty { both(ranges, before, after) }
  }

  /// Those partitions that read a changed column, each once.
  private func bothOfMany(_ node: NodePointer, _ before: Row, _ after: Row) {
    let readers = index.readers(node)
    changed.visit { column in
      let partitions = readers[column]
      for i in partitions.indices where partitions[i].pointee.mark != change {
        partitions[i].pointee.mark = change
        both(partitions[i], before, after)
      }
    }
  }

  @inline(__always)
  private func both(_ entry: Entry, _ before: Row, _ after: Row) {
    switch entry.rest {
    case .nothing: break
    case .test:
      let column = Int(entry.test.column)
      if before[column] == after[column] { return }
      index.candidates += 1
      let (was, isNow) = (entry.test.holds(before, past), entry.test.holds(after, context))
      if was != isNow { counts[Int(entry.filter)] += isNow ? 1 : -1 }
    case .whole:
      if !entry.mayConcern(signature) { return }
      let record = records[Int(entry.filter)].unsafelyUnwrapped
      if !record.pointee.columns.intersects(changed) { return }
      settle(entry.filter, record, holds(record, before, past), holds(record, after, context))
    case .shared: if entry.mayConcern(signature) { shared(entry) }
    }
  }

  private func both(_ partition: UnsafeMutablePointer<Partition>, _ before: Row, _ after: Row) {
    let column = Int(partition.pointee.name.column)
    let (a, b) = (before[column], after[column])
    switch partition.pointee.name.kind {
    case .points:
      let (first, last) = (partition.pointee.key(of: a), partition.pointee.key(of: b))
      parted(partition, first, last, before, after)
    case .pieces:
      let (first, last) = (context.strings.bytes(a.code), context.strings.bytes(b.code))
      let offset = Int(partition.pointee.name.offset)
      for size in 1...TextKey.pieceMax where partition.pointee.sizes >> UInt8(size) & 1 != 0 {
        parted(partition, piece(first, offset, size), piece(last, offset, size), before, after)
      }
    case .grams: grams(partition, before, after, isSame: a == b)
    }
  }

  /// A piece that a text is too short for has the key 0, which no child has.
  @inline(__always)
  private func piece(_ text: UnsafeRawBufferPointer, _ offset: Int, _ size: Int) -> UInt64 {
    text.count >= offset + size ? TextKey.make(text, offset, size) : 0
  }

  @inline(__always)
  private func parted(
    _ partition: UnsafeMutablePointer<Partition>, _ first: UInt64, _ last: UInt64, _ before: Row, _ after: Row
  ) {
    if first == last {
      if let child = partition.pointee.children.find(first) { both(child, before, after) }
      return
    }
    if let child = partition.pointee.children.find(first) { one(child, before, .leaving) }
    if let child = partition.pointee.children.find(last) { one(child, after, .entering) }
  }

  // MARK: One image comes here

  /// What is below passes on this side only: it is left or entered.
  func one(_ node: NodePointer, _ row: Row, _ side: Side) {
    let entries = node.pointee.entries
    for i in entries.indices { one(entries[i], row, side) }
    let partitions = node.pointee.partitions
    for i in partitions.indices { one(partitions[i], row, side) }
    let bare = node.pointee.bareRanges
    for i in bare.indices {
      bare[i].pointee.forEach(around: bare[i].pointee.value(row)) { counts[Int($0.filter)] += side.step }
    }
    let ranges = node.pointee.ranges
    for i in ranges.indices {
      ranges[i].pointee.forEach(around: ranges[i].pointee.value(row)) {
        if $0.isMain { one($0.entry, row, side) }
      }
    }
  }

  @inline(__always)
  private func one(_ entry: Entry, _ row: Row, _ side: Side) {
    switch entry.rest {
    case .nothing: counts[Int(entry.filter)] += side.step
    case .test:
      index.candidates += 1
      if entry.test.holds(row, context) { counts[Int(entry.filter)] += side.step }
    case .whole:
      let record = records[Int(entry.filter)].unsafelyUnwrapped
      if !holds(record, row, side == .leaving ? past : context) { return }
      settle(entry.filter, record, side == .leaving, side == .entering)
    case .shared: shared(entry)
    }
  }

  private func one(_ partition: UnsafeMutablePointer<Partition>, _ row: Row, _ side: Side) {
    let cell = row[Int(partition.pointee.name.column)]
    switch partition.pointee.name.kind {
    case .points:
      if let child = partition.pointee.children.find(partition.pointee.key(of: cell)) {
        one(child, row, side)
      }
    case .pieces:
      let text = context.strings.bytes(cell.code)
      let offset = Int(partition.pointee.name.offset)
      for size in 1...TextKey.pieceMax where partition.pointee.sizes >> UInt8(size) & 1 != 0 {
        let key = piece(text, offset, size)
        if let child = partition.pointee.children.find(key) { one(child, row, side) }
      }
    case .grams:
      let first = Int(index.found.count)
      collect(partition, cell, mark: change << 2)
      for i in first..<Int(index.found.count) { one(index.found[i], row, side) }
      index.found.truncate(to: first)
    }
  }

  // MARK: Grams

  private func grams(
    _ partition: UnsafeMutablePointer<Partition>, _ before: Row, _ after: Row, isSame: Bool
  ) {
    let column = Int(partition.pointee.name.column)
    let marks = change << 2
    let first = Int(index.found.count)
    collect(partition, before[column], mark: marks | (isSame ? 3 : 1))
    if !isSame { collect(partition, after[column], mark: marks | 2) }
    for i in first..<Int(index.found.count) {
      let child = index.found[i]
      switch child.pointee.mark & 3 {
      case 1: one(child, before, .leaving)
      case 2: one(child, after, .entering)
      default: both(child, before, after)
      }
    }
    index.found.truncate(to: first)
  }

  /// Puts the children whose gram the text has onto the stack, each once, and marks them: a child that this
  /// change has marked already, for the other image, is then marked for both.
  private func collect(_ partition: UnsafeMutablePointer<Partition>, _ cell: Cell, mark: UInt64) {
    let children = partition.pointee.children
    let sieve = partition.pointee.sieve
    let text = context.strings.bytes(cell.code)
    partition.pointee.seen &+= 1
    for size in 1...TextKey.gramMax where partition.pointee.sizes >> UInt8(size) & 1 != 0 {
      var window: UInt32 = 0
      for i in text.indices {
        window = window << 8 | UInt32(text[i])
        let key = TextKey.gram(window, size)
        guard i + 1 >= size, sieve.mayContain(key), let child = children.find(key) else { continue }
        if child.pointee.mark >> 2 == change {
          child.pointee.mark |= mark
        } else {
          child.pointee.mark = mark
          index.found.append(child)
          noteFound(child, partition)
        }
      }
    }
  }

  /// A gram that many texts have is noticed when it was found 32 times, 64 times and so on.
  @inline(__always)
  private func noteFound(_ child: NodePointer, _ partition: UnsafeMutablePointer<Partition>) {
    child.pointee.found &+= 1
    let found = child.pointee.found
    if found < Partition.commonLeast || found & (found - 1) != 0 || child.pointee.entries.isEmpty { return }
    let seen = partition.pointee.seen &- child.pointee.seenBefore
    if found > seen / Partition.commonShare { index.commonChild = child }
  }

  // MARK: Ranges

  @inline(__always)
  private func bare(
    _ ranges: Run<UnsafeMutablePointer<RangeLists<BareRange>>>, _ before: Row, _ after: Row
  ) {
    for i in ranges.indices {
      let lists = ranges[i]
      let (a, b) = (lists.pointee.value(before), lists.pointee.value(after))
      if a == b { continue }
      lists.pointee.forEach(between: a, b) { counts[Int($0.filter)] += $1 ? 1 : -1 }
    }
  }

  private func both(_ ranges: Run<UnsafeMutablePointer<RangeLists<RangeEntry>>>, _ before: Row, _ after: Row)
  {
    var moved = 0
    for i in ranges.indices where changed.contains(Int(ranges[i].pointee.column)) { moved += 1 }
    for i in ranges.indices {
      let lists = ranges[i]
      let (a, b) = (lists.pointee.value(before), lists.pointee.value(after))
      if lists.pointee.isMixed && lists.pointee.restColumns.intersects(changed) {
        lists.pointee.forEach(around: a) { around($0, true, $0.contains(b), before, after) }
        if a == b { continue }
        lists.pointee.forEach(around: b) { if !$0.contains(a) { around($0, false, true, before, after) } }
      } else if a != b {
        lists.pointee.forEach(between: a, b) { entry, isEntering in
          crossed(entry.entry, isEntering ? after : before, isEntering, isAlone: moved == 1)
        }
      }
    }
  }

  /// An interval with a value of the row in it, and a rest that may have changed.
  @inline(__always)
  private func around(_ range: RangeEntry, _ wasInside: Bool, _ isInside: Bool, _ before: Row, _ after: Row) {
    let entry = range.entry
    switch entry.rest {
    case .nothing: counts[Int(entry.filter)] += (isInside ? 1 : 0) - (wasInside ? 1 : 0)
    case .test:
      index.candidates += 1
      let was = wasInside && entry.test.holds(before, past)
      let isNow = isInside && entry.test.holds(after, context)
      counts[Int(entry.filter)] += (isNow ? 1 : 0) - (was ? 1 : 0)
    case .whole:
      if !entry.mayConcern(signature) { return }
      let record = records[Int(entry.filter)].unsafelyUnwrapped
      if !record.pointee.columns.intersects(changed) { return }
      settle(
        entry.filter, record, wasInside && holds(record, before, past),
        isInside && holds(record, after, context))
    case .shared: if entry.mayConcern(signature) { shared(entry) }
    }
  }

  /// An interval that one of the images is in, and the other is not.
  @inline(__always)
  private func crossed(_ entry: Entry, _ row: Row, _ isEntering: Bool, isAlone: Bool) {
    if isAlone {
      one(entry, row, isEntering ? .entering : .leaving)
    } else {
      shared(entry)
    }
  }

  // MARK: Filters

  /// A filter that several ways may lead to: its answers are computed once for a change, and only if this way
  /// leads there, of either image.
  private func shared(_ entry: Entry) {
    let record = records[Int(entry.filter)].unsafelyUnwrapped
    if record.pointee.stamp == change { return }
    if before != nil && after != nil && !record.pointee.columns.intersects(changed) { return }
    if !record.pointee.paths.isEmpty {
      let tests = record.pointee.paths[Int(entry.path)].tests
      let was = before.map { FilterRecord.hold(tests, $0, past) } ?? false
      let isNow = after.map { FilterRecord.hold(tests, $0, context) } ?? false
      index.candidates += 1
      if !was && !isNow || was && isNow && record.pointee.isExact && !record.pointee.isObserved { return }
    }
    record.pointee.stamp = change
    let was = before.map { holds(record, $0, past) } ?? false
    settle(entry.filter, record, was, after.map { holds(record, $0, context) } ?? false)
  }

  @inline(__always)
  private func holds(_ record: RecordPointer, _ row: Row, _ context: MatchContext) -> Bool {
    index.candidates += 1
    return record.pointee.holds(row, context)
  }

  @inline(__always)
  private func settle(_ filter: Int32, _ record: RecordPointer, _ was: Bool, _ isNow: Bool) {
    counts[Int(filter)] += (isNow ? 1 : 0) - (was ? 1 : 0)
    if record.pointee.isObserved && (was || isNow) {
      index.moves.append(FilterIndex.Move(filter: filter, wasIn: was, isIn: isNow))
    }
  }
}
