import Base
import Glibc

/// Calendar arithmetic on the proleptic Gregorian calendar; pure.
enum Calendar {
  static func days(inMonth month: Int, of year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms", days_from_civil).
  static func days(year: Int, month: Int, day: Int) -> Int {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// The year (UTC) of a time in ms since 1970, to the precision that a guess of the year needs.
  static func year(of milliseconds: Int64) -> Int { 1970 + Int(milliseconds / 31_556_952_000) }
}

/// A day and a time of day, in a zone that is not said.
struct CivilTime: Equatable {
  var month: Int
  var day: Int
  var milliseconds: Int64

  /// Milliseconds since 1970 as if the zone were UTC; nil where that year has no such day.
  func inUTC(year: Int) -> Int64? {
    guard day <= Calendar.days(inMonth: month, of: year) else { return nil }
    return Int64(Calendar.days(year: year, month: month, day: day)) * 86_400_000 + milliseconds
  }
}

/// The zone that RFC 3164 times are in: they do not say it themselves.
enum SyslogZone: Equatable, Sendable {
  /// Ahead of UTC, in ms.
  case fixed(Int64)
  /// The zone of this machine.
  case machine

  /// The time nearest to `received` that the civil time can mean: RFC 3164 gives no year. Nil for a day that
  /// none of the years around has.
  func resolve(_ civil: CivilTime, received: Int64) -> Int64? {
    let year = Calendar.year(of: received)
    // February 29 may be up to eight years away (around 1900 or 2100).
    let near = [year - 1...year + 1, year - 8...year + 8].lazy
      .map { years in years.compactMap { civil.inUTC(year: $0) } }.first { !$0.isEmpty }
    let candidates = (near ?? []).map { $0 - offset(at: $0) }
    return candidates.min { abs($0 - received) < abs($1 - received) }
  }

  /// In the hour of a change of summer time the machine's zone may be taken an hour wrong.
  private func offset(at local: Int64) -> Int64 {
    switch self {
    case .fixed(let milliseconds): return milliseconds
    case .machine:
      var seconds = time_t(local / 1000)
      var parts = tm()
      guard localtime_r(&seconds, &parts) != nil else { return 0 }
      return Int64(parts.tm_gmtoff) * 1000
    }
  }
}

extension ByteScanner {
  /// RFC 5424's TIMESTAMP, `2003-10-11T22:14:15.003Z`, in ms since 1970 UTC; microseconds are cut. Leap seconds
  /// and other writings of RFC 3339 are not allowed (6.2.3).
  mutating func timestamp() -> Int64? {
    guard let year = number(digits: 4, in: 0...9999), take("-"),
      let month = number(digits: 2, in: 1...12), take("-"),
      let day = number(digits: 2, in: 1...Calendar.days(inMonth: month, of: year)), take("T"),
      let clock = timeOfDay(), let fraction = fraction(), let zone = zoneOffset()
    else { return nil }
    return Int64(Calendar.days(year: year, month: month, day: day)) * 86_400_000 + clock + fraction - zone
  }

  /// `hh:mm:ss` in ms.
  mutating func timeOfDay() -> Int64? {
    guard let hour = number(digits: 2, in: 0...23), take(":"),
      let minute = number(digits: 2, in: 0...59), take(":"), let second = number(digits: 2, in: 0...59)
    else { return nil }
    return Int64((hour * 60 + minute) * 60 + second) * 1000
  }

  /// `.` and one to six digits, in ms; 0 when there is none.
  private mutating func fraction() -> Int64? {
    guard take(".") else { return 0 }
    let digits = take(atMost: 6, while: isDigit)
    guard !digits.isEmpty else { return nil }
    let padded = (digits.map { Int64($0 - UInt8(ascii: "0")) } + [0, 0]).prefix(3)
    return padded.reduce(0) { $0 * 10 + $1 }
  }

  /// `Z` or `+hh:mm`, in ms ahead of UTC.
  mutating func zoneOffset() -> Int64? {
    if take("Z") { return 0 }
    let sign: Int64 = take("+") ? 1 : -1
    guard sign == 1 || take("-"), let hours = number(digits: 2, in: 0...23), take(":"),
      let minutes = number(digits: 2, in: 0...59)
    else { return nil }
    return sign * Int64(hours * 60 + minutes) * 60_000
  }

  /// RFC 3164's TIMESTAMP, `Oct 11 22:14:15` or `Oct  1 22:14:15`; nil, and nothing taken, when it is not there.
  mutating func civilTime() -> CivilTime? {
    var ahead = self
    let name = text(ahead.take(atMost: 3) { $0 > 0x40 })
    guard let month = Self.months.firstIndex(of: name), ahead.take(" ") else { return nil }
    let day =
      ahead.take(" ") ? ahead.number(digits: 1, in: 1...9) : ahead.number(digits: 2, in: 1...31)
    guard let day, day <= Calendar.days(inMonth: month + 1, of: 2000), ahead.take(" "),
      let clock = ahead.timeOfDay()
    else { return nil }
    self = ahead
    return CivilTime(month: month + 1, day: day, milliseconds: clock)
  }

  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
}
