/// Shells for which a completion script is made.
public enum CompletionShell: String, CaseIterable, Sendable { case bash, zsh, fish }

extension CommandTable {
  /// A script that completes commands, options, and the values of both where they are known.
  public func completion(_ shell: CompletionShell) -> String {
    switch shell {
    case .bash: bash + "complete -F _belfry belfry\n"
    case .zsh:
      // zsh's own emulation of bash's completion: one script to keep true.
      "#compdef belfry\nautoload -U +X bashcompinit && bashcompinit\n" + bash
        + "complete -o filenames -F _belfry belfry\n"
    case .fish: fish
    }
  }

  /// First words of commands, in order, each once.
  private var firsts: [String] {
    let names = commands.map { $0.words[0] }
    return names.enumerated().filter { names.firstIndex(of: $1) == $0 }.map(\.element)
  }

  /// bash takes `--option=value` for three words where `=` breaks words, and for one where it does not, as zsh.
  private var bash: String {
    var text = """
      _belfry_files() {
        local IFS=$'\\n'
        COMPREPLY=( $(compgen -f -- "$cur") )
        compopt -o filenames 2>/dev/null
      }
      _belfry() {
        local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" cmd="${COMP_WORDS[1]}" before=
        COMPREPLY=()
        if [ "$COMP_CWORD" -eq 1 ]; then
          COMPREPLY=( $(compgen -W "\((firsts + ["--help", "--version"]).joined(separator: " "))" -- "$cur") )
          return
        fi
        if [ "$cur" = "=" ]; then
          cur=
        elif [ "$prev" = "=" ]; then
          prev="${COMP_WORDS[COMP_CWORD-2]}"
        else
          case "$cur" in
            --*=*) prev="${cur%%=*}" before="${cur%%=*}=" cur="${cur#*=}" ;;
          esac
        fi
        _belfry_words
        COMPREPLY=( "${COMPREPLY[@]/#/$before}" )
      }
      _belfry_words() {

      """
    for group in groups.keys.sorted() {
      let seconds = commands.filter { $0.words.count == 2 && $0.words[0] == group }.map { $0.words[1] }
      text += """
          if [ "$cmd" = \(group) ]; then
            if [ "$COMP_CWORD" -eq 2 ]; then
              COMPREPLY=( $(compgen -W "\(seconds.joined(separator: " "))" -- "$cur") )
              return
            fi
            cmd="$cmd ${COMP_WORDS[2]}"
          fi

        """
    }
    text += "  case \"$cmd\" in\n"
    for command in commands { text += bash(command) }
    return text + "  esac\n}\n"
  }

  /// What one command completes: the value of the option before, else options, else its arguments.
  private func bash(_ command: Command) -> String {
    var text = "    \"\(command.name)\")\n      case \"$prev\" in\n"
    for option in command.options where option.valueName != nil {
      let names = (option.letter.map { ["-\($0)"] } ?? []) + ["--\(option.name)"]
      text += "        \(names.joined(separator: "|"))) \(reply(option.kind)) return ;;\n"
    }
    let options = command.options.map { "--\($0.name)" } + ["--help"]
    text += "      esac\n"
    text += "      case \"$cur\" in\n"
    text += "        -*) \(reply(.choice(options))) return ;;\n"
    text += "      esac\n"
    if let kind = command.arguments.first?.kind, reply(kind) != ":;" {
      text += "      \(reply(kind))\n"
    }
    return text + "      ;;\n"
  }

  private func reply(_ kind: ValueKind) -> String {
    switch kind {
    case .file: "_belfry_files;"
    case .choice(let words): "COMPREPLY=( $(compgen -W \"\(words.joined(separator: " "))\" -- \"$cur\") );"
    case .command: reply(.choice(firsts))
    case .text, .integer, .duration, .position: ":;"
    }
  }

  private var fish: String {
    func quoted(_ text: String) -> String {
      "'" + text.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "'"
    }
    var lines = ["complete -c belfry -f"]
    for command in commands {
      let words = command.words
      let seen = "__fish_seen_subcommand_from"
      if words.count == 1 {
        lines.append(
          "complete -c belfry -n __fish_use_subcommand -a \(words[0]) -d \(quoted(command.summary))")
      } else {
        lines.append("complete -c belfry -n __fish_use_subcommand -a \(words[0])")
        lines.append(
          "complete -c belfry -n '\(seen) \(words[0])' -a \(words[1]) -d \(quoted(command.summary))")
      }
      let condition = "'" + words.map { "\(seen) \($0)" }.joined(separator: "; and ") + "'"
      for option in command.options {
        var line = "complete -c belfry -n \(condition) -l \(option.name) -d \(quoted(option.help))"
        if let letter = option.letter { line += " -s \(letter)" }
        if option.valueName != nil { line += " \(Self.fishValue(option.kind))" }
        lines.append(line)
      }
      if let kind = command.arguments.first?.kind, kind != .text, !fishWords(kind).isEmpty {
        lines.append("complete -c belfry -n \(condition) \(fishWords(kind))")
      }
    }
    let unique = lines.enumerated().filter { lines.firstIndex(of: $1) == $0 }.map(\.element)
    return unique.joined(separator: "\n") + "\n"
  }

  private static func fishValue(_ kind: ValueKind) -> String {
    switch kind {
    case .file: "-r -F"
    case .choice(let words): "-x -a '\(words.joined(separator: " "))'"
    case .text, .integer, .duration, .position, .command: "-x"
    }
  }

  private func fishWords(_ kind: ValueKind) -> String {
    switch kind {
    case .file: "-F"
    case .choice(let words): "-a '\(words.joined(separator: " "))'"
    case .command: "-a '\(firsts.joined(separator: " "))'"
    case .text, .integer, .duration, .position: ""
    }
  }
}
