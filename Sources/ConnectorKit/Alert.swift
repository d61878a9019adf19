import Base

/// OMNIbus's severities.
public enum Severity: Int, Comparable, CaseIterable, Sendable {
  case clear, indeterminate, warning, minor, major, critical

  public static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }
}

/// The `Type` column. A resolution clears the problems that share its Node, AlertGroup, AlertKey and Manager.
public enum AlertType: Int, Sendable {
  case problem = 1
  case resolution = 2
  /// Tells a state or a happening; nothing clears it, it clears nothing.
  case information = 13
}

/// What the settings say about every alert of a probe.
public struct AlertDefaults: Equatable, Sendable {
  public var location = ""
  public var service = ""
  public var alertClass = 0

  public init() {}

  /// Reads the keys `location`, `service` and `class`, which every probe has.
  public init(_ reader: inout SettingsReader) throws(ConnectorError) {
    location = try reader.string("location", default: "")
    service = try reader.string("service", default: "")
    alertClass = try reader.int("class", default: 0, in: 0...Int(Int32.max))
  }
}

/// One event for the table `alerts`, in the words of its columns (docs: the table's columns).
public struct Alert: Equatable, Sendable {
  /// The row's key. A problem and its resolution need different ones, so it contains the type.
  public var identifier: String
  public var node: String
  public var nodeAlias = ""
  public var manager: String
  public var agent = ""
  public var alertGroup: String
  public var alertKey: String
  public var severity: Severity
  public var summary: String
  public var firstOccurrence: Timestamp
  public var lastOccurrence: Timestamp
  public var type: AlertType
  /// When the row goes by itself; nil: never.
  public var expireTime: Timestamp?
  /// A JSON object, for the column that holds JSON as a text.
  public var extendedAttributes = JSONObjectWriter()
  public var defaults = AlertDefaults()

  public init(
    identifier: String, node: String, manager: String, alertGroup: String, alertKey: String,
    severity: Severity, type: AlertType, summary: String, first: Timestamp, last: Timestamp
  ) {
    self.identifier = identifier
    self.node = node
    self.manager = manager
    self.alertGroup = alertGroup
    self.alertKey = alertKey
    self.severity = severity
    self.type = type
    self.summary = summary
    firstOccurrence = first
    lastOccurrence = last
  }

  public static func == (a: Alert, b: Alert) -> Bool { a.event() == b.event() }

  /// The event as it goes to the topic; its record's time is `lastOccurrence`.
  public func event() -> ProbeEvent {
    var json = JSONObjectWriter()
    json.string("Identifier", identifier)
    json.string("Node", node)
    json.string("NodeAlias", nodeAlias)
    json.string("Manager", manager)
    json.string("Agent", agent)
    json.string("AlertGroup", alertGroup)
    json.string("AlertKey", alertKey)
    json.integer("Severity", Int64(severity.rawValue))
    json.string("Summary", summary)
    json.integer("FirstOccurrence", firstOccurrence.milliseconds)
    json.integer("LastOccurrence", lastOccurrence.milliseconds)
    json.integer("Type", Int64(type.rawValue))
    json.integer("Class", Int64(defaults.alertClass))
    json.string("Location", defaults.location)
    json.string("Service", defaults.service)
    if let expireTime { json.integer("ExpireTime", expireTime.milliseconds) }
    if !extendedAttributes.isEmpty { json.string("ExtendedAttr", extendedAttributes.text()) }
    return ProbeEvent(identifier: identifier, value: json.finished(), time: lastOccurrence)
  }
}
