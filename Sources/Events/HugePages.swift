import Base
import Glibc

/// Memory in pages of 2 MiB where the system has them to give: a dictionary and rows are met in no order, and with
/// pages of 4 KiB the processor looks up a page for each string as well as the string.
public enum HugePages {
  public static let pageBytes = 2 << 20

  /// Bytes with anything in them, to be given back by `deallocate`.
  public static func allocate(bytes: Int) -> UnsafeMutableRawPointer {
    if bytes < pageBytes { return .allocate(byteCount: bytes, alignment: 16) }
    return (bytes == pageBytes ? takeReady() : nil) ?? fresh(bytes: bytes)
  }

  private static func fresh(bytes: Int) -> UnsafeMutableRawPointer {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: pageBytes)
    madvise(memory, bytes, MADV_HUGEPAGE)  // refused, it is memory like any other
    return memory
  }

  // MARK: The next page

  /// Until a large page was touched it is none: the system clears it then, which takes a tenth of a millisecond, and some
  /// where it has to get it from a host. So the next one is made ready by a thread of its own, and not in the time of who adds
  /// an event or a filter.
  private struct Next {
    var page: UnsafeMutableRawPointer?
    var isBeingMade = false
  }

  nonisolated(unsafe) private static var next = Next()
  private static let lock = Lock()

  private static func withNext<Result>(_ body: (inout Next) -> Result) -> Result {
    lock.acquire()
    defer { lock.release() }
    return body(&next)
  }

  /// The page that is ready, if one is; has another one made.
  private static func takeReady() -> UnsafeMutableRawPointer? {
    let last = withNext { next in
      defer { next = Next(isBeingMade: true) }
      return next
    }
    if !last.isBeingMade && JoinedThread(makeNext) == nil { withNext { $0.isBeingMade = false } }
    return last.page
  }

  @Sendable private static func makeNext() {
    let page = fresh(bytes: pageBytes)
    for byte in stride(from: 0, to: pageBytes, by: 4096) {
      page.storeBytes(of: 0, toByteOffset: byte, as: UInt8.self)
    }
    withNext { $0 = Next(page: page) }
  }
}
