import CRdKafka

/// How the C library's heap treats what librdkafka's clients take and free: a fetched batch by the megabyte, a
/// record to be sent by itself, each freed by another thread than took it.
enum ClientMemory {
  /// Freed memory stays in the heap up to these bounds. Otherwise it goes back to the system each time some
  /// megabytes are free, and comes again as pages that are cleared first: half the work of a consumer's thread.
  static let keepFreed: Void = {
    mallopt(M_MMAP_THRESHOLD, 32 << 20)  // as large as glibc lets it be
    mallopt(M_TRIM_THRESHOLD, 128 << 20)
    mallopt(M_TOP_PAD, 64 << 20)
  }()

  /// Who has read as much gives back what it took; for less it is not worth looking through the heap.
  static let muchBytes = 32 << 20

  /// Gives the system all that is free now.
  static func giveBack() { malloc_trim(0) }
}
