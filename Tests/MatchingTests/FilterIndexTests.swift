import Base
import Events
import Query
import TestSeeds
import Testing

@testable import Matching

/// The index against each filter evaluated for each row.
struct FilterIndexTests {
  private static let command: StaticString = "make fuzz FILTER=FilterIndexTests CASES=1 SEED="
  private static let towns = Trials(command, otherwise: 12)
  private static let ranges = Trials(command, otherwise: 6)
  private static let patterns = Trials(command, otherwise: 6)
  private static let texts = Trials(command, otherwise: 4)

  @Test(arguments: towns.shares)
  func `counts and moves are those of a scan, while filters and rows come and go`(_ share: Int) throws {
    try Self.towns.forEach(in: share) { seed, again in
      let town = IndexTown(seed: seed)
      for step in 0..<250 { try town.step("\(again), step \(step)") }
      town.leave("\(again)")
    }
  }

  @Test(
    arguments: [
      ("s = 'node-1'", "s = 'node-1' (hash)"),
      ("flag AND s = 'node-1' AND a > 3", "s = 'node-1' (hash)"),
      ("s IN ('a', 'b')", "s = 'a' (hash); or s = 'b' (hash)"),
      ("s LIKE 'node-12%'", "s LIKE 'node-12%' (beginning)"),
      ("s LIKE 'a-long-beginning%'", "s LIKE 'a-long-%' (beginning)"),
      ("s LIKE '%defg%'", "s LIKE '%defg%' (gram)"),
      ("s LIKE '%de%'", "s LIKE '%de%' (gram)"),
      ("a > 5000", "a (range)"),
      ("r BETWEEN 0.25 AND 17.5", "r (range)"),
      ("a > 5000 AND r < 3", "a and r (range)"),
      ("s = 'x' OR a > 5000", "a (range); or s = 'x' (hash)"),
      ("LOWER(s) = 'x'", "LOWER(s) = 'x' (hash)"),
      (
        "SUBSTR(s, 1, 2) IN ('a', 'b')", "SUBSTR(s, 1, 2) = 'a' (hash); or SUBSTR(s, 1, 2) = 'b' (hash)"
      ),
      ("LOWER(s) LIKE '%defg%' AND a > 3", "LOWER(s) LIKE '%defg%' (gram)"),
      ("s >= 'k' AND s < 'm'", "s (range)"),
      ("s >= 'node-1' AND s < 'node-3'", "s LIKE 'node-%' (beginning)"),
      ("a < b", "no index: evaluated for each change of a, b"),
      ("TRUE", "no index: every row is in it"),
    ])
  func `the way to a filter can be told`(_ sql: String, _ path: String) throws {
    let town = IndexTown(seed: 0)
    for node in 0..<50 {
      for filter in [
        "s = 'n\(node)'", "s LIKE 'p\(node)%'", "s LIKE '%q\(node)%'", "a > \(node * 1000)",
        "a < b + \(node)",
        "LOWER(s) = 'n\(node)'", "SUBSTR(s, 1, 2) = 'n\(node)'", "LOWER(s) LIKE '%q\(node)%'",
        "s >= 'k\(node)' AND s < 'm\(node)'", "a > \(node * 7) AND r < \(node)",
        "r BETWEEN \(node) AND \(node + 100)",
      ] { _ = town.add(try town.filter(filter)) }
    }
    let number = town.add(try town.filter(sql))
    #expect(town.index.accessPath(of: number) == path)
  }

  @Test func `filters of a crowd are told apart by what they do not share`() throws {
    let town = IndexTown(seed: 0)
    for node in 0..<2_000 {
      _ = town.add(try town.filter("flag AND a >= 3 AND t = 'all' AND s = 'node-\(node)'"))
    }
    let row = town.row([.string("k"), .int(5), .int(0), .real(0), .real(0), .string("node-77")])
    let before = town.index.candidates
    town.index.apply(before: nil, after: row, changed: ColumnSet()) { _ in }
    #expect(town.index.candidates - before <= 2 * Int(IndexNode.entriesMax))
  }

