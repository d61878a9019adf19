import Base
import Events
import Query

/// How the registry is rebuilt from `<cluster>.cluster`.
extension Registry {
  /// One record of `<cluster>.cluster`, in order; the last of a key counts. Keys of other kinds are passed
  /// over.
  public func restore(key: String, value: JSON?) {
    let isOurs =
      [Entity.position, Entity.commandsPosition, Entity.throttle].contains(key)
      || Entity.kinds.contains(where: key.hasPrefix)
    guard isOurs else { return }
    staged[ByteKey(key)] = value
  }

  /// To be called once behind the last record, and before the first `handle` or `tick`. Leases are counted
  /// afresh from `now`.
  ///
  /// What can no longer stand under the present configuration is sorted out, and is in the effects: a
  /// request whose columns are gone is asked anew, so that it gets a new stream or is rejected; where the
  /// default interval has changed, so have the sets'.
  public func finishRestore(now: Timestamp) -> Effects {
    var draft = Draft(now: now)
    let entities = staged.map { (key: $0.key.text, value: $0.value) }
    staged = [:]
    restorePosition(entities.first { $0.key == Entity.position }?.value)
    commandsPosition = Self.offset(entities.first { $0.key == Entity.commandsPosition }?.value)
    restoreThrottle(entities.first { $0.key == Entity.throttle }?.value)
    for kind in Definition.Kind.allCases {
      for (name, json) in Self.found(Entity.definition(kind, ""), in: entities) {
        restoreDefinition(kind, name, json, &draft)
      }
    }
    for (id, json) in Self.found("command/", in: entities) { restoreAnswer(id, json, &draft) }
    for (id, json) in Self.found("set/", in: entities) { restoreSet(id, json, &draft) }
    for (id, json) in Self.found("stream/", in: entities) { restoreStream(id, json, &draft) }
    let orphans = Self.found("request/", in: entities).filter { !restoreRequest($0.id, $0.json, &draft) }
    creations = max(creations, restoredCreations.max() ?? 0)
    restoredCreations = []
    for (key, json) in orphans { askAnew(key, json, &draft) }
    tellRetried(&draft)
    countLeasesAfresh(from: now)
    return leaveOutUnchanged(&draft)
  }

  /// Whoever could not reach the master had no chance to renew.
  func countLeasesAfresh(from now: Timestamp) {
    for entry in requestEntries.values {
      entry.lastSent = now
      schedule(entry)
    }
  }

  private typealias Found = [(id: String, json: JSON)]

  /// The entities of a kind in the order of creation, which for ended streams is that of their ends.
  private static func found(_ kind: String, in entities: [(key: String, value: JSON)]) -> Found {
    var numbered: [(number: Int64, id: String, json: JSON)] = []
    for (key, json) in entities where key.hasPrefix(kind) {
      let number = json["ended"]?.int ?? json["creation"]?.int ?? 0
      numbered.append((number, String(key.dropFirst(kind.count)), json))
    }
    numbered.sort { $0.number == $1.number ? $0.id < $1.id : $0.number < $1.number }
    return numbered.map { ($0.id, $0.json) }
  }

  /// One that no topic can have reached is no position: everything is read again, which does no harm.
  private static func offset(_ json: JSON?) -> Int64 {
    let offset = json?["offset"]?.int ?? 0
    return offset.isCount ? offset : 0
  }

  private func restorePosition(_ json: JSON?) {
    guard let json else { return }
    requestsPosition = Self.offset(json)
    creations = min(max(json["creations"]?.int ?? 0, 0), .max / 2)
    endedStreams.hasForgotten = json["forgotten"]?.bool ?? true
  }

  /// An entity's creation number; nil where it has none, or another has it.
  private func creation(_ json: JSON) -> Int64? {
    guard let creation = json["creation"]?.int, creation > 0, creation < .max / 2,
      restoredCreations.insert(creation).inserted
    else { return nil }
    return creation
  }

  private func restoreDefinition(_ kind: Definition.Kind, _ name: String, _ json: JSON, _ draft: inout Draft)
  {
    guard creation(json) != nil, let text = json["text"]?.string, let uses = json["uses"]?.array else {
      return drop(Entity.definition(kind, name), &draft)
    }
    definitions.insert(Definition(kind: kind, name: name, text: text, uses: uses.compactMap(\.string)))
  }

