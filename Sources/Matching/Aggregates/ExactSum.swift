/// An exact sum of doubles: a fixed-point number that is as wide as what was added, so that taking away
/// what was added gives back what was there, in any order. (Kulisch's long accumulator, in signed digits
/// of 32 bits that carry late; Neal, "Fast exact summation using small and large superaccumulators", 2015.)
struct ExactSum {
  /// Digits of weight 2^(32 i - 1074), from the one with index `first`. 64 bits wide, so that 2^30
  /// additions fit before a carry.
  private var digits: [Int64] = []
  private var first = 0
  private var additions = 0
  private static let additionsMax = 1 << 30
  private var positiveInfinities = 0
  private var negativeInfinities = 0
  private static let base: Int64 = 1 << 32

  init() {}

  @inline(__always) mutating func add(_ value: Double) { add(value, count: 1) }
  @inline(__always) mutating func remove(_ value: Double) { add(value, count: -1) }

  private mutating func add(_ value: Double, count: Int) {
    guard value.isFinite else {
      // There is no NaN here (`Arithmetic` makes 0 of it).
      if value > 0 { positiveInfinities += count } else { negativeInfinities += count }
      return
    }
    if value == 0 { return }
    let isNormal = value.exponentBitPattern != 0
    let mantissa = value.significandBitPattern | (isNormal ? 1 << 52 : 0)
    let position = isNormal ? Int(value.exponentBitPattern) - 1 : 0
    let index = position >> 5
    reserve(index..<index + 3)
    let wide = UInt128(mantissa) << UInt128(position & 31)
    let isNegative = (value < 0) != (count < 0)
    for at in 0..<3 {
      let part = Int64(truncatingIfNeeded: wide >> UInt128(32 * at)) & (Self.base - 1)
      digits[index - first + at] += isNegative ? -part : part
    }
    additions += 1
    if additions == Self.additionsMax { carry() }
  }

  private mutating func reserve(_ indices: Range<Int>) {
    if digits.isEmpty { first = indices.lowerBound }
    if indices.lowerBound < first {
      digits.insert(contentsOf: repeatElement(0, count: first - indices.lowerBound), at: 0)
      first = indices.lowerBound
    }
    let missing = indices.upperBound - first - digits.count
    if missing > 0 { digits.append(contentsOf: repeatElement(0, count: missing)) }
  }

  /// Makes every digit but the last one 0..<2^32: the one form of the number.
  private mutating func carry() {
    var carry: Int64 = 0
    for at in digits.indices {
      let digit = digits[at] + carry
      carry = digit >> 32
      digits[at] = digit & (Self.base - 1)
    }
    while carry != 0 && carry != -1 {
      digits.append(carry & (Self.base - 1))
      carry >>= 32
    }
    if carry == -1 {
      while digits.last == Self.base - 1 { digits.removeLast() }
      digits.append(-1)
    } else {
      while digits.last == 0 { digits.removeLast() }
    }
    additions = 0
  }

  /// The nearest double; ties to even. Infinite beyond the doubles or of infinities, NaN of both kinds.
  var value: Double {
    mutating get {
      if positiveInfinities > 0 || negativeInfinities > 0 {
        return positiveInfinities == 0 ? -.infinity : (negativeInfinities == 0 ? .infinity : .nan)
      }
      carry()
      guard let top = digits.last else { return 0 }
      return top < 0 ? -Self.rounded(negated, first) : Self.rounded(digits, first)
    }
  }

  /// The digits of the number's negation, which is positive.
  private var negated: [Int64] {
    var carry: Int64 = 0
    var result = digits.map { digit in
      let next = -digit + carry
      carry = next >> 32
      return next & (Self.base - 1)
    }
    while result.last == 0 { result.removeLast() }
    return result
  }

  /// Of digits 0..<2^32, the last one not zero: the leading 64 bits, their last one also set where anything
  /// follows, so that one rounding is enough.
  private static func rounded(_ digits: [Int64], _ first: Int) -> Double {
    let last = digits.count - 1
    var wide: UInt128 = 0
    for at in 0..<3 {
      wide = wide << 32 | UInt128(last - at >= 0 ? UInt64(digits[last - at]) : 0)
    }
    // The leading digit is the highest of three: 96 bits, 65 at least of them significant.
    let significant = 128 - wide.leadingZeroBitCount
    let shift = significant - 64
    var lead = UInt64(truncatingIfNeeded: wide >> UInt128(shift))
    let isRest = wide & ((1 << UInt128(shift)) - 1) != 0 || digits.dropLast(3).contains { $0 != 0 }
    if isRest { lead |= 1 }
    let exponent = 32 * (first + last - 2) + shift - 1074
    return scaled(lead, exponent)
  }

  /// `lead` x 2^`exponent`, rounded once, also where the result is subnormal.
  private static func scaled(_ lead: UInt64, _ exponent: Int) -> Double {
    let dropped = max(11, -1074 - exponent)
    if dropped > 64 { return 0 }
    var kept = dropped == 64 ? 0 : lead >> UInt64(dropped)
    let rest = dropped == 64 ? lead : lead & ((1 << UInt64(dropped)) - 1)
    let half = 1 << UInt64(dropped - 1)
    if rest > half || (rest == half && kept & 1 == 1) { kept += 1 }
    return Double(sign: .plus, exponent: exponent + dropped, significand: Double(kept))
  }
}
