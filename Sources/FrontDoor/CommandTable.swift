import Configuration

/// The commands of a program. A value; parsing has no effects.
public struct CommandTable: Sendable {
  public let commands: [Command]

  /// Names, letters and groups must be unambiguous; a mistake here traps.
  public init(_ commands: [Command]) {
    precondition(Set(commands.map(\.name)).count == commands.count, "two commands of one name")
    for command in commands {
      let letters = command.options.compactMap(\.letter)
      precondition(Set(command.options.map(\.name)).count == command.options.count, command.name)
      precondition(Set(letters).count == letters.count, command.name)
    }
    self.commands = commands
  }

  /// The same table with these commands only.
  public func only(_ names: some Sequence<String>) -> CommandTable {
    let names = Set(names)
    return CommandTable(commands.filter { names.contains($0.name) })
  }

  /// The command that the first words name, and the words after it.
  ///
  /// `--help`, `-h` anywhere before `--` ask for help, `--version` first for the version.
  public func parse(_ words: [String]) throws(UsageError) -> Invocation {
    guard let first = words.first else { return Invocation(command: "help") }
    if first == "--version" { return Invocation(command: "version") }
    if first == "--help" || first == "-h" { return Invocation(command: "help") }
    if let group = groups[first], words.dropFirst().first.map(isHelp) ?? false {
      return Invocation(command: "help", arguments: [group])
    }
    let command = try find(words)
    let rest = Array(words.dropFirst(command.words.count))
    if rest.prefix(while: { $0 != "--" }).contains(where: isHelp) {
      return Invocation(command: "help", arguments: command.words)
    }
    var parser = ArgumentParser(command: command, words: rest)
    return try parser.parse()
  }

  private func isHelp(_ word: String) -> Bool { word == "--help" || word == "-h" }

  /// First words of commands that have two.
  var groups: [String: String] {
    Dictionary(commands.filter { $0.words.count == 2 }.map { ($0.words[0], $0.words[0]) }) { a, _ in a }
  }

  private func find(_ words: [String]) throws(UsageError) -> Command {
    if let command = commands.first(where: { words.starts(with: $0.words) }) { return command }
    let first = words[0]
    if groups[first] != nil {
      let seconds = commands.filter { $0.words[0] == first }.map { $0.words[1] }
      guard words.count > 1 else {
        throw UsageError("\(first): expected \(seconds.joined(separator: ", "))", command: first)
      }
      throw UsageError(
        "unknown command '\(visible(first)) \(visible(words[1]))'" + hint(words[1], seconds), command: first)
    }
    if first.hasPrefix("-") { throw UsageError("expected a command before '\(visible(first))'") }
    throw UsageError(
      "unknown command '\(visible(first))'" + hint(first, Array(Set(commands.map { $0.words[0] })).sorted()))
  }
}

/// `; did you mean 'serve'?`, or nothing.
func hint(_ word: String, _ known: [String]) -> String {
  nearest(word, of: known).map { "; did you mean '\($0)'?" } ?? ""
}
