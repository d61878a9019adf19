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
  let reader = try HistoryReader(
    found.address, bus: session.bus, start: .from(seq: Int64(invocation.integer("from") ?? 1)))
  defer { reader.close() }
  let printer = HistoryPrinter(output)
  let isFollowing = invocation.has("follow")
  try read(reader, printer, session.clock, isFollowing: isFollowing)
  if !printer.summary.isComplete { throw CommandFailure("belfry: \(printer.summary.text)") }
  tell("belfry: \(printer.summary.text)\n")
}

/// Up to the stream's end, or until a signal comes.
private func read(
  _ reader: HistoryReader, _ printer: HistoryPrinter, _ clock: any Clock, isFollowing: Bool
) throws {
  var progress = clock.elapsed()
  while true {
    let events = try again { () throws(BusError) in try reader.poll(timeout: .milliseconds(200)) } ?? []
    try printer.show(events)
    if Signals.wait(atMost: .zero) != nil { return }
    if !events.isEmpty { progress = clock.elapsed() }
    if isFollowing { continue }
    if try again({ () throws(BusError) in try reader.isAtEnd() }) ?? false { return }
    if clock.elapsed() - progress > HistoryReader.endWithin {
      throw CommandFailure(
        "belfry: the stream's end was not reached: nothing came in \(HistoryReader.endWithin.milliseconds / 1000) s;"
          + " read so far, \(printer.summary.text)")
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

/// Shows what a checking reader says: JSON lines, or tables with the remarks between them.
private final class HistoryPrinter {
  private(set) var summary = HistorySummary()
  private let output: Output
  /// Entries that wait to be shown as one table.
  private var entries: [HistoryEntry] = []

  init(_ output: Output) { self.output = output }

  func show(_ events: [HistoryEvent]) throws(OutputError) {
    for event in events {
      summary.take(event)
      if case .entry(let entry) = event, output.isTable, event.words == nil {
        entries.append(entry)
      } else {
        try showEntries()
        try output.write(output.isTable ? visible(event.words ?? "") + "\n" : event.json.text + "\n")
      }
    }
    try showEntries()
  }

  private func showEntries() throws(OutputError) {
    if entries.isEmpty { return }
    let columns = (entries.first { $0.row != nil }?.row?.members ?? []).map(\.name)
    try output.rows(
      ["seq", "epoch", "time", "op", "key"] + columns,
      entries.map { entry in
        [
          .int(entry.position.point.seq), .int(entry.position.point.epoch), .text(iso8601(entry.time)),
          .text(entry.op), .text(entry.key),
        ] + columns.map { Cell(entry.row?[$0] ?? .null) }
      })
    entries = []
  }
}

extension HistoryEntry {
  fileprivate var op: String {
    switch content {
    case .row(let row): row == nil ? "-" : "+"
    case .change(let operation, _, _): operation.rawValue
    case .notice: "m"
    }
  }

  /// The row that a table shows: as it is now, or, where it has gone, was.
  fileprivate var row: JSON? {
    switch content {
    case .row(let row): row
    case .change(_, let before, let after): after ?? before
    case .notice: nil
    }
  }
}

extension HistoryEvent {
  /// An entry has its record in it; what is said about records has `event`.
  fileprivate var json: JSON {
    switch self {
    case .entry(let entry):
      .object(of: [
        "seq": .int(entry.position.point.seq), "epoch": .int(entry.position.point.epoch),
        "sweep": .int(entry.sweep), "offset": entry.position.offset.map { .int($0) },
        "key": .string(entry.key), "value": entry.value ?? .null, "last": entry.isLast ? .bool(true) : nil,
      ])
    case .restarted(let place): Self.remark("restarted", place)
    case .madeAgain(let place): Self.remark("made_again", place)
    case .gap(let hole): Self.remark("gap", hole)
    case .compacted(let hole): Self.remark("compacted", hole)
    case .fenced(let place): Self.remark("fenced", place)
    case .repeated(let place): Self.remark("repeat", place)
    case .unreadable(let place, let reason): Self.remark("unreadable", place, ["reason": .string(reason)])
    case .foreign(let offset): .object(of: ["event": .string("foreign"), "offset": .int(offset)])
    }
  }

  private static func remark(_ name: String, _ hole: SequenceHole) -> JSON {
    remark(name, hole.before, ["first": .int(hole.seqs.lowerBound), "last": .int(hole.seqs.upperBound)])
  }

  private static func remark(
    _ name: String, _ place: StreamPosition, _ more: KeyValuePairs<String, JSON> = [:]
  ) -> JSON {
    let head = JSON.object(of: [
      "event": .string(name), "seq": .int(place.point.seq), "epoch": .int(place.point.epoch),
      "offset": place.offset.map { .int($0) },
    ])
    return .object(head.members! + more.map { JSON.Member($0.key, $0.value) })
  }
}
