import Events

/// One change's way through the index. For an update both images are there, for an insert or a delete one.
struct Walk {
  /// It outlives the walk, and is not counted for it.
  unowned(unsafe) let index: FilterIndex
  let trail: UnsafeMutablePointer<Trail>
  let commonGrams: UnsafeMutablePointer<CommonGrams>
  /// For the image before and for the one after: NOW() may be another.
  let past: MatchContext
  let context: MatchContext
  let before: Row?
  let after: Row?
  let changed: ColumnSet
  /// Of `changed`.
  let signature: UInt64
  private let half: UInt32
  let change: UInt64
  let counts: Run<Int64>
  let records: Run<RecordPointer?>

  /// What walks leave behind, and their stacks: behind a pointer, since to touch an object's property from here costs
  /// a retain and a release, which is more than to evaluate an entry.
  struct Trail: BitwiseCopyable {
    /// Filters whose tests were evaluated, since they could not be told by the index alone.
    var candidates = 0
    /// Of the last change.
    var moves = Run<FilterIndex.Move>()
    /// Children that are looked for at one node, and those found, a stack of them over all levels.
    var wanted = Run<Wanted>()
    var found = Run<Found>()
    /// Children whose grams turned out to be common.
    var commonChildren = Run<NodePointer>()
    /// Filters of which more than their entries has to be known.
    var due = Run<Due>()
    /// Of changes since counts were read: what is still to be added to them.
    var marked = Run<UnsafeMutablePointer<CountedRanges>>()

    mutating func free() {
      moves.free()
      wanted.free()
      found.free()
      commonChildren.free()
      due.free()
      marked.free()
    }
  }

  init(index: FilterIndex, before: Row?, after: Row?) {
    self.index = index
    (trail, commonGrams) = (index.trail, index.commonGrams)
    context = index.context
    past = MatchContext(strings: context.strings, memo: context.memo, now: index.past)
    (self.before, self.after) = (before, after)
    (changed, change) = (index.changed, index.change)
    signature = changed.signature
    half = changed.half
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
    // What leads on is fetched while the rest of the work of this node is done.
    let first = trail.pointee.found.count
    if node.pointee.onwards & half != 0 {
      find(below: node, before, after) {
        if let ranges = node.pointee.ranges {
          move(ranges.pointee.bare, before, after)
          both(ranges.pointee.mixed, before, after)
        }
      }
    }
    weigh(node.pointee.entries, before, after)
    if trail.pointee.found.count == first { return }
    fetch(from: first)
    for i in Int(first)..<Int(trail.pointee.found.count) {
      let found = trail.pointee.found[i]
      switch found.images {
      case .both: both(found.node, before, after)
      case .before: one(found.node, before, .leaving)
      default: one(found.node, after, .entering)
      }
    }
    trail.pointee.found.truncate(to: Int(first))
  }

  /// Entries to which both images came.
  @inline(__always)
  private func weigh(_ entries: Run<Entry>, _ before: Row, _ after: Row) {
    var plain = 0
    for i in entries.indices where entries[i].mayConcern(half) {
      if entries[i].isPlain {
        plain &+= 1
        let step = entries[i].step(before, after)
        if step != 0 { counts[Int(entries[i].filter)] += step }
      } else {
        weigh(entries[i], before, after, wasHere: true, isHere: true)
      }
    }
    if plain > 0 { trail.pointee.candidates &+= plain }
  }

  /// An entry to which one of the images came, or both.
  @inline(__always)
  private func weigh(_ entry: Entry, _ before: Row, _ after: Row, wasHere: Bool, isHere: Bool) {
    let test = entry.test
    trail.pointee.candidates &+= 1
    let was = wasHere && test.holds(before, past)
    let isNow = isHere && test.holds(after, context)
    switch entry.rest {
    case .test: if was != isNow { counts[Int(entry.filter)] += isNow ? 1 : -1 }
    case .whole, .shared:
      if !was && !isNow { return }
      putOff(entry, was ? isNow ? .both : .before : .after, isShared: entry.rest == .shared)
    }
  }

  // MARK: One image comes here

  /// What is below passes on this side only: it is left or entered.
  func one(_ node: NodePointer, _ row: Row, _ side: Side) {
    if let ranges = node.pointee.ranges { one(ranges, row, side) }
    let first = trail.pointee.found.count
    if !node.pointee.partitions.isEmpty { find(below: node, row, side == .leaving ? .before : .after) }
    let entries = node.pointee.entries
    for i in entries.indices { one(entries[i], row, side) }
    if trail.pointee.found.count == first { return }
    fetch(from: first)
    for i in Int(first)..<Int(trail.pointee.found.count) { one(trail.pointee.found[i].node, row, side) }
    trail.pointee.found.truncate(to: Int(first))
  }

  private func one(_ ranges: UnsafeMutablePointer<NodeRanges>, _ row: Row, _ side: Side) {
    let bare = ranges.pointee.bare
    for i in bare.indices {
      willMark(bare[i])
      let value = bare[i].pointee.kind.rangeValue(row, bare[i].pointee.column, context)
      bare[i].pointee.enter(value, side.step)
    }
    let mixed = ranges.pointee.mixed
    for i in mixed.indices {
      mixed[i].pointee.forEach(around: mixed[i].pointee.value(row, context)) {
        if $0.isMain { one($0.entry, row, side) }
      }
    }
  }

  @inline(__always)
  private func one(_ entry: Entry, _ row: Row, _ side: Side) {
    trail.pointee.candidates &+= 1
    if !entry.test.holds(row, context) { return }
    switch entry.rest {
    case .test: counts[Int(entry.filter)] += side.step
    case .whole, .shared:
      putOff(entry, side == .leaving ? .before : .after, isShared: entry.rest == .shared)
    }
  }

  // MARK: Ranges

  @inline(__always)
  private func move(_ ranges: Run<UnsafeMutablePointer<CountedRanges>>, _ before: Row, _ after: Row) {
    for i in ranges.indices {
      let (kind, column) = (ranges[i].pointee.kind, ranges[i].pointee.column)
      let (a, b) = (kind.rangeValue(before, column, context), kind.rangeValue(after, column, context))
      if a == b { continue }
      willMark(ranges[i])
      ranges[i].pointee.move(from: a, to: b)
    }
  }

  @inline(__always)
  private func willMark(_ ranges: UnsafeMutablePointer<CountedRanges>) {
    if !ranges.pointee.isMarked { trail.pointee.marked.append(ranges) }
  }

  private func both(_ ranges: Run<UnsafeMutablePointer<RangeLists>>, _ before: Row, _ after: Row) {
    var moved = 0
    for i in ranges.indices where changed.contains(Int(ranges[i].pointee.column)) { moved += 1 }
    for i in ranges.indices {
      let lists = ranges[i]
      let (a, b) = (lists.pointee.value(before, context), lists.pointee.value(after, context))
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
      putOff(entry, .both, isShared: true)
    }
  }
}
