/// A piece of the configuration as it was written: a tree with the place of every part.
///
/// Equality looks at the content, not at the places.
public struct Node: Equatable, Sendable {
  public enum Content: Equatable, Sendable {
    case scalar(Scalar)
    case list([Node])
    case map([Entry])
  }

  /// One `key: value` of a map. Keys are unique in their map, and in the order of the file.
  public struct Entry: Equatable, Sendable {
    public var key: String
    public var keyPlace: Place
    public var value: Node

    public static func == (a: Entry, b: Entry) -> Bool { a.key == b.key && a.value == b.value }
  }

  public var place: Place
  public var content: Content

  public init(_ content: Content, at place: Place) {
    self.content = content
    self.place = place
  }

  public static func == (a: Node, b: Node) -> Bool { a.content == b.content }

  /// The scalar's text, nil for lists and maps. May be a secret.
  public var text: String? {
    if case .scalar(let scalar) = content { scalar.text } else { nil }
  }

  /// The list's members. None where nothing was written (`key:`); nil for other scalars and maps.
  public var list: [Node]? {
    if case .list(let nodes) = content { nodes } else { isNull ? [] : nil }
  }

  /// The map's entries. None where nothing was written (`key:`); nil for other scalars and lists.
  public var map: [Entry]? {
    if case .map(let entries) = content { entries } else { isNull ? [] : nil }
  }

  /// The value under a key of a map.
  public subscript(key: String) -> Node? { map?.first { $0.key == key }?.value }

  /// Nothing, `~` or `null`, unquoted.
  public var isNull: Bool {
    if case .scalar(let scalar) = content { scalar.isNull } else { false }
  }

  public var isSecret: Bool {
    if case .scalar(let scalar) = content { scalar.isSecret } else { false }
  }
}

/// The text of one value. A secret (from a `secret_file`, or from the environment) is never shown.
public struct Scalar: Equatable, Sendable {
  public var text: String
  /// Written in quotes or as a block: a text, whatever it looks like.
  public var isQuoted: Bool
  public var isSecret: Bool

  public init(_ text: String, isQuoted: Bool = false, isSecret: Bool = false) {
    self.text = text
    self.isQuoted = isQuoted
    self.isSecret = isSecret
  }

  /// Nothing, `~` or `null`, unquoted.
  public var isNull: Bool { !isQuoted && ["", "~", "null"].contains(text) }

  /// Quotes only matter where they make a text of what would be nothing.
  public static func == (a: Scalar, b: Scalar) -> Bool {
    a.isNull == b.isNull && (a.isNull || a.text == b.text)
  }
}

extension Scalar: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// What stands for a secret wherever a configuration is shown.
  public static let mask = "********"

  public var description: String { isSecret ? Self.mask : text }
  public var debugDescription: String { description.debugDescription }
  public var customMirror: Mirror { Mirror(self, children: ["text": description]) }
}

extension Node {
  /// For error messages: what is there, in few words.
  var shown: String {
    switch content {
    case .list(let nodes): return nodes.isEmpty ? "an empty list" : "a list"
    case .map: return "a map"
    case .scalar where isNull: return "nothing"
    case .scalar(let scalar) where scalar.isSecret: return "a value that is not shown"
    case .scalar(let scalar): return "'\(Self.shown(scalar.text))'"
    }
  }

  /// A text in a message: cut, and without what a terminal would obey.
  static func shown(_ text: String) -> String {
    let lengthMax = 60
    let scalars = text.unicodeScalars.prefix(lengthMax).map { scalar -> Unicode.Scalar in
      scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        ? "\u{FFFD}" : scalar
    }
    return String(String.UnicodeScalarView(scalars)) + (text.unicodeScalars.count > lengthMax ? "…" : "")
  }
}
