import Base
import Bus
import Events
import Requests

// What the registry has decided is done: topics are made, records and replies committed, streams begin and end.
extension Publisher {
  func carryOut(_ effects: Effects) throws(BusError) {
    if !effects.isEmpty { try carryOut([effects]) }
  }

  /// Makes topics, commits the registry's records and replies in one transaction, then starts and ends
  /// streams. The registry is ahead of the bus until then: an error here is never for trying again.
  func carryOut(_ all: [Effects]) throws(BusError) {
    if all.isEmpty { return }
    do throws(BusError) {
      let made = try makeTopics(all, running!.registry)
      let ends = try changelogEnds(forStarting: made)
      try commit(made, claiming: needsEpoch(made) ? counts.epoch + 1 : nil, startingAt: ends, running!)
      for effects in made { apply(effects, startingAt: ends) }
      deleteTopics(made)
    } catch  where error.remedy == .retry {
      throw BusError(.recreate, code: error.code, error.message)
    }
  }

  /// Makes the topics of streams that start. Where the brokers refuse one, its stream does not start: its
  /// requests are rejected instead, which is all that their clients hear.
  private func makeTopics(_ all: [Effects], _ registry: Registry) throws(BusError) -> [Effects] {
    let refused = try streamTopics.make(for: all.flatMap(\.started))
    if refused.isEmpty { return all }
    let rejections = registry.refuse(refused, now: time)
    let ids = Set(refused.map(\.stream))
    let answered = Set(rejections.replies.map(\.key))
    return all.map { effects in
      var effects = effects
      effects.started.removeAll { ids.contains($0.id) }
      effects.replies.removeAll { answered.contains($0.key) }
      return effects
    } + [rejections]
  }

  /// By shard, where committed changes end: with what comes behind that an immediate stream begins. Asked before its
  /// reply is made, so that it has every change behind this. Empty where none starts.
  func changelogEnds(forStarting all: [Effects]) throws(BusError) -> [Int32: Int64] {
    guard all.contains(where: { $0.started.contains { $0.mode == .immediate } }) else { return [:] }
    var ends: [Int32: Int64] = [:]
    for partition in settings.changelog {
      ends[partition.partition] = try bus.endOffset(partition, isolation: .committed)
    }
    return ends
  }

  /// A stream that lives again begins in a higher epoch than the one that saw it end.
  private func needsEpoch(_ all: [Effects]) -> Bool {
    let ended = counts.progress.ended
    return ended.count > settings.endedPerEpochMax
      || all.contains { $0.started.contains { $0.place.isAgain && ended.contains($0.id) } }
  }

  /// One transaction: the registry's records and replies, and what ended streams leave behind.
  ///
  /// Streams in lanes that end say null for the keys that they have there: in the transaction that ends
  /// them in the registry, since nobody would look for what a crash left in between.
  func commit(
    _ all: [Effects], claiming epoch: Int64?, leftOver: [String] = [], startingAt ends: [Int32: Int64],
    _ running: Running
  ) throws(BusError) {
    let ended = all.flatMap(\.ended)
    // Where every change is kept for a while only, nothing needs a null.
    let lanes = ended.filter { $0.placement == .lane && $0.mode == .net }
    var contents = try Contents.read(lanes, bus, clock)
    for id in contents.tooLarge.sorted() { log.error("too many keys to say null for", ("stream", id)) }
    let sweep = nextSweep(time: clock.now())
    let outcome = sweep.ending(
      lanes, progress: counts.progress, registryPosition: running.registry.requestsPosition,
      contents: &contents)
    let out = outcome.batch
    for effects in all { append(effects, to: out) }
    if let epoch { append(claim: epoch, to: out) }
    // Also those that never published: who looks for their record finds none either way.
    let forgotten = Set(ended.map(\.id)).union(leftOver).sorted()
    for id in forgotten {
      out.append(topic: settings.topics.progress, partition: 0, timestamp: sweep.time, key: id, value: nil)
    }
    let living = all.flatMap(\.started).filter { !ended.contains($0.place) }
    for stream in living where stream.mode == .immediate {
      let state = ChangeState.beginning(stream.place, epoch: epoch ?? counts.epoch, from: ends)
      out.append(
        topic: settings.topics.progress, partition: 0, timestamp: sweep.time, key: stream.id,
        value: ChangeProgress.record(state, number: 0, time: sweep.time).text)
    }
    let gone = try commit(outcome, sweep)
    if !gone.isEmpty { throw remedy(forDeleted: gone) }
    for id in forgotten { counts.progress.end(id, epoch: counts.epoch) }
    for place in ended where place.mode != .net { counts.progress.endChanges(place.id) }
    if let epoch, epoch > counts.epoch {
      counts.epoch = epoch
      counts.progress.epochRose()
      tell(.epoch(epoch))
    }
  }

  private func append(claim epoch: Int64, to batch: RecordBatch) {
    let value = JSON.object(of: ["epoch": .int(epoch), "seat": .string(settings.topics.publishSeat)])
    batch.append(
      topic: settings.topics.registry, partition: 0, timestamp: clock.now(), key: Seat.claimKey,
      value: value.text)
  }

  /// The registry's records and replies.
  func append(_ effects: Effects, to out: RecordBatch) {
    let time = clock.now()
    for (key, value) in effects.cluster {
      out.append(topic: settings.topics.registry, partition: 0, timestamp: time, key: key, value: value?.text)
    }
    for (key, value) in effects.replies {
      out.append(topic: settings.topics.replies, partition: 0, timestamp: time, key: key, value: value.text)
    }
  }

  func apply(_ effects: Effects, startingAt ends: [Int32: Int64]) {
    for place in effects.ended { end(place) }
    for stream in effects.started { begin(stream, at: ends, &running!) }
    for id in effects.stored { tell(.store(id: id)) }
    for id in effects.takenUp { tell(.takeUp(id: id)) }
    for set in effects.sets { running!.schedule.update(set, now: clock.elapsed()) }
    for id in effects.setsEnded { running!.schedule.remove(id) }
    if let definitions = effects.definitions { self.definitions.set(definitions) }
  }

  func deleteTopics(_ all: [Effects]) {
    // Of streams of every change once nobody writes to them any more (`ChangeNews.stopped`).
    let ended = all.flatMap(\.ended).filter { $0.placement == .own && $0.mode == .net }
    streamTopics.delete(ended.map(\.topic))
  }
}
