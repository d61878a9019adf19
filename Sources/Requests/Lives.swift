import Base
import Events
import Query

/// How requests and streams begin and end.
extension Registry {
  /// A new or changed request. Throws before anything is changed.
  func accept(_ content: RequestContent, _ fingerprint: Fingerprint?, _ draft: inout Draft) throws(Rejection)
  {
    let old = requestEntries[content.key]
    try checkLimits(content, replacing: old)
    let view = try view(of: content, replacing: old)
    try checkMode(content, view)
    let stream = try stream(for: content, view, &draft)
    if let old { detach(old, &draft) }
    let isSame = old?.stream === stream
    let entry = RequestEntry(
      creation: isSame ? old!.creation : nextCreation(), content, fingerprint, stream, sent: draft.now)
    attach(entry, &draft)
    draft.reply(entry)
    draft.write(entry)
    counts.accepted += 1
  }

  func reject(_ rejection: Rejection, _ key: ByteKey, _ draft: inout Draft) {
    if let old = requestEntries[key] {
      detach(old, &draft)
      draft.effects.cluster.append((Entity.request(key), nil))
    }
    counts.rejected[rejection.code, default: 0] += 1
    draft.effects.replies.append((key.text, rejectedReply(rejection, to: key)))
  }

  func end(_ entry: RequestEntry, reason: EndReason, _ draft: inout Draft) {
    detach(entry, &draft)
    counts.ended += 1
    let key = entry.content.key
    let names = ClientAndName(client: entry.content.client, name: entry.content.name)
    draft.effects.cluster.append((Entity.request(key), nil))
    draft.effects.replies.append((key.text, names.endedReply(reason)))
  }

  /// A stream whose grace period is over.
  func end(_ entry: StreamEntry, _ draft: inout Draft) {
    graces.remove(entry)
    draft.streams[entry.creation] = nil
    streamEntries[entry.stream.id] = nil
    if entry.stream.place.placement == .own { ownTopics -= 1 }
    entry.set.streams.removeAll { $0 === entry }
    draft.touch(entry.set)
    draft.effects.ended.append(entry.stream.place)
    remember(entry.stream.place, &draft)
  }

  /// Keeps the id of a stream that ended, in exchange for the oldest where there are too many.
  func remember(_ place: StreamPlace, _ draft: inout Draft) {
    let number = nextCreation()
    endedStreams.insert(place.id, number: number)
    draft.effects.cluster.append(
      (Entity.stream(place.id), Entity.ended(creation: place.creation, number: number)))
    for id in endedStreams.forget(above: settings.endedStreamsMax) {
      draft.effects.cluster.append((Entity.stream(id), nil))
    }
  }

  // MARK: Ties

  /// Gives a living request its place in its stream, its set and the limits.
  func attach(_ entry: RequestEntry, _ draft: inout Draft) {
    let content = entry.content
    let set = entry.stream.set
    requestEntries[content.key] = entry
    requestsPerClient[ByteKey(content.client), default: 0] += 1
    requestBytes += content.bytes
    entry.stream.add(entry)
    if content.mode == .net {
      set.ask(interval(of: content))
      if let word = content.linkWord { links.tie(set, word) }
    }
    schedule(entry)
    draft.touch(entry.stream)
    draft.touch(set)
  }

  func detach(_ entry: RequestEntry, _ draft: inout Draft) {
    let content = entry.content
    let client = ByteKey(content.client)
    let set = entry.stream.set
    requestEntries[content.key] = nil
    let left = requestsPerClient[client, default: 1] - 1
    requestsPerClient[client] = left == 0 ? nil : left
    requestBytes -= content.bytes
    entry.stream.remove(entry)
    if content.mode == .net {
      set.unask(interval(of: content))
      if let word = content.linkWord, let split = links.untie(set, word) { draft.touch(split) }
    }
    leases.remove(entry)
    draft.touch(entry.stream)
    draft.touch(set)
  }

  func schedule(_ entry: RequestEntry) {
    leases.remove(entry)
    if entry.content.leaseMs == 0 || entry.awaySince != nil { return }
    entry.due = entry.leaseEnd
    leases.insert(entry)
  }

  func interval(of content: RequestContent) -> Int64 {
    content.intervalMs ?? settings.intervalDefault.milliseconds
  }

  func nextCreation() -> Int64 {
    creations += 1
    return creations
  }

  // MARK: Streams

  /// A request that stands does not follow the names in it to their new meaning, also where it changes its
  /// interval.
  private func view(of content: RequestContent, replacing old: RequestEntry?) throws(Rejection) -> View {
    if let old, ByteKey(old.content.sql) == ByteKey(content.sql) { return old.stream.stream.view }
    return try parse(content.sql)
  }

