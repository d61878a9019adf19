import Glibc

/// A plain mutual exclusion, for the few classes that guard a C library's object or several fields with
/// typed throws inside, where `Mutex` and its closure are in the way.
public final class Lock: @unchecked Sendable {
  // @unchecked: a POSIX mutex at a fixed address.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  public init() { pthread_mutex_init(mutex, nil) }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  public func acquire() { pthread_mutex_lock(mutex) }
  public func release() { pthread_mutex_unlock(mutex) }
}
