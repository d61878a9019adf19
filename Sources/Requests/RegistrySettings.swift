import Base

/// What the registry is set up with. Every limit on what clients can make it hold is here; past one, a
/// request is rejected with the code `limit`.
///
/// Worst case in memory: `requestBytesTotalMax` of request texts, some 500 B a request beside them
/// (100,000: 50 MB), and a view per stream.
public struct RegistrySettings: Sendable {
  /// The topics' prefix.
  public var cluster: String
  /// The interval of a request that names none.
  public var intervalDefault: Duration
  /// How long a stream outlives its last request.
  public var grace: Duration

  public init(
    cluster: String = "belfry", intervalDefault: Duration = .seconds(5), grace: Duration = .seconds(30)
  ) {
    self.cluster = cluster
    self.intervalDefault = intervalDefault
    self.grace = grace
  }

  /// Partitions of `<cluster>.lanes.view`.
  public var laneCount = 8
  public var intervalMin: Duration = .milliseconds(100)
  public var intervalMax: Duration = .seconds(86_400)
  /// A renewal gets its reply again when that is older than this (replies are kept for 7 days).
  public var replyRepeatAfter: Duration = .seconds(86_400)
  /// Records that change nothing until the position is written all the same: what a restart reads again.
  public var quietRecordsMax = 1_000
  /// Leases and grace periods that one tick ends; what is over waits for the next.
  public var endingsPerTickMax = 10_000

  /// Clients that one transaction tells of a new interval; the others are told in the next.
  public var toldPerTurnMax = 2_000

  /// Living requests.
  public var requestsMax = 100_000
  public var requestsPerClientMax = 10_000
  /// Bytes of one request's record.
  public var requestBytesMax = 65_536
  /// Bytes of the texts of all living requests together.
  public var requestBytesTotalMax = 256 << 20
  public var clientBytesMax = 128
  public var nameBytesMax = 256
  public var linkBytesMax = 256
  public var commandIDBytesMax = 385
  /// Flushes that wait to be answered, and how long one may.
  public var flushesMax = 1_000
  public var flushWait: Duration = .seconds(30)
  /// Answers to commands that are remembered by the command's id, so that none is carried out twice.
  public var answersMax = 10_000
  /// Streams, those in their grace period counted.
  public var streamsMax = 100_000
  /// Streams with a topic of their own. A sweep's transaction takes about 1 ms a topic that it touches.
  public var ownTopicsMax = 2_000
  /// Ids of ended streams that are remembered, so that a topic's name is not used twice. When one is
  /// forgotten, every stream from then on has its creation number in its topic's name.
  public var endedStreamsMax = 100_000
}
