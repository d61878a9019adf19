/// What may stand for a value on the command line; for checking, help and completion.
public enum ValueKind: Equatable, Sendable {
  case text
  case file
  case choice([String])
  case integer(ClosedRange<Int>)
  /// `500ms`, `5s`, `2m`, `1h`.
  case duration
  /// A record of a stream, `3:17` or `3:17:8040`: epoch, seq, and where it lies.
  case position
  /// The first word of a command.
  case command
}

/// `--name VALUE`, or a flag where there is no value.
public struct CommandOption: Equatable, Sendable {
  /// Without the dashes.
  public var name: String
  public var letter: Character?
  public var valueName: String?
  public var kind: ValueKind
  public var help: String
  /// What is in force where it is not given; for help.
  public var fallback: String?

  public init(
    _ name: String, letter: Character? = nil, value: String? = nil, _ kind: ValueKind,
    default fallback: String? = nil, _ help: String
  ) {
    self.name = name
    self.letter = letter
    self.valueName = value
    self.kind = kind
    self.fallback = fallback
    self.help = help
  }

  /// A flag, or any text.
  public init(
    _ name: String, letter: Character? = nil, value: String? = nil, default fallback: String? = nil,
    _ help: String
  ) {
    self.init(name, letter: letter, value: value, .text, default: fallback, help)
  }
}

public struct CommandArgument: Equatable, Sendable {
  /// In capitals, as help shows it.
  public var name: String
  public var kind: ValueKind
  public var isOptional: Bool
  public var help: String

  public init(_ name: String, _ kind: ValueKind, optional: Bool = false, _ help: String) {
    self.name = name
    self.kind = kind
    self.isOptional = optional
    self.help = help
  }

  /// Any text.
  public init(_ name: String, optional: Bool = false, _ help: String) {
    self.init(name, .text, optional: optional, help)
  }
}

/// One command: a row of the table from which parsing, help and completion are made.
public struct Command: Equatable, Sendable {
  /// One word, or a group and a word: `dlq list`.
  public var name: String
  public var summary: String
  public var arguments: [CommandArgument]
  public var options: [CommandOption]
  public var examples: [String]

  public init(
    _ name: String, _ summary: String, arguments: [CommandArgument] = [], options: [CommandOption] = [],
    examples: [String] = []
  ) {
    self.name = name
    self.summary = summary
    self.arguments = arguments
    self.options = options
    self.examples = examples
  }

  var words: [String] { name.split(separator: " ").map(String.init) }

  /// `belfry subscribe [options] SQL`
  var usage: String {
    let shown = arguments.map { $0.isOptional ? "[\($0.name)]" : $0.name }
    return (["belfry", name] + (options.isEmpty ? [] : ["[options]"]) + shown).joined(separator: " ")
  }
}

/// The program was called wrongly; exit status 2.
public struct UsageError: Error, Equatable, Sendable, CustomStringConvertible {
  public var message: String
  /// The command whose help tells how it is used; nil where the words name none.
  public var command: String?
  public var description: String { message }

  public init(_ message: String, command: String? = nil) {
    self.message = message
    self.command = command
  }
}

/// The program was called rightly and could not do it; exit status 1. The message tells the place where
/// there is one (`SQL 1:38: …`); it is shown behind the program's name.
public struct CommandFailure: Error, Equatable, Sendable, CustomStringConvertible {
  public var message: String
  public var description: String { message }

  public init(_ message: String) { self.message = message }
}
