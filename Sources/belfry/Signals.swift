import Base
import Glibc
import Synchronization

/// Signals as something to wait for: they are blocked in all threads and taken by `sigwait`.
enum Signals {
  private static func set(_ numbers: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in numbers { sigaddset(&set, number) }
    return set
  }

  /// To be called before any thread is started. A broken pipe is an error of the write, not a signal.
  static func block() {
    var blocked = set([SIGINT, SIGTERM, SIGHUP])
    pthread_sigmask(SIG_BLOCK, &blocked, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  /// Waits at most `limit` for one of the blocked signals.
  static func wait(atMost limit: Duration) -> Int32? {
    var waited = set([SIGINT, SIGTERM, SIGHUP])
    var time = timespec()
    time.tv_sec = Int(limit.components.seconds)
    time.tv_nsec = Int(limit.components.attoseconds / 1_000_000_000)
    let number = sigtimedwait(&waited, nil, &time)
    return number > 0 ? number : nil
  }
}
