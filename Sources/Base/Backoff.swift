/// A pause that doubles from failure to failure, up to a limit.
public struct Backoff: Sendable {
  private let first: Duration
  private let limit: Duration
  private var next: Duration

  public init(first: Duration, limit: Duration) {
    self.first = first
    self.limit = limit
    next = first
  }

  /// How long to wait this time.
  public mutating func take() -> Duration {
    defer { next = min(next * 2, limit) }
    return next
  }

  /// Things have gone well.
  public mutating func reset() { next = first }
}
