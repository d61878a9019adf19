import Synchronization

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
