import Events

/// Where the images of a change go on to below a node.
///
/// With many filters each step of the way is in memory that no cache has. So all children of a node are looked
/// for together, in stages: where they are in the tables, then they, then what they hold. What the next stage
/// reads is fetched meanwhile, and a walk waits once a stage, not once a child.
extension Walk {
  /// Which of a change's images go somewhere.
  struct Images: OptionSet, BitwiseCopyable {
    let rawValue: UInt64

    static let before = Images(rawValue: 1)
    static let after = Images(rawValue: 2)
    static let both: Images = [.before, .after]
  }

  /// A child that may be there.
  struct Wanted: BitwiseCopyable {
    let partition: UnsafeMutablePointer<Partition>
    let key: UInt64
    let images: Images
  }

  /// A child to which images go on.
  struct Found: BitwiseCopyable {
    let node: NodePointer
    /// By whose gram, if by one: it may be found several times.
    let partition: UnsafeMutablePointer<Partition>?
    var images: Images
  }

  // MARK: What is looked for

  /// Puts the children to which an update's images go on from a node onto the stack of those found. `meanwhile` is what else
  /// there is to do, while it is fetched where they are.
  @inline(__always)
  func find(below node: NodePointer, _ before: Row, _ after: Row, meanwhile: () -> Void) {
    let partitions = node.pointee.partitions
    if partitions.count > IndexNode.partitionsMax {
      wantOfMany(node, before, after)
      meanwhile()
      return take()
    }
    find(partitions, reading: signature, want: { want($0, before, after) }, meanwhile: meanwhile)
  }

  /// The same for one image that came alone.
  func find(below node: NodePointer, _ row: Row, _ images: Images) {
    find(node.pointee.partitions, reading: ~0, want: { want($0, row, images) }, meanwhile: {})
  }

  /// In those partitions that read one of these columns. Those by a text's grams are last, and looked for last: to look through
  /// it takes as long as to fetch what the others hold.
  @inline(__always)
  private func find(
    _ partitions: Run<UnsafeMutablePointer<Partition>>, reading columns: UInt64,
    want: (UnsafeMutablePointer<Partition>) -> Void, meanwhile: () -> Void
  ) {
    var at = 0
    while at < Int(partitions.count), partitions[at].pointee.name.kind != .grams {
      if partitions[at].pointee.signature & columns != 0 { want(partitions[at]) }
      at &+= 1
    }
    meanwhile()
    if at < Int(partitions.count) {
      takeAhead()
      for i in at..<Int(partitions.count) where partitions[i].pointee.signature & columns != 0 {
        want(partitions[i])
      }
    }
    take()
  }

  /// Those partitions that read a changed column, each once.
  private func wantOfMany(_ node: NodePointer, _ before: Row, _ after: Row) {
    let readers = index.readers(node)
    changed.visit { column in
      let partitions = readers[column]
      for i in partitions.indices where partitions[i].pointee.mark != change {
        partitions[i].pointee.mark = change
        want(partitions[i], before, after)
      }
    }
  }

  private func want(_ partition: UnsafeMutablePointer<Partition>, _ before: Row, _ after: Row) {
    let column = Int(partition.pointee.name.column)
    let (a, b) = (before[column], after[column])
    switch partition.pointee.name.kind {
    case .points: want(partition, partition.pointee.key(of: a), partition.pointee.key(of: b))
    case .pieces:
      let (first, last) = (context.bytes(a.code), context.bytes(b.code))
      let offset = Int(partition.pointee.name.offset)
      for size in 1...TextKey.pieceMax where partition.pointee.sizes >> UInt8(size) & 1 != 0 {
        want(partition, piece(first, offset, size), piece(last, offset, size))
      }
    case .grams:
      partition.pointee.seen &+= 1
      if a == b { return wantGrams(partition, context.bytes(a.code), .both) }
      wantGrams(partition, context.bytes(a.code), .before)
      wantGrams(partition, context.bytes(b.code), .after)
    }
  }

  private func want(_ partition: UnsafeMutablePointer<Partition>, _ row: Row, _ images: Images) {
    let cell = row[Int(partition.pointee.name.column)]
    switch partition.pointee.name.kind {
    case .points: want(partition, partition.pointee.key(of: cell), images)
    case .pieces:
      let text = context.bytes(cell.code)
      let offset = Int(partition.pointee.name.offset)
      for size in 1...TextKey.pieceMax where partition.pointee.sizes >> UInt8(size) & 1 != 0 {
        want(partition, piece(text, offset, size), images)
      }
    case .grams:
      partition.pointee.seen &+= 1
      wantGrams(partition, context.bytes(cell.code), images)
    }
  }

  /// A piece that a text is too short for has the key 0, which no child has.
  @inline(__always)
  private func piece(_ text: UnsafeRawBufferPointer, _ offset: Int, _ size: Int) -> UInt64 {
    text.count >= offset + size ? TextKey.make(text, offset, size) : 0
  }

