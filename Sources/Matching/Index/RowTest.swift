import CTextSearch
import Events
import Glibc
import Query

/// One condition on a row in 24 bytes: what a filter's conjunction is made of.
///
/// Most read one cell and compare it with two bounds. What takes more room (elements, texts, programs) lies
/// elsewhere, and belongs to the filter's record.
struct RowTest: BitwiseCopyable {
  enum Kind: UInt8, BitwiseCopyable {
    /// The cell, as an integer, is within `low...high`: integers, times, bools, and codes of strings.
    case integers
    /// The cell's real, as a key in the order of reals, is within `low...high`.
    case reals
    /// The cell less `low` is the number of a bit that is set in `high`.
    case bits
    /// The cell is among the `high` ascending cells at the address `low`.
    case elements
    /// The string's first bytes, as a key in their order, are within `low...high`.
    case texts
    /// The string begins with, or contains, the `high` bytes at the address `low`.
    case prefix, contains
    /// The string matches the LIKE code of `high` bytes at the address `low`. Before them lies its number in the memo.
    case like
    /// The program at the address `low` accepts the row, whatever columns it reads.
    case program
  }

  var kind: Kind
  /// The test holds where the condition does not.
  var isNegated = false
  var column: UInt16 = 0
  var low: Int64 = 0
  var high: Int64 = 0

  /// A filter that is no comparison of one cell.
  private final class Box {
    private let filter: CompiledFilter
    /// The string column that it reads and nothing else; nil: other columns, the clock.
    private let column: Int?
    private let number: UInt64

    init(_ filter: CompiledFilter, _ column: Int?, _ number: UInt64) {
      (self.filter, self.column, self.number) = (filter, column, number)
    }

    @inline(never)  // Its arrays would be counted wherever a test is evaluated.
    func accepts(_ row: Row, _ context: MatchContext) -> Bool {
      guard let column else { return matches(row, context) }
      return context.answer(number, row[column].code) { matches(row, context) }
    }

    private func matches(_ row: Row, _ context: MatchContext) -> Bool {
      context.strings._withUnsafeGuaranteedRef { filter.matches(row, $0, context.now) }
    }
  }

  @inline(__always)
  func holds(_ row: Row, _ context: MatchContext) -> Bool {
    switch kind {
    case .integers: holds(integer: row[Int(column)].int)
    case .reals: holds(integer: Self.key(ofReal: row[Int(column)]))
    case .program: accepts(row, context) != isNegated
    default: holds(cell: row[Int(column)], context)
    }
  }

  /// Of a column's cell that is no real.
  @inline(never)
  func holds(cell: Cell, _ context: MatchContext) -> Bool {
    switch kind {
    case .integers: holds(integer: cell.int)
    case .texts: holds(integer: Self.key(ofText: context.bytes(cell.code)))
    case .bits: isBit(cell) != isNegated
    case .elements: isElement(cell) != isNegated
    case .prefix, .contains: fits(context.bytes(cell.code)) != isNegated
    case .like:
      context.answer(number, cell.code) { matchesLike(bytes, context.bytes(cell.code)) } != isNegated
    case .reals, .program: preconditionFailure("no test of one plain cell")
    }
  }

  @inline(__always)
  func holds(integer value: Int64) -> Bool { (value >= low && value <= high) != isNegated }

  @inline(__always)
  private func isBit(_ cell: Cell) -> Bool {
    let offset = UInt64(bitPattern: cell.int &- low)
    return offset < 64 && UInt64(bitPattern: high) >> offset & 1 != 0
  }

  private func isElement(_ cell: Cell) -> Bool {
    let elements = elements
    var (first, end) = (0, elements.count)
    while first < end {
      let middle = (first + end) / 2
      if elements[middle] < cell { first = middle + 1 } else { end = middle }
    }
    return first < elements.count && elements[first] == cell
  }

  private func fits(_ text: UnsafeRawBufferPointer) -> Bool {
    let wanted = bytes
    if wanted.isEmpty { return true }
    if kind == .contains { return text_has(text.baseAddress, text.count, wanted.baseAddress, wanted.count) }
    return text.count >= wanted.count && memcmp(text.baseAddress!, wanted.baseAddress!, wanted.count) == 0
  }

