import Base
import Bus
import Events
import Notifier
import Query
import Requests
import Table

/// What a member is made from: everything that it may reach for, passed in.
public struct MemberSettings: Sendable {
  public var topics: ClusterTopics
  public var memberID: String
  public var schema: Schema
  public var table: TableSettings
  public var registry: RegistrySettings
  public var commitInterval = Duration.milliseconds(100)
  public var drainInterval = Duration.milliseconds(100)
  /// Letters that the table's thread has not answered yet, at most. More than all streams that can be
  /// (`RegistrySettings.streamsMax`), since a restart begins all of them at once.
  public var lettersMax = 200_000
  /// Rows times streams that begin, in one turn of the table's thread: some tenths of a second, after which
  /// the leader has its turn, so that a restart with many streams holds up no commit and no poll.
  public var startWorkMax = 20_000_000
  /// Bytes of keys and values after which a sweep takes no further set. What is due beyond comes in the
  /// next sweep, at once.
  public var sweepBytesMax = 64 << 20
  /// The same of one set with those linked with it, which no sweep may split. At 35 MB/s a transaction of
  /// this size takes half of its time-out of 60 s; a stream that goes past it stands still.
  public var unitBytesMax = 1 << 30
  /// Bytes of the rows with which streams of every change begin that go into one transaction: so that a huge
  /// view delays no changes.
  public var snapshotBytesMax = 4 << 20
  /// Bytes of such rows that are held at a time, after which no further stream begins.
  public var snapshotHeldMax = 256 << 20
  /// What a stream stores for clients that are away, bytes.
  public var storedBytesMax: Int64 = 256 << 20
  /// Topics of single streams that a sweep touches, at most, but for those of one set with those linked with
  /// it. At about 1 ms each, a sweep of these takes some 0.2 s.
  public var sweepTopicsMax = 200
  /// How the interval grows where sweeps take longer than it.
  public var throttle = Throttle.Settings()

  public init(
    topics: ClusterTopics, memberID: String, schema: Schema, table: TableSettings, registry: RegistrySettings
  ) {
    self.topics = topics
    self.memberID = memberID
    self.schema = schema
    self.table = table
    self.registry = registry
  }

  /// All topics but the streams' own.
  public var topicSpecs: [TopicSpec] { topics.specs(table: schema.table, partitions: table.partitions) }

  /// Those that must be there before a member starts. Lanes are made, as streams' own topics are, by who has taken the
  /// seat of those who publish in them: a former holder may go on in them as if they had never been deleted.
  public var preparedSpecs: [TopicSpec] {
    let lanes = topics.laneSpecs.map(\.name)
    return topicSpecs.filter { !lanes.contains($0.name) }
  }
}

/// The tables that queries may name.
public struct OneTable: Catalog, Sendable {
  let schema: Schema
  public init(_ schema: Schema) { self.schema = schema }
  public func schema(ofTable name: String) -> Schema? { name == schema.table ? schema : nil }
  public var tableNames: [String] { [schema.table] }
}
