/// A connector's part of the configuration as a plain tree, in which every value knows its place. The
/// reader of the configuration makes it; connectors read it through `SettingsReader`.
public struct ConnectorSettings: Equatable, Sendable {
  public enum Value: Equatable, Sendable {
    /// Nothing given, as in `syslog:` alone; the same as an empty map.
    case none
    case string(String)
    case int(Int64)
    case real(Double)
    case bool(Bool)
    case list([ConnectorSettings])
    case map([Entry])
  }

  public struct Entry: Equatable, Sendable {
    public var name: String
    /// `line:column` of the name.
    public var place: String
    public var value: ConnectorSettings

    public init(name: String, place: String, value: ConnectorSettings) {
      self.name = name
      self.place = place
      self.value = value
    }
  }

  public var value: Value
  /// `line:column` of the value.
  public var place: String

  public init(_ value: Value, place: String) {
    self.value = value
    self.place = place
  }

  /// No settings: every default.
  public static let empty = ConnectorSettings(.none, place: "")

  /// What kind of value this is, for messages.
  var kind: String {
    switch value {
    case .none: "nothing"
    case .string(let text): "the text \"\(text.prefix(40))\""
    case .int(let n): "the number \(n)"
    case .real(let x): "the number \(x)"
    case .bool(let flag): "\(flag)"
    case .list: "a list"
    case .map: "a map"
    }
  }
}
