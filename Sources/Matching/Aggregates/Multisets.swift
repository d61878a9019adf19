import Events

/// Ordered multisets of 64-bit keys, any number of them, in one pool of memory: B+ trees whose nodes hold up
/// to 8 entries. One without values takes 12 bytes, one of up to 8 values 104 more, a large one some 22 a
/// value. Every change is O(log n) in the worst case.
///
/// An inner node's entry is a child and its least key; so a key of a node is always one that is present, which
/// matters where keys are codes of strings.
final class Multisets {
  enum Order {
    case numbers
    /// Keys are codes, in the order of their strings' bytes. Whoever adds holds a share of each.
    case texts
  }

  private struct Root {
    var node = Node.none
    /// Values, each counted once.
    var distinct: UInt32 = 0
    /// Levels of inner nodes.
    var height: UInt8 = 0
  }

  private let order: Order
  private var roots: [Root] = []
  /// `nodeCount` of them are initialised; grown by twice as many.
  private var nodes = UnsafeMutablePointer<Node>.allocate(capacity: 1)
  private var capacity = 1
  /// Nodes that were ever used at one time.
  private(set) var nodeCount = 0
  /// The first of the unused nodes, each of which has the next in its first link.
  private var free = Node.none
  /// Values of all multisets, those of each counted once.
  private(set) var count = 0

  init(_ order: Order) { self.order = order }

  deinit { nodes.deallocate() }

  /// Makes room for the multiset with this number, empty; numbers come one after the other, or again.
  func make(_ tree: Int) { roots.set(tree, Root()) }

  func distinct(_ tree: Int) -> Int { Int(roots[tree].distinct) }

  // MARK: Changes

  /// True: the value is new in this multiset.
  func add(_ key: Int64, count: Int = 1, to tree: Int, _ strings: StringTable) -> Bool {
    let root = roots[tree]
    if root.node == Node.none {
      roots[tree].node = makeNode()
      _ = place(key, UInt32(count), 0, in: roots[tree].node)
    } else {
      let (isNew, sibling) = insert(key, UInt32(count), root.node, root.height, strings)
      if sibling != Node.none { grow(tree, sibling) }
      if !isNew { return false }
    }
    roots[tree].distinct += 1
    self.count += 1
    return true
  }

  /// True: it was the last one of this value. Traps where there is none.
  func remove(_ key: Int64, from tree: Int, _ strings: StringTable) -> Bool {
    let root = roots[tree]
    precondition(root.node != Node.none, "a value leaves an aggregate that it never entered")
    guard take(key, root.node, root.height, strings) else { return false }
    roots[tree].distinct -= 1
    count -= 1
    shrink(tree)
    return true
  }

  /// Empties a multiset; `body` gets each of its values.
  func removeAll(_ tree: Int, _ body: (Int64) -> Void) {
    let root = roots[tree]
    if root.node == Node.none { return }
    forEach(tree) { key, _ in
      body(key)
      return true
    }
    freeAll(root.node, root.height)
    count -= Int(root.distinct)
    roots[tree] = Root()
  }

  // MARK: Questions

  func first(_ tree: Int) -> Int64? {
    let node = roots[tree].node
    return node == Node.none ? nil : nodes[Int(node)].keys[0]
  }

  func last(_ tree: Int) -> Int64? {
    let root = roots[tree]
    if root.node == Node.none { return nil }
    var node = Int(root.node)
    for _ in 0..<root.height { node = Int(nodes[node].links[nodes[node].size - 1]) }
    return nodes[node].keys[nodes[node].size - 1]
  }

  /// The values in their order with their counts, until `body` says false.
  func forEach(_ tree: Int, _ body: (Int64, Int) -> Bool) {
    let root = roots[tree]
    if root.node != Node.none { _ = walk(root.node, root.height, body) }
  }

