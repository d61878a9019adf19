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
  /// Of `changed`.
  private let signature: UInt64
  private let half: UInt32
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
    half = Entry.half(signature)
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
    if node.pointee.signature & signature == 0 { return }
    let entries = node.pointee.entries
    for i in entries.indices where entries[i].mayConcern(half) {
      weigh(entries[i], before, after, wasHere: true, isHere: true)
    }
    let partitions = node.pointee.partitions
    if partitions.count > IndexNode.partitionsMax {
      bothOfMany(node, before, after)
    } else {
      for i in partitions.indices where partitions[i].pointee.signature & signature != 0 {
        both(partitions[i], before, after)
      }
    }
    if let ranges = node.pointee.ranges {
      bare(ranges.pointee.bare, before, after)
      both(ranges.pointee.mixed, before, after)
    }
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

  /// An entry to which one of the images came, or both.
  @inline(__always)
  private func weigh(_ entry: Entry, _ before: Row, _ after: Row, wasHere: Bool, isHere: Bool) {
    let test = entry.test
    index.candidates += 1
    let was = wasHere && test.holds(before, past)
    let isNow = isHere && test.holds(after, context)
    switch entry.rest {
    case .test: if was != isNow { counts[Int(entry.filter)] += isNow ? 1 : -1 }
    case .whole:
      if !was && !isNow { return }
      let record = records[Int(entry.filter)].unsafelyUnwrapped
      if !record.pointee.columns.intersects(changed) { return }
      settle(
        entry.filter, record, was && record.pointee.holds(before, past),
        isNow && record.pointee.holds(after, context))
    case .shared: if was || isNow { shared(entry) }
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
    guard let ranges = node.pointee.ranges else { return }
    let bare = ranges.pointee.bare
    for i in bare.indices {
      bare[i].pointee.forEach(around: bare[i].pointee.value(row)) { counts[Int($0.filter)] += side.step }
    }
    let mixed = ranges.pointee.mixed
    for i in mixed.indices {
      mixed[i].pointee.forEach(around: mixed[i].pointee.value(row)) {
        if $0.isMain { one($0.entry, row, side) }
      }
    }
  }

  @inline(__always)
  private func one(_ entry: Entry, _ row: Row, _ side: Side) {
    index.candidates += 1
    if !entry.test.holds(row, context) { return }
    switch entry.rest {
    case .test: counts[Int(entry.filter)] += side.step
    case .whole:
      let record = records[Int(entry.filter)].unsafelyUnwrapped
      if !record.pointee.holds(row, side == .leaving ? past : context) { return }
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
    let first = Int(index.found.count)
    if isSame {
      collect(partition, before[column], mark: change << 2 | 3)
    } else {
      collect(partition, context.strings.bytes(before[column].code), context.strings.bytes(after[column].code))
    }
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

  /// The grams of two texts: those of the beginning and the end that they share are looked up once.
  private func collect(
    _ partition: UnsafeMutablePointer<Partition>, _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer
  ) {
    partition.pointee.seen &+= 2
    let least = min(a.count, b.count)
    let start = commonBeginning(a, b, least)
    let rest = commonEnd(a, b, least - start)
    let mark = change << 2
    for size in 1...TextKey.gramMax where partition.pointee.sizes >> UInt8(size) & 1 != 0 {
      let first = max(start - size + 1, 0)
      let last = max(rest - size + 1, 0)
      collect(partition, size, a, 0, start, mark: mark | 3)
      collect(partition, size, a, a.count - rest, a.count, mark: mark | 3)
      collect(partition, size, a, first, a.count - last, mark: mark | 1)
      collect(partition, size, b, first, b.count - last, mark: mark | 2)
    }
  }

  private func collect(_ partition: UnsafeMutablePointer<Partition>, _ cell: Cell, mark: UInt64) {
    partition.pointee.seen &+= 1
    let text = context.strings.bytes(cell.code)
    for size in 1...TextKey.gramMax where partition.pointee.sizes >> UInt8(size) & 1 != 0 {
      collect(partition, size, text, 0, text.count, mark: mark)
    }
  }

  /// Puts the children whose gram is within a part of the text onto the stack, each once, and marks them: a
  /// child that this change has marked already, for the other image, is then marked for both.
  private func collect(
    _ partition: UnsafeMutablePointer<Partition>, _ size: Int, _ text: UnsafeRawBufferPointer, _ start: Int,
    _ end: Int, mark: UInt64
  ) {
    if end - start < size { return }
    let children = partition.pointee.children
    let sieve = partition.pointee.sieve
    var window: UInt32 = 0
    for i in start..<start + size - 1 { window = window << 8 | UInt32(text[i]) }
    for i in start + size - 1..<end {
      window = window << 8 | UInt32(text[i])
      let key = TextKey.gram(window, size)
      guard sieve.mayContain(key), let child = children.find(key) else { continue }
      if child.pointee.mark >> 2 == change {
        child.pointee.mark |= mark
      } else {
        child.pointee.mark = mark
        index.found.append(child)
        noteFound(child, partition)
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
        lists.pointee.forEach(around: a) {
          weigh($0.entry, before, after, wasHere: true, isHere: $0.contains(b))
        }
        if a == b { continue }
        lists.pointee.forEach(around: b) {
          if !$0.contains(a) { weigh($0.entry, before, after, wasHere: false, isHere: true) }
        }
      } else if a != b {
        lists.pointee.forEach(between: a, b) { entry, isEntering in
          crossed(entry.entry, isEntering ? after : before, isEntering, isAlone: moved == 1)
        }
      }
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
      if !was && !isNow || was && isNow && record.pointee.isExact && !record.pointee.isObserved { return }
    }
    record.pointee.stamp = change
    let was = before.map { record.pointee.holds($0, past) } ?? false
    settle(entry.filter, record, was, after.map { record.pointee.holds($0, context) } ?? false)
  }

  @inline(__always)
  private func settle(_ filter: Int32, _ record: RecordPointer, _ was: Bool, _ isNow: Bool) {
    counts[Int(filter)] += (isNow ? 1 : 0) - (was ? 1 : 0)
    if record.pointee.isObserved && (was || isNow) {
      index.moves.append(FilterIndex.Move(filter: filter, wasIn: was, isIn: isNow))
    }
  }
}
