import Base
import Bus
import Requests

/// A stream's topic that somebody deletes stops nothing else (docs/bus-contract.md, "Streams"): it is made again
/// under its name, its stream goes on in it with the whole view, and everything else is published.
extension Publisher {
  /// The code of the error with which the publisher begins anew since streams' topics were made again.
  static let madeAgain = "STREAM_TOPICS"

  /// The way on where other topics are gone than streams' own. Lanes are made again by the publisher that begins anew,
  /// and with it all streams in them. The others are the member's.
  func remedy(forDeleted gone: [String]) -> BusError {
    let names = gone.joined(separator: ", ")
    guard gone == [settings.topics.viewLanes] else {
      telemetry.topicsLost(gone.count)
      log.error(
        "topics of the cluster were deleted, and what was on them is lost: they are made again, and read as they are",
        ("topics", names))
      return .deleted(gone)
    }
    log.error("streams' lanes were deleted: they are made again", ("topic", names))
    telemetry.madeAgain(1)
    return BusError(.recreate, code: Self.madeAgain, "deleted: \(names)")
  }

  /// The units that have streams in these topics. `isFinal`: the registry is ahead of what was not committed,
  /// so that there is no second try.
  func units(of units: [[RequestSet]], without gone: [String], isFinal: Bool) throws(BusError)
    -> [[RequestSet]]
  {
    let lost = Set(running!.streams.values.filter { gone.contains($0.place.topic) }.map(\.id))
    let own = Set(running!.streams.values.filter { $0.place.placement == .own }.map(\.place.topic))
    let others = gone.filter { !own.contains($0) }
    if !others.isEmpty { throw remedy(forDeleted: others) }
    let found = units.filter { $0.contains { !lost.isDisjoint(with: $0.streams) } }
    if isFinal || found.isEmpty {
      throw BusError(.recreate, code: Self.madeAgain, "deleted: \(gone.joined(separator: ", "))")
    }
    return found
  }

  /// Looks now and then whether the streams' own topics are there: nobody else would before a change.
  func lookForStreamTopics() throws(BusError) {
    guard !running!.isCollecting, clock.elapsed() >= nextStreamTopics else { return }
    nextStreamTopics = clock.elapsed() + settings.topicsInterval
    let own = running!.streams.values.filter { $0.place.placement == .own }
    let gone = Set(bus.knownMissing(of: own.map(\.place.topic)))
    if gone.isEmpty { return }
    let sets = Set(own.filter { gone.contains($0.place.topic) }.map(\.set))
    var lost: [[RequestSet]] = []
    for set in sets.sorted() {
      guard let unit = running!.schedule.flush(set, now: clock.elapsed()), !lost.contains(unit) else {
        continue
      }
      lost.append(unit)
    }
    try beginAgain(lost)
  }

  /// All streams of these units begin again, and are due at once: with the difference to what is on their
  /// topics, which for those that were deleted is the whole view. So what is published together stays together.
  func beginAgain(_ units: [[RequestSet]]) throws(BusError) {
    do throws(BusError) {
      let ids = Set(units.joined().flatMap(\.streams))
      let streams = running!.streams.values.filter { ids.contains($0.id) }
        .sorted { $0.place.creation < $1.place.creation }
      let gone = bus.knownMissing(of: streams.filter { $0.place.placement == .own }.map(\.place.topic))
      log.error("streams' topics were deleted: they are made again", ("topics", "\(gone)"))
      telemetry.madeAgain(gone.count)
      let refused = try streamTopics.make(for: streams)
      let made = streams.filter { stream in !refused.contains { $0.stream == stream.id } }
      running!.contents.adopt(try Contents.read(made.map(\.place), bus, clock))
      for stream in made {
        ask(.stop(id: stream.id))
        ask(.start(stream))
      }
      if !refused.isEmpty { try carryOut(running!.registry.refuse(refused, now: time)) }
      running!.due = units + running!.due.filter { !units.contains($0) }
    } catch  where error.remedy == .retry {
      // What the table had handed over of them is published by nobody: only a start can tell what is missing.
      throw BusError(.recreate, code: error.code, error.message)
    }
  }
}
