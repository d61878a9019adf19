/// A word, value or sign of the text.
struct Token {
  enum Kind: Equatable {
    /// An unquoted word: a keyword or a name.
    case word(String)
    /// A name in double quotes.
    case quoted(String)
    case string([UInt8])
    case int(Int64)
    /// 9223372036854775808, which is an integer behind a minus sign only.
    case twoTo63
    case real(Double)
    case sign(Sign)
    case end
  }

  let kind: Kind
  /// Offsets of the first byte and of the one behind the last.
  let range: Range<Int>
  var at: Int { range.lowerBound }
}

enum Sign: String {
  case open = "("
  case close = ")"
  case comma = ","
  case semicolon = ";"
  case star = "*"
  case plus = "+"
  case minus = "-"
  case slash = "/"
  case percent = "%"
  case concatenate = "||"
  case equal = "="
  case doubleEqual = "=="
  case notEqual = "<>"
  case bangEqual = "!="
  case less = "<"
  case lessEqual = "<="
  case greater = ">"
  case greaterEqual = ">="
}

/// Cuts a text into tokens. Never fails but with an error that has a place.
struct Lexer {
  private let source: Source
  private var position = 0
  private var tokens: [Token] = []

  static func tokens(of source: Source) throws(SQLError) -> [Token] {
    var lexer = Lexer(source: source)
    while try lexer.next() {}
    return lexer.tokens
  }

  private init(source: Source) { self.source = source }

  private func byte(_ ahead: Int = 0) -> UInt8 {
    let at = position + ahead
    return at < source.bytes.count ? source.bytes[at] : 0
  }

  private var atEnd: Bool { position >= source.bytes.count }

  /// Reads one token; false behind the last, which is `end`.
  private mutating func next() throws(SQLError) -> Bool {
    try skipSpaceAndComments()
    let start = position
    let kind = try atEnd ? .end : token()
    tokens.append(Token(kind: kind, range: start..<position))
    return kind != .end
  }

  private mutating func skipSpaceAndComments() throws(SQLError) {
    while !atEnd {
      switch (byte(), byte(1)) {
      case (0x20, _), (0x09, _), (0x0A, _), (0x0D, _), (0x0C, _): position += 1
      case (UInt8(ascii: "-"), UInt8(ascii: "-")):
        while !atEnd && byte() != UInt8(ascii: "\n") { position += 1 }
      case (UInt8(ascii: "/"), UInt8(ascii: "*")): try skipBlockComment()
      default: return
      }
    }
  }

  private mutating func skipBlockComment() throws(SQLError) {
    let start = position
    position += 2
    while !(byte() == UInt8(ascii: "*") && byte(1) == UInt8(ascii: "/")) {
      if atEnd { throw source.error(.syntax, at: start, "this comment has no end: */ is missing") }
      position += 1
    }
    position += 2
  }

  private mutating func token() throws(SQLError) -> Token.Kind {
    let first = byte()
    switch first {
    case UInt8(ascii: "'"): return .string(try quoted(first, what: "string"))
    case UInt8(ascii: "\""): return .quoted(try quotedName())
    case UInt8(ascii: "U"), UInt8(ascii: "u"):
      return try unicodeLiteral() ?? word()
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case UInt8(ascii: ".") where isDigit(byte(1)): return try number()
    default:
      if isWordStart(first) { return word() }
      return try sign()
    }
  }

  /// The bytes between two quotes; a doubled quote stands for one.
  private mutating func quoted(_ quote: UInt8, what: String) throws(SQLError) -> [UInt8] {
    let start = position
    var text: [UInt8] = []
    position += 1
    while true {
      if atEnd {
        let sign = String(UnicodeScalar(quote))
        throw source.error(.syntax, at: start, "this \(what) has no end: \(sign) is missing")
      }
      let next = byte()
      if next == 0 { throw source.error(.syntax, at: position, "U+0000 cannot stand in a \(what)") }
      position += 1
      if next == quote {
        if byte() != quote { return text }
        position += 1
      }
      text.append(next)
    }
  }

  private mutating func quotedName() throws(SQLError) -> String {
    let start = position
    let name = String(decoding: try quoted(UInt8(ascii: "\""), what: "quoted name"), as: UTF8.self)
    if name.isEmpty { throw source.error(.syntax, at: start, "a name is missing between the quotes") }
    return name
  }

  /// `U&'…'` and `U&"…"` (ISO 9075-2, 5.3): `\` before 4 hexadecimal digits, or `\+` before 6, is that character, `\\` a
  /// backslash.
  private mutating func unicodeLiteral() throws(SQLError) -> Token.Kind? {
    let quote = byte(2)
    guard byte(1) == UInt8(ascii: "&"), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
    else { return nil }
    let start = position
    position += 2
    let what = quote == UInt8(ascii: "'") ? "string" : "quoted name"
    let text = try unescaped(try quoted(quote, what: what), at: start)
    if text.contains(0) { throw source.error(.syntax, at: start, "U+0000 cannot stand in a \(what)") }
    if quote == UInt8(ascii: "'") { return .string(text) }
    if text.isEmpty { throw source.error(.syntax, at: start, "a name is missing between the quotes") }
    return .quoted(String(decoding: text, as: UTF8.self))
  }

