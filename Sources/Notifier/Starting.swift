import Base
import Bus
import Events
import Requests

// How a publisher comes back from its topics.
extension Publisher {
  func start() throws(BusError) -> Running {
    let topics = settings.topics
    try lookForTopics()
    let listed = try streamTopics.listed()
    try seat.take(in: nil)
    try bus.ensureTopics([topics.viewLanesSpec])
    let (registry, claimed) = try restore()
    counts.epoch = max(claimed, counts.progress.epoch) + 1
    var effects = [registry.finishRestore(now: time)]
    registry.requestsPosition = try position(in: topics.requests, registry.requestsPosition)
    registry.commandsPosition = try position(in: topics.commands, registry.commandsPosition)
    // Those of every change are made by who publishes them: a former holder of that seat may still write.
    let refused = try streamTopics.make(for: registry.streams.filter { $0.mode == .net })
    if !refused.isEmpty { effects.append(registry.refuse(refused, now: time)) }
    let streams = registry.streams
    let places = streams.map(\.place)
    var running = Running(
      listed: listed,
      requests: try bus.makeReader(
        [TopicPartition(topics.requests, 0): registry.requestsPosition], isolation: .committed,
        gather: settings.requestGather),
      commands: try bus.makeReader(
        [TopicPartition(topics.commands, 0): registry.commandsPosition], isolation: .committed),
      registry: registry, contents: try Contents.read(places.filter { $0.mode == .net }, bus, clock),
      throttle: Throttle(settings.throttle, floor: .milliseconds(registry.floor)))
    running.schedule.floor = running.throttle.floor
    nextLook = clock.elapsed() + settings.lookInterval
    nextStreamTopics = clock.elapsed() + settings.topicsInterval
    // A new term: its epoch, written under the seat before anything is published in it. With it goes what
    // the registry sorted out when it was restored.
    try commit(
      effects, claiming: counts.epoch, leftOver: counts.progress.leftOver(places),
      startingAt: try changelogEnds(forStarting: effects), running)
    streamTopics.deleteLeftovers(listed, ofEveryChange: false, living: streams)
    resetTable()
    beginChanges(streams.filter { $0.mode != .net }, storing: running.registry.storing)
    for stream in streams where stream.mode == .net { begin(stream, at: [:], &running) }
    for set in registry.sets { running.schedule.update(set, now: clock.elapsed()) }
    definitions.set(registry.definitions)
    definitions.reached(command: registry.commandsPosition)
    readiness.turned("publisher")
    log.info(
      "publishing", ("epoch", "\(counts.epoch)"), ("streams", "\(streams.count)"),
      ("sweep", "\(counts.progress.sweep)"))
    return running
  }

  /// The registry and the counts from their topics, and the largest epoch that was claimed.
  private func restore() throws(BusError) -> (Registry, claimed: Int64) {
    let counts = counts
    let registry = Registry(settings: settings.registry, catalog: catalog) { counts.position(of: $0) }
    var claimed: Int64 = 0
    try fold(settings.topics.registry) { key, value in
      registry.restore(key: key, value: value)
      guard key == Seat.claimKey, let epoch = value?["epoch"]?.int else { return true }
      if epoch.isCount { claimed = max(claimed, epoch) }
      return epoch.isCount
    }
    let now = clock.now()
    try fold(settings.topics.progress) { counts.progress.restore(key: $0, value: $1, now: now) }
    return (registry, claimed)
  }

  /// Where to read on. A position beyond the end is of a log that is gone: what is there is all new.
  private func position(in topic: String, _ position: Int64) throws(BusError) -> Int64 {
    let end = try bus.endOffset(TopicPartition(topic, 0), isolation: .uncommitted)
    if position <= end { return position }
    log.error(
      "the topic was made again: it is read from its start", ("topic", topic), ("position", "\(position)"),
      ("end", "\(end)"))
    return 0
  }

  /// Folds a one-partition topic of JSON records from its start to its true end. What cannot be read, or what
  /// `body` does not believe, is counted and logged.
  private func fold(_ topic: String, _ body: (String, JSON?) -> Bool) throws(BusError) {
    try bus.readToEnd([TopicPartition(topic, 0): earliestOffset], clock: clock) { batch in
      for record in batch.records {
        guard let key = batch.keyText(record) else { continue }
        let value = batch.value(record)
        let json = value.flatMap { try? JSON(parsing: $0) }
        let isText = value == nil || json != nil
        if isText, body(key, json) { continue }
        telemetry.disbelieved()
        log.error(
          isText ? "numbers that cannot be" : "not JSON", ("topic", topic), ("key", key),
          ("offset", "\(record.offset)"))
      }
    }
  }
}
