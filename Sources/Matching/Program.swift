import Events
import Query

/// Filters and values as flat arrays. A filter is a run of tests, each of which says where to go on when it
/// holds and when it does not, so AND, OR and NOT cost nothing. Numbers of nodes stand for nodes.
struct Program: Sendable {
  /// The ends of a run.
  static let accept: Int32 = -1
  static let reject: Int32 = -2

  enum TestKind: UInt8, Sendable {
    /// The bool column `value` is true.
    case boolColumn
    /// The integer column `value` is within `low...high`.
    case integerRange
    /// The integer column `value` is in the set whose cuts are `integers[first..<last]`.
    case integerSet
    /// The number `value` is in the set whose cuts are `numbers[first..<last]`.
    case numberSet
    /// The string column `value` is the literal `first`; `low` are its first 8 bytes.
    case stringEqual
    /// The string `value` is in the set whose cuts are `literals[first..<last]`.
    case stringSet
    /// The string `value` matches the LIKE code in the literal `first`.
    case like
    /// The number `value` stands to the number `first` in `relation`; strings likewise.
    case numberCompare, stringCompare
    /// The integer column `value`, less NOW(), is in the set whose cuts are `integers[first..<last]`.
    case relative
    /// The runs from `first` and `last` end alike.
    case same
  }

  struct Test: Sendable {
    var kind: TestKind
    var startsInside = false
    var relation: Relation = []
    var value: Int32 = 0
    var first: Int32 = 0
    var last: Int32 = 0
    var ifTrue: Int32
    var ifFalse: Int32
    var low: Int64 = 0
    var high: Int64 = 0
  }

  enum NodeKind: UInt8, Sendable {
    /// The column `a`.
    case integerColumn, realColumn, boolColumn, stringColumn
    /// The number at `a`; the literal at `a`.
    case number, literal
    /// `arithmetic` of `a` and `b`.
    case arithmetic
    /// `function` of `a`, `b` and `c`; -1 for those that it does not have.
    case call
    /// The run from `a`.
    case condition
    /// The node `b` if the run from `a` accepts, else the node `c`.
    case choice
  }

  struct Node: Sendable {
    var kind: NodeKind
    var arithmetic = Arithmetic.add
    var function = Function.lower
    var a: Int32 = -1
    var b: Int32 = -1
    var c: Int32 = -1
  }

  struct NumberCut: Sendable {
    var value: Number
    var above: Bool
  }

  /// A run of `bytes`; as a cut, just above it or just below.
  struct Literal: Sendable {
    var offset: Int
    var count: Int
    var above = false
  }

  var tests: [Test] = []
  var nodes: [Node] = []
  var integers: [Int64] = []
  var numbers: [NumberCut] = []
  var literals: [Literal] = []
  var bytes: [UInt8] = []

  // MARK: Tests

  @inline(__always)
  func run(_ entry: Int32, _ row: Row, _ strings: StringTable, _ now: Int64) -> Bool {
    var at = entry
    while at >= 0 {
      let test = tests[Int(at)]
      at = holds(test, row, strings, now) ? test.ifTrue : test.ifFalse
    }
    return at == Self.accept
  }

  @inline(__always)
  private func holds(_ test: Test, _ row: Row, _ strings: StringTable, _ now: Int64) -> Bool {
    switch test.kind {
    case .boolColumn: return row[Int(test.value)] != 0
    case .integerRange:
      let n = row[Int(test.value)].int
      return n >= test.low && n <= test.high
    case .integerSet: return isInIntegers(test, row[Int(test.value)].int)
    case .relative: return isInIntegers(test, Self.difference(row[Int(test.value)].int, now))
    case .stringEqual: return isEqual(test, strings.bytes(row[Int(test.value)].code))
    default: return holdsOfValues(test, row, strings, now)
    }
  }

  private func holdsOfValues(_ test: Test, _ row: Row, _ strings: StringTable, _ now: Int64) -> Bool {
    switch test.kind {
    case .numberSet: return isInNumbers(test, number(test.value, row, strings, now))
    case .numberCompare:
      return test.relation.holds(
        Number.order(number(test.value, row, strings, now), number(test.first, row, strings, now)))
    case .stringCompare: return comparesStrings(test, row, strings, now)
    case .stringSet, .like:
      let node = nodes[Int(test.value)]
      if node.kind == .stringColumn { return holds(test, of: strings.bytes(row[Int(node.a)].code)) }
      return string(test.value, row, strings, now).withUnsafeBytes { holds(test, of: $0) }
    default: return run(test.first, row, strings, now) == run(test.last, row, strings, now)
    }
  }

  @inline(__always)
  private func holds(_ test: Test, of text: UnsafeRawBufferPointer) -> Bool {
    test.kind == .like ? matchesLike(literal(test.first), text) : isInStrings(test, text)
  }

  /// Saturates.
  @inline(__always)
  private static func difference(_ time: Int64, _ now: Int64) -> Int64 {
    let (difference, overflow) = time.subtractingReportingOverflow(now)
    return overflow ? (time < now ? .min : .max) : difference
  }

  /// Lengths and first bytes tell most strings apart.
  @inline(__always)
  private func isEqual(_ test: Test, _ text: UnsafeRawBufferPointer) -> Bool {
    guard text.count == Int(test.high), Self.prefix(text) == test.low else { return false }
    return text.count <= 8 || compareBytes(text, literal(test.first)) == 0
  }

