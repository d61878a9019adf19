import Base

/// Units of durations in settings, in milliseconds, the largest first.
private let units: [(name: String, milliseconds: Int64)] = [
  ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
]

extension Duration {
  /// `100ms`, `5s`, `2m`, `1h`, `7d`: a whole number and its unit; nil for anything else.
  public init?(settingsText text: String) {
    let digits = text.prefix { $0 >= "0" && $0 <= "9" }
    let unit = text.dropFirst(digits.count)
    guard let n = Int64(digits), let factor = units.first(where: { $0.name == unit })?.milliseconds else {
      return nil
    }
    let (milliseconds, overflow) = n.multipliedReportingOverflow(by: factor)
    guard !overflow else { return nil }
    self = .milliseconds(milliseconds)
  }

  /// The shortest exact text that `init(settingsText:)` reads, in whole milliseconds.
  public var settingsText: String {
    let whole = milliseconds
    guard whole != 0, let unit = units.first(where: { whole % $0.milliseconds == 0 }) else { return "0ms" }
    return "\(whole / unit.milliseconds)\(unit.name)"
  }
}

/// A number for people with a fixed count of decimals (0 to 6), rounded half away from zero; `-` where it is
/// not finite or too large to say.
public func fixed(_ value: Double, _ decimals: Int) -> String {
  precondition((0...6).contains(decimals))
  var scale: Int64 = 1
  for _ in 0..<decimals { scale *= 10 }
  let scaled = (value * Double(scale)).rounded()
  guard abs(scaled) < 9e15 else { return "-" }
  let whole = Int64(scaled)
  let sign = whole < 0 ? "-" : ""
  let integer = whole.magnitude / scale.magnitude
  guard decimals > 0 else { return "\(sign)\(integer)" }
  let digits = String(whole.magnitude % scale.magnitude)
  return "\(sign)\(integer).\(String(repeating: "0", count: decimals - digits.utf8.count))\(digits)"
}
