import Base
import Events
import Query

/// A stream's name and place: all that is needed to end it.
public struct StreamPlace: Sendable, Hashable {
  /// 16 hexadecimal digits (`StreamIdentity`).
  public let id: String
  /// The number of its making, unique in the cluster; rises.
  public let creation: Int64
  public let mode: Mode
  public let placement: Placement
  public let topic: String
  public let partition: Int32
  /// What its records' keys begin with: `<id>/` in a lane, nothing in a topic of its own.
  public let keyPrefix: String
  /// A stream of this id may have ended for good before: this one begins in a higher epoch than that.
  public let isAgain: Bool
}

/// What is published for all requests of one canonical form.
public struct Stream: Sendable {
  public let place: StreamPlace
  /// The id of its request set.
  public let set: String
  /// The canonical text that its id was made from.
  public let text: String
  public let view: View

  public var id: String { place.id }
  public var mode: Mode { place.mode }
}

/// The streams of one filter, which are swept together.
public struct RequestSet: Sendable, Equatable {
  /// The first 16 hexadecimal digits of SHA-256 over the canonical text of table and filter.
  public let id: String
  public let creation: Int64
  public let filterText: String
  /// The smallest that its living requests, and those of the sets linked with it, ask for. Without living
  /// requests (all streams in their grace period) it stays what it was.
  public let interval: Duration
  /// Sets with the same word here are swept in one sweep: the id of the oldest of them.
  public let linkGroup: String
  /// Ids of its net streams, oldest first: streams of the other modes are in no sweep.
  public let streams: [String]
}

/// A living request, for people to look at.
public struct RequestStatus: Sendable {
  public let client: String
  public let name: String
  public let sql: String
  public let creation: Int64
  /// The oldest of its stream's requests.
  public let isPrimary: Bool
  public let stream: String
  public let set: String
  /// nil where the request leaves it open.
  public let intervalAsked: Duration?
  public let link: String?
  /// Zero: none.
  public let lease: Duration
  /// When its record was last read.
  public let lastSent: Timestamp
}

/// How ids are made from canonical texts (docs/bus-contract.md, "Replies").
struct StreamIdentity {
  /// The first 16 hexadecimal digits of a text's SHA-256.
  var digits: (String) -> String = { String(sha256Hex($0).prefix(16)) }

  /// The digits of `<canonical text>\nmode=<mode>` and, where the placement is not the view's default,
  /// `\nplacement=<placement>`. Canonical texts have no line feeds.
  func id(text: String, mode: Mode, placement: Placement, isDefault: Bool) -> String {
    digits("\(text)\nmode=\(mode.rawValue)" + (isDefault ? "" : "\nplacement=\(placement.rawValue)"))
  }

  func setID(filterText: String) -> String { digits(filterText) }
}

extension StreamPlace {
  /// The place of a new stream.
  init(
    id: String, creation: Int64, mode: Mode = .net, placement: Placement, isAgain: Bool,
    _ settings: RegistrySettings
  ) {
    self.id = id
    self.creation = creation
    self.mode = mode
    self.placement = placement
    self.isAgain = isAgain
    switch placement {
    case .own:
      topic = "\(settings.cluster).\(mode.topicWord).\(id)" + (isAgain ? ".\(creation)" : "")
      partition = 0
      keyPrefix = ""
    case .lane:
      topic = "\(settings.cluster).lanes.\(mode.topicWord)"
      partition = Array(id.utf8).withUnsafeBytes { Base.partition(ofKey: $0, count: settings.laneCount) }
      keyPrefix = id + "/"
    }
  }
}

extension Mode {
  /// What its streams' topics are called by.
  fileprivate var topicWord: String {
    switch self {
    case .net: "view"
    case .all: "history"
    case .immediate: "live"
    }
  }
}

extension View {
  /// Small results live in lanes, views of rows in topics of their own.
  var defaultPlacement: Placement {
    switch body {
    case .pure: .own
    case .metric: .lane
    }
  }

  /// The columns that make its records' keys; none for a metric view without groups.
  var recordKey: [String] {
    switch body {
    case .pure: schema.key.map { schema.columns[$0].name }
    case .metric(_, let groupBy): groupBy.map(\.name)
    }
  }
}
