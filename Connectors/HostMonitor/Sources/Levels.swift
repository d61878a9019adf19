import ConnectorKit

/// From which value on a reading is a problem, and at which it is over: the gap between is the hysteresis.
struct Levels: Equatable, Sendable {
  var warning: Double?
  var major: Double?
  var critical: Double?
  /// At this value, or below, the problem is over.
  var clear: Double

  /// The lowest level set; nil when none is and the reading never is a problem.
  var lowest: Double? { warning ?? major ?? critical }

  /// The severity of `value` where the resource had the severity `held` before (`clear` if it was fine).
  ///
  /// A level is entered at its value. It is left only when the value is lower by the same gap as `clear` is
  /// below the lowest level, so a value that swings around one level does not make a stream of events.
  func severity(of value: Double, held: Severity) -> Severity {
    guard let lowest else { return .clear }
    let gap = lowest - clear
    for (level, severity) in [(critical, Severity.critical), (major, .major), (warning, .warning)] {
      guard let level else { continue }
      if value >= level || (held >= severity && value > level - gap) { return severity }
    }
    return .clear
  }

  /// Whether a resource of unknown past is surely fine: it is at `clear` or below.
  func isFine(_ value: Double) -> Bool { lowest == nil || value <= clear }

  /// The level that a severity stands for.
  func level(of severity: Severity) -> Double? {
    switch severity {
    case .warning: warning
    case .major: major
    case .critical: critical
    default: nil
    }
  }
}

extension Levels {
  /// Reads `warning`, `major`, `critical` (a number, or `off`) and `clear` of a map. When a level is given and
  /// `clear` is not, the default gap is kept below the lowest level.
  init(_ reader: inout SettingsReader, default fallback: Levels) throws(ConnectorError) {
    warning = try Self.level("warning", &reader, fallback.warning)
    major = try Self.level("major", &reader, fallback.major)
    critical = try Self.level("critical", &reader, fallback.critical)
    clear = fallback.clear
    if let lowest, let usual = fallback.lowest, lowest != usual {
      clear = max(0, lowest - (usual - fallback.clear))
    }
    if let given = try Self.level("clear", &reader, clear) { clear = given }
    try check(reader)
  }

  private func check(_ reader: SettingsReader) throws(ConnectorError) {
    let set = [warning, major, critical].compactMap(\.self)
    guard zip(set, set.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw reader.error("warning", "must be below `major`, and that below `critical`")
    }
    guard let lowest, clear >= lowest else { return }
    throw reader.error("clear", "must be below the lowest level, \(fixed(lowest, 2))")
  }

  private static func level(
    _ name: String, _ reader: inout SettingsReader, _ fallback: Double?
  ) throws(ConnectorError) -> Double? {
    guard let found = reader.value(name) else { return fallback }
    switch found.value {
    case .int(let n) where n >= 0: return Double(n)
    case .real(let x) where x >= 0 && x.isFinite: return x
    case .bool(false) where name != "clear": return nil
    case .string("off") where name != "clear": return nil
    default: throw reader.wrong(name, found, "a number from 0 on" + (name == "clear" ? "" : ", or off"))
    }
  }
}