  private func walk(_ node: UInt32, _ height: UInt8, _ body: (Int64, Int) -> Bool) -> Bool {
    let entries = nodes[Int(node)]
    for at in 0..<entries.size {
      let goesOn =
        height > 0
        ? walk(entries.links[at], height - 1, body) : body(entries.keys[at], Int(entries.links[at]))
      if !goesOn { return false }
    }
    return true
  }

  // MARK: Trees

  private func insert(
    _ key: Int64, _ count: UInt32, _ node: UInt32, _ height: UInt8, _ strings: StringTable
  ) -> (isNew: Bool, sibling: UInt32) {
    let n = Int(node)
    let (below, isThere) = find(key, n, strings)
    if height == 0 {
      if isThere {
        nodes[n].links[below] &+= count
        return (false, Node.none)
      }
      return (true, place(key, count, below, in: node))
    }
    let at = isThere ? below : max(below - 1, 0)
    let child = nodes[n].links[at]
    let (isNew, sibling) = insert(key, count, child, height - 1, strings)
    nodes[n].keys[at] = nodes[Int(child)].keys[0]
    if sibling == Node.none { return (isNew, Node.none) }
    return (isNew, place(nodes[Int(sibling)].keys[0], sibling, at + 1, in: node))
  }

  /// True: the value is gone.
  private func take(_ key: Int64, _ node: UInt32, _ height: UInt8, _ strings: StringTable) -> Bool {
    let n = Int(node)
    let (below, isThere) = find(key, n, strings)
    if height == 0 {
      precondition(isThere, "a value leaves an aggregate that it never entered")
      nodes[n].links[below] -= 1
      if nodes[n].links[below] > 0 { return false }
      nodes[n].drop(below)
      return true
    }
    let at = isThere ? below : max(below - 1, 0)
    let child = nodes[n].links[at]
    guard take(key, child, height - 1, strings) else { return false }
    if nodes[Int(child)].size == 0 {
      freeNode(child)
      nodes[n].drop(at)
    } else {
      nodes[n].keys[at] = nodes[Int(child)].keys[0]
      mergeIfSmall(at, of: n)
    }
    return true
  }

  /// How many of a node's keys precede this one, and whether it is the next.
  @inline(__always)
  private func find(_ key: Int64, _ node: Int, _ strings: StringTable) -> (below: Int, isThere: Bool) {
    order == .numbers ? nodes[node].find(key) : nodes[node].find(key, strings)
  }

  private func grow(_ tree: Int, _ sibling: UInt32) {
    let old = roots[tree].node
    let top = makeNode()
    nodes[Int(top)].put(nodes[Int(old)].keys[0], old, 0)
    nodes[Int(top)].put(nodes[Int(sibling)].keys[0], sibling, 1)
    roots[tree].node = top
    roots[tree].height += 1
  }

  private func shrink(_ tree: Int) {
    while roots[tree].height > 0, nodes[Int(roots[tree].node)].size == 1 {
      let top = roots[tree].node
      roots[tree].node = nodes[Int(top)].links[0]
      roots[tree].height -= 1
      freeNode(top)
    }
    if nodes[Int(roots[tree].node)].size == 0 {
      freeNode(roots[tree].node)
      roots[tree].node = Node.none
    }
  }

  /// Puts an entry before the one at `at`. Where the node is full its upper half moves to a new one, which is
  /// returned.
  private func place(_ key: Int64, _ link: UInt32, _ at: Int, in node: UInt32) -> UInt32 {
    if nodes[Int(node)].size < Node.capacity {
      nodes[Int(node)].put(key, link, at)
      return Node.none
    }
    let sibling = makeNode()
    let half = Node.capacity / 2
    move(half..<Node.capacity, of: Int(node), to: Int(sibling))
    if at <= half {
      nodes[Int(node)].put(key, link, at)
    } else {
      nodes[Int(sibling)].put(key, link, at - half)
    }
    return sibling
  }