  func parse(_ sql: String) throws(Rejection) -> View {
    let text = ByteKey(sql)
    if let known = views[text] { return known }
    counts.queriesParsed += 1
    do {
      let view = try parseView(sql, in: catalog, definitions)
      views.remember(text, view)
      return view
    } catch {
      throw Rejection(error)
    }
  }

  /// Every change can be told of rows only, and only where time alone changes nothing.
  private func checkMode(_ content: RequestContent, _ view: View) throws(Rejection) {
    let mode = content.mode
    if content.storesAndForwards && (mode != .all || content.placement == .lane) {
      throw Rejection(
        .unsupported,
        "store_and_forward is for the mode all, in a topic of its own: nothing else keeps what a"
          + " client has not read")
    }
    if mode == .net { return }
    guard case .pure = view.body else {
      throw Rejection(
        .unsupported, "the mode \(mode.rawValue) is for views of rows; metrics have the mode net only")
    }
    guard !view.filter.readsTheClock else {
      throw Rejection(
        .unsupported,
        "the mode \(mode.rawValue) tells every change of a row, and rows pass NOW() without one: the mode net"
          + " takes such a filter")
    }
  }

  private func stream(for content: RequestContent, _ view: View, _ draft: inout Draft) throws(Rejection)
    -> StreamEntry
  {
    let placement = content.placement ?? view.defaultPlacement
    let id = identity.id(
      text: view.text, mode: content.mode, placement: placement,
      isDefault: placement == view.defaultPlacement)
    if let known = streamEntries[id] {
      let stream = known.stream
      guard stream.text == view.text, stream.mode == content.mode, stream.place.placement == placement else {
        throw collision(id, "stream", of: stream.text)
      }
      return known
    }
    try checkLimits(newStream: view, placement)
    let set = try set(of: view, interval: interval(of: content), &draft)
    let place = StreamPlace(
      id: id, creation: nextCreation(), mode: content.mode, placement: placement,
      isAgain: endedStreams.mayHaveEnded(id), settings)
    let stream = Stream(place: place, set: set.id, text: view.text, view: view)
    endedStreams.remove(id)
    let entry = insert(stream, in: set)
    draft.started(entry)
    return entry
  }

  @discardableResult
  func insert(_ stream: Stream, in set: SetEntry) -> StreamEntry {
    let entry = StreamEntry(stream, in: set)
    streamEntries[stream.id] = entry
    if stream.place.placement == .own { ownTopics += 1 }
    set.streams.append(entry)
    return entry
  }

  private func set(of view: View, interval: Int64, _ draft: inout Draft) throws(Rejection) -> SetEntry {
    let id = identity.setID(filterText: view.filterText)
    if let known = setEntries[id] {
      guard known.filterText == view.filterText else { throw collision(id, "set", of: known.filterText) }
      return known
    }
    let set = SetEntry(id: id, creation: nextCreation(), filterText: view.filterText, interval: interval)
    setEntries[id] = set
    draft.write(set)
    return set
  }

  private func collision(_ id: String, _ what: String, of text: String) -> Rejection {
    Rejection(.collision, "the \(what) id \(id) is that of another text: \(text.prefix(200))")
  }

  // MARK: Limits

  private func checkLimits(_ content: RequestContent, replacing old: RequestEntry?) throws(Rejection) {
    let before = old == nil ? 0 : 1
    if requestEntries.count - before >= settings.requestsMax {
      throw Rejection(.limit, "\(settings.requestsMax) requests are here already")
    }
    if requestsPerClient[ByteKey(content.client), default: 0] - before >= settings.requestsPerClientMax {
      throw Rejection(.limit, "\(content.client) has \(settings.requestsPerClientMax) requests already")
    }
    if requestBytes - (old?.content.bytes ?? 0) + content.bytes > settings.requestBytesTotalMax {
      throw Rejection(.limit, "all requests together have more than \(settings.requestBytesTotalMax) bytes")
    }
  }

  private func checkLimits(newStream view: View, _ placement: Placement) throws(Rejection) {
    if streamEntries.count >= settings.streamsMax {
      throw Rejection(.limit, "\(settings.streamsMax) streams are here already")
    }
    if placement == .own, ownTopics >= settings.ownTopicsMax {
      throw Rejection(
        .limit,
        "\(settings.ownTopicsMax) streams have topics of their own already; \"placement\":\"lane\" needs none"
      )
    }
    // The canonical text alone brings the view back after a restart.
    do {
      _ = try parseView(view.text, in: catalog)
    } catch {
      throw Rejection(.limit, "its canonical form cannot be kept: \(error.message)")
    }
  }
}
