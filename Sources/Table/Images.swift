import Events

/// Old images of rows, each with shares in its strings, in one growing run of cells.
final class Images {
  struct Entry {
    var slot: RowStore.Slot
    /// False: there was no row, and the image's cells mean nothing.
    var existed: Bool
  }

  let rows: RowStore
  private(set) var entries: [Entry] = []
  private var cells: UnsafeMutablePointer<Cell>
  private var capacity = 64

  init(_ rows: RowStore) {
    self.rows = rows
    cells = .allocate(capacity: capacity * rows.width)
  }

  deinit { cells.deallocate() }

  @inline(__always)
  func image(_ index: Int) -> UnsafeMutablePointer<Cell> { cells + index * rows.width }

  /// Saves an image; the shares of its strings become the image's.
  func append(_ slot: RowStore.Slot, owning row: Row?) {
    if entries.count == capacity { grow() }
    if let row { image(entries.count).update(from: row, count: rows.width) }
    entries.append(Entry(slot: slot, existed: row != nil))
  }

  /// Forgets the entries; their shares must have gone elsewhere.
  func removeAll() { entries.removeAll(keepingCapacity: true) }

  private func grow() {
    let larger = UnsafeMutablePointer<Cell>.allocate(capacity: capacity * 2 * rows.width)
    larger.update(from: cells, count: capacity * rows.width)
    cells.deallocate()
    cells = larger
    capacity *= 2
  }
}