  // MARK: What lies elsewhere

  private var address: Int { Int(low) }
  var elements: UnsafeBufferPointer<Cell> {
    UnsafeBufferPointer(start: UnsafePointer(bitPattern: address), count: Int(high))
  }
  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: Int(high))
  }

  /// Has the processor fetch what it looks for in a text.
  @inline(__always)
  func fetchText() {
    if kind == .contains || kind == .prefix {
      prefetch(UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped)
    }
  }

  @inline(__always)
  private func accepts(_ row: Row, _ context: MatchContext) -> Bool {
    let box = Unmanaged<Box>.fromOpaque(UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped)
    return box._withUnsafeGuaranteedRef { $0.accepts(row, context) }
  }

  static func elements(_ cells: [Cell], _ column: Int, isNegated: Bool) -> RowTest {
    let copy = UnsafeMutablePointer<Cell>.indexed(capacity: cells.count)
    for (i, cell) in cells.sorted().enumerated() { (copy + i).initialize(to: cell) }
    return RowTest(
      kind: .elements, isNegated: isNegated, column: UInt16(column), low: Int64(Int(bitPattern: copy)),
      high: Int64(cells.count))
  }

  private static let numberBytes = 8

  /// Of a `.like`.
  private var number: UInt64 {
    UnsafeRawPointer(bitPattern: address - Self.numberBytes).unsafelyUnwrapped.load(as: UInt64.self)
  }

  static func like(_ code: [UInt8], _ column: Int, isNegated: Bool, _ memo: StringMemo) -> RowTest {
    let place = IndexMemory.allocate(bytes: numberBytes + code.count)
    place.storeBytes(of: memo.newNumber(), as: UInt64.self)
    code.withUnsafeBytes {
      if let base = $0.baseAddress { (place + numberBytes).copyMemory(from: base, byteCount: $0.count) }
    }
    return RowTest(
      kind: .like, isNegated: isNegated, column: UInt16(column),
      low: Int64(Int(bitPattern: place + numberBytes)), high: Int64(code.count))
  }

  /// Of a `.prefix` or `.contains`.
  static func text(_ kind: Kind, _ bytes: some Collection<UInt8>, _ column: Int, isNegated: Bool) -> RowTest {
    let copy = UnsafeMutablePointer<UInt8>.indexed(capacity: bytes.count)
    for (i, byte) in bytes.enumerated() { (copy + i).initialize(to: byte) }
    return RowTest(
      kind: kind, isNegated: isNegated, column: UInt16(column), low: Int64(Int(bitPattern: copy)),
      high: Int64(bytes.count))
  }

  /// `column`: the string column that it reads, if it reads nothing else.
  static func program(_ filter: CompiledFilter, of column: Int?, _ memo: StringMemo) -> RowTest {
    let box = Unmanaged.passRetained(Box(filter, column, memo.newNumber()))
    return RowTest(kind: .program, low: Int64(Int(bitPattern: box.toOpaque())))
  }

  /// Gives back what lies elsewhere, and the shares of the codes that it compares with.
  func free(_ rows: RowStore, _ computed: ComputedColumns) {
    defer { if column >= rows.width { computed.release(Int(column)) } }
    switch kind {
    case .reals, .bits, .texts: break
    case .integers: if isString(rows) { rows.strings.release(Cell(int: low).code) }
    case .elements:
      if isString(rows) { for code in elements { rows.strings.release(code.code) } }
      UnsafeMutablePointer(mutating: elements.baseAddress!).deindex(capacity: elements.count)
    case .prefix, .contains:
      IndexMemory.deallocate(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes: bytes.count)
    case .like:
      computed.memo.release()
      IndexMemory.deallocate(
        UnsafeMutableRawPointer(mutating: bytes.baseAddress! - Self.numberBytes),
        bytes: Self.numberBytes + bytes.count)
    case .program:
      computed.memo.release()
      Unmanaged<Box>.fromOpaque(UnsafeRawPointer(bitPattern: address)!).release()
    }
  }

  private func isString(_ rows: RowStore) -> Bool {
    column >= rows.width || rows.schema.columns[Int(column)].type == .string
  }

  /// Bytes that it takes, what lies elsewhere included but for programs.
  var bytesHeld: Int {
    switch kind {
    case .elements: MemoryLayout<RowTest>.stride + Int(high) * 8
    case .prefix, .contains, .like: MemoryLayout<RowTest>.stride + Int(high)
    case .program: MemoryLayout<RowTest>.stride + 512
    default: MemoryLayout<RowTest>.stride
    }
  }

  // MARK: In the index

  static let always = RowTest(kind: .integers, low: .min, high: .max)

  /// Which of a filter's tests is the first to be evaluated: the least rank, which is cheap and most rows fail.
  var rank: Int {
    if isNegated { return 68 + (kind.rawValue < Kind.prefix.rawValue ? 0 : 3) }
    switch kind {
    case .integers, .reals: return 64 - width.leadingZeroBitCount
    case .bits, .elements: return 8
    case .texts: return 66
    case .prefix: return 67
    case .contains, .like, .program: return 70
    }
  }

  /// The keys of the cells that pass, where they are few enough to be told apart one by one.
  func points(_ rows: RowStore) -> [UInt64]? {
    if isNegated { return nil }
    switch kind {
    case .integers, .reals:
      guard low > .min, high < .max, width < Self.pointsOfInterval else { return nil }
      return (low...high).map { UInt64(bitPattern: $0) }
    case .bits:
      return (0..<64).filter { high >> $0 & 1 != 0 }.map { UInt64(bitPattern: low + $0) }
    case .elements: return elements.count <= Self.pointsMax ? Array(elements) : nil
    default: return nil
    }
  }

  /// Wider intervals are ranges.
  private static let pointsOfInterval: UInt64 = 8
  /// Longer lists are evaluated: an entry for each of them is made.
  private static let pointsMax = 512

  /// Whether the cells with this key pass: of a real column, its `key`.
  func holds(point: UInt64, _ context: MatchContext) -> Bool {
    kind == .reals ? holds(integer: Int64(bitPattern: point)) : holds(cell: point, context)
  }

  /// How far its interval reaches.
  var width: UInt64 { UInt64(bitPattern: high) &- UInt64(bitPattern: low) }

  /// What it is sorted by is an interval.
  var isInterval: Bool { !isNegated && (kind == .integers || kind == .reals || kind == .texts) }

  // MARK: Reals and texts in order

  /// The first eight bytes, as a number in their order.
  @inline(__always)
  static func key(ofText text: UnsafeRawBufferPointer) -> Int64 {
    var key: UInt64 = 0
    if text.count >= 8 {
      key = UInt64(bigEndian: text.loadUnaligned(as: UInt64.self))
    } else {
      for (i, byte) in text.enumerated() { key |= UInt64(byte) << UInt64(56 - 8 * i) }
    }
    return Int64(bitPattern: key ^ 1 << 63)
  }

  /// A number in the order of reals: -0.0 and 0.0 are one, and the next real has the next number.
  @inline(__always)
  static func key(ofReal cell: Cell) -> Int64 {
    let bits = cell.int
    return bits >= 0 ? bits : .min &- bits
  }
}

/// What tests need besides the row.
struct MatchContext: BitwiseCopyable {
  /// The index's, which outlives it: to count it would cost more than most tests.
  let strings: Unmanaged<StringTable>
  let memo: Unmanaged<StringMemo>
  /// NOW(), in ms since 1970.
  let now: Int64

  @inline(__always)
  func bytes(_ code: StringTable.Code) -> UnsafeRawBufferPointer {
    strings._withUnsafeGuaranteedRef { $0.bytes(code) }
  }

  /// What a test with this number says of a string, computed if the memo does not know it.
  @inline(__always)
  func answer(_ number: UInt64, _ code: StringTable.Code, _ compute: () -> Bool) -> Bool {
    memo._withUnsafeGuaranteedRef { $0.value(number, code, isString: false) { compute() ? 1 : 0 }.cell } != 0
  }
}
