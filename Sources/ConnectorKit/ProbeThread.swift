import Glibc
import Synchronization

/// A plain thread that is joined before its owner goes on.
public final class ProbeThread: Sendable {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let handle: Mutex<pthread_t?>

  /// Starts the thread; nil when the machine has no more threads to give.
  public init?(_ run: @escaping @Sendable () -> Void) {
    let body = Unmanaged.passRetained(Body(run))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    guard status == 0 else {
      body.release()
      return nil
    }
    handle = Mutex(thread)
  }

  /// Returns when the thread has ended. Safe to call again, and from several threads; never from itself.
  public func join() {
    handle.withLock { handle in
      guard let thread = handle else { return }
      pthread_join(thread, nil)
      handle = nil
    }
  }
}

/// A probe's two states, so that `start` and `stop` need no order: calls wait for one another, a second `start`
/// or `stop` does nothing.
public final class ProbeLifecycle<Running: Sendable>: Sendable {
  private let running = Mutex<Running?>(nil)

  public init() {}

  public func start(_ make: () throws(ConnectorError) -> Running) throws(ConnectorError) {
    try running.withLock { running throws(ConnectorError) in
      if running == nil { running = try make() }
    }
  }

  /// `end` returns when all threads have ended; they must not call this object.
  public func stop(_ end: (Running) -> Void) {
    running.withLock { running in
      if let present = running { end(present) }
      running = nil
    }
  }

  /// What `start` made, while it runs.
  public var current: Running? { running.withLock { $0 } }
}
