import Synchronization

/// Why a member is not ready, part by part; empty when it is. Any thread may call.
public final class Readiness: Sendable {
  private let reasons = Mutex<[String: String]>([:])

  public init() {}

  /// The part is not ready for this reason; nil: it is.
  public func set(_ part: String, _ reason: String?) { reasons.withLock { $0[part] = reason } }

  /// `part: reason`, sorted.
  public var list: [String] {
    reasons.withLock { $0.map { "\($0.key): \($0.value)" }.sorted() }
  }
}
