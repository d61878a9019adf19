import Base
import Bus
import Requests

// A stream's topic that somebody deletes stops nothing else (DESIGN section 7).
extension ChangePublisher {
  /// Looks now and then whether the streams' own topics are there: nobody else would before a change.
  func lookForStreamTopics() throws(BusError) {
    guard clock.elapsed() >= nextTopics else { return }
    nextTopics = clock.elapsed() + settings.topicsInterval
    let own = running!.ordered.filter { $0.place.placement == .own && $0.isAlive }.map(\.place.topic)
    let gone = bus.missing(of: own)
    if !gone.isEmpty { try makeAgain(gone) }
  }

  /// Makes streams' own topics again. A history begins anew in it, with its rows, and says so; an immediate stream
  /// goes on. Other topics are the member's to make.
  func makeAgain(_ gone: [String]) throws(BusError) {
    let streams = running!.ordered.filter { $0.place.placement == .own && gone.contains($0.place.topic) }
    guard streams.count == gone.count else {
      throw BusError(.recreate, code: Publisher.topicGone, "deleted: \(gone.joined(separator: ", "))")
    }
    log.error("streams' topics were deleted: they are made again", ("topics", "\(gone)"))
    telemetry.madeAgain(gone.count)
    do throws(BusError) {
      try bus.ensureTopics(streams.map(\.place.topicSpec))
    } catch  where error.remedy == .retry {
      throw BusError(.recreate, code: error.code, error.message)
    }
    for stream in streams { stream.stored?.bytes = 0 }
    for stream in streams where stream.isHistory && stream.isAlive {
      beginAnew(stream, "its topic was deleted")
    }
  }

  /// What the stream has told so far, and what it was about to tell, is not continued: a snapshot follows.
  func beginAnew(_ stream: ChangeStream, _ reason: String) {
    running!.items.removeAll(ofStream: stream.number)
    release(stream)
    // What it held is not in an answer that is under way: it is asked for again.
    if stream.isWaiting { running!.asked = nil }
    if !stream.isWaiting && !stream.isReading { running!.beginning.append(stream) }
    stream.phase = .waiting
    stream.again = reason
  }

  /// Streams whose topics were made again while nobody published: those that are empty though they have counted.
  /// Topics that are missing still are made.
  func beginEmptyAnew(_ running: inout Running) throws(BusError) {
    let own = running.ordered.filter { $0.place.placement == .own && $0.isAlive }
    let gone = Set(bus.missing(of: own.map(\.place.topic)))
    if !gone.isEmpty { try bus.ensureTopics(own.map(\.place.topicSpec).filter { gone.contains($0.name) }) }
    for stream in running.ordered where stream.isHistory && stream.isFollowing && stream.seq > 0 {
      let partition = TopicPartition(stream.place.topic, stream.place.partition)
      guard try bus.endOffset(partition, isolation: .uncommitted) == 0 else { continue }
      log.error("a stream's topic was made again", ("stream", stream.id), ("topic", stream.place.topic))
      telemetry.madeAgain(1)
      stream.stored?.bytes = 0
      stream.phase = .waiting
      stream.again = "its topic was deleted"
      running.beginning.append(stream)
    }
  }
}
