/// Where in the configuration something stands. Lines and columns count from 1, columns in characters.
/// Line 0 is the source as a whole: an environment variable, or a file that could not be read.
public struct Place: Hashable, Sendable, CustomStringConvertible {
  public var source: String
  public var line: Int
  public var column: Int

  public init(source: String, line: Int = 0, column: Int = 0) {
    self.source = source
    self.line = line
    self.column = column
  }

  /// `belfry.yaml:12:3`, or the source's name alone.
  public var description: String { line == 0 ? source : "\(source):\(line):\(column)" }
}

/// One fault or warning, for people. Never contains a secret.
public struct Diagnostic: Error, Hashable, Sendable, CustomStringConvertible {
  public var place: Place
  public var message: String

  public init(_ place: Place, _ message: String) {
    self.place = place
    self.message = message
  }

  /// `belfry.yaml:12:3: unknown key 'kafak'; did you mean 'kafka'?`
  public var description: String { "\(place): \(message)" }
}

/// Everything that is wrong with a configuration, in the order of its sources and lines.
/// Trying again without a change gives the same.
public struct ConfigurationErrors: Error, Equatable, Sendable, CustomStringConvertible {
  public var diagnostics: [Diagnostic]

  /// One line each.
  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

/// Collects faults while the reading goes on, so that all are told at once.
struct Problems {
  /// Faults at most; what comes after is only counted.
  static let max = 100

  private(set) var errors: [Diagnostic] = []
  private(set) var warnings: [Diagnostic] = []
  private var untold = 0

  /// Errors, those that are only counted with them.
  var count: Int { errors.count + untold }
  /// Further faults are only counted, so their hints need not be worked out.
  var isFull: Bool { errors.count >= Self.max }

  mutating func error(_ place: Place, _ message: String) {
    if errors.count < Self.max { errors.append(Diagnostic(place, message)) } else { untold += 1 }
  }

  mutating func warning(_ place: Place, _ message: String) {
    if warnings.count < Self.max { warnings.append(Diagnostic(place, message)) }
  }

  func check() throws(ConfigurationErrors) {
    guard let last = errors.last else { return }
    let more = untold > 0 ? [Diagnostic(Place(source: last.place.source), "and \(untold) more errors")] : []
    throw ConfigurationErrors(diagnostics: errors + more)
  }
}
