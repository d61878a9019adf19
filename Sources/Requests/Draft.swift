import Base
import Events

/// What one step has touched; `Registry.settle` draws the consequences. Everything is kept by creation
/// number, so that what comes out has one order.
struct Draft {
  let now: Timestamp
  var effects = Effects()
  var streams: [Int64: StreamEntry] = [:]
  var newStreams: Set<Int64> = []
  var sets: [Int64: SetEntry] = [:]
  var setsWritten: Set<Int64> = []
  var requestsWritten: [Int64: RequestEntry] = [:]
  var repliedTo: [Int64: RequestEntry] = [:]

  init(now: Timestamp) { self.now = now }

  var isEmpty: Bool {
    effects.isEmpty && streams.isEmpty && sets.isEmpty && requestsWritten.isEmpty && repliedTo.isEmpty
  }

  mutating func touch(_ stream: StreamEntry) { streams[stream.creation] = stream }

  mutating func touch(_ set: SetEntry) { sets[set.creation] = set }

  mutating func started(_ stream: StreamEntry) {
    touch(stream)
    newStreams.insert(stream.creation)
  }

  mutating func write(_ set: SetEntry) {
    touch(set)
    setsWritten.insert(set.creation)
  }

  mutating func write(_ request: RequestEntry) { requestsWritten[request.creation] = request }

  mutating func reply(_ request: RequestEntry) { repliedTo[request.creation] = request }
}

extension Dictionary where Key == Int64 {
  var inOrder: [Value] { sorted { $0.key < $1.key }.map(\.value) }
}

extension Registry {
  /// Draws a step's consequences: grace periods, intervals, replies, and the position.
  func settle(_ draft: inout Draft) -> Effects {
    settleStreams(&draft)
    settleStoring(&draft)
    settleSets(&draft)
    for request in draft.requestsWritten.inOrder where isLiving(request) {
      if draft.repliedTo[request.creation] != nil { request.repliedAt = draft.now }
      draft.effects.cluster.append((Entity.request(request.content.key), Entity.value(of: request)))
    }
    for request in draft.repliedTo.inOrder where isLiving(request) {
      request.repliedAt = draft.now
      draft.effects.replies.append((request.content.key.text, reply(to: request)))
    }
    quietRecords = 0
    draft.effects.cluster.append((Entity.position, positionEntity))
    return draft.effects
  }

  private func isLiving(_ request: RequestEntry) -> Bool {
    requestEntries[request.content.key] === request
  }

  private func settleStreams(_ draft: inout Draft) {
    for entry in draft.streams.inOrder {
      let isNew = draft.newStreams.contains(entry.creation)
      if entry.requests.isEmpty && entry.graceSince == nil {
        entry.graceSince = draft.now
        scheduleGrace(entry)
      } else if !entry.requests.isEmpty && entry.graceSince != nil {
        entry.graceSince = nil
        graces.remove(entry)
        draft.effects.resumed.append(entry.stream)
      } else if !isNew {
        continue
      }
      if isNew { draft.effects.started.append(entry.stream) }
      draft.effects.cluster.append((Entity.stream(entry.stream.id), Entity.value(of: entry)))
    }
  }

  func scheduleGrace(_ entry: StreamEntry) {
    guard let since = entry.graceSince else { return }
    entry.due = since + settings.grace
    graces.insert(entry)
  }

  private func settleSets(_ draft: inout Draft) {
    let streamsChanged = Set(draft.effects.started.map(\.set)).union(endedIn(draft))
    var shown: [Int64: SetEntry] = [:]
    for set in draft.sets.inOrder {
      if set.streams.isEmpty {
        end(set, &draft)
        continue
      }
      if streamsChanged.contains(set.id) { shown[set.creation] = set }
      settle(set.group, &shown, &draft)
    }
    for set in shown.inOrder {
      draft.effects.sets.append(set.shown)
      if draft.setsWritten.contains(set.creation) {
        draft.effects.cluster.append((Entity.set(set.id), Entity.value(of: set)))
      }
    }
  }

  /// Sets that lost a stream in this step.
  private func endedIn(_ draft: Draft) -> [String] {
    draft.effects.ended.isEmpty ? [] : draft.sets.values.map(\.id)
  }

  private func settle(_ group: LinkGroup, _ shown: inout [Int64: SetEntry], _ draft: inout Draft) {
    guard group.isStale else { return }
    group.isStale = false
    let least = group.least.map { max($0, floor) }
    for set in group.sets {
      if let least, least != set.interval {
        set.interval = least
        shown[set.creation] = set
        draft.setsWritten.insert(set.creation)
        for stream in set.streams where stream.stream.mode == .net {
          for request in stream.requests { draft.reply(request) }
        }
      }
      if set.headShown != group.head.creation {
        set.headShown = group.head.creation
        shown[set.creation] = set
      }
    }
  }

  /// A set without streams has no requests, so it is in no group but its own.
  private func end(_ set: SetEntry, _ draft: inout Draft) {
    setEntries[set.id] = nil
    set.group.dissolve()
    draft.effects.setsEnded.append(set.id)
    draft.effects.cluster.append((Entity.set(set.id), nil))
  }
}
