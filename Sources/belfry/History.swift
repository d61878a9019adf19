import Base
import Bus
import Client
import ConnectorKit
import Events
import FrontDoor

/// `belfry history TOPIC|ID`: a stream in its order, through the checking reader. Status 0 where each record came
/// once, 1 where one is missing or came twice.
func showHistory(_ invocation: Invocation, _ output: Output) throws {
  Signals.block()
  let session = try openSession(invocation)
  let found = try session.findStream(invocation.argument(0)!, client: try clientName(invocation))
  let reader = try HistoryReader(found.address, bus: session.bus, start: try start(invocation))
  defer { reader.close() }
  var summary = HistorySummary()
  try read(
    reader, EventPrinter(output, HistoryForm()), &summary, session.clock,
    isFollowing: invocation.has("follow"))
  if !summary.isComplete { throw CommandFailure("\(summary.text)") }
  tell("belfry: \(summary.text)\n")
}

private func start(_ invocation: Invocation) throws -> HistoryReader.Start {
  guard let after = invocation.text("after").flatMap(parsePosition) else {
    return .from(seq: Int64(invocation.integer("from") ?? 1))
  }
  if invocation.has("from") { throw CommandFailure("--from and --after say different things: give one") }
  guard let point = SequencePoint(epoch: after.epoch, seq: after.seq) else {
    throw CommandFailure("no publisher counts up to \(after.epoch):\(after.seq)")
  }
  return .after(StreamPosition(point, offset: after.offset))
}

/// Up to the stream's end, or until a signal comes.
private func read(
  _ reader: HistoryReader, _ printer: EventPrinter, _ summary: inout HistorySummary, _ clock: any Clock,
  isFollowing: Bool
) throws {
  var progress = clock.elapsed()
  while true {
    let events = try again { () throws(BusError) in try reader.poll(timeout: .milliseconds(200)) } ?? []
    for event in events { summary.take(event) }
    try printer.show(events)
    if Signals.wait(atMost: .zero) != nil { return }
    if !events.isEmpty { progress = clock.elapsed() }
    if isFollowing { continue }
    if try again({ () throws(BusError) in try reader.isAtEnd() }) ?? false { return }
    if clock.elapsed() - progress > HistoryReader.endWithin {
      throw CommandFailure(
        "the stream's end was not reached: nothing came in \(HistoryReader.endWithin.milliseconds / 1000) s;"
          + " read so far, \(summary.text)")
    }
  }
}

/// nil where the bus says to try again later.
func again<T>(_ body: () throws(BusError) -> T) throws(BusError) -> T? {
  do {
    return try body()
  } catch {
    if error.remedy != .retry { throw error }
    return nil
  }
}

/// Each record with its place and time; a table has the columns that its first row has.
private struct HistoryForm: EntryForm {
  func header(_ entries: [HistoryEntry]) -> [String] {
    ["seq", "epoch", "time", "op", "key"] + columns(entries)
  }

  func rows(_ entries: [HistoryEntry]) -> [[Cell]] {
    let columns = columns(entries)
    return entries.map { entry in
      [.int(entry.seq), .int(entry.epoch), .text(iso8601(entry.time)), .text(entry.op), .text(entry.key)]
        + columns.map { Cell(entry.row?[$0] ?? .null) }
    }
  }

  func line(_ entry: HistoryEntry) -> JSON {
    .object(of: [
      "seq": .int(entry.seq), "epoch": .int(entry.epoch), "sweep": .int(entry.sweep),
      "offset": entry.position.offset.map { .int($0) }, "key": .string(entry.key),
      "value": entry.value ?? .null, "last": entry.isLast ? .bool(true) : nil,
    ])
  }

  private func columns(_ entries: [HistoryEntry]) -> [String] {
    (entries.first { $0.row != nil }?.row?.members ?? []).map(\.name)
  }
}
