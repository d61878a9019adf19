import Base

/// How streams fail that a request was accepted for.
extension Registry {
  /// The topics of these streams cannot be made: their requests are rejected with the code `topic`, and they
  /// end at once. Others are not touched; ids that no stream has are passed over.
  public func refuse(_ streams: [(stream: String, reason: String)], now: Timestamp) -> Effects {
    var draft = Draft(now: now)
    for (id, reason) in streams {
      guard let entry = streamEntries[id] else { continue }
      for request in entry.requests { reject(Rejection(.topic, reason), request.content.key, &draft) }
      end(entry, &draft)
    }
    return draft.isEmpty ? Effects() : settle(&draft)
  }

  /// A stream is over a limit and stands still. Its requests stand, and each, like every further one, gets a
  /// reply that says why; it ends when they do, and is tried again when the registry is restored.
  public func fail(_ id: String, reason: String, now: Timestamp) -> Effects {
    guard let entry = streamEntries[id], entry.failure == nil else { return Effects() }
    entry.failure = Rejection(.limit, reason)
    var draft = Draft(now: now)
    for request in entry.requests { draft.reply(request) }
    draft.effects.cluster.append((Entity.stream(id), Entity.value(of: entry)))
    return settle(&draft)
  }
}
