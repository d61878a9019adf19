import Events

/// The rows of one change, before and after, read from what its record says. Belongs to one thread.
final class ChangeImages {
  private let rows: RowStore
  private let decoder: EventDecoder
  private let types: [ColumnType]
  /// The cells of a row that says nothing; its strings are held.
  private let defaults: [Cell]
  private let old: UnsafeMutablePointer<Cell>
  private let new: UnsafeMutablePointer<Cell>
  /// nil: there was, or is, no row. Valid until the next change.
  private(set) var before: Row?
  private(set) var after: Row?

  init(_ rows: RowStore) {
    self.rows = rows
    decoder = EventDecoder(rows.schema, bytesMax: .max, unknownFields: .drop)
    types = rows.schema.columns.map(\.type)
    defaults = rows.schema.columns.map { rows.cell($0.default) }
    old = .allocate(capacity: rows.width)
    new = .allocate(capacity: rows.width)
  }

  deinit {
    forget()
    old.deallocate()
    new.deallocate()
  }

  /// Takes a change: the new row, or null where it was deleted, and the old values of the columns that
  /// changed, of all columns where it was deleted; none where the row is new. What cannot be read is said.
  func read(value: UnsafeRawBufferPointer?, before header: UnsafeRawBufferPointer?) -> Refusal? {
    forget()
    if let value {
      if let refusal = fill(new, from: value, over: nil) { return refusal }
      after = Row(new)
    }
    guard let header else {
      return value == nil ? Refusal(.empty, "a deletion without the row that was there") : nil
    }
    if let refusal = fill(old, from: header, over: after) { return refusal }
    before = Row(old)
    return nil
  }

  /// Gives the strings back.
  private func forget() {
    if let before { rows.releaseStrings(before) }
    if let after { rows.releaseStrings(after) }
    (before, after) = (nil, nil)
  }

  /// Fills a row with what a text says, and for the rest with another row, or the defaults. It then holds its
  /// strings.
  private func fill(
    _ row: UnsafeMutablePointer<Cell>, from text: UnsafeRawBufferPointer, over other: Row?
  ) -> Refusal? {
    if case .refused(let refusal) = decoder.decode(text) {
      // A key never changes, so it is not among the old values.
      guard other != nil, refusal.code == .keyMissing else { return refusal }
    }
    decoder.internStrings(rows.strings)
    for column in 0..<rows.width {
      if decoder.isPresent(column) {
        row[column] = decoder.cell(column)
        continue
      }
      row[column] = other?[column] ?? defaults[column]
      if types[column] == .string { rows.strings.retain(row[column].code) }
    }
    return nil
  }
}
