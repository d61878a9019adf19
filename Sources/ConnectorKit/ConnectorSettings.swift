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

  /// It came from a secret file or the environment: no message shows it.
  public var isSecret: Bool

  public init(_ value: Value, place: String, isSecret: Bool = false) {
    self.value = value
    self.place = place
    self.isSecret = isSecret
  }

  /// A scalar as YAML's core schema reads it: what is not quoted and looks like a whole number, a number,
  /// true or false, or nothing, is that; anything else is a text.
  public init(scalar text: String, isQuoted: Bool, isSecret: Bool = false, place: String) {
    self.init(isQuoted ? .string(text) : Self.plain(text), place: place, isSecret: isSecret)
  }

  private static func plain(_ text: String) -> Value {
    if let value = ["": Value.none, "~": .none, "null": .none, "true": .bool(true), "false": .bool(false)][
      text]
    {
      return value
    }
    guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first),
      !text.utf8.contains(where: { "xXpPnN".utf8.contains($0) })
    else { return .string(text) }
    if let n = Int64(text) { return .int(n) }
    if let x = Double(text), x.isFinite { return .real(x) }
    return .string(text)
  }

  /// No settings: every default.
  public static let empty = ConnectorSettings(.none, place: "")

  /// What kind of value this is, for messages.
  var kind: String {
    switch value {
    case _ where isSecret: "what it was given (a secret)"
    case .none: "nothing"
    case .string(let text): "the text \"\(text.prefix(40))\""
    case .int(let n): "the number \(n)"
    case .real(let x): "the number \(x)"
    case .bool(let flag): "\(flag)"
    case .list(let members): members.isEmpty ? "an empty list" : "a list"
    case .map: "a map"
    }
  }
}
