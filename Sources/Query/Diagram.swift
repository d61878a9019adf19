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
    return finished(level, first)
  }

  /// The node with the branches that are pending from `first` on, which are taken off.
  private mutating func finished(_ level: Int, _ first: Int) -> Node {
    defer { pending.removeLast(pending.count - first) }
    if isExhausted { return Self.never }
    var hash = UInt64(level)
    var isSame = true
    for at in first..<pending.count {
      hash = HashIndex.mixed(hash ^ UInt64(pending[at]))
      if pending[at] != pending[first] { isSame = false }
    }
    if isSame { return pending[first] }
    var slot = nodes.slot(hash)
    while let candidate = nodes[slot] {
      if nodes.hashes[slot] == hash, isPending(candidate, level, first) { return Node(candidate) }
      slot = nodes.next(slot)
    }
    if levels.count == QueryLimits.diagramNodesMax { isExhausted = true }
    nodes.insert(hash, levels.count)
    levels.append(level)
    starts.append(branches.count)
    for at in first..<pending.count { branches.append(pending[at]) }
    return Node(levels.count - 1)
  }

  private func isPending(_ candidate: Int, _ level: Int, _ first: Int) -> Bool {
    if levels[candidate] != level { return false }
    let start = starts[candidate]
    for value in 0..<widths[level] where branches[start + value] != pending[first + value] { return false }
    return true
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
    var slot = results.slot(hash)
    while let known = results[slot] {
      if resultKeys[known] == key { return resultNodes[known] }
      slot = results.next(slot)
    }
    let level = min(levels[Int(a)], levels[Int(b)])
    let first = pending.count
    let width = widths[level]
    steps += width
    if steps > QueryLimits.diagramStepsMax { isExhausted = true }
    for value in 0..<width {
      let next = apply(operation, branch(a, level, value), branch(b, level, value))
      pending.append(next)
    }
    let result = finished(level, first)
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
  private var numbers: [Int32]
  private(set) var hashes: [UInt64]
  private var count = 0

  init() {
    numbers = [Int32](repeating: -1, count: 256)
    hashes = [UInt64](repeating: 0, count: 256)
  }

  @inline(__always)
  static func mixed(_ value: UInt64) -> UInt64 {
    let product = value &* 0x9E37_79B9_7F4A_7C15
    return product ^ (product >> 29)
  }

  /// Where to begin to look; `next` is where to go on, until there is no number.
  @inline(__always)
  func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (numbers.count - 1) }

  @inline(__always)
  func next(_ slot: Int) -> Int { (slot + 1) & (numbers.count - 1) }

  @inline(__always)
  subscript(slot: Int) -> Int? { numbers[slot] < 0 ? nil : Int(numbers[slot]) }

  mutating func insert(_ hash: UInt64, _ number: Int) {
    if (count + 1) * 2 > numbers.count { grow() }
    count += 1
    place(hash, Int32(number))
  }

  private mutating func place(_ hash: UInt64, _ number: Int32) {
    var at = slot(hash)
    while numbers[at] >= 0 { at = next(at) }
    (numbers[at], hashes[at]) = (number, hash)
  }

  private mutating func grow() {
    let old = (numbers, hashes)
    numbers = [Int32](repeating: -1, count: old.0.count * 4)
    hashes = [UInt64](repeating: 0, count: old.0.count * 4)
    for (i, number) in old.0.enumerated() where number >= 0 { place(old.1[i], number) }
  }
}
