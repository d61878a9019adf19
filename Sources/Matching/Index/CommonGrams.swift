/// Grams of a column that many texts have: poor ways to a filter that has others. What is noticed at one node
/// holds at all.
struct CommonGrams: BitwiseCopyable {
  private var sieve = Sieve()
  /// Times that one was noticed since it was empty.
  private var count = 0

  /// A gram is common that the texts of so many changes had, and more than one of so many.
  static let foundLeast: UInt32 = 8
  static let share: UInt32 = 8
  /// So many children at most are left behind one change.
  static let leftAtOnce: Int32 = 4
  /// With more of them others would be taken for common: all are forgotten, and those that still are noticed again.
  static let countMax = 1024

  @inline(__always)
  func contains(_ key: UInt64) -> Bool { sieve.capacity > 0 && sieve.mayContain(key) }

  mutating func insert(_ key: UInt64) {
    if sieve.capacity == 0 || count == Self.countMax {
      sieve.reset(capacity: Self.countMax)
      count = 0
    }
    count += 1
    sieve.insert(key)
  }

  mutating func free() { sieve.free() }
}

extension FilterIndex {
  /// Behind a walk, which found the children by grams that are common.
  func leaveCommonChildren() {
    for child in trail.pointee.commonChildren.elements { leave(child) }
    trail.pointee.commonChildren.truncate(to: 0)
  }

  /// Filters that are found by a common gram go elsewhere, if they can: another of their grams, or another test. A few
  /// at once.
  private func leave(_ child: NodePointer) {
    let (node, name, key) = (child.pointee.parent!, child.pointee.partition, child.pointee.key)
    commonGrams[Int(name.column)].insert(key)
    for entry in child.pointee.entries.elements.prefix(Int(IndexNode.entriesMax)).map({ $0 }) {
      // The node must not go with the last that is taken out.
      if node.pointee.homes > 1 { move(entry, from: child, below: node) }
    }
    // Most texts would pass the sieve by it for as long as it is there.
    if let partition = node.pointee.partition(name), partition.pointee.children.find(key) == nil {
      partition.pointee.sift()
    }
  }
}
