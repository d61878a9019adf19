/// A point in time: whole milliseconds since 1970-01-01T00:00Z, as Kafka's record timestamps are.
public struct Timestamp: Hashable, Comparable, Sendable {
  public var milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public static let zero = Timestamp(milliseconds: 0)

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

  /// Saturates at the ends of the range, so that a hostile time cannot trap.
  public static func + (a: Timestamp, b: Duration) -> Timestamp {
    let (sum, overflow) = a.milliseconds.addingReportingOverflow(b.milliseconds)
    return Timestamp(milliseconds: overflow ? (b < .zero ? .min : .max) : sum)
  }

  public static func - (a: Timestamp, b: Timestamp) -> Duration {
    let (difference, overflow) = a.milliseconds.subtractingReportingOverflow(b.milliseconds)
    return .milliseconds(overflow ? (a < b ? Int64.min / 2 : Int64.max / 2) : difference)
  }
}

extension Duration {
  /// Whole milliseconds, rounded towards zero.
  public var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds &* 1000 &+ attoseconds / 1_000_000_000_000_000
  }

  /// Seconds as a real number, for metrics and for people.
  public var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}

/// Where the time comes from. Nothing in the house reads the machine's clock but through this, so that
/// a simulation can own it. Any thread may call.
public protocol Clock: Sendable {
  /// Wall-clock time; may step backwards.
  func now() -> Timestamp
  /// Time since some fixed start; never steps backwards. For deadlines and measurements.
  func elapsed() -> Duration
}