  private func restoreAnswer(_ id: String, _ json: JSON, _ draft: inout Draft) {
    guard let number = creation(json), let reply = json["reply"] else {
      return drop(Entity.command(ByteKey(id)), &draft)
    }
    let content = json["content"]?.string.flatMap { UInt64($0, radix: 16) }
    let command = AnsweredCommand(reply: reply, content: content, offset: json["offset"]?.int)
    answers.insert(ByteKey(id), command, number: number)
  }

  private func restoreSet(_ id: String, _ json: JSON, _ draft: inout Draft) {
    guard let creation = creation(json), let filter = json["filter"]?.string,
      let interval = json["interval_ms"]?.int, (1...settings.intervalMax.milliseconds).contains(interval)
    else { return drop(Entity.set(id), &draft) }
    let set = SetEntry(id: id, creation: creation, filterText: filter, interval: interval)
    setEntries[id] = set
    draft.touch(set)
  }

  private func restoreStream(_ id: String, _ json: JSON, _ draft: inout Draft) {
    if json["state"]?.string == "ended", let number = json["ended"]?.int, number > 0, number < .max / 2 {
      restoredCreations.insert(number)
      endedStreams.insert(id, number: number)
      return
    }
    guard creation(json) != nil, let place = StreamPlace(id: id, json), let text = json["text"]?.string,
      let set = json["set"]?.string.flatMap({ setEntries[$0] })
    else { return drop(Entity.stream(id), &draft) }
    guard let view = try? parse(text) else {
      draft.effects.ended.append(place)
      remember(place, &draft)
      return
    }
    let entry = insert(Stream(place: place, set: set.id, text: text, view: view), in: set)
    entry.graceSince = json["grace_ms"]?.int.map { min(Timestamp(milliseconds: $0), draft.now) }
    if json["error"] != nil { retried.append(entry) }
    scheduleGrace(entry)
    draft.touch(entry)
  }

  /// False where its stream could not be restored.
  private func restoreRequest(_ key: String, _ json: JSON, _ draft: inout Draft) -> Bool {
    guard let content = content(json), content.key == ByteKey(key), let creation = creation(json),
      let stream = json["stream"]?.string.flatMap({ streamEntries[$0] })
    else {
      draft.effects.cluster.append((Entity.request(ByteKey(key)), nil))
      return false
    }
    let entry = RequestEntry(creation: creation, content, nil, stream, sent: draft.now)
    entry.repliedAt = Timestamp(milliseconds: json["replied_ms"]?.int ?? 0)
    entry.awaySince = json["away_ms"]?.int.map { min(Timestamp(milliseconds: $0), draft.now) }
    attach(entry, &draft)
    return true
  }

  /// Streams that stood still over a limit begin anew with every restart, and their clients hear of it.
  private func tellRetried(_ draft: inout Draft) {
    for entry in retried {
      for request in entry.requests { draft.reply(request) }
      draft.effects.cluster.append((Entity.stream(entry.stream.id), Entity.value(of: entry)))
    }
    retried = []
  }

  private func content(_ json: JSON) -> RequestContent? { try? RequestContent(RecordObject(json), settings) }

  private func drop(_ key: String, _ draft: inout Draft) {
    counts.restoreFaults += 1
    draft.effects.cluster.append((key, nil))
  }

  private func askAnew(_ key: String, _ json: JSON, _ draft: inout Draft) {
    guard let content = content(json), content.key == ByteKey(key) else {
      counts.restoreFaults += 1
      return
    }
    do { try accept(content, nil, &draft) } catch { reject(error, content.key, &draft) }
  }

  /// Settles; where all is as it was, there is nothing to tell. What the sets are is not told either: the
  /// publisher takes them, and the streams, from the registry after this.
  private func leaveOutUnchanged(_ draft: inout Draft) -> Effects {
    var effects = settle(&draft)
    effects.sets = []
    effects.resumed = []
    let isUnchanged = effects.cluster.count == 1 && effects.replies.isEmpty && effects.ended.isEmpty
    return isUnchanged ? Effects() : effects
  }
}
