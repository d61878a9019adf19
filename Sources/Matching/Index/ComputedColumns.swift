import Events
import Query

/// Values that filters compute from one string column, `LOWER(Node)` or `SUBSTR(Node, 1, 4)`, as columns behind
/// the table's own: rows are shown to the index with their cells, so that all its ways lead to filters
/// by computed values, too.
///
/// A value is computed once for each string, not for each row or filter, as long as the memo remembers it.
final class ComputedColumns {
  private struct Column {
    let value: Expression
    let compiled: CompiledExpression
    /// The table's column that it reads.
    let source: Int
    /// In the memo.
    let number: UInt64
    /// Tests that read it.
    var users = 0
  }

  private let rows: RowStore
  /// By number less the table's columns; nil: free.
  private var columns: [Column?] = []
  private var numbers: [Expression: Int] = [:]
  /// The images of the change under way. Shares in their computed strings are held meanwhile.
  private let before: UnsafeMutablePointer<Cell>
  private let after: UnsafeMutablePointer<Cell>
  let memo: StringMemo

  /// Distinct values; filters with further ones are evaluated. Each costs a look at the memo for a change of
  /// its source.
  static let countMax = 64
  /// The columns of a row with them all.
  let widthMax: Int

  init(rows: RowStore) {
    self.rows = rows
    memo = StringMemo(rows.strings)
    widthMax = min(rows.width + Self.countMax, Schema.columnsMax)
    before = .allocate(capacity: widthMax)
    after = .allocate(capacity: widthMax)
  }

  deinit {
    before.deallocate()
    after.deallocate()
  }

  @inline(__always) var isEmpty: Bool { numbers.isEmpty }

  // MARK: Columns

  /// The number of a value's column, made if it is new; nil where it is none, or there is no room.
  func column(of value: Expression) -> Int? {
    guard case .call = value, value.type == .string else { return nil }
    if let number = numbers[value] { return number }
    let sources = value.columnsUsed
    guard sources.count == 1, rows.schema.columns[sources[0]].type == .string else { return nil }
    let place = columns.firstIndex { $0 == nil } ?? columns.count
    if rows.width + place >= widthMax { return nil }
    if place == columns.count { columns.append(nil) }
    columns[place] = Column(
      value: value, compiled: CompiledExpression(value), source: sources[0], number: memo.newNumber())
    numbers[value] = rows.width + place
    return rows.width + place
  }

  func retain(_ number: Int) { columns[number - rows.width]!.users += 1 }

  func release(_ number: Int) {
    let place = number - rows.width
    columns[place]!.users -= 1
    if columns[place]!.users == 0 { drop(place) }
  }

  /// Columns that were looked at for a filter, which then went another way.
  func dropUnused() {
    for place in columns.indices where columns[place]?.users == 0 { drop(place) }
  }

  private func drop(_ place: Int) {
    numbers[columns[place]!.value] = nil
    columns[place] = nil
    memo.release()
  }

  /// For people.
  func text(of number: Int) -> String { columns[number - rows.width]!.value.text(on: rows.schema) }

  // MARK: Rows

  /// Shows the images of a change with the computed cells; those that differ are among the columns changed. `only`:
  /// the others' cells mean nothing.
  func show(
    _ before: Row?, _ after: Row?, _ changed: ColumnSet, only: ColumnSet? = nil,
    _ body: (Row?, Row?, ColumnSet) -> Void
  ) {
    func isShown(_ place: Int) -> Bool { only?.contains(rows.width + place) ?? true }
    var changed = changed
    if let before { self.before.update(from: before, count: rows.width) }
    if let after { self.after.update(from: after, count: rows.width) }
    for place in columns.indices where isShown(place) {
      guard let column = columns[place] else { continue }
      let at = rows.width + place
      if let before { self.before[at] = cell(column, before) }
      if let after { self.after[at] = cell(column, after) }
      if before != nil && after != nil && self.before[at] != self.after[at] { changed.insert(at) }
    }
    body(before.map { _ in Row(self.before) }, after.map { _ in Row(self.after) }, changed)
    for place in columns.indices where columns[place] != nil && isShown(place) {
      if before != nil { rows.strings.release(self.before[rows.width + place].code) }
      if after != nil { rows.strings.release(self.after[rows.width + place].code) }
    }
  }

  /// One share is the caller's.
  private func cell(_ column: Column, _ row: Row) -> Cell {
    let found = memo.value(column.number, row[column.source].code, isString: true) {
      guard case .string(let text) = column.compiled.value(row, rows.strings) else { return 0 }
      return Cell(text.withUnsafeBytes { rows.strings.intern($0) })
    }
    if found.isKept { rows.strings.retain(found.cell.code) }
    return found.cell
  }
}

/// What has been computed from strings, by their codes: other strings, and answers of tests that read nothing else.
/// Each such computation has a number, which is never used again. There is a fixed number of places: where two meet,
/// the later one stays. Shares in the strings are held, so that a code means what it meant.
final class StringMemo {
  private struct Place: BitwiseCopyable {
    /// 0: empty.
    var number: UInt64 = 0
    var from: StringTable.Code = 0
    var isString = false
    var to: Cell = 0
  }

  private static let count = 1 << 16
  /// Longer strings are not remembered.
  private static let textBytesMax = 1_024

  private let strings: StringTable
  /// None until one is needed, and again when nobody has a number.
  private var places: UnsafeMutablePointer<Place>?
  private var lastNumber: UInt64 = 0
  private var users = 0

  init(_ strings: StringTable) { self.strings = strings }

  deinit { forget() }

  var bytesHeld: Int { places == nil ? 0 : Self.count * MemoryLayout<Place>.stride }

  /// Who has a number gives it back by `release`.
  func newNumber() -> UInt64 {
    users += 1
    lastNumber += 1
    return lastNumber
  }

  func release() {
    users -= 1
    if users == 0 { forget() }
  }

  private func forget() {
    guard let places else { return }
    for at in 0..<Self.count { drop(places + at) }
    places.deallocate()
    self.places = nil
  }

  /// `compute` gives a cell; a string's with a share, which is the memo's where it is kept, else the caller's.
  @inline(__always)
  func value(_ number: UInt64, _ from: StringTable.Code, isString: Bool, _ compute: () -> Cell)
    -> (cell: Cell, isKept: Bool)
  {
    let hash = (UInt64(from) << 32 ^ number) &* 0x9E37_79B9_7F4A_7C15
    let place = (places ?? makePlaces()) + Int(truncatingIfNeeded: hash >> 48) & (Self.count - 1)
    if place.pointee.number == number && place.pointee.from == from { return (place.pointee.to, true) }
    let to = compute()
    if isLong(from) || isString && isLong(to.code) { return (to, false) }
    drop(place)
    strings.retain(from)
    place.pointee = Place(number: number, from: from, isString: isString, to: to)
    return (to, true)
  }

  private func isLong(_ code: StringTable.Code) -> Bool { strings.bytes(code).count > Self.textBytesMax }

  private func makePlaces() -> UnsafeMutablePointer<Place> {
    let new = UnsafeMutablePointer<Place>.allocate(capacity: Self.count)
    new.initialize(repeating: Place(), count: Self.count)
    places = new
    return new
  }

  private func drop(_ place: UnsafeMutablePointer<Place>) {
    if place.pointee.number == 0 { return }
    strings.release(place.pointee.from)
    if place.pointee.isString { strings.release(place.pointee.to.code) }
    place.pointee = Place()
  }
}
