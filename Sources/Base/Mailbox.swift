import Glibc
import Synchronization

/// A bounded queue from any threads to one. The only way in which threads of the house talk.
///
/// Sending never waits: a full mailbox refuses, and the sender decides what that means. The
/// receiver takes all there is at once.
public final class Mailbox<Letter: Sendable>: Sendable {
  private let letters = Mutex<[Letter]>([])
  private let capacity: Int

  public init(capacity: Int) {
    precondition(capacity > 0)
    self.capacity = capacity
  }

  /// False when the mailbox is full; the letter is then not taken.
  @discardableResult
  public func send(_ letter: Letter) -> Bool {
    letters.withLock { letters in
      guard letters.count < capacity else { return false }
      letters.append(letter)
      return true
    }
  }

  /// All letters, oldest first; does not wait.
  public func takeAll() -> [Letter] {
    letters.withLock { letters in
      var taken: [Letter] = []
      swap(&taken, &letters)
      return taken
    }
  }

  public var isEmpty: Bool { letters.withLock { $0.isEmpty } }
}

/// A flag that one thread waits for, with a deadline, and any thread raises. It falls when it is seen.
public final class Signal: @unchecked Sendable {
  // @unchecked: a POSIX mutex and condition guard `raised`; both live at fixed addresses.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var raised = false

  public init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  public func raise() {
    pthread_mutex_lock(mutex)
    raised = true
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Waits until the flag is raised or the time is over; true if it was raised. Lowers it.
  @discardableResult
  public func wait(atMost limit: Duration) -> Bool {
    var until = timespec()
    clock_gettime(CLOCK_MONOTONIC, &until)
    let nanoseconds = until.tv_nsec + Int((limit - .seconds(limit.components.seconds)) / .nanoseconds(1))
    until.tv_sec += Int(limit.components.seconds) + nanoseconds / 1_000_000_000
    until.tv_nsec = nanoseconds % 1_000_000_000
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !raised {
      if pthread_cond_timedwait(condition, mutex, &until) == ETIMEDOUT { break }
    }
    let seen = raised
    raised = false
    return seen
  }
}
