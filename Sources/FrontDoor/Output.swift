import Base
import Glibc

/// One value of a row that is shown to people or programs.
public enum Cell: Equatable, Sendable {
  case text(String)
  case int(Int64)
  case real(Double)
  case bool(Bool)
  /// A JSON text, which stays what it is among JSON.
  case json(String)
  case null

  var shown: String {
    switch self {
    case .text(let text): visible(text)
    case .int(let number): String(number)
    case .real(let number): String(number)
    case .bool(let bool): String(bool)
    case .json(let text): visible(text)
    case .null: ""
    }
  }

  var isNumber: Bool {
    switch self {
    case .int, .real: true
    case .text, .bool, .json, .null: false
    }
  }

  var json: String {
    switch self {
    case .text(let text): jsonText(text)
    case .int(let number): String(number)
    // JSON has no infinities and no NaN.
    case .real(let number): number.isFinite ? String(number) : "null"
    case .bool(let bool): String(bool)
    case .json(let text): text
    case .null: "null"
    }
  }
}

/// Where a command's results go: a table on a terminal, else JSON lines. Not for errors.
public struct Output: Sendable {
  /// Columns of the terminal; nil where there is none, or JSON was asked for.
  public var terminalWidth: Int?
  private let sink: @Sendable (String) throws(OutputError) -> Void

  /// `write` gets whole lines.
  public init(terminalWidth: Int?, write: @escaping @Sendable (String) throws(OutputError) -> Void) {
    self.terminalWidth = terminalWidth
    self.sink = write
  }

  /// The process's standard output.
  public static func standard(json: Bool) -> Output {
    Output(terminalWidth: json ? nil : terminalColumns(of: 1)) { text throws(OutputError) in
      try writeAll(1, text)
    }
  }

  public var isTable: Bool { terminalWidth != nil }

  /// Text as it is. What came from outside goes through `visible` first.
  public func write(_ text: String) throws(OutputError) { try sink(text) }

  /// All rows at once: as a terminal of this width shows them best (`bestText`), or one JSON object a line. Each row
  /// has as many cells as there are columns.
  public func rows(_ columns: [String], _ rows: [[Cell]]) throws(OutputError) {
    guard let width = terminalWidth else {
      for row in rows { try object(columns, row) }
      return
    }
    try sink(bestText(columns, rows, width: width))
  }

  /// One JSON object on a line of its own.
  public func object(_ columns: [String], _ row: [Cell]) throws(OutputError) {
    precondition(columns.count == row.count)
    let pairs = zip(columns, row).map { "\(jsonText($0)):\($1.json)" }
    try sink("{" + pairs.joined(separator: ",") + "}\n")
  }
}

/// Results could not be written: the disk is full, or nobody reads any more.
public struct OutputError: Error, Equatable, Sendable {
  /// The system's number for it.
  public var number: Int32

  public init(number: Int32) { self.number = number }

  /// Whoever read has seen enough: nothing to tell.
  public var isClosed: Bool { number == EPIPE }
}

/// Blanks between the columns of a table.
private let gap = 2

/// A table with nothing cut where it fits the width, but that its last column may run on over the edge when it begins
/// well before that; else a table with its widest texts cut; where these would say nothing any more, one record behind
/// the other, a line for each column and nothing cut.
public func bestText(_ columns: [String], _ rows: [[Cell]], width: Int) -> String {
  let lastWidthMin = 24
  let table = TableWidths(columns, rows)
  let last = columns.count - 1
  let before = table.widest.dropLast().reduce(0) { $0 + $1 + gap }
  if last < 0 || rows.isEmpty || before + min(table.widest[last], lastWidthMin) <= width {
    return textTable(columns, rows, width: .max)
  }
  let isLegible = TableWidths.total(table.legible) <= width
  return isLegible ? textTable(columns, rows, width: width) : textRecords(columns, rows)
}

/// How wide the columns of a table are, and may be.
private struct TableWidths {
  /// With nothing cut.
  let widest: [Int]
  /// As far as they may be cut and still be told apart: a text to a few letters, a number not at all.
  let legible: [Int]

  private static let lettersMin = 8
  private static let headerMin = 6

  init(_ columns: [String], _ rows: [[Cell]]) {
    let headers = columns.map { displayWidth(visible($0)) }
    let cells = columns.indices.map { i in rows.map { displayWidth($0[i].shown) }.max() ?? 0 }
    widest = columns.indices.map { max(headers[$0], cells[$0]) }
    legible = columns.indices.map { i in
      let cell = rows.contains { $0[i].isNumber } ? cells[i] : min(cells[i], Self.lettersMin)
      return max(cell, min(headers[i], Self.headerMin))
    }
  }

  static func total(_ widths: [Int]) -> Int { widths.reduce(0, +) + gap * max(0, widths.count - 1) }

  /// The widest give way first, as long as they stay legible.
  func fitting(_ width: Int) -> [Int] {
    var widths = widest
    while Self.total(widths) > max(width, 1) {
      guard
        let i = widths.indices.filter({ widths[$0] > legible[$0] }).max(by: { widths[$0] < widths[$1] })
      else { break }
      widths[i] -= 1
    }
    return widths
  }
}

/// One record behind the other, under a line with its number.
private func textRecords(_ columns: [String], _ rows: [[Cell]]) -> String {
  let names = columns.map(visible)
  let width = names.map(displayWidth).max() ?? 0
  return rows.enumerated().map { number, row in
    let lines = zip(names, row).map { name, cell in
      let value = cell.shown
      let space = String(repeating: " ", count: value.isEmpty ? 0 : width - displayWidth(name) + gap)
      return name + space + value + "\n"
    }
    return "-[ \(number + 1) ]" + String(repeating: "-", count: 20) + "\n" + lines.joined()
  }.joined()
}

/// A table of text. Numbers stand right; the widest columns give way first when it does not fit.
public func textTable(_ columns: [String], _ rows: [[Cell]], width: Int) -> String {
  let header = columns.map(visible)
  let shown = rows.map { row in
    precondition(row.count == columns.count)
    return row.map(\.shown)
  }
  let widths = TableWidths(columns, rows).fitting(width)
  func line(_ cells: [String], right: [Bool]) -> String {
    let padded = cells.indices.map { i in
      let text = fitted(cells[i], to: widths[i])
      let space = String(repeating: " ", count: max(0, widths[i] - displayWidth(text)))
      return right[i] ? space + text : text + space
    }
    var joined = padded.joined(separator: String(repeating: " ", count: gap))
    while joined.last == " " { joined.removeLast() }
    return fitted(joined, to: width) + "\n"
  }
  let isRight = columns.indices.map { i in
    !rows.isEmpty && rows.allSatisfy { $0[i].isNumber || $0[i] == .null }
  }
  return line(header, right: isRight)
    + shown.map { line($0, right: isRight) }.joined()
}

/// Columns of the terminal behind a descriptor; nil where it is none. 80 where it does not say.
public func terminalColumns(of descriptor: Int32) -> Int? {
  guard isatty(descriptor) == 1 else { return nil }
  var size = winsize()
  guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
  return Int(size.ws_col)
}

/// Something for the person at the terminal, on standard error. Where that cannot be written, nobody can be
/// told.
public func tell(_ text: String) { try? writeAll(2, text) }

/// Writes all of it.
public func writeAll(_ descriptor: Int32, _ text: String) throws(OutputError) {
  try writeAll(descriptor, Array(text.utf8))
}

public func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) throws(OutputError) {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { throw OutputError(number: errno) }
    rest = rest.dropFirst(count)
  }
}
