/// What went wrong on the bus, and what to do about it.
public struct BusError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The path out of an error. Each caller of the bus has exactly these.
  public enum Remedy: Sendable, Equatable {
    /// The same call again, after a pause.
    case retry
    /// Abort the transaction, rewind to the last committed positions, do the work again.
    case abort
    /// Throw the producer or consumer away with all state that hung on it, and make it anew.
    case recreate
    /// Somebody else has the seat: stand down, do not take it back at once.
    case fenced
    /// The request itself cannot succeed (no such topic, wrong partitions, not authorised): say so.
    case refuse
    /// This bus was closed: return.
    case closed
  }

  public let remedy: Remedy
  /// The bus's own name of the error, such as `_TIMED_OUT` or `TOPIC_ALREADY_EXISTS`.
  public let code: String
  public let message: String

  public init(_ remedy: Remedy, code: String, _ message: String) {
    self.remedy = remedy
    self.code = code
    self.message = message
  }

  /// The group refuses this consumer though nobody else has its seat.
  public static let sessionOver = BusError(
    .recreate, code: "SESSION_OVER", "the group heard nothing for a session; nobody else has the seat")

  public static let closed = BusError(.closed, code: "CLOSED", "the bus is closed")

  public var description: String { "\(code): \(message)" }
}
