import Synchronization

/// Why a member is not ready, part by part; empty when it is. Any thread may call.
///
/// A part that works in turns is ready only for as long as it finishes them. It is the reader who looks at
/// the clock: a part that hangs in a call shows without its help.
public final class Readiness: Sendable {
  /// A part whose last turn ended longer ago is not ready.
  public static let turnLimit = Duration.seconds(5)

  private struct Part {
    var reason: String?
    var lastTurn: Duration?
    var fault: String?
  }

  private let clock: any Clock
  private let explain: @Sendable (Duration) -> String?
  private let parts = Mutex<[String: Part]>([:])

  /// `explain`: why a part may hang that has finished no turn for so long; asked where it has not said so itself.
  public init(clock: any Clock, explain: @escaping @Sendable (Duration) -> String? = { _ in nil }) {
    self.clock = clock
    self.explain = explain
  }

  /// The part is not ready for this reason; nil: it is.
  public func set(_ part: String, _ reason: String?) { parts.withLock { $0[part] = Part(reason: reason) } }

  /// The part has finished a turn: it is ready, for `turnLimit`.
  public func turned(_ part: String) {
    let now = clock.elapsed()
    parts.withLock { $0[part] = Part(lastTurn: now) }
  }

  /// A turn of the part failed and is to be tried again. It is said once turns have failed for too long.
  public func failed(_ part: String, _ fault: String) { parts.withLock { $0[part]?.fault = fault } }

  /// `part: reason`, sorted.
  public var list: [String] { list { _ in true } }

  /// The same without one part.
  public func list(without part: String) -> [String] { list { $0 != part } }

  private func list(where isAsked: (String) -> Bool) -> [String] {
    let now = clock.elapsed()
    // `explain` takes locks of others.
    let parts = parts.withLock { $0 }
    return parts.compactMap { name, part in
      isAsked(name) ? reason(part, now).map { "\(name): \($0)" } : nil
    }.sorted()
  }

  private func reason(_ part: Part, _ now: Duration) -> String? {
    if let reason = part.reason { return reason }
    guard let last = part.lastTurn, now - last > Self.turnLimit else { return nil }
    let fault = (part.fault ?? explain(now - last)).map { ": \($0)" } ?? ""
    return "its last turn ended \((now - last).milliseconds / 1000) s ago" + fault
  }
}
