/// What there is to see in a cluster that has nothing left to do, and that all of it is as it must be: the table is the
/// fold of the events, replies are what was asked for, each stream is its view at each sweep, histories have each
/// change once, each command was done once, and each flush has shown what it promised.
public struct Verdict {
  /// Records on net streams; and sweeps of a stream that were compared with its view.
  public let published: Int
  public let compared: Int
  /// Changes on histories and immediate streams that were compared with the table's; and times that one which was
  /// stored for clients that were away has reached its limit, and those that are at the limit by bytes.
  public let told: Int
  public let filled: Int
  public let filledByBytes: Int
  /// Commands, each compared with its answer; and flushes that were answered with a sweep.
  public let answered: Int
  public let flushed: Int

  /// Throws the first thing that is not as it must be. `deletions`: numbers of events after which all that was cleared
  /// has been deleted. `isRestarted`: no topic of a stream that ended may be left.
  public init(_ world: any World, _ crowd: Crowd, deletions: [Int64] = [], isRestarted: Bool = false)
    throws(Fault)
  {
    let table = try TableChecker(world, deletions)
    let requests = try RequestChecker(world, isRestarted: isRestarted)
    let flushes = try FlushChecker(world, crowd.screen.sent, requests)
    let streams = try StreamChecker(world, table, requests, flushes, crowd.vandal.lost)
    published = streams.published
    compared = streams.compared
    let changes = try ChangeChecker(world, table, crowd.vandal.lost)
    told = changes.compared
    filled = changes.filled
    filledByBytes = changes.filledByBytes
    answered = try CommandChecker(world, table, crowd.operators.sent).answered
    flushed = flushes.flushed
  }
}
