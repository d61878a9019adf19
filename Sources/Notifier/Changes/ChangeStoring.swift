import Base
import Requests

// Store-and-forward: streams whose clients are away go on, up to a limit.
extension ChangePublisher {
  func store(_ id: String) {
    guard assignment != nil else { return }
    assignment!.storing.insert(id)
    guard let stream = running?.ordered.first(where: { $0.id == id }) else { return }
    store(stream, &running!)
  }

  func store(_ stream: ChangeStream, _ running: inout Running) {
    if stream.stored == nil { stream.stored = ChangeState.Stored(since: clock.now(), bytes: 0) }
    running.storing.append(stream)
    running.changed.append(stream)
  }

  /// A client is back. A stream that had reached its limit begins anew, behind what it says of that.
  func takeUp(_ id: String) {
    guard assignment != nil else { return }
    assignment!.storing.remove(id)
    guard let stream = running?.ordered.first(where: { $0.id == id }) else { return }
    stream.stored = nil
    running!.storing.removeAll { $0 === stream }
    running!.changed.append(stream)
    guard stream.isFull else { return }
    stream.phase = .waiting
    stream.again = ChangeStream.wasFull
    running!.beginning.append(stream)
  }

  /// Streams that have stored too much, or for too long, say so and collect no more.
  func stopStoring() {
    let now = clock.now()
    for stream in running!.storing where stream.isFollowing {
      guard let stored = stream.stored,
        stored.bytes >= settings.storedBytesMax || now - stored.since >= settings.storedAgeMax
      else { continue }
      log.warning("a stream collects no more for clients that are away", ("stream", stream.id))
      append(.limit(limitReason(stored)), to: running!.items, stream)
      stream.phase = .full
      leave(stream, &running!)
    }
    if !running!.storing.isEmpty, !running!.ordered.contains(where: \.isAlive), !running!.next.isEmpty {
      stopReading()
    }
  }

  /// Of these streams, whose progress is committed, the publisher hears which ones are full: behind their notices, so
  /// that the replies to their clients count these.
  func tellFull(_ streams: [ChangeStream]) {
    for stream in streams where stream.isFull {
      assignment!.news.send(.full(StreamFailure(stream: stream.id, reason: limitReason(stream.stored))))
    }
  }

  /// Which of the two was reached.
  private func limitReason(_ stored: ChangeState.Stored?) -> String {
    let isBytes = stored.map { $0.bytes >= settings.storedBytesMax } ?? false
    let limit = isBytes ? "\(settings.storedBytesMax) bytes" : "\(settings.storedAgeMax.milliseconds) ms"
    return "its clients are away, and the limit of \(limit) is reached: it collects no more until one is back"
  }
}
