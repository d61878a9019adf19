import Base
import Events

/// The memory of all indexes of the process: blocks in slabs of large pages, apart from what else is on the heap.
///
/// A walk goes from block to block in no order. What it may come to lies close together here, so that a processor
/// remembers where all of it is. A freed block is the next one of its size; slabs are given back when none is in use.
enum IndexMemory {
  /// Sizes are rounded up to whole steps, above 1 KiB to powers of two; what is larger than `blockMax` has memory of its own.
  private static let step = 32
  private static let stepsMax = 32
  private static let blockMax = 64 << 10
  private static let classes =
    stepsMax + 1 + blockMax.trailingZeroBitCount - (step * stepsMax).trailingZeroBitCount
  private static let lineBytes = 64

  private struct Slabs {
    var all: [UnsafeMutableRawPointer] = []
    /// The last slab's bytes that were handed out.
    var used = HugePages.pageBytes
    /// The first free block of each class, whose first bytes say which is next.
    var free = Array(repeating: UnsafeMutableRawPointer?.none, count: classes)
    /// Blocks in use.
    var blocks = 0
  }

  /// Indexes belong to one thread each, but not all to the same.
  nonisolated(unsafe) private static var slabs = Slabs()
  private static let lock = Lock()

  private static func sizeClass(_ bytes: Int) -> (number: Int, bytes: Int) {
    let steps = (max(bytes, 1) + step - 1) / step
    if steps <= stepsMax { return (steps, steps * step) }
    let bits = Int.bitWidth - (bytes - 1).leadingZeroBitCount
    return (stepsMax + bits - (step * stepsMax).trailingZeroBitCount, 1 << bits)
  }

  /// With anything in it; from 64 bytes on, up to `blockMax`, it begins with a line of the cache.
  static func allocate(bytes: Int) -> UnsafeMutableRawPointer {
    if bytes > blockMax { return HugePages.allocate(bytes: bytes) }
    let (number, size) = sizeClass(bytes)
    lock.acquire()
    defer { lock.release() }
    slabs.blocks += 1
    if let again = slabs.free[number] {
      slabs.free[number] = again.load(as: UnsafeMutableRawPointer?.self)
      return again
    }
    if size >= lineBytes { slabs.used = (slabs.used + lineBytes - 1) & ~(lineBytes - 1) }
    if slabs.used + size > HugePages.pageBytes {
      slabs.all.append(HugePages.allocate(bytes: HugePages.pageBytes))
      slabs.used = 0
    }
    defer { slabs.used += size }
    return slabs.all.last! + slabs.used
  }

  /// `bytes`: as when it was allocated.
  static func deallocate(_ block: UnsafeMutableRawPointer, bytes: Int) {
    if bytes > blockMax { return block.deallocate() }
    lock.acquire()
    defer { lock.release() }
    slabs.blocks -= 1
    if slabs.blocks == 0 {
      for slab in slabs.all { slab.deallocate() }
      slabs = Slabs()
      return
    }
    let number = sizeClass(bytes).number
    block.storeBytes(of: slabs.free[number], as: UnsafeMutableRawPointer?.self)
    slabs.free[number] = block
  }
}

extension UnsafeMutablePointer where Pointee: BitwiseCopyable {
  /// So many in an index's memory.
  static func indexed(capacity: Int) -> Self {
    IndexMemory.allocate(bytes: capacity * MemoryLayout<Pointee>.stride).assumingMemoryBound(to: Pointee.self)
  }

  /// One value in an index's memory.
  static func indexed(_ value: Pointee) -> Self {
    let place = indexed(capacity: 1)
    place.initialize(to: value)
    return place
  }

  /// What `indexed` gave.
  func deindex(capacity: Int = 1) {
    IndexMemory.deallocate(self, bytes: capacity * MemoryLayout<Pointee>.stride)
  }
}