  @Test func `a jump over narrow intervals evaluates none of them`() throws {
    let town = IndexTown(seed: 0)
    for low in 0..<1_000 {
      _ = town.add(try town.filter("a BETWEEN \(low * 100) AND \(low * 100 + 50)"))
    }
    let (before, after) = (town.row([.string("k"), .int(60)]), town.row([.string("k"), .int(99_960)]))
    town.index.apply(before: before, after: after, changed: ColumnSet([1])) { _ in }
    #expect(town.index.counts.indices.allSatisfy { town.index.count(of: Int32($0)) == 0 })
    #expect(town.index.candidates == 0)
  }

  @Test func `a jump over intervals of all widths enters those that its end is in`() throws {
    let town = IndexTown(seed: 0)
    for low in 0..<1_000 {
      _ = town.add(try town.filter("a BETWEEN \(low * 100) AND \(low * 100 + 50 << (low % 16)) AND t <> 'x'"))
    }
    let (before, after) = (town.row([.string("k"), .int(60)]), town.row([.string("k"), .int(99_960)]))
    town.index.apply(before: nil, after: before, changed: ColumnSet()) { _ in }
    town.index.apply(before: before, after: after, changed: ColumnSet([1])) { _ in }
    let numbers = town.index.counts.indices.filter { low in
      99_960 >= low * 100 && 99_960 <= low * 100 + 50 << (low % 16)
    }
    #expect(town.index.counts.indices.filter { town.index.count(of: Int32($0)) == 1 } == numbers)
  }

  /// At the root, and below `t = 'x'`: of so many a node counts by marks, and its list goes while it has some.
  @Test(arguments: ranges.shares)
  func `bare ranges have the rows of a scan, while ranges and rows come, move and go`(_ share: Int) throws {
    try Self.ranges.forEach(in: share) { try bareRanges($0, $1) }
  }

  private func bareRanges(_ seed: UInt64, _ again: String) throws {
    var generator = Generator(seed: seed)
    let town = IndexTown(seed: seed)
    struct Range {
      let low: Int64, high: Int64
      let t: String?
    }
    var ranges: [Int32: Range] = [:]
    var rows: [(a: Int64, t: String)] = []
    func cells(_ row: (a: Int64, t: String)) -> Row {
      town.row([.string("k"), .int(row.a), .int(0), .real(0), .real(0), .string(""), .string(row.t)])
    }
    func draw() -> Int64 { Int64(generator.below(2_000)) }
    func count(_ range: Range) -> Int64 {
      Int64(rows.count { $0.a >= range.low && $0.a <= range.high && range.t ?? $0.t == $0.t })
    }
    func add() throws {
      let low = draw()
      let high = generator.below(3) == 0 ? Int64.max : low + Int64(generator.below(300))
      let t = generator.below(2) == 0 ? nil : ["x", "y"][generator.below(2)]
      let text =
        (high == .max ? "a >= \(low)" : "a BETWEEN \(low) AND \(high)") + (t.map { " AND t = '\($0)'" } ?? "")
      let range = Range(low: low, high: high, t: t)
      ranges[town.index.insert(try town.filter(text), observed: nil, count: count(range))] = range
    }
    func change() {
      let at = generator.below(rows.count + 1)
      let (row, place) = ((a: draw(), t: ["x", "y", "z"][generator.below(3)]), at < rows.count ? at : nil)
      let before = place.map { cells(rows[$0]) }
      if let place, generator.below(4) == 0 {
        rows.remove(at: place)
        return town.index.apply(before: before, after: nil, changed: ColumnSet()) { _ in }
      }
      let isOther = place.map { rows[$0].t != row.t } ?? false
      if let place { rows[place] = row } else { rows.append(row) }
      let changed = ColumnSet(before == nil ? [] : isOther ? [1, 6] : [1])
      town.index.apply(before: before, after: cells(row), changed: changed) { _ in }
    }
    func check(_ context: Comment) {
      for (number, range) in ranges { #expect(town.index.count(of: number) == count(range), context) }
    }
    for round in 0..<6 {
      while ranges.count < 200 { try add() }
      for step in 0..<300 {
        change()
        if step % 10 == 0 { try add() }
        // One whose rows are told is no bare range, and is one again.
        if step % 7 == 0 {
          town.index.observe(generator.pick(ranges.keys.sorted()), step % 2 == 0 ? ColumnSet([1]) : nil)
        }
        if step % 60 == 0 { check("\(again), round \(round), step \(step)") }
      }
      for (removed, number) in ranges.keys.sorted().enumerated() where round % 2 == 1 || removed % 2 == 0 {
        if removed % 4 == 0 { change() }
        town.index.remove(number)
        ranges[number] = nil
      }
      check("\(again), round \(round)")
    }
  }

  @Test func `texts are fetched ahead of the table's columns only`() throws {
    let town = IndexTown(seed: 0)
    for node in 0..<40 {
      for filter in ["LOWER(s) LIKE '%q\(node)r%'", "LOWER(s) LIKE 'p\(node)%'", "t LIKE '%u\(node)v%'"] {
        _ = town.add(try town.filter(filter))
      }
    }
    #expect(town.index.textColumns.elements.map { samples.columns[Int($0)].name } == ["t"])
  }

  /// Texts of two letters have each gram at several places, shared with the text before or not.
  @Test(arguments: patterns.shares)
  func `a pattern that a text has at several places is in it until the last one goes`(_ share: Int) throws {
    try Self.patterns.forEach(in: share) { try severalPlaces($0, $1) }
  }

  private func severalPlaces(_ seed: UInt64, _ again: String) throws {
    var generator = Generator(seed: seed)
    func text(_ count: Int) -> String {
      String((0..<count).map { _ in ["a", "b"][generator.below(2)] }.joined())
    }
    let town = IndexTown(seed: seed)
    var patterns = Set<String>()
    while patterns.count < 40 { patterns.insert(text(4 + generator.below(4))) }
    let filters = try patterns.sorted().map {
      (pattern: $0, number: town.add(try town.filter("s LIKE '%\($0)%'")))
    }
    var current = text(60)
    func row() -> Row { town.row([.string("k"), .int(0), .int(0), .real(0), .real(0), .string(current)]) }
    var before = row()
    town.index.apply(before: nil, after: before, changed: ColumnSet()) { _ in }
    for step in 0..<400 {
      var next = Array(current)
      for _ in 0...generator.below(3) {
        let at = generator.below(next.count)
        switch generator.below(6) {
        case 0: next.insert("b", at: at)
        case 1 where next.count > 40: next.remove(at: at)
        default: next[at] = next[at] == "a" ? "b" : "a"
        }
      }
      current = String(next)
      let after = row()
      town.index.apply(before: before, after: after, changed: ColumnSet([5])) { _ in }
      for filter in filters {
        let isIn = current.contains(filter.pattern)
        #expect(
          town.index.count(of: filter.number) == (isIn ? 1 : 0),
          "\(again), step \(step): \(filter.pattern) in \(current)")
      }
      before = after
    }
  }

