import Base
import Bus
import Events
import Matching
import Requests

// How the publisher of changes comes back from its topics.
extension ChangePublisher {
  func restored() throws(BusError) -> Running {
    var progress = ChangeProgress()
    let assignment = assignment!
    // Who publishes nothing reads nothing.
    if !assignment.streams.isEmpty { try restore(&progress) }
    var running = Running(progress: progress, matcher: ChangeMatcher(settings.schema))
    let streams = assignment.streams.values.sorted { $0.place.creation < $1.place.creation }
    for stream in streams { add(stream, found: progress.streams[stream.id], &running) }
    assignment.counts.set(
      running.ordered.map { ($0.id, StreamProgress(seq: $0.seq, epoch: assignment.epoch)) })
    try beginDeletedAnew(&running)
    if running.ordered.contains(where: \.isFollowing) { try goOn(&running) }
    log.info(
      "publishing changes", ("epoch", "\(assignment.epoch)"), ("streams", "\(streams.count)"),
      ("transaction", "\(progress.number)"))
    return running
  }

  private func restore(_ progress: inout ChangeProgress) throws(BusError) {
    let now = clock.now()
    let seat = settings.topics.liveSeat
    try bus.readToEnd([TopicPartition(settings.topics.progress, 0): earliestOffset], clock: clock) { batch in
      for record in batch.records {
        guard let key = batch.keyText(record) else { continue }
        let value = batch.value(record)
        let json = value.flatMap { try? JSON(parsing: $0) }
        if value != nil && json == nil { continue }
        _ = progress.restore(key: key, value: json, seat: seat, now: now)
      }
    }
  }

  /// Reads on where the last transaction ended. A position beyond a partition's end is of a changelog that is gone:
  /// then the streams begin anew.
  private func goOn(_ running: inout Running) throws(BusError) {
    let positions = running.progress.positions
    for partition in changelog {
      let end = try bus.endOffset(partition, isolation: .uncommitted)
      let known = positions[partition.partition]
      if let known, known.change != nil, known.offset <= end { continue }
      log.error(
        "the changelog was made again: streams begin anew", ("partition", "\(partition)"),
        ("position", "\(known?.offset ?? -1)"), ("end", "\(end)"))
      for stream in running.ordered where stream.isFollowing {
        stream.phase = .waiting
        stream.again = "the changelog was made again"
        running.beginning.append(stream)
      }
      return
    }
    try read(from: positions, &running)
  }
}
