import Events

/// The buckets in which QUANTILE counts: a sketch with relative error, as DDSketch (Masson, Rim, Lee 2019), but with
/// the buckets of HdrHistogram, which are found by a shift: a number's bucket is what is left of it when its leading bit
/// and 6 bits behind it are kept, rounded to the nearest.
///
/// So whole numbers up to 128, and all others that have no more than 7 significant bits, are told exactly, and a
/// told value is off by less than 0.8 % (1/128) of the true one. Below 2^-64 (5e-20) a magnitude counts as 0,
/// which bounds the buckets: 139,265 at most, some 2,600 over twelve decades of one sign. A time is rounded
/// to its minute instead, and so told to within 30 s.
///
/// Where a value is counted depends on nothing but the value. A sketch that widened its buckets when there were
/// many would not know where to count when some are taken away again, nor say the same after a restart.
enum Buckets {
  private static let shift: UInt64 = 52 - 6
  private static let least = 0x1p-64
  private static let infinite = Double.infinity.bitPattern >> shift
  private static let minute: Int64 = 60_000

  /// Ascending with `x`.
  @inline(__always)
  static func bucket(of x: Double) -> Int64 {
    let magnitude = x.magnitude
    if magnitude < least { return 0 }
    let rounded = (magnitude.bitPattern &+ 1 << (shift - 1)) >> shift
    // The last bucket of the doubles takes what would be rounded up to infinity.
    let number = Int64(magnitude == .infinity ? infinite : min(rounded, infinite - 1))
    return x < 0 ? -number : number
  }

  /// The value in the middle of a bucket.
  static func value(of bucket: Int64) -> Double {
    let magnitude = Double(bitPattern: bucket.magnitude << shift)
    return bucket < 0 ? -magnitude : magnitude
  }

  /// The minute that is nearest to a time in ms.
  @inline(__always)
  static func bucket(ofTime time: Int64) -> Int64 {
    let (quotient, remainder) = time.quotientAndRemainder(dividingBy: minute)
    return quotient + (remainder >= minute / 2 ? 1 : (remainder < -minute / 2 ? -1 : 0))
  }

  /// The time of a minute; at the ends of the 64-bit integers, the end.
  static func time(of bucket: Int64) -> Int64 {
    let (time, isOver) = bucket.multipliedReportingOverflow(by: minute)
    return isOver ? (bucket < 0 ? .min : .max) : time
  }

  /// Which of `count` values in ascending order is the quantile: the first one that the part `p` of them
  /// does not exceed; from 1. A product that misses a whole number only by the rounding of `p` is that number.
  static func rank(_ p: Double, of count: Int) -> Int {
    min(max(Int((p * Double(count) - 1e-9).rounded(.up)), 1), count)
  }
}
