/// A reduced ordered decision diagram over variables of a few values each (Bryant 1986, with as many branches as a
/// variable has values): functions that are equal are one node.
///
/// Its work is bounded: past a limit `isExhausted` is true, and what it answers from then on means nothing.
struct Diagram {
  typealias Node = Int32
  static let never: Node = 0
  static let always: Node = 1

  enum Operation: UInt64 {
    case and = 1
    case or, andNot
  }

  /// How many values each variable has, in their order: a variable's number is its level.
  let widths: [Int]
  /// By node.
  private(set) var levels: [Int]
  private var starts: [Int]
  private var hashes: [UInt64] = [0, 0]
  private var branches: [Node] = []
  /// Nodes by their hashes, with twice the places that they may need; 0: none.
  private var places = [Node](repeating: 0, count: QueryLimits.diagramNodesMax * 2)
  private var results = [Result](repeating: Result(), count: Self.resultsMax)
  /// The branches of the nodes that are being made, one of a level at most.
  private var pending: [Node]
  /// By level, where they are.
  private let pendingStarts: [Int]
  private var steps = 0
  private(set) var isExhausted = false

  /// What an operation on two nodes gave. Where two meet, the later one stays.
  private struct Result {
    var key: UInt64 = 0
    var node: Node = 0
  }

  private static let resultsMax = 4_096

  init(widths: [Int]) {
    self.widths = widths
    levels = [widths.count, widths.count]
    starts = [0, 0]
    var total = 0
    pendingStarts = widths.map { width in
      defer { total += width }
      return total
    }
    pending = [Node](repeating: Self.never, count: total)
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

  /// The node that goes on as `branch` says for each value of its variable: to nodes of later ones.
  @inline(__always)
  mutating func node(_ level: Int, branch: (inout Diagram, Int) -> Node) -> Node {
    let first = pendingStarts[level]
    for value in 0..<widths[level] { pending[first + value] = branch(&self, value) }
    return finished(level)
  }

  /// The node with the branches that are pending of a level.
  private mutating func finished(_ level: Int) -> Node {
    if isExhausted { return Self.never }
    let (first, end) = (pendingStarts[level], pendingStarts[level] + widths[level])
    var hash = UInt64(level)
    var isSame = true
    for at in first..<end {
      hash = Self.mixed(hash ^ UInt64(pending[at]))
      if pending[at] != pending[first] { isSame = false }
    }
    if isSame { return pending[first] }
    var place = Int(truncatingIfNeeded: hash) & (places.count - 1)
    while places[place] != 0 {
      let known = Int(places[place])
      if hashes[known] == hash, isPending(known, level, first) { return Node(known) }
      place = (place + 1) & (places.count - 1)
    }
    if levels.count == QueryLimits.diagramNodesMax {
      isExhausted = true
      return Self.never
    }
    places[place] = Node(levels.count)
    levels.append(level)
    starts.append(branches.count)
    hashes.append(hash)
    branches += pending[first..<end]
    return Node(levels.count - 1)
  }

  private func isPending(_ known: Int, _ level: Int, _ first: Int) -> Bool {
    if levels[known] != level { return false }
    let start = starts[known]
    for value in 0..<widths[level] where branches[start + value] != pending[first + value] { return false }
    return true
  }

  @inline(__always)
  private static func mixed(_ value: UInt64) -> UInt64 {
    let product = value &* 0x9E37_79B9_7F4A_7C15
    return product ^ (product >> 29)
  }

  // MARK: Operations

  mutating func and(_ a: Node, _ b: Node) -> Node { apply(.and, min(a, b), max(a, b)) }
  mutating func or(_ a: Node, _ b: Node) -> Node { apply(.or, min(a, b), max(a, b)) }
  mutating func andNot(_ a: Node, _ b: Node) -> Node { apply(.andNot, a, b) }
  mutating func not(_ a: Node) -> Node { apply(.andNot, Self.always, a) }
  mutating func implies(_ a: Node, _ b: Node) -> Bool { a == b || andNot(a, b) == Self.never }

  @inline(__always)
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
    // No operation is 0, so no key is.
    let key = operation.rawValue << 62 | UInt64(a) << 31 | UInt64(b)
    let place = Int(truncatingIfNeeded: Self.mixed(key)) & (Self.resultsMax - 1)
    if results[place].key == key { return results[place].node }
    let (levelA, levelB) = (levels[Int(a)], levels[Int(b)])
    let level = min(levelA, levelB)
    let (first, width) = (pendingStarts[level], widths[level])
    let (startA, startB) = (starts[Int(a)], starts[Int(b)])
    steps += width
    if steps > QueryLimits.diagramStepsMax { isExhausted = true }
    for value in 0..<width {
      let nextA = levelA == level ? branches[startA + value] : a
      let nextB = levelB == level ? branches[startB + value] : b
      pending[first + value] = apply(operation, nextA, nextB)
    }
    let node = finished(level)
    results[place] = Result(key: key, node: node)
    return node
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
