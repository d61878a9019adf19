import Console
import Glibc
import Synchronization

/// A backend whose answers are set by the test.
final class Backend: ConsoleBackend {
  struct State {
    var reasons: [String] = []
    var asked: [String] = []
    var answer = QueryAnswer.rows(json: "[]")
  }
  let state = Mutex(State())

  func readiness() -> [String] { state.withLock { $0.reasons } }
  func liveness() -> [String] { [] }
  func metricsText() -> String { "up 1\n" }

  func query(_ sql: String) -> QueryAnswer {
    state.withLock {
      $0.asked.append(sql)
      return $0.answer
    }
  }
}

/// Holds threads back until a number of them have come.
final class Gate: @unchecked Sendable {
  // @unchecked: POSIX semaphores at fixed addresses.
  private let came = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  private let open = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() {
    sem_init(came, 0, 0)
    sem_init(open, 0, 0)
  }

  deinit {
    came.deallocate()
    open.deallocate()
  }

  /// Called by those who are held back.
  func pass() {
    sem_post(came)
    while sem_wait(open) != 0 {}
  }

  /// Waits until `count` are held back.
  func waitFor(_ count: Int) {
    for _ in 0..<count { while sem_wait(came) != 0 {} }
  }

  func letThrough(_ count: Int) {
    for _ in 0..<count { sem_post(open) }
  }
}

/// What a thread of `Running` does.
private final class Job {
  let run: @Sendable () -> Void
  init(run: @escaping @Sendable () -> Void) { self.run = run }
}

/// The results of `Running`, as they come.
private final class Results<Result: Sendable>: Sendable {
  let all: Mutex<[Int: Result]> = Mutex([:])
}

/// `count` threads that run `work`; their results in order. Belongs to the test's thread.
final class Running<Result: Sendable> {
  private var threads: [pthread_t] = []
  private let results = Results<Result>()

  init(_ count: Int, _ work: @escaping @Sendable (Int) -> Result) {
    let results = results
    threads = (0..<count).map { i in
      startThread {
        let result = work(i)
        results.all.withLock { $0[i] = result }
      }
    }
  }

  func wait() -> [Result] {
    for thread in threads { pthread_join(thread, nil) }
    let count = threads.count
    return results.all.withLock { all in (0..<count).map { all[$0]! } }
  }
}

private func startThread(_ run: @escaping @Sendable () -> Void) -> pthread_t {
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    {
      Unmanaged<Job>.fromOpaque($0!).takeRetainedValue().run()
      return nil
    }, Unmanaged.passRetained(Job(run: run)).toOpaque())
  return thread
}
