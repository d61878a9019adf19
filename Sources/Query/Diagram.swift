/// A reduced ordered decision diagram over variables of a few values each (Bryant 1986, with as many branches as a
/// variable has values): functions that are equal are one node.
///
/// Its work is bounded: past a limit `isExhausted` is true, and what it answers from then on means nothing.
struct Diagram {
  typealias Node = Int32
  static let never: Node = 0
  static let always: Node = 1

  enum Operation: UInt64 {
    case and, or, andNot
  }

  /// How many values each variable has, in their order: a variable's number is its level.
  let widths: [Int]
  /// By node.
  private(set) var levels: [Int]
  private var starts: [Int]
  private var branches: [Node] = []
  private var nodes = HashIndex()
  private var results = HashIndex()
  private var resultKeys: [UInt64] = []
  private var resultNodes: [Node] = []
  /// The branches of nodes that are being made.
  private var pending: [Node] = []
  private var steps = 0
  private(set) var isExhausted = false

  init(widths: [Int]) {
    self.widths = widths
    levels = [widths.count, widths.count]
    starts = [0, 0]
  }

  // MARK: Nodes

  /// Where a node goes on for a variable's value; a node that does not look at it stays.
  @inline(__always)
  func branch(_ node: Node, _ level: Int, _ value: Int) -> Node {
    levels[Int(node)] == level ? branches[starts[Int(node)] + value] : node
  }

  func branches(_ node: Node) -> ArraySlice<Node> {
    let level = levels[Int(node)]
    return level == widths.count ? [] : branches[starts[Int(node)]..<starts[Int(node)] + widths[level]]
  }

  /// True for the values in `mask`.
  mutating func literal(_ level: Int, _ mask: UInt64) -> Node {
    node(level) { _, value in mask >> UInt64(value) & 1 == 1 ? Self.always : Self.never }
  }

  /// The node that goes on as `branch` says for each value of its variable.
  mutating func node(_ level: Int, branch: (inout Diagram, Int) -> Node) -> Node {
    let first = pending.count
    for value in 0..<widths[level] {
      let next = branch(&self, value)
      pending.append(next)
    }
    defer { pending.removeSubrange(first...) }
    return finished(level, first)
  }

  private mutating func finished(_ level: Int, _ first: Int) -> Node {
    if isExhausted { return Self.never }
    if pending[first...].allSatisfy({ $0 == pending[first] }) { return pending[first] }
    var hash = UInt64(level)
    for next in pending[first...] { hash = HashIndex.mixed(hash ^ UInt64(next)) }
    let width = widths[level]
    let found = nodes.find(hash) { candidate in
      levels[candidate] == level
        && (0..<width).allSatisfy { branches[starts[candidate] + $0] == pending[first + $0] }
    }
    if let found { return Node(found) }
    if levels.count == QueryLimits.diagramNodesMax { isExhausted = true }
    nodes.insert(hash, levels.count)
    levels.append(level)
    starts.append(branches.count)
    branches += pending[first...]
    return Node(levels.count - 1)
  }

  // MARK: Operations

  mutating func and(_ a: Node, _ b: Node) -> Node { apply(.and, min(a, b), max(a, b)) }
  mutating func or(_ a: Node, _ b: Node) -> Node { apply(.or, min(a, b), max(a, b)) }
  mutating func andNot(_ a: Node, _ b: Node) -> Node { apply(.andNot, a, b) }
  mutating func not(_ a: Node) -> Node { apply(.andNot, Self.always, a) }
  mutating func implies(_ a: Node, _ b: Node) -> Bool { a == b || andNot(a, b) == Self.never }

  private static func trivial(_ operation: Operation, _ a: Node, _ b: Node) -> Node? {
    switch operation {
    case .and:
      if a == never || b == always || a == b { return a }
      return b == never || a == always ? b : nil
    case .or:
      if a == always || b == never || a == b { return a }
      return b == always || a == never ? b : nil
    case .andNot:
      if a == never || b == always || a == b { return never }
      return b == never ? a : nil
    }
  }

  private mutating func apply(_ operation: Operation, _ a: Node, _ b: Node) -> Node {
    if let answer = Self.trivial(operation, a, b) { return answer }
    if isExhausted { return Self.never }
    let key = operation.rawValue << 62 | UInt64(a) << 31 | UInt64(b)
    let hash = HashIndex.mixed(key)
    if let known = results.find(hash, { resultKeys[$0] == key }) { return resultNodes[known] }
    let level = min(levels[Int(a)], levels[Int(b)])
    steps += widths[level]
    if steps > QueryLimits.diagramStepsMax { isExhausted = true }
    let result = node(level) { diagram, value in
      diagram.apply(operation, diagram.branch(a, level, value), diagram.branch(b, level, value))
    }
    results.insert(hash, resultKeys.count)
    resultKeys.append(key)
    resultNodes.append(result)
    return result
  }

