extension CommandTable {
  /// What `belfry --help` prints.
  public var help: String {
    """
    belfry: an object server on Kafka

    usage: belfry COMMAND [options] [arguments]

    \(Self.aligned(commands.map { ($0.name, $0.summary) }))

    'belfry COMMAND --help' tells how one is used. Output is a table on a terminal and JSON lines with --json
    or in a pipe. Exit status: 0 fine, 1 failed, 2 used wrongly, 141 whoever read the results has stopped.

    """
  }

  /// How a command, or the commands of a group, are used.
  public func help(for words: [String]) throws(UsageError) -> String {
    if words.isEmpty { return help }
    let name = words.joined(separator: " ")
    if let command = commands.first(where: { $0.name == name }) { return Self.help(command) }
    let group = commands.filter { $0.words.starts(with: words) }
    guard !group.isEmpty else {
      throw UsageError("unknown command '\(visible(name))'" + hint(name, commands.map(\.name)))
    }
    return "usage: belfry \(name) COMMAND\n\n" + Self.aligned(group.map { ($0.name, $0.summary) }) + "\n"
  }

  private static func help(_ command: Command) -> String {
    var text = "usage: \(command.usage)\n\n\(command.summary)\n"
    let arguments = command.arguments.map { ($0.name, $0.help) }
    let options =
      command.options.map { option in
        let short = option.letter.map { "-\($0), " } ?? "    "
        return ("\(short)--\(option.name)\(option.valueName.map { " \($0)" } ?? "")", Self.help(option))
      } + [("-h, --help", "this text")]
    if !arguments.isEmpty { text += "\narguments:\n\(aligned(arguments))\n" }
    text += "\noptions:\n\(aligned(options))\n"
    if !command.examples.isEmpty {
      text += "\nexamples:\n" + command.examples.map { "  \($0)\n" }.joined()
    }
    return text
  }

  private static func help(_ option: CommandOption) -> String {
    option.help + (option.fallback.map { " (default: \($0))" } ?? "")
  }

  private static func aligned(_ rows: [(String, String)]) -> String {
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { "  \($0)\(String(repeating: " ", count: width - $0.count + 2))\($1)" }
      .joined(separator: "\n")
  }
}
