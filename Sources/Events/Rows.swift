import Base
import Glibc

/// One value of a row, in 64 bits: an integer, a time in ms or a string's code as it is; a real's bits;
/// a bool as 0 or 1. The column's type says which.
public typealias Cell = UInt64

/// A row's cells, one a column of its schema. Valid while the row store is not changed.
public typealias Row = UnsafePointer<Cell>

extension Cell {
  @inline(__always) public init(int: Int64) { self = UInt64(bitPattern: int) }
  @inline(__always) public var int: Int64 { Int64(bitPattern: self) }
  @inline(__always) public var real: Double { Double(bitPattern: self) }
  @inline(__always) public var code: StringTable.Code { UInt32(truncatingIfNeeded: self) }
}

/// Unsigned byte order; shorter first where one is the other's beginning.
public func compareBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
  let shared = Swift.min(a.count, b.count)
  if shared > 0 {
    let order = memcmp(a.baseAddress!, b.baseAddress!, shared)
    if order != 0 { return Int(order) }
  }
  return a.count - b.count
}

/// What the cells of a schema's rows mean, and rows in memory as they are: fixed-width runs of cells in chunks, so
/// that growing never copies. (A table has millions of rows, and keeps them in `PackedRows`.) String cells hold
/// shares in `strings`; whoever writes them keeps the count. One thread owns it.
public final class RowStore {
  public typealias Slot = UInt32

  private static let chunkBits: UInt32 = 10
  private static let chunkMask: UInt32 = (1 << chunkBits) - 1

  public let schema: Schema
  public let strings: StringTable
  /// Cells a row.
  public let width: Int
  /// Indices of the string columns, which hold codes that are counted.
  public let stringColumns: [Int]
  private var chunks: [UnsafeMutablePointer<Cell>] = []
  private var freeSlots: [Slot] = []
  /// One more than the largest slot ever used.
  public private(set) var slotLimit: Slot = 0
  /// Rows held.
  public var count: Int { Int(slotLimit) - freeSlots.count }

  public init(schema: Schema, strings: StringTable) {
    self.schema = schema
    self.strings = strings
    width = schema.columns.count
    stringColumns = schema.columns.indices.filter { schema.columns[$0].type == .string }
  }

  deinit { for chunk in chunks { chunk.deallocate() } }

  /// The bytes that the store itself takes, its strings not counted.
  public var bytesHeld: Int { chunks.count * width * 8 << Int(Self.chunkBits) }

  @inline(__always)
  public func row(_ slot: Slot) -> UnsafeMutablePointer<Cell> {
    chunks.withUnsafeBufferPointer { chunks in
      chunks[Int(slot >> Self.chunkBits)] + Int(slot & Self.chunkMask) * width
    }
  }

  /// A slot with undefined cells.
  public func makeSlot() -> Slot {
    if let slot = freeSlots.popLast() { return slot }
    let slot = slotLimit
    if slot & Self.chunkMask == 0 {
      let chunk = UnsafeMutablePointer<Cell>.allocate(capacity: width << Int(Self.chunkBits))
      chunk.initialize(repeating: 0, count: width << Int(Self.chunkBits))
      chunks.append(chunk)
    }
    slotLimit += 1
    return slot
  }

  /// The slot may be used again; its string shares must have been released.
  public func freeSlot(_ slot: Slot) { freeSlots.append(slot) }

  /// One more share for every string of a row.
  public func retainStrings(_ row: Row) {
    for column in stringColumns { strings.retain(row[column].code) }
  }

  public func releaseStrings(_ row: Row) {
    for column in stringColumns { strings.release(row[column].code) }
  }

  /// The cell for a value; a string takes a share.
  public func cell(_ value: Value) -> Cell {
    switch value {
    case .string(let text): Cell(strings.intern(text))
    case .int(let n), .time(let n): Cell(int: n)
    case .real(let x): x.bitPattern
    case .bool(let b): b ? 1 : 0
    }
  }

  /// The value of a cell of a column, for the edge.
  public func value(_ cell: Cell, _ column: Int) -> Value {
    switch schema.columns[column].type {
    case .string: .string(strings.string(cell.code))
    case .int: .int(cell.int)
    case .real: .real(cell.real)
    case .bool: .bool(cell != 0)
    case .time: .time(cell.int)
    }
  }
}