  /// Appends a node's last entries to another.
  private func move(_ entries: Range<Int>, of node: Int, to other: Int) {
    for at in entries {
      nodes[other].put(nodes[node].keys[at], nodes[node].links[at], nodes[other].size)
      nodes[node].keys[at] = .max
    }
    nodes[node].size -= entries.count
  }

  /// A child that is at most half full becomes one with a neighbour, if that leaves room in it for more.
  private func mergeIfSmall(_ at: Int, of node: Int) {
    let size = size(at, of: node)
    if size > Node.capacity / 2 { return }
    let room = Node.capacity * 3 / 4
    if at + 1 < nodes[node].size, size + self.size(at + 1, of: node) <= room {
      merge(at, of: node)
    } else if at > 0, self.size(at - 1, of: node) + size <= room {
      merge(at - 1, of: node)
    }
  }

  private func size(_ child: Int, of node: Int) -> Int { nodes[Int(nodes[node].links[child])].size }

  /// The child at `at` takes over the one behind it.
  private func merge(_ at: Int, of node: Int) {
    let behind = nodes[node].links[at + 1]
    move(0..<nodes[Int(behind)].size, of: Int(behind), to: Int(nodes[node].links[at]))
    freeNode(behind)
    nodes[node].drop(at + 1)
  }

  // MARK: Memory

  private func makeNode() -> UInt32 {
    if free != Node.none {
      let node = free
      free = nodes[Int(node)].links[0]
      return node
    }
    if nodeCount == capacity { growPool() }
    (nodes + nodeCount).initialize(to: Node())
    nodeCount += 1
    return UInt32(nodeCount - 1)
  }

  private func growPool() {
    let larger = UnsafeMutablePointer<Node>.allocate(capacity: capacity * 2)
    larger.moveInitialize(from: nodes, count: capacity)
    nodes.deallocate()
    nodes = larger
    capacity *= 2
  }

  private func freeNode(_ node: UInt32) {
    nodes[Int(node)] = Node()
    nodes[Int(node)].links[0] = free
    free = node
  }

  private func freeAll(_ node: UInt32, _ height: UInt8) {
    if height > 0 {
      for at in 0..<nodes[Int(node)].size { freeAll(nodes[Int(node)].links[at], height - 1) }
    }
    freeNode(node)
  }
}

/// A node's entries, in order.
private struct Node {
  /// Its keys are one cache line; twice as many gain little and double what a small multiset takes.
  static let capacity = 8
  static let none = UInt32.max

  /// Behind its entries the greatest one, which precedes nothing.
  var keys = InlineArray<8, Int64>(repeating: .max)
  /// By key: in a leaf how often it is there, else the child that begins with it.
  var links = InlineArray<8, UInt32>(repeating: 0)
  var size = 0

  @inline(__always)
  func find(_ key: Int64) -> (below: Int, isThere: Bool) {
    // Without branches, which would be guessed wrong.
    var below = 0
    for at in 0..<Self.capacity { below += keys[at] < key ? 1 : 0 }
    return (below, below < size && keys[below] == key)
  }

  /// By the strings whose codes the keys are.
  func find(_ key: Int64, _ strings: StringTable) -> (below: Int, isThere: Bool) {
    var (below, end) = (0, size)
    while below < end {
      let middle = (below + end) / 2
      let order = strings.compare(UInt32(keys[middle]), UInt32(key))
      if order == 0 { return (middle, true) }
      if order < 0 { below = middle + 1 } else { end = middle }
    }
    return (below, false)
  }

  @inline(__always)
  mutating func put(_ key: Int64, _ link: UInt32, _ at: Int) {
    var index = size
    while index > at {
      keys[index] = keys[index - 1]
      links[index] = links[index - 1]
      index -= 1
    }
    keys[index] = key
    links[index] = link
    size += 1
  }

  @inline(__always)
  mutating func drop(_ at: Int) {
    for index in at..<size - 1 {
      keys[index] = keys[index + 1]
      links[index] = links[index + 1]
    }
    keys[size - 1] = .max
    size -= 1
  }
}
