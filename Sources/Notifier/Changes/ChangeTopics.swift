import Base
import Bus
import Requests

// A stream's topic that somebody deletes stops nothing else.
extension ChangePublisher {
  /// Looks now and then whether the lanes and the streams' own topics are there: nobody else would before a change.
  func lookForStreamTopics() throws(BusError) {
    guard clock.elapsed() >= nextTopics else { return }
    nextTopics = clock.elapsed() + settings.topicsInterval
    let gone = bus.knownMissing(of: topics(of: running!.ordered.filter(\.isAlive)))
    if !gone.isEmpty { try makeAgain(gone) }
  }

  /// The topics that are made again here: the lanes, and streams' own.
  private func topics(of streams: [ChangeStream]) -> [String] {
    settings.topics.changeLanesSpecs.map(\.name)
      + streams.filter { $0.place.placement == .own }.map(\.place.topic)
  }

  /// Makes streams' topics again. Histories begin anew in them, with their rows, and say so; immediate streams go on.
  /// Other topics are the member's to make.
  func makeAgain(_ gone: [String]) throws(BusError) {
    if !Set(topics(of: running!.ordered)).isSuperset(of: gone) { throw BusError.deleted(gone) }
    let streams = running!.ordered.filter { gone.contains($0.place.topic) }
    log.error("streams' topics were deleted: they are made again", ("topics", "\(gone)"))
    telemetry.madeAgain(gone.count)
    let begun = streams.filter { $0.isHistory && $0.isAlive }
    for stream in streams { stream.stored?.bytes = 0 }
    for stream in begun { beginAnew(stream, Self.wasDeleted) }
    do throws(BusError) {
      try putDown(begun, &running!.progress)
      try make(gone, of: streams, &running!)
    } catch  where error.remedy == .retry || error.remedy == .abort {
      throw BusError(.recreate, code: error.code, error.message)
    }
  }

  private static let wasDeleted = "its topic was deleted"

  /// Puts down that streams begin anew, before their topics are there again: whoever finds such a topic and is told
  /// that its stream follows would go on in it without a word.
  func putDown(_ streams: [ChangeStream], _ progress: inout ChangeProgress) throws(BusError) {
    if streams.isEmpty { return }
    let (number, time) = progress.next(now: clock.now())
    let out = RecordBatch()
    for stream in streams { append(stream, next: [:], number, time, to: out) }
    let gone = try seat.transact(out, in: assignment!.epoch)
    if !gone.isEmpty { throw BusError.deleted(gone) }
  }

  /// What the stream has told so far, and what it was about to tell, is not continued: a snapshot follows.
  func beginAnew(_ stream: ChangeStream, _ reason: String) {
    running!.forgetItems(of: [stream.number])
    release(stream)
    stream.isAsked = false
    // What it held is not in an answer that is under way: it is asked for again.
    if stream.isWaiting { running!.asked = nil }
    if !stream.isWaiting && !stream.isReading { running!.beginning.append(stream) }
    stream.phase = .waiting
    stream.again = reason
  }

  /// Streams whose topics were deleted while nobody published. Those that are missing still are made; one that somebody
  /// has made already is empty, though its stream has counted.
  func beginDeletedAnew(_ running: inout Running) throws(BusError) {
    let gone = bus.knownMissing(of: topics(of: running.ordered.filter(\.isAlive)))
    var begun: [ChangeStream] = []
    for stream in running.ordered where stream.isHistory && stream.isFollowing && stream.seq > 0 {
      let place = TopicPartition(stream.place.topic, stream.place.partition)
      if !gone.contains(place.topic), try bus.endOffset(place, isolation: .uncommitted) > 0 { continue }
      log.error("a stream's topic was deleted", ("stream", stream.id), ("topic", place.topic))
      stream.stored?.bytes = 0
      stream.phase = .waiting
      stream.again = Self.wasDeleted
      begun.append(stream)
    }
    telemetry.madeAgain(Set(begun.map(\.place.topic)).count)
    running.beginning += begun
    try putDown(begun, &running.progress)
    try make(gone, of: running.ordered, &running)
  }

  /// Where the brokers refuse a stream's own topic nothing more is published on it, and its requests are rejected.
  private func make(_ gone: [String], of streams: [ChangeStream], _ running: inout Running) throws(BusError) {
    try bus.ensureTopics(settings.topics.changeLanesSpecs.filter { gone.contains($0.name) })
    let own = streams.filter { gone.contains($0.place.topic) }
    let topics = StreamTopics(bus: bus, topics: settings.topics, log: log)
    for (id, reason) in try topics.make(for: own.map(\.stream)) {
      let stream = own.first { $0.id == id }!
      stream.phase = .failed
      running.forgetItems(of: [stream.number])
      leave(stream, &running)
      assignment!.news.send(.refused(StreamFailure(stream: id, reason: reason)))
    }
  }
}
