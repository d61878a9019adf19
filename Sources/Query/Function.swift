import Events

/// A function of values. SQLite's, with 0 or '' where SQLite has NULL.
public enum Function: String, Hashable, Sendable, CaseIterable {
  /// ASCII letters only, as in SQLite.
  case lower = "LOWER"
  case upper = "UPPER"
  /// In characters.
  case length = "LENGTH"
  /// `SUBSTR(text, first [, count])`, in characters from 1.
  case substr = "SUBSTR"
  case abs = "ABS"
  case concatenate = "||"

  /// What each argument must be: a string or a number.
  enum Parameter { case string, number, int }

  var parameters: [Parameter] {
    switch self {
    case .lower, .upper, .length: [.string]
    case .substr: [.string, .int, .int]
    case .abs: [.number]
    case .concatenate: [.string, .string]
    }
  }

  /// Arguments that may be left out at the end.
  var optionalParameters: Int { self == .substr ? 1 : 0 }

  func type(_ arguments: [Expression]) -> ColumnType {
    switch self {
    case .lower, .upper, .substr, .concatenate: .string
    case .length: .int
    case .abs: arguments[0].type == .real ? .real : .int
    }
  }

  func callAsFunction(_ arguments: [Constant]) -> Constant {
    let numbers = arguments.map { $0.number ?? .int(0) }
    let strings = arguments.map { $0.bytes ?? [] }
    switch self {
    case .length: return .int(Int64(strings[0].withUnsafeBytes(Self.length)))
    case .abs: return Constant(Self.abs(numbers[0]))
    case .lower: return .string(Self.lower(strings[0]))
    case .upper: return .string(Self.upper(strings[0]))
    case .concatenate: return .string(strings[0] + strings[1])
    case .substr:
      let count = numbers.count > 2 ? numbers[2].truncated : nil
      return .string(Self.substr(strings[0], numbers[1].truncated, count))
    }
  }

  /// Of all that can be called, in upper case.
  static let names =
    allCases.filter { $0 != .concatenate }.map(\.rawValue) + Metric.Function.names + ["NOW"]

  // MARK: What they do

  public static func lower(_ text: [UInt8]) -> [UInt8] {
    text.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
  }

  public static func upper(_ text: [UInt8]) -> [UInt8] {
    text.map { $0 >= 0x61 && $0 <= 0x7A ? $0 & 0xDF : $0 }
  }

  /// Characters: bytes that do not continue one.
  public static func length(_ text: UnsafeRawBufferPointer) -> Int {
    text.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
  }

  /// The least integer's is real, as every overflow (SQLite refuses it).
  public static func abs(_ number: Number) -> Number {
    switch number {
    case .int(let n): n == .min ? .real(0x1p63) : .int(Swift.abs(n))
    case .real(let x): .real(Swift.abs(x))
    }
  }

  /// `substrFunc` of SQLite's func.c: a negative `first` counts from the end, a negative `count` takes the
  /// characters before it, and what lies outside the text is cut off.
  public static func substr(_ text: [UInt8], _ first: Int64, _ count: Int64?) -> [UInt8] {
    let farthest = Int64(1) << 40  // beyond every text, and far from overflow
    var start = min(max(first, -farthest), farthest)
    var left = min(max(count ?? farthest, -farthest), farthest)
    let backwards = left < 0
    left = Swift.abs(left)
    if start < 0 {
      start += Int64(text.withUnsafeBytes(length))
      if start < 0 {
        left = max(left + start, 0)
        start = 0
      }
    } else if start > 0 {
      start -= 1
    } else if left > 0 {
      left -= 1
    }
    if backwards {
      start -= left
      if start < 0 {
        left += start
        start = 0
      }
    }
    return characters(text, from: start, count: max(left, 0))
  }

  private static func characters(_ text: [UInt8], from start: Int64, count: Int64) -> [UInt8] {
    var character: Int64 = -1
    return text.filter { byte in
      if byte & 0xC0 != 0x80 { character += 1 }
      return character >= start && character - start < count
    }
  }
}

extension Source {
  func unknownFunction(_ name: String, at offset: Int) -> SQLError {
    let upper = name.uppercased()
    return error(
      .unsupported, at: offset,
      "there is no function \(upper)\(suggestion(for: upper, among: Function.names))")
  }
}
