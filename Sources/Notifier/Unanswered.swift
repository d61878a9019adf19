import Base
import Bus
import Requests

extension Publisher {
  func reportUnanswered() {
    let topics = settings.topics
    running!.unanswered.report(
      running!.registry, { $0 == .commands ? topics.commands : topics.requests }, telemetry, log,
      now: clock.elapsed())
  }
}

/// Counts the records of requests and commands that cannot be answered, and logs the last of them now and then:
/// whoever sent it finds its place there.
struct UnansweredReport {
  /// From one line to the next: a client that goes wrong sends many.
  static let pause = Duration.seconds(60)

  /// Of the registry's counts, what is in the metrics already.
  private var counted: [UnansweredRecord.Source: Int] = [:]
  private var untold = 0
  private var next = Duration.zero

  mutating func report(
    _ registry: Registry, _ topics: (UnansweredRecord.Source) -> String, _ telemetry: PublisherTelemetry,
    _ log: Log, now: Duration
  ) {
    for (source, count) in registry.counts.unanswered where count > counted[source] ?? 0 {
      let fresh = count - (counted[source] ?? 0)
      telemetry.unanswered(source, fresh)
      counted[source] = count
      untold += fresh
    }
    guard untold > 0, now >= next, let last = registry.unanswered else { return }
    log.warning(
      "a record that cannot be answered", ("topic", topics(last.source)), ("offset", "\(last.offset)"),
      ("reason", last.reason), ("records", "\(untold)"))
    untold = 0
    next = now + Self.pause
  }
}