  /// `start` is where the literal begins, which is the place of its errors.
  private func unescaped(_ raw: [UInt8], at start: Int) throws(SQLError) -> [UInt8] {
    var text: [UInt8] = []
    var rest = raw[...]
    let backslash = UInt8(ascii: "\\")
    while let byte = rest.popFirst() {
      if byte != backslash {
        text.append(byte)
      } else if rest.first == backslash {
        text.append(backslash)
        rest.removeFirst()
      } else {
        let long = rest.first == UInt8(ascii: "+")
        if long { rest.removeFirst() }
        let digits = rest.prefix(long ? 6 : 4)
        guard digits.count == (long ? 6 : 4), digits.allSatisfy(isHexadecimal),
          let number = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else {
          throw source.error(
            .syntax, at: start, "a \\ here is followed by 4 hexadecimal digits, + and 6, or \\")
        }
        guard let scalar = Unicode.Scalar(number) else {
          let written = (long ? "\\+" : "\\") + String(decoding: digits, as: UTF8.self)
          throw source.error(.syntax, at: start, written + Self.noCharacter(number))
        }
        rest.removeFirst(digits.count)
        text.append(contentsOf: Array(String(Character(scalar)).utf8))
      }
    }
    return text
  }

  private static func noCharacter(_ number: UInt32) -> String {
    number > 0x10FFFF
      ? " is no character: the last one is \\+10FFFF"
      : " is half of a surrogate pair, and no character by itself; \\+ and 6 digits name any"
  }

  private mutating func word() -> Token.Kind {
    let start = position
    while !atEnd && (isWordStart(byte()) || isDigit(byte()) || byte() == UInt8(ascii: "$")) { position += 1 }
    return .word(String(decoding: source.bytes[start..<position], as: UTF8.self))
  }

  private mutating func skipDigits() {
    while isDigit(byte()) { position += 1 }
  }

  private mutating func number() throws(SQLError) -> Token.Kind {
    let start = position
    var whole = true
    skipDigits()
    if byte() == UInt8(ascii: ".") {
      whole = false
      position += 1
      skipDigits()
    }
    if byte() | 0x20 == UInt8(ascii: "e") {
      let signed = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-")
      if isDigit(byte(signed ? 2 : 1)) {
        whole = false
        position += signed ? 2 : 1
        skipDigits()
      }
    }
    if isWordStart(byte()) {
      throw source.error(
        .syntax, at: start, "a number runs into letters: \(source.excerpt(start..<position + 1))")
    }
    let text = String(decoding: source.bytes[start..<position], as: UTF8.self)
    if whole, let int = Int64(text) { return .int(int) }
    if whole, UInt64(text) == 1 << 63 { return .twoTo63 }
    return .real(Self.real(text))
  }

  /// As in SQLite, what is too large is infinite.
  private static func real(_ text: String) -> Double {
    let text = text.hasPrefix(".") ? "0" + text : text
    return Double(text) ?? Double(text.replacingFirstDot()) ?? .infinity
  }

  private mutating func sign() throws(SQLError) -> Token.Kind {
    for length in [2, 1] where position + length <= source.bytes.count {
      let text = String(decoding: source.bytes[position..<position + length], as: UTF8.self)
      if let sign = Sign(rawValue: text) {
        position += length
        return .sign(sign)
      }
    }
    throw source.error(.syntax, at: position, strangerMessage())
  }

  private func strangerMessage() -> String {
    switch byte() {
    case UInt8(ascii: "`"), UInt8(ascii: "["):
      "names with special characters are written \"in double quotes\""
    case UInt8(ascii: "."): "names have no dots: a query reads one table, so the column's name is enough"
    case 0: "U+0000 cannot stand here"
    default: "\(source.excerpt(position..<position + 1)) has no meaning here"
    }
  }

  private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  private func isHexadecimal(_ byte: UInt8) -> Bool {
    isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f"))
  }

  private func isWordStart(_ byte: UInt8) -> Bool { Lexer.startsWord(byte) }

  /// A letter, an underscore or part of a character beyond ASCII.
  static func startsWord(_ byte: UInt8) -> Bool {
    byte >= 0x80 || byte == UInt8(ascii: "_")
      || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
  }
}

extension String {
  /// `1.e5` as `1.0e5`, which every reader of numbers takes.
  fileprivate func replacingFirstDot() -> String {
    guard let dot = firstIndex(of: ".") else { return self }
    return self[..<dot] + ".0" + self[index(after: dot)...]
  }
}
