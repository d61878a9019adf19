/// The rows of one table in memory, packed: of each row a bit for every column, and behind them the cells that are
/// not 0, of 8 bytes, or of 4 where they are a string's code. Most columns of most rows are 0, so a row takes a third
/// of what its cells would, and fewer cache lines. They are read into cells, and written back, a row at a time.
///
/// String cells hold shares of the dictionary's; whoever writes them keeps the count. One thread owns it.
public final class PackedRows {
  public typealias Slot = RowStore.Slot

  private let width: Int
  /// The columns in the order in which they are packed: those of 8 bytes first.
  private let order: UnsafeMutablePointer<Int>
  /// How many of them have 8 bytes.
  private let numbers: Int
  /// Words of 32 bits in front of the cells.
  private let words: Int
  private var arena = BlockArena()
  /// By slot; 0: it has no row.
  private var blocks: [BlockArena.Reference] = []
  private var freeSlots: [Slot] = []
  /// A row that is being packed.
  private let scratch: UnsafeMutableRawPointer

  public init(_ schema: Schema) {
    width = schema.columns.count
    let isText = schema.columns.map { $0.type == .string }
    let columns = isText.indices.filter { !isText[$0] } + isText.indices.filter { isText[$0] }
    numbers = isText.count { !$0 }
    words = (width + 31) / 32
    order = .allocate(capacity: width)
    for (place, column) in columns.enumerated() { (order + place).initialize(to: column) }
    scratch = .allocate(byteCount: words * 4 + width * 8 + 8, alignment: 8)
  }

  deinit {
    order.deallocate()
    scratch.deallocate()
  }

  /// One more than the largest slot ever used.
  public var slotLimit: Slot { Slot(blocks.count) }

  /// The bytes that the rows take, their strings not counted.
  public var bytesHeld: Int { arena.bytesHeld + blocks.capacity * 4 }

  /// A slot without a row.
  public func makeSlot() -> Slot {
    if let slot = freeSlots.popLast() { return slot }
    blocks.append(0)
    return Slot(blocks.count - 1)
  }

  /// The slot may be used again. It has no row.
  public func freeSlot(_ slot: Slot) {
    precondition(blocks[Int(slot)] == 0)
    freeSlots.append(slot)
  }

  /// Has the processor fetch where a slot's row lies, and in a second step the row.
  @inline(__always)
  public func fetchBlock(_ slot: Slot) {
    blocks.withUnsafeBufferPointer { prefetch($0.baseAddress.unsafelyUnwrapped + Int(slot)) }
  }

  @inline(__always)
  public func fetch(_ slot: Slot) { arena.fetch(blocks[Int(slot)], bytes: 128) }

  /// The codes of the row's strings, the empty ones left out.
  @inline(__always)
  public func forEachCode(_ slot: Slot, _ body: (StringTable.Code) -> Void) {
    if blocks[Int(slot)] == 0 { return }
    let block = arena[blocks[Int(slot)]]
    let (wide, narrow) = counts(of: block)
    let codes = UnsafeRawPointer(block) + words * 4 + wide * 8
    for index in 0..<narrow { body(codes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)) }
  }

  /// The row's cells, one a column.
  public func read(_ slot: Slot, into cells: UnsafeMutablePointer<Cell>) {
    let block = UnsafeRawPointer(arena[blocks[Int(slot)]])
    cells.update(repeating: 0, count: width)
    var at = block + words * 4
    for word in 0..<words {
      var bits = block.load(fromByteOffset: word * 4, as: UInt32.self)
      while bits != 0 {
        let place = word * 32 + bits.trailingZeroBitCount
        bits &= bits &- 1
        if place < numbers {
          cells[order[place]] = at.loadUnaligned(as: UInt64.self)
          at += 8
        } else {
          cells[order[place]] = Cell(at.loadUnaligned(as: UInt32.self))
          at += 4
        }
      }
    }
  }

  /// Makes these cells the slot's row.
  public func write(_ slot: Slot, _ cells: Row) {
    let bytes = pack(cells)
    let old = blocks[Int(slot)]
    if old == 0 {
      blocks[Int(slot)] = arena.allocate(bytes: bytes)
    } else {
      let size = size(of: arena[old])
      if !BlockArena.isSameSize(size, bytes) {
        arena.free(old, bytes: size)
        blocks[Int(slot)] = arena.allocate(bytes: bytes)
      }
    }
    arena[blocks[Int(slot)]].copyMemory(from: scratch, byteCount: bytes)
  }

  /// Takes the slot's row away.
  public func remove(_ slot: Slot) {
    let block = blocks[Int(slot)]
    arena.free(block, bytes: size(of: arena[block]))
    blocks[Int(slot)] = 0
  }

  /// Packs cells into `scratch`; the bytes that they take there.
  private func pack(_ cells: Row) -> Int {
    var at = scratch + words * 4
    var bits: UInt32 = 0
    for place in 0..<width {
      let cell = cells[order[place]]
      let isThere = cell != 0
      if place < numbers {
        at.storeBytes(of: cell, as: UInt64.self)
        at += isThere ? 8 : 0
      } else {
        at.storeBytes(of: UInt32(truncatingIfNeeded: cell), as: UInt32.self)
        at += isThere ? 4 : 0
      }
      bits |= (isThere ? 1 : 0) << UInt32(place & 31)
      if place & 31 == 31 || place == width - 1 {
        scratch.storeBytes(of: bits, toByteOffset: place / 32 * 4, as: UInt32.self)
        bits = 0
      }
    }
    return at - scratch
  }

  private func size(of block: UnsafeMutableRawPointer) -> Int {
    let (wide, narrow) = counts(of: block)
    return words * 4 + wide * 8 + narrow * 4
  }

  /// How many cells of 8 and of 4 bytes are there.
  @inline(__always)
  private func counts(of block: UnsafeMutableRawPointer) -> (wide: Int, narrow: Int) {
    var (wide, all) = (0, 0)
    for word in 0..<words {
      let bits = block.load(fromByteOffset: word * 4, as: UInt32.self)
      let here = min(max(numbers - word * 32, 0), 32)
      wide += (bits & UInt32((UInt64(1) << UInt64(here)) - 1)).nonzeroBitCount
      all += bits.nonzeroBitCount
    }
    return (wide, all - wide)
  }
}
