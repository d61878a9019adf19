import Base

/// What the registry holds, oldest first. Each call takes O(n log n).
extension Registry {
  /// All streams, those in their grace period too: they are published like the others.
  public var streams: [Stream] {
    streamEntries.values.sorted { $0.creation < $1.creation }.map(\.stream)
  }

  public var sets: [RequestSet] {
    setEntries.values.sorted { $0.creation < $1.creation }.map(\.shown)
  }

  public var requests: [RequestStatus] {
    requestEntries.values.sorted { $0.creation < $1.creation }.map(\.status)
  }

  public func stream(_ id: String) -> Stream? { streamEntries[id]?.stream }

  public func set(_ id: String) -> RequestSet? { setEntries[id]?.shown }

  public func request(client: String, name: String) -> RequestStatus? {
    requestEntries[ByteKey(client + "/" + name)]?.status
  }

  public var requestCount: Int { requestEntries.count }
  public var streamCount: Int { streamEntries.count }
  public var setCount: Int { setEntries.count }
}

extension RequestEntry {
  fileprivate var status: RequestStatus {
    RequestStatus(
      client: content.client, name: content.name, sql: content.sql, creation: creation, isPrimary: isPrimary,
      stream: stream.stream.id, set: stream.set.id,
      intervalAsked: content.intervalMs.map { .milliseconds($0) }, link: content.link,
      lease: .milliseconds(content.leaseMs), lastSent: lastSent)
  }
}
