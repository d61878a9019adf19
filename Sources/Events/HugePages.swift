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
}
