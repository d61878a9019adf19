/// Reads the keys of one map, checks their types, and at the end refuses the keys that nobody read.
///
/// Every accessor returns its default when the key is missing or has no value.
public struct SettingsReader {
  private let entries: [ConnectorSettings.Entry]
  private let owner: String
  private let mapPlace: String
  private var known: [String] = []

  /// `owner` names the map in messages, such as `syslog` or `host_monitor.disk`.
  /// - Throws: when the settings are no map, or a key is there twice.
  public init(_ settings: ConnectorSettings, of owner: String) throws(ConnectorError) {
    self.owner = owner
    mapPlace = settings.place
    switch settings.value {
    case .none: entries = []
    case .map(let given): entries = given
    default:
      throw ConnectorError(place: settings.place, "`\(owner)` wants a map, not \(settings.kind)")
    }
    var names: Set<String> = []
    for entry in entries where !names.insert(entry.name).inserted {
      throw ConnectorError(place: entry.place, "the key `\(entry.name)` is in `\(owner)` twice")
    }
  }

  /// Where a key's value is, or the map when it is missing.
  public func place(of name: String) -> String {
    entries.first { $0.name == name }?.value.place ?? mapPlace
  }

  /// An error about a key's value that the caller found.
  public func error(_ name: String, _ message: String) -> ConnectorError {
    ConnectorError(place: place(of: name), "`\(owner).\(name)` \(message)")
  }

  /// The value of a key as it is; nil when it is missing or empty.
  public mutating func value(_ name: String) -> ConnectorSettings? {
    known.append(name)
    guard let found = entries.first(where: { $0.name == name })?.value, found.value != .none else {
      return nil
    }
    return found
  }

  public mutating func string(_ name: String, default fallback: String) throws(ConnectorError) -> String {
    guard let found = value(name) else { return fallback }
    guard case .string(let text) = found.value else { throw wrong(name, found, "a text") }
    return text
  }

  public mutating func bool(_ name: String, default fallback: Bool) throws(ConnectorError) -> Bool {
    guard let found = value(name) else { return fallback }
    guard case .bool(let flag) = found.value else { throw wrong(name, found, "true or false") }
    return flag
  }

  public mutating func int(
    _ name: String, default fallback: Int, in range: ClosedRange<Int>
  ) throws(ConnectorError) -> Int {
    guard let found = value(name) else { return fallback }
    guard case .int(let wide) = found.value, let n = Int(exactly: wide), range.contains(n) else {
      throw wrong(name, found, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return n
  }

  /// One of the words given.
  public mutating func choice(
    _ name: String, of words: [String], default fallback: String
  ) throws(ConnectorError) -> String {
    guard let found = value(name) else { return fallback }
    guard case .string(let word) = found.value, words.contains(word) else {
      throw wrong(name, found, "one of \(words.joined(separator: ", "))")
    }
    return word
  }

  /// A list of texts with at most `most` members; a single text is a list of one.
  public mutating func strings(
    _ name: String, default fallback: [String], most: Int
  ) throws(ConnectorError) -> [String] {
    guard let found = value(name) else { return fallback }
    if case .string(let text) = found.value { return [text] }
    guard case .list(let members) = found.value, members.count <= most else {
      throw wrong(name, found, "a list of at most \(most) texts")
    }
    var texts: [String] = []
    for member in members {
      guard case .string(let text) = member.value else {
        throw ConnectorError(
          place: member.place, "`\(owner).\(name)` wants texts as its members, not \(member.kind)")
      }
      texts.append(text)
    }
    return texts
  }

  /// A duration: a text such as `100ms`, `5s`, `2m`, `1h`, `7d`, or a whole number of milliseconds.
  public mutating func duration(
    _ name: String, default fallback: Duration, in range: ClosedRange<Duration>
  ) throws(ConnectorError) -> Duration {
    guard let found = value(name) else { return fallback }
    let given: Duration? =
      switch found.value {
      case .int(let milliseconds): .milliseconds(milliseconds)
      case .string(let text): Duration(settingsText: text)
      default: nil
      }
    guard let given, range.contains(given) else {
      let limits = "from \(range.lowerBound.settingsText) to \(range.upperBound.settingsText)"
      throw wrong(name, found, "a duration such as 100ms, 5s or 2m, \(limits)")
    }
    return given
  }

  /// The reader of a map inside this one; of an empty map when the key is missing.
  public mutating func map(_ name: String) throws(ConnectorError) -> SettingsReader {
    let inner = value(name) ?? ConnectorSettings(.none, place: place(of: name))
    return try SettingsReader(inner, of: "\(owner).\(name)")
  }

  /// Refuses the first key that no accessor has asked for.
  public func finish() throws(ConnectorError) {
    guard let unknown = entries.first(where: { !known.contains($0.name) }) else { return }
    let names = known.sorted().joined(separator: ", ")
    throw ConnectorError(
      place: unknown.place, "unknown key `\(unknown.name)` in `\(owner)`; known keys: \(names)")
  }

  /// The error for a value of the wrong kind.
  public func wrong(_ name: String, _ found: ConnectorSettings, _ wanted: String) -> ConnectorError {
    ConnectorError(place: found.place, "`\(owner).\(name)` wants \(wanted), not \(found.kind)")
  }
}