  /// The first 8 bytes as a number; of shorter strings, all with zeros behind them.
  @inline(__always)
  static func prefix(_ text: UnsafeRawBufferPointer) -> Int64 {
    if text.count >= 8 { return text.loadUnaligned(as: Int64.self) }
    var prefix: Int64 = 0
    for (i, byte) in text.enumerated() { prefix |= Int64(byte) << Int64(8 * i) }
    return prefix
  }

  private func comparesStrings(_ test: Test, _ row: Row, _ strings: StringTable, _ now: Int64) -> Bool {
    let (a, b) = (nodes[Int(test.value)], nodes[Int(test.first)])
    if a.kind == .stringColumn, b.kind == .stringColumn {
      return test.relation.holds(strings.compare(row[Int(a.a)].code, row[Int(b.a)].code))
    }
    let right = string(test.first, row, strings, now)
    return string(test.value, row, strings, now).withUnsafeBytes { left in
      test.relation.holds(right.withUnsafeBytes { compareBytes(left, $0) })
    }
  }

  // MARK: Sets: the number of cuts before a value says on which side it is

  private func isInIntegers(_ test: Test, _ value: Int64) -> Bool {
    var (low, high) = (Int(test.first), Int(test.last))
    while low < high {
      let middle = (low + high) / 2
      if integers[middle] <= value { low = middle + 1 } else { high = middle }
    }
    return isInside(test, cutsBefore: low)
  }

  private func isInNumbers(_ test: Test, _ value: Number) -> Bool {
    var (low, high) = (Int(test.first), Int(test.last))
    while low < high {
      let middle = (low + high) / 2
      let order = Number.order(numbers[middle].value, value)
      if order < 0 || (order == 0 && !numbers[middle].above) { low = middle + 1 } else { high = middle }
    }
    return isInside(test, cutsBefore: low)
  }

  private func isInStrings(_ test: Test, _ value: UnsafeRawBufferPointer) -> Bool {
    var (low, high) = (Int(test.first), Int(test.last))
    while low < high {
      let middle = (low + high) / 2
      let order = compareBytes(literal(Int32(middle)), value)
      if order < 0 || (order == 0 && !literals[middle].above) { low = middle + 1 } else { high = middle }
    }
    return isInside(test, cutsBefore: low)
  }

  @inline(__always)
  private func isInside(_ test: Test, cutsBefore: Int) -> Bool {
    test.startsInside != ((cutsBefore - Int(test.first)) % 2 == 1)
  }

  // MARK: Values

  /// The node that a node stands for: of a choice, the value that is chosen.
  @inline(__always)
  private func chosen(_ index: Int32, _ row: Row, _ strings: StringTable, _ now: Int64) -> Node {
    var node = nodes[Int(index)]
    while node.kind == .choice { node = nodes[Int(run(node.a, row, strings, now) ? node.b : node.c)] }
    return node
  }

  /// Valid as long as the program.
  @inline(__always)
  private func literal(_ index: Int32) -> UnsafeRawBufferPointer {
    let literal = literals[Int(index)]
    return bytes.withUnsafeBytes {
      UnsafeRawBufferPointer(rebasing: $0[literal.offset..<literal.offset + literal.count])
    }
  }

  func number(_ index: Int32, _ row: Row, _ strings: StringTable, _ now: Int64) -> Number {
    let node = chosen(index, row, strings, now)
    switch node.kind {
    case .integerColumn: return .int(row[Int(node.a)].int)
    case .realColumn: return .real(row[Int(node.a)].real)
    case .number: return numbers[Int(node.a)].value
    case .arithmetic:
      return node.arithmetic(number(node.a, row, strings, now), number(node.b, row, strings, now))
    case .call where node.function == .abs: return Function.abs(number(node.a, row, strings, now))
    case .call: return .int(length(node.a, row, strings, now))
    case .boolColumn, .condition, .stringColumn, .literal, .choice: return .int(0)  // no numbers: never asked
    }
  }

  private func length(_ index: Int32, _ row: Row, _ strings: StringTable, _ now: Int64) -> Int64 {
    let node = nodes[Int(index)]
    if node.kind == .stringColumn { return Int64(Function.length(strings.bytes(row[Int(node.a)].code))) }
    return Int64(string(index, row, strings, now).withUnsafeBytes(Function.length))
  }

  func truth(_ index: Int32, _ row: Row, _ strings: StringTable, _ now: Int64) -> Bool {
    let node = chosen(index, row, strings, now)
    return node.kind == .condition ? run(node.a, row, strings, now) : row[Int(node.a)] != 0
  }

  func string(_ index: Int32, _ row: Row, _ strings: StringTable, _ now: Int64) -> [UInt8] {
    let node = chosen(index, row, strings, now)
    switch node.kind {
    case .stringColumn: return Array(strings.bytes(row[Int(node.a)].code))
    case .literal: return Array(literal(node.a))
    default: break
    }
    let text = string(node.a, row, strings, now)
    switch node.function {
    case .lower: return Function.lower(text)
    case .upper: return Function.upper(text)
    case .concatenate: return text + string(node.b, row, strings, now)
    default:
      let count = node.c < 0 ? nil : number(node.c, row, strings, now).truncated
      return Function.substr(text, number(node.b, row, strings, now).truncated, count)
    }
  }
}
