import Base

/// A living request.
final class RequestEntry: Scheduled {
  let creation: Int64
  var content: RequestContent
  /// Of the record that was last sent; nil after a restart.
  var fingerprint: Fingerprint?
  /// Outlives its requests.
  unowned let stream: StreamEntry
  var lastSent: Timestamp
  var repliedAt: Timestamp
  /// Since when its lease is over while its stream goes on collecting for it.
  var awaySince: Timestamp?
  /// At or before the time when the lease runs out: renewals do not move it.
  var due = Timestamp.zero
  var heapIndex = -1

  init(
    creation: Int64, _ content: RequestContent, _ fingerprint: Fingerprint?, _ stream: StreamEntry,
    sent: Timestamp
  ) {
    self.creation = creation
    self.content = content
    self.fingerprint = fingerprint
    self.stream = stream
    lastSent = sent
    repliedAt = sent
  }

  var leaseEnd: Timestamp { lastSent + .milliseconds(content.leaseMs) }
  var isPrimary: Bool { stream.requests.first === self }
}

final class StreamEntry: Scheduled {
  let stream: Stream
  unowned let set: SetEntry
  /// Living ones, oldest first.
  private(set) var requests: [RequestEntry] = []
  /// Since when it has no request.
  var graceSince: Timestamp?
  /// Why it stands still: it is over a limit.
  var failure: Rejection?
  /// All its requests are away: it collects for them, up to a limit.
  var isStoring = false
  /// It has reached that limit, and why it collects no more.
  var isFull: Rejection?
  var due = Timestamp.zero
  var heapIndex = -1

  init(_ stream: Stream, in set: SetEntry) {
    self.stream = stream
    self.set = set
  }

  var creation: Int64 { stream.place.creation }

  func add(_ request: RequestEntry) { requests.insert(request, at: index(of: request)) }

  func remove(_ request: RequestEntry) {
    let index = index(of: request)
    precondition(requests[index] === request)
    requests.remove(at: index)
  }

  private func index(of request: RequestEntry) -> Int {
    var low = 0
    var high = requests.count
    while low < high {
      let middle = (low + high) / 2
      if requests[middle].creation < request.creation { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

final class SetEntry {
  let id: String
  let creation: Int64
  let filterText: String
  /// Oldest first.
  var streams: [StreamEntry] = []
  /// The interval in force, in ms.
  var interval: Int64
  /// How many living requests ask for which interval; the smallest of them.
  private var asked: [Int64: Int] = [:]
  private(set) var least: Int64?
  /// Through how many requests the set is tied to which link word.
  var words: [ByteKey: Int] = [:]
  /// The group that it is in, which may be its own.
  var group: LinkGroup!
  /// The creation number of the group's head as the outside knows it; 0 before it was told.
  var headShown: Int64 = 0

  init(id: String, creation: Int64, filterText: String, interval: Int64) {
    self.id = id
    self.creation = creation
    self.filterText = filterText
    self.interval = interval
    group = LinkGroup([self])
  }

  func ask(_ interval: Int64) {
    asked[interval, default: 0] += 1
    if least.map({ interval < $0 }) ?? true {
      least = interval
      group.isStale = true
    }
  }

  func unask(_ interval: Int64) {
    guard let count = asked[interval], count == 1 else {
      asked[interval]? -= 1
      return
    }
    asked[interval] = nil
    guard interval == least else { return }
    least = asked.keys.min()
    group.isStale = true
  }

  var shown: RequestSet {
    RequestSet(
      id: id, creation: creation, filterText: filterText, interval: .milliseconds(interval),
      linkGroup: group.head.id,
      streams: streams.filter { $0.stream.mode == .net }.map(\.stream.id))
  }
}
