/// A number as SQLite computes with it: an integer until it overflows or meets a real.
public enum Number: Hashable, Sendable {
  case int(Int64)
  case real(Double)

  @inlinable public var real: Double {
    switch self {
    case .int(let n): Double(n)
    case .real(let x): x
    }
  }

  /// Towards zero, and to the nearest end of the range where it is outside.
  @inlinable public var truncated: Int64 {
    switch self {
    case .int(let n): n
    case .real(let x):
      if x >= 0x1p63 { Int64.max } else if x > -0x1p63 { Int64(x) } else { Int64.min }
    }
  }

  /// A whole real as the integer that it equals, so that 4 and 4.0 are one.
  var simplest: Number {
    guard case .real(let x) = self, let whole = Int64(exactly: x) else { return self }
    return .int(whole)
  }

  /// Negative, zero or positive; exact between integers and reals. There is no NaN here.
  @inlinable public static func order(_ a: Number, _ b: Number) -> Int {
    switch (a, b) {
    case (.int(let a), .int(let b)): a < b ? -1 : (a == b ? 0 : 1)
    case (.real(let a), .real(let b)): a < b ? -1 : (a == b ? 0 : 1)
    case (.int(let a), .real(let b)): order(a, b)
    case (.real(let a), .int(let b)): -order(b, a)
    }
  }

  @inlinable static func order(_ a: Int64, _ b: Double) -> Int {
    if b >= 0x1p63 { return -1 }
    if b < -0x1p63 { return 1 }
    let whole = Int64(b)
    if a != whole { return a < whole ? -1 : 1 }
    let rest = b - Double(whole)
    return rest > 0 ? -1 : (rest < 0 ? 1 : 0)
  }
}

public enum Arithmetic: String, Hashable, Sendable, CaseIterable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case remainder = "%"

  /// `a + b` and `b + a` are one: true of integers, of their overflow and of reals.
  var commutes: Bool { self == .add || self == .multiply }

  /// SQLite's result, with 0 where SQLite has NULL: division by zero, and what is no number at all.
  @inlinable public func callAsFunction(_ a: Number, _ b: Number) -> Number {
    if case .int(let x) = a, case .int(let y) = b, let exact = exact(x, y) { return .int(exact) }
    if self == .remainder {
      let whole = exact(a.truncated, b.truncated) ?? 0
      return .real(Double(whole))
    }
    let result = approximate(a.real, b.real)
    // Adding zero makes -0.0 into 0.0, so that equal numbers are written alike.
    return .real(result.isNaN ? 0 : result + 0)
  }

  /// nil where the result is outside the integers.
  @inlinable func exact(_ a: Int64, _ b: Int64) -> Int64? {
    let (result, overflow) =
      switch self {
      case .add: a.addingReportingOverflow(b)
      case .subtract: a.subtractingReportingOverflow(b)
      case .multiply: a.multipliedReportingOverflow(by: b)
      case .divide: b == 0 ? (0, false) : a.dividedReportingOverflow(by: b)
      case .remainder: b == 0 || b == -1 ? (0, false) : (a % b, false)
      }
    return overflow ? nil : result
  }

  @inlinable func approximate(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: b == 0 ? 0 : a / b
    case .remainder: 0
    }
  }
}
