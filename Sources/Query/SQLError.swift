/// What is wrong with a text of the query language, and where.
public struct SQLError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: String, Sendable, CaseIterable {
    case syntax
    case unknownTable = "unknown_table"
    case unknownColumn = "unknown_column"
    /// A name that is taken, not there, or used by others, where something is created or dropped.
    case name
    case type
    case limit
    case unsupported
  }

  public let code: Code
  /// What was found and what would fit.
  public let message: String
  /// From 1.
  public let line: Int
  /// From 1, counted in characters.
  public let column: Int

  public init(_ code: Code, _ message: String, line: Int, column: Int) {
    self.code = code
    self.message = message
    self.line = line
    self.column = column
  }

  public var description: String { "SQL \(line):\(column): \(message)" }
}

/// The text that is being read; turns byte offsets into places.
struct Source {
  let bytes: [UInt8]

  init(_ text: String) throws(SQLError) {
    bytes = Array(text.utf8.prefix(QueryLimits.textBytesMax + 1))
    guard bytes.count <= QueryLimits.textBytesMax else {
      throw SQLError(
        .limit, "the text is longer than \(QueryLimits.textBytesMax) bytes", line: 1, column: 1)
    }
  }

  func error(_ code: SQLError.Code, at offset: Int, _ message: String) -> SQLError {
    let before = bytes[..<min(offset, bytes.count)]
    let newline = UInt8(ascii: "\n")
    let line = before.reduce(1) { $0 + ($1 == newline ? 1 : 0) }
    let start = before.lastIndex(of: newline).map { $0 + 1 } ?? 0
    let column = String(decoding: before[start...], as: UTF8.self).count + 1
    let cut = message.count > QueryLimits.messageCharactersMax
    let short = cut ? message.prefix(QueryLimits.messageCharactersMax) + "…" : message
    return SQLError(code, short, line: line, column: column)
  }

  /// A piece of the text for a message, shortened where it is long.
  func excerpt(_ range: Range<Int>) -> String {
    let text = String(decoding: bytes[range], as: UTF8.self)
    let limit = 32
    return text.count <= limit ? text : text.prefix(limit) + "…"
  }
}

/// The candidate that was most likely meant: the nearest by edit distance, case aside, if it is near.
public func suggestion(for name: String, among candidates: [String]) -> String {
  let wanted = Array(name.lowercased().unicodeScalars.prefix(64))
  var best: (distance: Int, name: String)?
  for candidate in candidates {
    let distance = editDistance(wanted, Array(candidate.lowercased().unicodeScalars.prefix(64)))
    if distance < best?.distance ?? .max { best = (distance, candidate) }
  }
  guard let best, best.distance <= max(1, wanted.count / 3) else { return "" }
  return "; did you mean \(best.name)?"
}

/// Levenshtein's distance, in which two neighbours that changed places are one edit, too. A row of the matrix at a time.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
  var (rowBefore, above) = ([Int](), Array(0...b.count))
  for (i, x) in a.enumerated() {
    var row = [i + 1]
    for (j, y) in b.enumerated() {
      var least = min(above[j] + (x == y ? 0 : 1), row[j] + 1, above[j + 1] + 1)
      if i > 0, j > 0, x == b[j - 1], y == a[i - 1] { least = min(least, rowBefore[j - 1] + 1) }
      row.append(least)
    }
    (rowBefore, above) = (above, row)
  }
  return above[b.count]
}
