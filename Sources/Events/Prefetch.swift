import CPrefetch

/// Has the processor fetch a cache line that is about to be read or written, and goes on meanwhile.
@inline(__always)
public func prefetch(_ address: UnsafeRawPointer) { cache_prefetch(address) }
