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
  private var memo: StringMemo?

  /// Distinct values; filters with further ones are evaluated. Each costs a look at the memo for a change of
  /// its source.
  static let countMax = 64
  /// The columns of a row with them all.
  let widthMax: Int

  init(rows: RowStore) {
    self.rows = rows
    widthMax = min(rows.width + Self.countMax, Schema.columnsMax)
    before = .allocate(capacity: widthMax)
    after = .allocate(capacity: widthMax)
  }

  deinit {
    before.deallocate()
    after.deallocate()
  }

  @inline(__always) var isEmpty: Bool { memo == nil }
  var bytesHeld: Int { memo == nil ? 0 : StringMemo.bytes }

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
    columns[place] = Column(value: value, compiled: CompiledExpression(value), source: sources[0])
    numbers[value] = rows.width + place
    if memo == nil { memo = StringMemo(rows.strings) }
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
    memo!.forget(place)
    if numbers.isEmpty { memo = nil }
  }

  /// For people.
  func text(of number: Int) -> String { columns[number - rows.width]!.value.text(on: rows.schema) }

  // MARK: Rows

  /// Shows the images of a change with the computed cells; those that differ are among the columns changed.
  func show(
    _ before: Row?, _ after: Row?, _ changed: ColumnSet, _ body: (Row?, Row?, ColumnSet) -> Void
  ) {
    var changed = changed
    if let before { self.before.update(from: before, count: rows.width) }
    if let after { self.after.update(from: after, count: rows.width) }
    for place in columns.indices {
      guard let column = columns[place] else { continue }
      let at = rows.width + place
      if let before { self.before[at] = cell(column, place, before) }
      if let after { self.after[at] = cell(column, place, after) }
      if before != nil && after != nil && self.before[at] != self.after[at] { changed.insert(at) }
    }
    body(before.map { _ in Row(self.before) }, after.map { _ in Row(self.after) }, changed)
    for place in columns.indices where columns[place] != nil {
      if before != nil { rows.strings.release(self.before[rows.width + place].code) }
      if after != nil { rows.strings.release(self.after[rows.width + place].code) }
    }
  }

  /// One share is the caller's.
  private func cell(_ column: Column, _ place: Int, _ row: Row) -> Cell {
    let code = memo!.value(place, row[column.source].code) {
      guard case .string(let text) = column.compiled.value(row, rows.strings) else { return 0 }
      return text.withUnsafeBytes { rows.strings.intern($0) }
    }
    rows.strings.retain(code)
    return Cell(code)
  }
}

/// What strings have been turned into, by their codes. A fixed number of places: where two meet, the later one
/// stays. Shares in both strings are held, so that a code means what it meant.
final class StringMemo {
  private struct Place: BitwiseCopyable {
    /// One more than the number; 0: empty.
    var number: UInt32 = 0
    var from: StringTable.Code = 0
    var to: StringTable.Code = 0
  }

  private static let count = 1 << 16
  static let bytes = count * MemoryLayout<Place>.stride

  private let strings: StringTable
  private let places: UnsafeMutablePointer<Place>

  init(_ strings: StringTable) {
    self.strings = strings
    places = .allocate(capacity: Self.count)
    places.initialize(repeating: Place(), count: Self.count)
  }

  deinit {
    for at in 0..<Self.count { drop(at) }
    places.deallocate()
  }

  /// `compute` gives a code with a share, which the memo keeps.
  @inline(__always)
  func value(_ number: Int, _ from: StringTable.Code, _ compute: () -> StringTable.Code) -> StringTable.Code {
    let hash = (UInt64(from) << 8 ^ UInt64(number)) &* 0x9E37_79B9_7F4A_7C15
    let at = Int(truncatingIfNeeded: hash >> 48) & (Self.count - 1)
    let number = UInt32(number) + 1
    if places[at].number == number && places[at].from == from { return places[at].to }
    let to = compute()
    drop(at)
    strings.retain(from)
    places[at] = Place(number: number, from: from, to: to)
    return to
  }

  /// The number will stand for something else.
  func forget(_ number: Int) {
    for at in 0..<Self.count where places[at].number == UInt32(number) + 1 { drop(at) }
  }

  private func drop(_ at: Int) {
    if places[at].number == 0 { return }
    strings.release(places[at].from)
    strings.release(places[at].to)
    places[at] = Place()
  }
}