  @Test func `a gram that many texts have at one node is left at another at once`() throws {
    let town = IndexTown(seed: 0)
    for other in 0..<20 { _ = town.add(try town.filter("t = 'other-\(other)' AND s LIKE '%abc%'")) }
    for crowd in ["a", "b"] {
      for value in 10..<40 { _ = town.add(try town.filter("t = '\(crowd)' AND s LIKE '%value \(value)00%'")) }
    }
    _ = town.add(try town.filter("t = 'a' AND s LIKE '%is over 17%'"))
    let number = town.add(try town.filter("t = 'b' AND s LIKE '%is over 17%'"))
    func insert(_ t: String) {
      let row = town.row(
        [.string("k"), .int(0), .int(0), .real(0), .real(0), .string("value 5 is over 99"), .string(t)])
      town.index.apply(before: nil, after: row, changed: ColumnSet()) { _ in }
    }
    #expect(town.index.accessPath(of: number) == "t = 'b' (hash), then s LIKE '%is o%' (gram)")
    for _ in 0..<200 { insert("a") }
    #expect(town.index.accessPath(of: number) == "t = 'b' (hash), then s LIKE '%is o%' (gram)")
    insert("b")
    #expect(town.index.accessPath(of: number) == "t = 'b' (hash), then s LIKE '%er 1%' (gram)")
  }

