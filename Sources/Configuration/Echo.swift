extension Configuration: CustomStringConvertible {
  /// The configuration in force as YAML, with every key. Secrets are masked, so it can be shown and
  /// logged; without any it reads back as the same configuration.
  public var description: String {
    var text = ""
    var group: Substring = ""
    for setting in Setting.all {
      let parts = setting.path.split(separator: ".")
      if parts.count == 2, parts[0] != group { text += "\(parts[0]):\n" }
      group = parts.count == 2 ? parts[0] : ""
      text += "\(parts.count == 2 ? "  " : "")\(parts.last!): \(setting.shown(self).flow())\n"
    }
    return text
  }

  /// The keys whose values differ, in the order of the reference.
  public func keysChanged(in other: Configuration) -> [String] {
    Setting.all.filter { $0.shown(self) != $0.shown(other) }.map(\.path)
  }

  /// A row of the reference page.
  public struct ReferenceRow: Equatable, Sendable {
    public var key: String
    public var type: String
    public var shownDefault: String
    public var meaning: String
  }

  /// Every key there is, with its default: what `docs/configuration.md` says.
  public static var reference: [ReferenceRow] {
    let defaults = Configuration()
    return Setting.all.map {
      ReferenceRow(
        key: $0.path, type: $0.type, shownDefault: "`\($0.shown(defaults).flow())`", meaning: $0.meaning)
    }
      + (DeclarationKey.table + DeclarationKey.column).map {
        ReferenceRow(key: $0.path, type: $0.type, shownDefault: $0.shownDefault, meaning: $0.meaning)
      }
  }
}

extension Node {
  /// The tree on one line, as YAML and (but for bare words) as JSON. What lies under a name that tells of
  /// a secret is masked too, and so are addresses with a user's name in them.
  func flow(under name: String = "") -> String {
    switch content {
    case .list(let members): return "[" + members.map { $0.flow(under: name) }.joined(separator: ", ") + "]"
    case .map(let entries):
      let inner = entries.map { "\(Self.flow($0.key)): \($0.value.flow(under: $0.key))" }
      return inner.isEmpty ? "{}" : "{ " + inner.joined(separator: ", ") + " }"
    case .scalar(let scalar):
      let mayTell = isSecretName(name) || scalar.text.contains("://") && scalar.text.contains("@")
      if scalar.isSecret || (mayTell && !isNull) { return Scalar.mask.debugDescription }
      if scalar.isNull { return "null" }
      return scalar.isQuoted ? Self.quoted(scalar.text) : Self.flow(scalar.text)
    }
  }

  /// Bare where that cannot be misread.
  private static func flow(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { isWordByte($0) || [0x2D, 0x2E, 0x2F, 0x3A].contains($0) }
    let first = text.utf8.first ?? 0x3A
    return isPlain && first != 0x3A && !text.hasSuffix(":") && text != "-" ? text : quoted(text)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      default:
        if scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format {
          let digits = String(scalar.value, radix: 16)
          result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
