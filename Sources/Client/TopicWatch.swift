import Bus

/// Looks now and then whether a partition from which nothing comes is still the one that was read. A topic that is
/// deleted and made again gives a reader nothing, or what lies behind its old position.
struct TopicWatch {
  /// Polls without records from one look to the next: it asks brokers twice.
  private static let pollsBetween = 10

  private let place: TopicPartition
  private var polls = 0
  private var isGone = false

  init(_ place: TopicPartition) { self.place = place }

  /// To be called after each poll without records. True where the topic was away since the last time, or ends before
  /// what was read of it. What brokers do not answer is asked again later.
  mutating func isMadeAgain(_ bus: any Bus, readUpTo position: Int64) -> Bool {
    polls += 1
    guard polls >= Self.pollsBetween else { return false }
    polls = 0
    do {
      guard try bus.partitionCounts([place.topic])[place.topic] != nil else {
        isGone = true
        return false
      }
      let end = try bus.endOffset(place, isolation: .uncommitted)
      defer { isGone = false }
      return isGone || end < position
    } catch {
      return false
    }
  }
}
