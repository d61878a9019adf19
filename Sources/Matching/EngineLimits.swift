/// How large an engine's state may become. A stream that would pass one of these stands still from then
/// on (`Engine.streamsOverLimit`): it publishes nothing wrong, and whoever owns it ends it.
public struct EngineLimits: Sendable {
  /// Groups of one metric view, those counted that are gone and wait for their null. A group takes some
  /// 90 bytes with COUNT, 125 with SUM or AVG, and 110 more where they are of reals: 1,000,000 groups of one
  /// counter, 90 MB.
  public var groupsMax = 1_000_000
  /// Of one formula in one metric view, over all groups: distinct values for MIN and MAX, or for COUNT(DISTINCT); buckets
  /// for QUANTILE; counters of a HISTOGRAM. Up to 30 bytes each, but at least 120 a group: 16,000,000
  /// values, 480 MB.
  public var valuesMax = 16_000_000
  /// Keys of one pure view that changed since it was collected last. 16 bytes each: 16,000,000 keys, 256 MB.
  public var pendingKeysMax = 16_000_000

  /// Filters that are matched: 1,000,000 take some 1.6 GB with their streams.
  public var filtersMax = 1_000_000
  /// Entries of filters in the index; a filter has one for each of its ways, such as the values of an IN, and one for each
  /// interval by which it is sorted.
  /// Some 100 bytes each: 10,000,000 entries, 1 GB.
  public var indexEntriesMax = 10_000_000

  public init() {}
}

/// Why a view cannot be served.
public enum EngineError: Error, Sendable, Equatable, CustomStringConvertible {
  case tooManyGroups(max: Int)
  case tooManyValues(max: Int)
  case tooManyPendingKeys(max: Int)
  /// What is published together with it counted.
  case tooManyBytes(max: Int)
  case tooManyFilters(max: Int)
  case tooManyIndexEntries(max: Int)

  public var description: String {
    switch self {
    case .tooManyGroups(let max): "the view has more than \(max) groups"
    case .tooManyValues(let max): "a metric of the view has more than \(max) distinct values"
    case .tooManyBytes(let max): "what is to be published at once has more than \(max) bytes"
    case .tooManyPendingKeys(let max): "more than \(max) keys of the view wait to be published"
    case .tooManyFilters(let max): "there are \(max) filters, and no more may be added"
    case .tooManyIndexEntries(let max):
      "the filters take \(max) entries of the index, and no more may be added"
    }
  }
}
