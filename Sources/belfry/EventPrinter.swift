import Base
import Client
import ConnectorKit
import Events
import FrontDoor

/// How the entries of a stream are shown.
protocol EntryForm {
  /// The names of a table's columns, and its rows, for these entries.
  func header(_ entries: [HistoryEntry]) -> [String]
  func rows(_ entries: [HistoryEntry]) -> [[Cell]]
  /// A JSON line.
  func line(_ entry: HistoryEntry) -> JSON
}

/// Shows what a checking reader says: JSON lines, or tables with the remarks between them.
final class EventPrinter {
  private let output: Output
  private let form: any EntryForm
  /// Entries that wait to be shown as one table.
  private var entries: [HistoryEntry] = []

  init(_ output: Output, _ form: any EntryForm) {
    self.output = output
    self.form = form
  }

  func show(_ events: [HistoryEvent]) throws(OutputError) {
    for event in events {
      if output.isTable {
        try showInTable(event)
      } else if case .entry(let entry) = event {
        try output.write(form.line(entry).text + "\n")
      } else if let remark = event.remark {
        try output.write(remark.text + "\n")
      }
    }
    try showEntries()
  }

  private func showInTable(_ event: HistoryEvent) throws(OutputError) {
    if let words = event.words {
      try showEntries()
      try output.write(visible(words) + "\n")
    } else if case .entry(let entry) = event {
      entries.append(entry)
    }
  }

  private func showEntries() throws(OutputError) {
    if entries.isEmpty { return }
    try output.rows(form.header(entries), form.rows(entries))
    entries = []
  }
}

extension HistoryEntry {
  /// A change's letter; of a row, whether it is there or is gone.
  var op: String {
    switch content {
    case .row(let row): row == nil ? "-" : "+"
    case .change(let operation, _, _): operation.rawValue
    case .notice: "m"
    }
  }

  /// Its row is not in the view any more.
  var isGone: Bool {
    switch content {
    case .row(let row): row == nil
    case .change(_, _, let after): after == nil
    case .notice: false
    }
  }

  /// The row that a table shows: as it is now, or, where it has gone, was.
  var row: JSON? {
    switch content {
    case .row(let row): row
    case .change(_, let before, let after): after ?? before
    case .notice: nil
    }
  }
}

extension HistoryEvent {
  /// What is said about records has `event`; nil for an entry.
  var remark: JSON? {
    switch self {
    case .entry: nil
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
