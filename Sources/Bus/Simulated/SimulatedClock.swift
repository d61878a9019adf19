import Base

/// A clock that stands still until it is moved: by the driver of a simulation, and by the calls of a
/// `SimulatedBus` that wait in vain, each by the time that it would have waited. (A loop that polls until
/// a deadline would never end otherwise.)
public final class SimulatedClock: Clock, @unchecked Sendable {
  // Unchecked: a simulation runs one thread at a time, as all of Simulated does.
  private let start: Timestamp
  private var passed: Duration = .zero

  /// Starts at a time of day that no test can take for zero: 2026-01-01T00:00Z.
  public init(start: Timestamp = Timestamp(milliseconds: 1_767_225_600_000)) { self.start = start }

  public func now() -> Timestamp { start + passed }
  public func elapsed() -> Duration { passed }

  public func advance(by duration: Duration) {
    precondition(duration >= .zero, "time does not step backwards")
    passed += duration
  }
}
