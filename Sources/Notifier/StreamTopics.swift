import Base
import Bus
import Requests

/// Makes and deletes the streams' own topics.
struct StreamTopics {
  /// Topics that one call makes or deletes.
  static let topicsPerCallMax = 200

  let bus: any Bus
  let topics: ClusterTopics
  let log: Log

  /// Makes the own topics that are missing. Streams whose topic the brokers refuse (no right to make it, a
  /// policy, a replication that cannot be, another partition count) are returned with the brokers' words.
  func make(for streams: [Stream]) throws(BusError) -> [(stream: String, reason: String)] {
    var refused: [(stream: String, reason: String)] = []
    for some in slices(streams.filter { $0.place.placement == .own }) {
      do throws(BusError) {
        try bus.ensureTopics(some.map(\.place.topicSpec))
      } catch  where error.remedy == .refuse {
        // One of them; the others must not suffer.
        for stream in some { if let reason = try refusal(of: stream) { refused.append((stream.id, reason)) } }
      }
    }
    for (id, reason) in refused { log.error("stream's topic refused", ("stream", id), ("reason", reason)) }
    return refused
  }

  private func refusal(of stream: Stream) throws(BusError) -> String? {
    do throws(BusError) {
      try bus.ensureTopics([stream.place.topicSpec])
      return nil
    } catch  where error.remedy == .refuse {
      return error.description
    }
  }

  /// A topic that cannot be deleted now is found left behind at the next start.
  func delete(_ names: [String]) {
    for some in slices(names) {
      do throws(BusError) {
        try bus.deleteTopics(some)
      } catch {
        log.warning("topics not deleted", ("topics", "\(some)"), ("error", error.description))
      }
    }
  }

  /// All topics that are some stream's own, living or left behind by a crash.
  func listed() throws(BusError) -> [String] {
    var found: [String] = []
    for prefix in [topics.viewPrefix] + changePrefixes {
      found += try bus.topics(prefix: prefix).filter { Self.isStreamName($0.dropFirst(prefix.count)) }
    }
    return found
  }

  private var changePrefixes: [String] { [topics.historyPrefix, topics.livePrefix] }

  /// Deletes what a crash left behind: topics of net streams, or of those of every change, that were `listed` and
  /// that none of these streams has. No fence covers it. So the list must be older than the registry that the
  /// streams come from: a publisher that stood still meanwhile never sees its successor's topics in it.
  func deleteLeftovers(_ listed: [String], ofEveryChange: Bool, living streams: [Stream]) {
    let living = Set(streams.map(\.place.topic))
    let left = listed.filter { name in
      changePrefixes.contains(where: name.hasPrefix) == ofEveryChange && !living.contains(name)
    }
    if !left.isEmpty { log.warning("deleting topics left behind", ("count", "\(left.count)")) }
    delete(left)
  }

  /// `<16 hex digits>` or `<16 hex digits>.<number>`: nothing else is ours to delete.
  private static func isStreamName(_ name: Substring) -> Bool {
    let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    return parts[0].count == 16 && parts[0].allSatisfy { $0.isHexDigit && !$0.isUppercase }
      && (parts.count == 1 || Int64(parts[1]) != nil)
  }

  private func slices<Element>(_ all: [Element]) -> [[Element]] {
    stride(from: 0, to: all.count, by: Self.topicsPerCallMax).map {
      Array(all[$0..<min(all.count, $0 + Self.topicsPerCallMax)])
    }
  }
}

extension StreamPlace {
  /// Its own topic, as it is made.
  var topicSpec: TopicSpec {
    switch mode {
    case .net: ClusterTopics.view(topic)
    case .all: ClusterTopics.history(topic)
    case .immediate: ClusterTopics.live(topic)
    }
  }
}
