/// Reads at most `bytesMax` bytes of a file; throws a `Diagnostic` in the operator's words where it
/// cannot. Injected, so that tests need no disk.
public typealias FileReader = @Sendable (_ path: String, _ bytesMax: Int) throws(Diagnostic) -> [UInt8]

/// Puts in what stands outside the file: `${NAME}`, `${NAME:-default}` and `{secret_file: PATH}`.
///
/// It works on the parsed tree, so a value cannot add keys. What comes from the environment or a file is
/// a secret: it is used, never shown. `$${` is a plain `${`.
struct Substitution {
  let environment: [String: String]
  /// Relative paths of secrets start here.
  let directory: String
  let readFile: FileReader
  var problems: Problems
  private var bytes = 0

  init(
    environment: [String: String], directory: String, readFile: @escaping FileReader, problems: Problems
  ) {
    self.environment = environment
    self.directory = directory
    self.readFile = readFile
    self.problems = problems
  }

  mutating func apply(to node: Node) -> Node {
    switch node.content {
    case .scalar(let scalar): return Node(.scalar(substituted(scalar, node.place)), at: node.place)
    case .list(let members):
      var result: [Node] = []
      for member in members { result.append(apply(to: member)) }
      return Node(.list(result), at: node.place)
    case .map(let entries):
      if let path = entries.first(where: { $0.key == "secret_file" }) {
        return secret(path, alone: entries.count == 1, node.place)
      }
      var result = entries
      for i in result.indices { result[i].value = apply(to: result[i].value) }
      return Node(.map(result), at: node.place)
    }
  }

  private mutating func secret(_ entry: Node.Entry, alone: Bool, _ place: Place) -> Node {
    let nothing = Node(.scalar(Scalar("", isQuoted: true, isSecret: true)), at: place)
    guard alone else {
      problems.error(entry.keyPlace, "secret_file stands alone in its map")
      return nothing
    }
    guard case .scalar(let written) = entry.value.content, !entry.value.isNull else {
      problems.error(entry.value.place, "secret_file: expected a path, found \(entry.value.shown)")
      return nothing
    }
    guard bytes <= ConfigurationLimits.textBytesMax else { return nothing }
    let path = substituted(written, entry.value.place).text
    do throws(Diagnostic) {
      let read = try readFile(absolute(path), ConfigurationLimits.valueBytesMax)
      guard let text = String(validating: read, as: UTF8.self), !text.utf8.contains(0) else {
        throw Diagnostic(entry.value.place, "no UTF-8 text")
      }
      // Editors and `echo` end a file with a line feed that no password has.
      let trimmed =
        text.hasSuffix("\r\n") ? text.dropLast() : text.hasSuffix("\n") ? text.dropLast() : text[...]
      spend(trimmed.utf8.count, entry.value.place)
      return Node(.scalar(Scalar(String(trimmed), isQuoted: true, isSecret: true)), at: entry.value.place)
    } catch {
      problems.error(entry.value.place, "secret_file: \(absolute(path)): \(error.message)")
      return nothing
    }
  }

  private func absolute(_ path: String) -> String {
    path.hasPrefix("/") || directory.isEmpty ? path : "\(directory)/\(path)"
  }

  private mutating func spend(_ count: Int, _ place: Place) {
    let before = bytes
    bytes += count
    let limit = ConfigurationLimits.textBytesMax
    if before <= limit, bytes > limit { problems.error(place, "too large, with what is put in") }
  }

  private mutating func substituted(_ scalar: Scalar, _ place: Place) -> Scalar {
    guard scalar.text.utf8.contains(UInt8(ascii: "$")), bytes <= ConfigurationLimits.textBytesMax else {
      return scalar
    }
    var result = Scalar("", isQuoted: scalar.isQuoted, isSecret: scalar.isSecret)
    var rest = scalar.text[...]
    while let dollar = rest.firstIndex(of: "$") {
      result.text += rest[..<dollar]
      rest = rest[dollar...]
      if rest.hasPrefix("$${") {
        result.text += "${"
        rest = rest.dropFirst(3)
      } else if rest.hasPrefix("${") {
        guard let end = rest.firstIndex(of: "}") else {
          problems.error(place, "'${' without its '}'")
          return result
        }
        let value = variable(rest[rest.index(dollar, offsetBy: 2)..<end], place)
        result.text += value.text
        result.isSecret = result.isSecret || value.isSecret
        rest = rest[rest.index(after: end)...]
      } else {
        result.text += "$"
        rest = rest.dropFirst()
      }
      guard result.text.utf8.count <= ConfigurationLimits.valueBytesMax else {
        problems.error(place, "longer than \(ConfigurationLimits.valueBytesMax) bytes with what is put in")
        return result
      }
    }
    result.text += rest
    spend(result.text.utf8.count, place)
    return result
  }

  /// `expression` is what stands between the braces: `NAME` or `NAME:-default`. As in a shell, an empty
  /// variable takes the default too.
  private mutating func variable(_ expression: Substring, _ place: Place) -> Scalar {
    let parts = expression.firstRange(of: ":-")
    let name = String(parts.map { expression[..<$0.lowerBound] } ?? expression)
    guard isVariableName(name) else {
      problems.error(place, "'${\(expression)}': expected ${NAME} or ${NAME:-default}")
      return Scalar("")
    }
    let value = environment[name]
    if let parts {
      if let value, !value.isEmpty { return Scalar(value, isSecret: true) }
      return Scalar(String(expression[parts.upperBound...]))
    }
    guard let value else {
      problems.error(place, "the environment variable \(name) is not set, and ${\(name)} has no default")
      return Scalar("")
    }
    return Scalar(value, isSecret: true)
  }
}

func isVariableName(_ name: String) -> Bool {
  matches(name, first: { isLetter($0) || $0 == UInt8(ascii: "_") }, rest: isWordByte, bytesMax: 128)
}

func isLetter(_ byte: UInt8) -> Bool { (65...90).contains(byte) || (97...122).contains(byte) }
func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
func isWordByte(_ byte: UInt8) -> Bool { isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_") }

func matches(
  _ text: String, first: (UInt8) -> Bool, rest: (UInt8) -> Bool, bytesMax: Int
) -> Bool {
  guard let start = text.utf8.first, text.utf8.count <= bytesMax else { return false }
  return first(start) && text.utf8.dropFirst().allSatisfy(rest)
}