  @Test func `what was computed of a string is remembered, until another takes its place`() {
    let strings = StringTable()
    let memo = StringMemo(strings)
    let (first, second) = (memo.newNumber(), memo.newNumber())
    let code = "a text".utf8.withContiguousStorageIfAvailable { strings.intern(UnsafeRawBufferPointer($0)) }!
    var computed: [UInt64] = []
    func ask(_ number: UInt64, _ code: StringTable.Code) -> Cell {
      memo.value(number, code, isString: false) {
        computed.append(number)
        return Cell(number)
      }.cell
    }
    #expect((ask(first, code), ask(second, code)) == (1, 2))
    #expect((ask(first, code), ask(second, code)) == (1, 2))
    #expect(computed == [1, 2])
    // The memo holds a share: no other string is given the code meanwhile.
    strings.release(code)
    #expect(strings.string(code) == "a text")
    for _ in 0..<1_000_000 { _ = ask(memo.newNumber(), code) }
    _ = ask(first, code)
    #expect(computed.last == first)
    let long = Array(repeating: UInt8(97), count: 2_000).withUnsafeBytes { strings.intern($0) }
    for times in 1...2 {
      #expect(ask(second, long) == 2)
      #expect(computed.suffix(times).allSatisfy { $0 == second }, "long strings are not remembered")
    }
    strings.release(long)
    for _ in 0..<1_000_002 { memo.release() }
    #expect(strings.count == 0)
    #expect(memo.bytesHeld == 0)
  }

  @Test(arguments: texts.shares)
  func `a text is found wherever it is, and nowhere else`(_ share: Int) {
    Self.texts.forEach(in: share) { findTexts($0, $1) }
  }

  private func findTexts(_ seed: UInt64, _ again: String) {
    var generator = Generator(seed: seed)
    let (store, strings) = (RowStore(schema: samples, strings: StringTable()), StringTable())
    let memo = StringMemo(strings)
    let context = MatchContext(strings: .passUnretained(strings), memo: .passUnretained(memo), now: 0)
    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in [0, 1, 97, 255][generator.below(4)] } }
    for _ in 0..<5_000 {
      let (text, wanted) = (bytes(generator.below(40)), bytes(1 + generator.below(4)))
      let test = RowTest.text(.contains, wanted, 0, isNegated: false)
      let code = text.withUnsafeBytes { strings.intern($0) }
      let isThere = text.indices.contains { text[$0...].starts(with: wanted) }
      #expect(test.holds(cell: Cell(code), context) == isThere, "\(again): \(wanted) in \(text)")
      test.free(store, ComputedColumns(rows: store))
    }
  }
}

/// An index, a plain scan, and rows for both; time goes on for them.
private final class IndexTown {
  let strings = StringTable()
  let store: RowStore
  let index: FilterIndex
  private var generator: Generator
  /// By number.
  private var filters: [Int32: Standing] = [:]
  private var rows: [Row] = []
  /// Rows that tests asked for.
  private var lent: [Row] = []
  private var now = Oracle.now

  struct Standing {
    let compiled: CompiledFilter
    let text: String
    var observed: ColumnSet?
    let read: ColumnSet
    var columns: ColumnSet
    var count: Int64
  }

  init(seed: UInt64) {
    store = RowStore(schema: samples, strings: strings)
    index = FilterIndex(rows: store)
    index.now = now
    generator = Generator(seed: seed)
  }

  func filter(_ sql: String) throws -> Filter { canonical(try parseFilter(sql, on: samples), on: samples) }

  func add(_ filter: Filter) -> Int32 { index.insert(filter, observed: nil, count: 0) }

  deinit { for row in lent { drop(row) } }

  /// One that the town keeps.
  func row(_ values: [Value]) -> Row {
    lent.append(made(values))
    return lent.last!
  }

  private func made(_ values: [Value]) -> Row {
    let cells = UnsafeMutablePointer<Cell>.allocate(capacity: samples.columns.count)
    for (i, column) in samples.columns.enumerated() {
      cells[i] = store.cell(i < values.count ? values[i] : column.default)
    }
    return Row(cells)
  }

  private func drop(_ row: Row) {
    store.releaseStrings(row)
    UnsafeMutablePointer(mutating: row).deallocate()
  }

  // MARK: Steps

  func step(_ context: Comment) throws {
    switch generator.below(9) {
    case 8: pass(to: now + generator.pick([1, 99, 100, 500, 2_000]), context)
    case 0, 1: for _ in 0..<generator.below(20) { try addFilter() }
    case 2:
      let going = filters.keys.sorted().filter { _ in generator.below(generator.below(4) == 0 ? 2 : 12) == 0 }
      for number in going { removeFilter(number) }
    case 3: for number in filters.keys.sorted() where generator.below(10) == 0 { observe(number) }
    default: for _ in 0..<5 { change(context) }
    }
    for (number, standing) in filters {
      #expect(index.count(of: number) == standing.count, "\(context): \(standing.text)")
    }
  }

