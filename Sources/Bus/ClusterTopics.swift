import Base

/// The names and settings of a cluster's topics (docs/bus-contract.md). The prefix is the cluster's name.
public struct ClusterTopics: Sendable {
  public let cluster: String
  /// Lanes: partitions of the shared topics in which small streams live side by side.
  public static let laneCount = 8

  public init(cluster: String) { self.cluster = cluster }

  public var events: String { "\(cluster).events" }
  public var deadLetters: String { "\(cluster).events.dlq" }
  public var commands: String { "\(cluster).commands" }
  public var inbox: String { "\(cluster).inbox" }
  public func changelog(_ table: String) -> String { "\(cluster).table.\(table)" }
  public func changelog(_ table: String, partitions: Int) -> [TopicPartition] {
    (0..<Int32(partitions)).map { TopicPartition(changelog(table), $0) }
  }
  public var requests: String { "\(cluster).requests" }
  public var replies: String { "\(cluster).replies" }
  public var viewLanes: String { "\(cluster).lanes.view" }
  public var historyLanes: String { "\(cluster).lanes.history" }
  public var liveLanes: String { "\(cluster).lanes.live" }
  public var progress: String { "\(cluster).progress" }
  public var registry: String { "\(cluster).cluster" }
  public var viewPrefix: String { "\(cluster).view." }
  public var historyPrefix: String { "\(cluster).history." }
  public var livePrefix: String { "\(cluster).live." }

  /// The consumer group that leads the table's shards.
  public var tableGroup: String { "\(cluster).table" }
  public func tableSeat(_ member: String) -> String { "\(cluster).table.\(member)" }
  public var publishSeat: String { "\(cluster).publish" }
  /// Of who publishes every change (streams of the modes `all` and `immediate`).
  public var liveSeat: String { "\(cluster).live" }
  /// The group that keeps how far dead letters were sent again, and the seat of who does it.
  public var replaySeat: String { "\(cluster).dlq-replay" }

  private static let day = "86400000"
  private static let week = "604800000"

  /// All topics but the streams' own.
  public func specs(table: String, partitions: Int) -> [TopicSpec] {
    let kept = ["cleanup.policy": "delete", "retention.ms": Self.week]
    let compact = ["cleanup.policy": "compact"]
    let compactLate = ["cleanup.policy": "compact", "min.compaction.lag.ms": Self.day]
    let specs = [
      TopicSpec(events, partitions: partitions, properties: kept),
      TopicSpec(deadLetters, partitions: 1, properties: kept),
      TopicSpec(commands, partitions: 1, properties: kept),
      TopicSpec(inbox, partitions: partitions, properties: kept),
      TopicSpec(changelog(table), partitions: partitions, properties: compactLate),
      // Leases count from the broker's time; an end must outlast a master that is away for a while.
      TopicSpec(
        requests, partitions: 1,
        properties: [
          "cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime",
          "delete.retention.ms": Self.week,
        ]),
      TopicSpec(
        replies, partitions: 1, properties: ["cleanup.policy": "compact,delete", "retention.ms": Self.week]),
      TopicSpec(progress, partitions: 1, properties: compactLate),
      TopicSpec(registry, partitions: 1, properties: compact),
    ]
    return specs.map(withRoom) + laneSpecs
  }

  /// All lanes.
  public var laneSpecs: [TopicSpec] { [viewLanesSpec] + changeLanesSpecs }

  /// The lanes of net streams.
  public var viewLanesSpec: TopicSpec {
    withRoom(
      TopicSpec(viewLanes, partitions: Self.laneCount, properties: ["cleanup.policy": "compact"]))
  }

  /// Those of streams of every change.
  public var changeLanesSpecs: [TopicSpec] {
    [(historyLanes, Self.week), (liveLanes, Self.day)].map { name, kept in
      withRoom(
        TopicSpec(
          name, partitions: Self.laneCount, properties: ["cleanup.policy": "delete", "retention.ms": kept]))
    }
  }

  /// Largest record batch of the events topic, bytes.
  public static let eventBytesMax = 2 << 20
  /// The same of all others, and the largest record that Belfry sends. An event of the largest size that goes
  /// on to the inbox or the dead letters grows by headers, and what came compressed may go on as it is: a
  /// broker that refused it would refuse its transaction for ever.
  public static let recordBytesMax = 8 << 20

  private func withRoom(_ spec: TopicSpec) -> TopicSpec {
    let room = spec.name == events ? Self.eventBytesMax : Self.recordBytesMax
    return TopicSpec(
      spec.name, partitions: spec.partitions,
      properties: spec.properties.merging(["max.message.bytes": "\(room)"]) { $1 })
  }

  /// A net stream's own topic.
  public static func view(_ name: String) -> TopicSpec {
    TopicSpec(
      name, partitions: 1,
      properties: ["cleanup.policy": "compact", "max.message.bytes": "\(recordBytesMax)"])
  }

  /// An own topic of a stream of all changes.
  public static func history(_ name: String) -> TopicSpec {
    // What is stored for a client that is away has a limit of its own.
    let spec = kept(name, week)
    return TopicSpec(
      name, partitions: 1, properties: spec.properties.merging(["retention.bytes": "-1"]) { $1 })
  }

  /// The same of an immediate stream.
  public static func live(_ name: String) -> TopicSpec { kept(name, day) }

  private static func kept(_ name: String, _ retention: String) -> TopicSpec {
    TopicSpec(
      name, partitions: 1,
      properties: [
        "cleanup.policy": "delete", "retention.ms": retention, "max.message.bytes": "\(recordBytesMax)",
      ])
  }
}
