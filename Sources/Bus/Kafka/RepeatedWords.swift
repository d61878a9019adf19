import Base
import Synchronization

/// Lets what clients say of their brokers be logged once in a while: all clients of a bus say the same of one that
/// is away, each as often as it tries. Any thread may call.
final class RepeatedWords: Sendable {
  /// How long the same words are held back.
  static let interval = Duration.seconds(60)
  /// Words that are remembered: a few of each broker. With more, those that are over are forgotten, or all.
  static let wordsMax = 200

  private let known = Mutex<[Substring: (since: Duration, held: Int)]>([:])

  /// How often the words were held back since they were last to be logged; nil: they are held back now.
  func take(_ words: String, at now: Duration) -> Int? {
    let key = Self.withoutTime(words)
    return known.withLock { known in
      if let last = known[key], now - last.since < Self.interval {
        known[key]!.held += 1
        return nil
      }
      let held = known[key]?.held ?? 0
      if known.count >= Self.wordsMax {
        known = known.filter { now - $0.value.since < Self.interval }
        if known.count >= Self.wordsMax { known = [:] }
      }
      known[key] = (now, 0)
      return held
    }
  }

  /// librdkafka ends them with how long a connection took: `(after 3ms in state CONNECT)`.
  private static func withoutTime(_ words: String) -> Substring {
    words.firstRange(of: " (after ").map { words[..<$0.lowerBound] } ?? words[...]
  }
}