  @inline(__always)
  private func want(_ partition: UnsafeMutablePointer<Partition>, _ first: UInt64, _ last: UInt64) {
    if first == last { return want(partition, first, .both) }
    want(partition, first, .before)
    want(partition, last, .after)
  }

  private func wantGrams(
    _ partition: UnsafeMutablePointer<Partition>, _ text: UnsafeRawBufferPointer, _ images: Images
  ) {
    guard let begin = text.baseAddress else { return }
    let sieve = partition.pointee.sieve
    var sizes = partition.pointee.sizes
    while sizes != 0 {
      let size = sizes.trailingZeroBitCount
      sizes &= sizes &- 1
      var at = 0
      while at + size <= text.count {
        let count = min(text.count - size + 1 - at, UInt64.bitWidth)
        var places = sieve.places(begin + at, count, size: size)
        while places != 0 {
          want(partition, TextKey.gram(begin + at + places.trailingZeroBitCount, size), images)
          places &= places &- 1
        }
        at += count
      }
    }
  }

  @inline(__always)
  private func want(_ partition: UnsafeMutablePointer<Partition>, _ key: UInt64, _ images: Images) {
    if let place = partition.pointee.children.place(of: key) { prefetch(place) }
    trail.pointee.wanted.append(Wanted(partition: partition, key: key, images: images))
  }

  // MARK: What is found

  /// Puts those that are there onto the stack of those found.
  private func take() {
    for i in trail.pointee.wanted.indices {
      let wanted = trail.pointee.wanted[i]
      guard let child = wanted.partition.pointee.children.find(wanted.key) else { continue }
      IndexNode.prefetch(child)
      let isByGram = wanted.partition.pointee.name.kind == .grams
      trail.pointee.found.append(
        Found(node: child, partition: isByGram ? wanted.partition : nil, images: wanted.images))
    }
    trail.pointee.wanted.truncate(to: 0)
  }

  /// The same for those whose other siblings take long to look for: what they hold is fetched meanwhile.
  private func takeAhead() {
    let first = Int(trail.pointee.found.count)
    take()
    for i in first..<Int(trail.pointee.found.count) { fetchParts(trail.pointee.found[i].node) }
  }

  /// Fetches what those found hold; each is there once afterwards, with the images of all its grams.
  func fetch(from first: Int32) {
    var end = Int(first)
    for i in Int(first)..<Int(trail.pointee.found.count) {
      let found = trail.pointee.found[i]
      if let partition = found.partition, !mark(found, partition) { continue }
      trail.pointee.found[end] = found
      end += 1
      fetchParts(found.node)
    }
    trail.pointee.found.truncate(to: end)
    for i in Int(first)..<end where trail.pointee.found[i].partition != nil {
      let child = trail.pointee.found[i].node
      trail.pointee.found[i].images = Images(rawValue: child.pointee.mark & 3)
      if !child.pointee.entries.isEmpty { child.pointee.entries[0].test.fetchText() }
    }
  }

  /// False: this change has come here already.
  @inline(__always)
  private func mark(_ found: Found, _ partition: UnsafeMutablePointer<Partition>) -> Bool {
    let child = found.node
    if child.pointee.mark >> 2 == change {
      child.pointee.mark |= found.images.rawValue
      return false
    }
    child.pointee.mark = change << 2 | found.images.rawValue
    noteFound(child, partition)
    return true
  }

  /// A gram that many texts have, here or at another node, is noticed when it was found once, twice, four times
  /// and so on.
  @inline(__always)
  private func noteFound(_ child: NodePointer, _ partition: UnsafeMutablePointer<Partition>) {
    child.pointee.found &+= 1
    let found = child.pointee.found
    if found & (found &- 1) != 0 || child.pointee.entries.isEmpty { return }
    let seen = partition.pointee.seen &- child.pointee.seenBefore
    let isCommon = found >= CommonGrams.foundLeast && found > seen / CommonGrams.share
    let column = Int(partition.pointee.name.column)
    guard isCommon || commonGrams[column].contains(child.pointee.key) else { return }
    if trail.pointee.commonChildren.count == CommonGrams.leftAtOnce { return }
    trail.pointee.commonChildren.append(child)
  }

  // MARK: Caches

  @inline(__always)
  private func fetchParts(_ node: NodePointer) {
    fetchAhead(node.pointee.entries)
    if let partitions = node.pointee.partitions.base { prefetch(partitions) }
    if let ranges = node.pointee.ranges { prefetch(ranges) }
  }

  /// The first lines; the cache guesses those behind them.
  @inline(__always)
  private func fetchAhead(_ entries: Run<Entry>) {
    guard let base = entries.base else { return }
    let bytes = min(Int(entries.count) * MemoryLayout<Entry>.stride, 512)
    for line in stride(from: 0, to: bytes, by: 64) { prefetch(UnsafeRawPointer(base) + line) }
  }
}