  // MARK: Questions

  /// The other values.
  func inverse(_ mask: UInt64, _ level: Int) -> UInt64 {
    ~mask & UInt64.max >> UInt64(UInt64.bitWidth - widths[level])
  }

  /// A variable and some of its values, one bit each.
  struct Literal {
    let level: Int
    let mask: UInt64
  }

  /// The literals that are factors of a function (`absorbing` is `never`: f is x AND the rest) or terms of it
  /// (`always`: f is x OR the rest), by level: those whose variable decides on every way that does not end in
  /// `absorbing`, always by the same values, and does nothing else. O(nodes).
  func literals(of root: Node, absorbing: Node) -> [Literal] {
    var masks = [UInt64?](repeating: nil, count: widths.count)
    var isOut = [Bool](repeating: false, count: widths.count)
    func pass(from level: Int, to node: Node) {
      if node == absorbing { return }
      for skipped in level..<levels[Int(node)] { isOut[skipped] = true }
    }
    pass(from: 0, to: root)
    for node in reachable(from: root) {
      let level = levels[Int(node)]
      var mask: UInt64 = 0
      var rest: Node?
      for (value, next) in branches(node).enumerated() where next != absorbing {
        mask |= 1 << UInt64(value)
        if rest ?? next != next { isOut[level] = true }
        rest = next
        pass(from: level + 1, to: next)
      }
      if masks[level] ?? mask != mask { isOut[level] = true }
      masks[level] = mask
    }
    return widths.indices.compactMap { level in
      guard !isOut[level], let passing = masks[level] else { return nil }
      return Literal(level: level, mask: absorbing == Self.never ? passing : inverse(passing, level))
    }
  }

  /// What is left of a function without these literals, which are factors or terms of it.
  mutating func rest(of root: Node, without literals: [Literal], absorbing: Node) -> Node {
    var known: [Node: Node] = [:]
    let removed = Set(literals.map(\.level))
    func rest(_ diagram: inout Diagram, _ node: Node) -> Node {
      if node <= Self.always { return node }
      if let done = known[node] { return done }
      let level = diagram.levels[Int(node)]
      let result: Node
      if removed.contains(level) {
        let next = diagram.branches(node).first { $0 != absorbing }
        result = rest(&diagram, next ?? absorbing)
      } else {
        result = diagram.node(level) { diagram, value in rest(&diagram, diagram.branch(node, level, value)) }
      }
      known[node] = result
      return result
    }
    return rest(&self, root)
  }

  private func reachable(from root: Node) -> [Node] {
    var seen = [Bool](repeating: false, count: levels.count)
    var found: [Node] = []
    var waiting = [root]
    while let node = waiting.popLast() {
      if node <= Self.always || seen[Int(node)] { continue }
      seen[Int(node)] = true
      found.append(node)
      waiting += branches(node)
    }
    return found
  }
}

/// Numbers that are found again by their hashes; what they stand for lies elsewhere.
private struct HashIndex {
  private var slots = [Int32](repeating: -1, count: 64)
  private var hashes = [UInt64](repeating: 0, count: 64)
  private var count = 0

  static func mixed(_ value: UInt64) -> UInt64 {
    let product = value &* 0x9E37_79B9_7F4A_7C15
    return product ^ (product >> 29)
  }

  func find(_ hash: UInt64, _ isIt: (Int) -> Bool) -> Int? {
    var at = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[at] >= 0 {
      if hashes[at] == hash, isIt(Int(slots[at])) { return Int(slots[at]) }
      at = (at + 1) & (slots.count - 1)
    }
    return nil
  }

  mutating func insert(_ hash: UInt64, _ number: Int) {
    if (count + 1) * 2 > slots.count { grow() }
    count += 1
    place(hash, Int32(number))
  }

  private mutating func place(_ hash: UInt64, _ number: Int32) {
    var at = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[at] >= 0 { at = (at + 1) & (slots.count - 1) }
    (slots[at], hashes[at]) = (number, hash)
  }

  private mutating func grow() {
    let old = (slots, hashes)
    slots = [Int32](repeating: -1, count: old.0.count * 2)
    hashes = [UInt64](repeating: 0, count: old.0.count * 2)
    for (i, number) in old.0.enumerated() where number >= 0 { place(old.1[i], number) }
  }
}
