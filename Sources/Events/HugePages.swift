import Base
import Glibc

/// Memory in pages of 2 MiB where the system has them to give: a dictionary and rows are met in no order, and with
/// pages of 4 KiB the processor looks up a page for each string as well as the string.
public enum HugePages {
  public static let pageBytes = 2 << 20

  /// Bytes with anything in them, to be given back by `deallocate`.
  public static func allocate(bytes: Int) -> UnsafeMutableRawPointer {
    if bytes < pageBytes { return .allocate(byteCount: bytes, alignment: 16) }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: pageBytes)
    madvise(memory, bytes, MADV_HUGEPAGE)  // refused, it is memory like any other
    return memory
  }

  // MARK: Slabs

  /// The slab that is handed out next, made ready meanwhile.
  private struct Next {
    var slab: UnsafeMutableRawPointer?
    var isBeingMade = false
  }

  nonisolated(unsafe) private static var next = Next()
  private static let lock = Lock()

  /// One page, touched already as a rule, to be given back by `deallocate`. Until a large page was touched it is none: the
  /// system clears it then, which takes a tenth of a millisecond, and some where it has to get it from a host. So the next
  /// one is made by a thread of its own, and not in the time of who adds an event or a filter.
  public static func slab() -> UnsafeMutableRawPointer {
    lock.acquire()
    let ready = next.slab
    next.slab = nil
    let isToMake = !next.isBeingMade
    next.isBeingMade = true
    lock.release()
    if isToMake && JoinedThread(makeNext) == nil { withNext { $0.isBeingMade = false } }
    return ready ?? allocate(bytes: pageBytes)
  }

  private static func withNext(_ body: (inout Next) -> Void) {
    lock.acquire()
    defer { lock.release() }
    body(&next)
  }

  @Sendable private static func makeNext() {
    let slab = allocate(bytes: pageBytes)
    for page in stride(from: 0, to: pageBytes, by: 4096) {
      slab.storeBytes(of: 0, toByteOffset: page, as: UInt8.self)
    }
    withNext { $0 = Next(slab: slab) }
  }
}
