/// A command line that was understood: all values are there and of their kinds.
public struct Invocation: Equatable, Sendable {
  public var command: String
  /// In order; optional ones may be missing at the end.
  public var arguments: [String]
  /// By long name; a flag has the value "".
  public var options: [String: String]

  public init(command: String, arguments: [String] = [], options: [String: String] = [:]) {
    self.command = command
    self.arguments = arguments
    self.options = options
  }

  public func argument(_ index: Int) -> String? { index < arguments.count ? arguments[index] : nil }
  public func has(_ option: String) -> Bool { options[option] != nil }
  public func text(_ option: String) -> String? { options[option] }
  public func integer(_ option: String) -> Int? { options[option].flatMap { Int($0) } }
  public func duration(_ option: String) -> Duration? { options[option].flatMap(parseDuration) }
}

/// `500ms`, `5s`, `2m`, `1h`, up to a year; nil for anything else.
public func parseDuration(_ text: String) -> Duration? {
  let yearInMilliseconds = 366 * 86_400_000
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let units = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]
  guard (1...12).contains(digits.count), let number = Int(digits),
    let unit = units[String(text.dropFirst(digits.count))]
  else { return nil }
  let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit)
  return overflow || milliseconds > yearInMilliseconds ? nil : .milliseconds(milliseconds)
}

/// `EPOCH:SEQ` or `EPOCH:SEQ:OFFSET`; nil for anything else.
public func parsePosition(_ text: String) -> (epoch: Int64, seq: Int64, offset: Int64?)? {
  let parts = text.split(separator: ":", omittingEmptySubsequences: false)
  let numbers = parts.compactMap { part in
    part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int64(part) : nil
  }
  guard numbers.count == parts.count, (2...3).contains(numbers.count), numbers[0] > 0, numbers[1] > 0
  else { return nil }
  return (numbers[0], numbers[1], numbers.count == 3 ? numbers[2] : nil)
}

extension ValueKind {
  /// What is wrong with a value, in words; nil where nothing is.
  func fault(_ value: String) -> String? {
    let found = ", found '\(visible(value))'"
    switch self {
    case .text, .file, .command: return value.isEmpty ? "expected a text, found nothing" : nil
    case .choice(let choices):
      return choices.contains(value)
        ? nil : "expected \(choices.joined(separator: ", "))" + found + hint(value, choices)
    case .integer(let range):
      if value.utf8.count <= 20, let number = Int(value), range.contains(number) { return nil }
      let upTo = range.upperBound == .max ? "on" : "to \(range.upperBound)"
      return "expected a whole number from \(range.lowerBound) \(upTo)" + found
    case .duration:
      return parseDuration(value) == nil ? "expected a time such as 500ms, 5s, 2m or 1h" + found : nil
    case .position:
      let isPosition = parsePosition(value) != nil
      return isPosition ? nil : "expected EPOCH:SEQ, such as 3:17, or EPOCH:SEQ:OFFSET" + found
    }
  }
}

/// Takes the words after a command's name apart.
struct ArgumentParser {
  let command: Command
  private var words: ArraySlice<String>
  private var result: Invocation

  init(command: Command, words: [String]) {
    self.command = command
    self.words = words[...]
    result = Invocation(command: command.name)
  }

  mutating func parse() throws(UsageError) -> Invocation {
    var onlyArguments = false
    while let word = words.popFirst() {
      if onlyArguments || word == "-" || !word.hasPrefix("-") {
        try argument(word)
      } else if word == "--" {
        onlyArguments = true
      } else if word.hasPrefix("--") {
        try long(word.dropFirst(2))
      } else {
        try short(word.dropFirst())
      }
    }
    let missing = command.arguments.dropFirst(result.arguments.count).first { !$0.isOptional }
    if let missing { throw fault("\(missing.name) is missing (\(missing.help))") }
    return result
  }

  private func fault(_ message: String) -> UsageError {
    UsageError("\(command.name): \(message)", command: command.name)
  }

  private mutating func argument(_ word: String) throws(UsageError) {
    let index = result.arguments.count
    guard index < command.arguments.count else {
      throw fault("one argument too many: '\(visible(word))'")
    }
    if let wrong = command.arguments[index].kind.fault(word) {
      throw fault("\(command.arguments[index].name): \(wrong)")
    }
    result.arguments.append(word)
  }

  private mutating func long(_ text: Substring) throws(UsageError) {
    let equals = text.firstIndex(of: "=")
    let name = String(equals.map { text[..<$0] } ?? text)
    guard let option = command.options.first(where: { $0.name == name }) else {
      throw fault(
        "unknown option '--\(visible(name))'" + hint("--\(name)", command.options.map { "--\($0.name)" }))
    }
    try set(option, inline: equals.map { String(text[text.index(after: $0)...]) })
  }

  /// `-c FILE` or `-cFILE`.
  private mutating func short(_ text: Substring) throws(UsageError) {
    guard let letter = text.first, let option = command.options.first(where: { $0.letter == letter }) else {
      throw fault("unknown option '-\(visible(String(text)))'")
    }
    let rest = String(text.dropFirst())
    try set(option, inline: rest.isEmpty ? nil : rest)
  }

  private mutating func set(_ option: CommandOption, inline: String?) throws(UsageError) {
    guard result.options[option.name] == nil else { throw fault("--\(option.name) is there twice") }
    guard let valueName = option.valueName else {
      if inline != nil { throw fault("--\(option.name) takes no value") }
      result.options[option.name] = ""
      return
    }
    guard let value = inline ?? words.popFirst() else {
      throw fault("--\(option.name): \(valueName) is missing")
    }
    if let wrong = option.kind.fault(value) { throw fault("--\(option.name): \(wrong)") }
    result.options[option.name] = value
  }
}
