import Base

/// Store-and-forward (docs/bus-contract.md, "Requests"): how a stream goes on for clients that are away.
extension Registry {
  /// The lease is over, and the stream goes on collecting for the request.
  func leave(_ entry: RequestEntry, _ draft: inout Draft) {
    entry.awaySince = draft.now
    leases.remove(entry)
    draft.touch(entry.stream)
    draft.reply(entry)
    draft.write(entry)
  }

  /// A client that was away sends its request again.
  func comeBack(_ entry: RequestEntry, _ now: Timestamp) -> Effects {
    var draft = Draft(now: now)
    entry.awaySince = nil
    schedule(entry)
    draft.touch(entry.stream)
    draft.reply(entry)
    draft.write(entry)
    return settle(&draft)
  }

  /// A stream stores while it has requests and all of them are away.
  func settleStoring(_ draft: inout Draft) {
    for entry in draft.streams.inOrder {
      let isStoring = !entry.requests.isEmpty && entry.requests.allSatisfy { $0.awaySince != nil }
      if isStoring == entry.isStoring { continue }
      entry.isStoring = isStoring
      entry.isFull = nil
      if isStoring {
        draft.effects.stored.append(entry.stream.id)
      } else {
        draft.effects.takenUp.append(entry.stream.id)
        // Others that are away may have been told that it is full.
        for request in entry.requests where request.awaySince != nil { draft.reply(request) }
        // Also where it is not known any more since a restart that the entity says `full`.
        write(entry, &draft)
      }
    }
  }

  /// A stream that stores has reached its limit and collects no more: its clients are told. One that has a client
  /// again, or is gone, is passed over.
  public func fill(_ id: String, reason: String, now: Timestamp) -> Effects {
    guard let entry = streamEntries[id], entry.isStoring, entry.isFull == nil else { return Effects() }
    entry.isFull = Rejection(.limit, reason)
    var draft = Draft(now: now)
    for request in entry.requests { draft.reply(request) }
    write(entry, &draft)
    return settle(&draft)
  }

  private func write(_ entry: StreamEntry, _ draft: inout Draft) {
    draft.effects.cluster.append((Entity.stream(entry.stream.id), Entity.value(of: entry)))
  }

  /// Ids of streams that collect for clients that are away.
  public var storing: Set<String> { Set(streamEntries.values.filter(\.isStoring).map(\.stream.id)) }
}
