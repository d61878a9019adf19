import Base
import ConnectorKit
import Events

/// A record of a stream in its order.
public struct HistoryEntry: Sendable {
  public enum Content: Sendable, Equatable {
    /// A net stream's row as it now is; nil: it left the view.
    case row(JSON?)
    /// A change. `before` is nil where the row entered the view, `after` where it left it.
    case change(Operation, before: JSON?, after: JSON?)
    /// Not a change but news of the stream itself (`op: m`). It counts like any other record.
    case notice(Notice)
  }

  public struct Notice: Sendable, Equatable {
    /// `gap`: changes were lost before they could be published. `limit`: the stream's clients were away for longer
    /// than it collects. Others are to be shown, and passed over.
    public let kind: String
    /// For people.
    public let text: String
    /// Where changes were lost: numbers of the table's changes in a shard.
    public let lost: ChangeRange?

    /// Changes are not on the stream, and never will be.
    public var isLoss: Bool { kind == "gap" || kind == "limit" }
  }

  public struct ChangeRange: Sendable, Equatable {
    public let shard: Int64
    public let changes: ClosedRange<Int64>
  }

  /// The Debezium envelope's `op`.
  public enum Operation: String, Sendable {
    case created = "c"
    case updated = "u"
    case deleted = "d"
    /// A row of the initial snapshot.
    case read = "r"
  }

  /// Without the lane's prefix.
  public let key: String
  public let content: Content
  /// Where it is: what a gateway keeps once it has taken the entry.
  public let position: StreamPosition
  public var seq: Int64 { position.point.seq }
  public var epoch: Int64 { position.point.epoch }
  public let sweep: Int64
  /// The stream's last record of its sweep: the view is whole here.
  public let isLast: Bool
  /// The record's own.
  public let time: Timestamp
  /// The value as it came; nil for a null.
  public let value: JSON?
}

/// Numbers of records that are not there.
public struct SequenceHole: Sendable, Equatable {
  public let seqs: ClosedRange<Int64>
  /// The record that came instead.
  public let before: StreamPosition

  public init(_ seqs: ClosedRange<Int64>, before: StreamPosition) {
    self.seqs = seqs
    self.before = before
  }
}

/// What a checking reader says, in the topic's order. docs/gateways.md tells what to do about each.
public enum HistoryEvent: Sendable {
  case entry(HistoryEntry)
  /// The stream had ended and was made again: with this record it counts from 1 in a higher epoch.
  case restarted(StreamPosition)
  /// The stream's topic was deleted and made again: this is the first record that it has now. The stream goes on in
  /// it, one of rows with all that its view has; what left the view in between is not told.
  case madeAgain(StreamPosition)
  /// Records are missing before this one.
  case gap(SequenceHole)
  /// The same, where there is room for them among the offsets, on a compacted topic, whose cleaner removes records
  /// that newer ones of their keys have superseded.
  case compacted(SequenceHole)
  /// A record of a publisher that another had replaced; dropped.
  case fenced(StreamPosition)
  /// A record whose number has come already; dropped.
  case repeated(StreamPosition)
  /// A record of the stream whose content cannot be read, with the reason; its number counts.
  case unreadable(StreamPosition, String)
  /// A record that no publisher wrote, by its headers; passed over.
  case foreign(offset: Int64)
}

extension HistoryEntry.Content {
  /// Reads a record's value. Throws what is wrong with it, in words.
  init(_ value: JSON?, isNet: Bool) throws(ClientError) {
    guard let value else {
      self = .row(nil)
      return
    }
    guard case .object = value else { throw ClientError("the value is no JSON object") }
    // A row may have columns of any names; only an envelope says where it comes from.
    guard !isNet, let op = value["op"]?.string, case .object = value["source"] else {
      self = .row(value)
      return
    }
    if op == "m" {
      self = .notice(HistoryEntry.Notice(value["notice"] ?? .null))
      return
    }
    guard let operation = HistoryEntry.Operation(rawValue: op) else {
      throw ClientError("there is no op \(jsonText(op))")
    }
    let (before, after) = (try Self.image("before", value), try Self.image("after", value))
    let needed = operation == .deleted ? ("before", before) : ("after", after)
    if needed.1 == nil { throw ClientError("op \(jsonText(op)) without \(needed.0)") }
    self = .change(operation, before: before, after: after)
  }

  private static func image(_ name: String, _ value: JSON) throws(ClientError) -> JSON? {
    switch value[name] {
    case nil, .null: return nil
    case .some(.object(let members)): return .object(members)
    default: throw ClientError("\(name) is no JSON object")
    }
  }
}

extension HistoryEntry.Notice {
  /// What the record's `notice` says. One that says nothing of itself is a notice all the same.
  init(_ json: JSON) {
    kind = json["kind"]?.string ?? ""
    text = json["text"]?.string ?? json.text
    if let shard = json["shard"]?.int, let from = json["from"]?.int, let to = json["to"]?.int, from <= to {
      lost = HistoryEntry.ChangeRange(shard: shard, changes: from...to)
    } else {
      lost = nil
    }
  }
}
