import CScan
import Events

/// What both sides see: the strings, the rows' cells, and the scan with its counts.
final class World {
  let strings = StringTable()
  let scan: OpaquePointer = scan_new()
  /// Rows lie in slabs, as a table's do.
  private var slabs: [UnsafeMutableRawPointer] = []
  private var slabUsed = HugePages.pageBytes
  private var kept: [Int64] = []

  deinit {
    scan_free(scan)
    for slab in slabs { slab.deallocate() }
  }

  /// A string is held for good, so that its code and its bytes stay.
  func cell(_ value: Value) -> Cell {
    switch value {
    case .string(let text):
      let code = strings.intern(text)
      let bytes = strings.bytes(code)
      scan_string(scan, code, bytes.baseAddress, bytes.count)
      return Cell(code)
    case .int(let n), .time(let n): return Cell(int: n)
    case .real(let x): return x.bitPattern
    case .bool(let b): return b ? 1 : 0
    }
  }

  func row(_ values: [Value]) -> Row {
    let bytes = values.count * MemoryLayout<Cell>.stride
    if slabUsed + bytes > HugePages.pageBytes {
      slabs.append(HugePages.allocate(bytes: HugePages.pageBytes))
      slabUsed = 0
    }
    let row = (slabs.last! + slabUsed).bindMemory(to: Cell.self, capacity: values.count)
    slabUsed += bytes
    for (i, value) in values.enumerated() { row[i] = cell(value) }
    return Row(row)
  }

  func keepCounts() {
    kept = Array(UnsafeBufferPointer(start: scan_counts(scan), count: scan_filters(scan)))
  }

  func restoreCounts() { scan_counts(scan).update(from: kept, count: kept.count) }
}