  func leave(_ context: Comment) {
    for number in filters.keys.sorted() { removeFilter(number) }
    #expect(index.nodeCount == 1, context)
    #expect(index.homeCount == 0, context)
    #expect(index.bytesHeld < 1_000, context)
    for row in rows { drop(row) }
    #expect(strings.count == 0, context)
  }

  private func addFilter() throws {
    let text = condition()
    let filter = try filter(text)
    let compiled = CompiledFilter(filter)
    let observed = randomObserved()
    let count = Int64(rows.count { compiled.matches($0, strings, now) })
    let number = index.insert(filter, observed: observed, count: count)
    #expect(filters[number] == nil)
    let read = ColumnSet(filter.columnsUsed)
    var columns = read
    if let observed { columns.formUnion(observed) }
    filters[number] = Standing(
      compiled: compiled, text: text, observed: observed, read: read, columns: columns, count: count)
  }

  private func removeFilter(_ number: Int32) {
    filters[number] = nil
    index.remove(number)
  }

  private func observe(_ number: Int32) {
    let observed = randomObserved()
    index.observe(number, observed)
    filters[number]!.observed = observed
    filters[number]!.columns = filters[number]!.read
    if let observed { filters[number]!.columns.formUnion(observed) }
  }

  private func randomObserved() -> ColumnSet? {
    generator.below(3) == 0 ? ColumnSet((0..<3).map { _ in generator.below(samples.columns.count) }) : nil
  }

  private func change(_ context: Comment) {
    let old = rows.isEmpty || generator.below(5) == 0 ? nil : rows.remove(at: generator.below(rows.count))
    let new = old != nil && (rows.count > 60 || generator.below(5) == 0) ? nil : changed(old)
    if let new { rows.append(new) }
    var columns = ColumnSet()
    if let old, let new { columns = ColumnSet(changedBetween: old, new, width: samples.columns.count) }
    var moves: [String] = []
    index.apply(before: old, after: new, changed: columns) {
      moves.append("\($0.filter) \($0.wasIn) \($0.isIn)")
    }
    #expect(moves.sorted() == expectedMoves(old, new, columns, now).sorted(), context)
    if let old { drop(old) }
  }

  /// All rows stay what they are, and NOW() goes on.
  private func pass(to next: Int64, _ context: Comment) {
    let columns = ColumnSet([samples.index(of: "at")!])
    for row in rows {
      var moves: [String] = []
      index.pass(row, to: next, columns: columns) { moves.append("\($0.filter) \($0.wasIn) \($0.isIn)") }
      #expect(moves.sorted() == expectedMoves(row, row, columns, next).sorted(), context)
    }
    now = next
    index.now = next
  }

  /// Of a row that was there at `now`, and is another at `next`.
  private func expectedMoves(_ old: Row?, _ new: Row?, _ columns: ColumnSet, _ next: Int64) -> [String] {
    var moves: [String] = []
    for (number, standing) in filters {
      let was = old.map { standing.compiled.matches($0, strings, now) } ?? false
      let isIn = new.map { standing.compiled.matches($0, strings, next) } ?? false
      filters[number]!.count += (isIn ? 1 : 0) - (was ? 1 : 0)
      let concerns = old == nil || new == nil || standing.columns.intersects(columns)
      if standing.observed != nil && (was || isIn) && concerns { moves.append("\(number) \(was) \(isIn)") }
    }
    return moves
  }

  // MARK: Values

  /// Another row, or this one with a few other values.
  private func changed(_ old: Row?) -> Row {
    var values: [Value] = [
      .string("row\(generator.below(40))"), .int(number()), .int(number()), .real(Double(number()) / 4),
      .real(Double(number())), .string(name()), .string(name()), .bool(generator.below(2) == 0),
      .bool(generator.below(2) == 0), .time(now - Oracle.now + Int64(generator.below(50)) * 100),
    ]
    guard let old else { return made(values) }
    let kept = 1 + generator.below(values.count)
    for _ in 0..<kept * 2 {
      let column = generator.below(values.count)
      values[column] = store.value(old[column], column)
    }
    return made(values)
  }

