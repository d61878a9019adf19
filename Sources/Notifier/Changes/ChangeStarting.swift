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
      running.ordered.map { ($0.place, StreamProgress(seq: $0.seq, epoch: assignment.epoch)) })
    try beginDeletedAnew(&running)
    let following = running.ordered.filter(\.isFollowing)
    if !following.isEmpty { try goOn(following, &running) }
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

  /// Reads on where the last transaction ended, or where a stream begins that was in none yet. A position beyond a
  /// partition's end is of a changelog that is gone: then the streams begin anew.
  private func goOn(_ following: [ChangeStream], _ running: inout Running) throws(BusError) {
    var positions: [Int32: ChangePosition] = [:]
    for partition in changelog {
      let shard = partition.partition
      let end = try bus.endOffset(partition, isolation: .uncommitted)
      let begun = following.compactMap { $0.from[shard] }
      let areNew = begun.count == following.count
      positions[shard] =
        areNew
        ? begun.min().map { ChangePosition(offset: $0, change: nil) } : running.progress.positions[shard]
      let known = max(positions[shard]?.offset ?? -1, begun.max() ?? -1)
      if positions[shard] != nil, known <= end { continue }
      log.error(
        "the changelog was made again: streams begin anew", ("partition", "\(partition)"),
        ("position", "\(known)"), ("end", "\(end)"))
      for stream in following {
        stream.phase = .waiting
        stream.again = "the changelog was made again"
        stream.from = [:]
      }
      running.beginning += following
      running.catchingUp = []
      // Who comes next may find a changelog that has grown past the position.
      return try putDown(following, &running.progress)
    }
    readOn(at: positions, &running)
  }
}