  private func number() -> Int64 {
    switch generator.below(12) {
    case 0: generator.pick(Generator.integers)
    case 1, 2: Int64(generator.below(100_000)) - 50_000
    case 3, 4, 5: Int64(generator.below(200))
    default: Int64(generator.below(8))
    }
  }

  /// Of few and of many different ones, with common beginnings and insides; short ones, and some that repeat themselves.
  private func name() -> String {
    switch generator.below(7) {
    case 6:
      (0...generator.below(12)).map { _ in generator.pick(["port-1 ", "port-12 ", "down", "own-"]) }.joined()
    case 0: generator.pick(Generator.texts)
    case 1: "node-\(generator.below(300)).site-\(generator.below(5)).example.net"
    case 2: "link down on port \(generator.below(40))"
    default: "n\(generator.below(6))"
    }
  }

  // MARK: Filters

  private func condition() -> String {
    switch generator.below(8) {
    case 0: generator.condition(2).ours
    case 1, 2: "(\(conjunction()) OR \(conjunction()))" + (generator.below(2) == 0 ? " AND \(atom())" : "")
    case 3: "(\((0..<2 + generator.below(6)).map { _ in atom() }.joined(separator: " OR ")))"
    default: conjunction()
    }
  }

  private func conjunction() -> String {
    "(" + (0...generator.below(4)).map { _ in atom() }.joined(separator: " AND ") + ")"
  }

  private func atom() -> String {
    let text = generator.pick(["s", "t"])
    let number = generator.pick(["a", "a", "b", "r", "q", "at"])
    let not = generator.below(6) == 0 ? "NOT " : ""
    let name = { Generator.quoted(self.name()) }
    switch generator.below(17) {
    case 16:
      let moment = { "NOW() + \(self.generator.below(60) * 100 - 3_000)" }
      return generator.pick([
        "at > \(moment())", "at <= \(moment())", "at = \(moment())",
        "at \(not)BETWEEN \(moment()) AND \(moment())",
        "at \(not)IN (\(moment()), \(moment()), \(generator.below(50) * 100))",
      ])
    case 15:
      return generator.pick([
        "LENGTH(\(text)) \(generator.pick(["<", ">="])) \(generator.below(9))",
        "\(text) \(not)LIKE '%\(piece())_%\(piece())%'",
        "LOWER(\(text)) < UPPER(\(text))",
        "\(text) \(not)LIKE '\(String(repeating: "_", count: generator.below(9)))'",
      ])
    case 12:
      let value = generator.pick([
        "LOWER(s)", "UPPER(t)", "SUBSTR(s, 1, 3)", "SUBSTR(t, 2, 4)", "LOWER(UPPER(s))",
      ])
      return generator.pick([
        "\(value) = \(name())", "\(value) \(not)IN (\(name()), \(name()))",
        "\(value) \(not)LIKE '%\(piece())%'", "\(value) LIKE '\(piece())%'", "\(value) < \(name())",
      ])
    case 13: return "(\(text) >= \(name()) AND \(text) < \(name()))"
    case 14: return "\(text) \(generator.pick(["<", ">", "<=", ">="])) \(name())"
    case 0, 1: return "\(not)\(text) = \(name())"
    case 2: return "\(text) \(not)IN (\(name()), \(name()), \(name()))"
    case 3: return "\(text) \(not)LIKE '\(piece())%'"
    case 4: return "\(text) \(not)LIKE '%\(piece())%'"
    case 5: return "\(text) \(not)LIKE '\(piece())%\(piece())_%'"
    case 6: return "\(number) \(generator.pick([">=", "<", ">", "<="])) \(self.number())"
    case 7, 8:
      let low = self.number() / 2
      return "\(number) \(not)BETWEEN \(low) AND \(low + Int64(generator.below(9000)))"
    case 9: return "\(number) = \(self.number())"
    case 10: return "\(number) \(not)IN (\(self.number()), \(self.number()), \(self.number()))"
    default: return "\(not)\(generator.pick(["flag", "up"]))"
    }
  }

  private func piece() -> String {
    let text = name().filter { $0 != "'" && $0 != "%" && $0 != "_" }
    let first = generator.below(max(1, text.count))
    return String(text.dropFirst(generator.below(2) * first).prefix(1 + generator.below(9)))
  }
}
