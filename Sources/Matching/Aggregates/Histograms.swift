import Base
import Events
import Query

/// Counts of values between bounds, one run of them a group: how many are below the first bound; at least each
/// bound and below the next; at least the last.
struct Histograms {
  /// The least integer, and the least double, that is at least each bound: so every comparison is exact.
  private let ints: [Int64]
  private let reals: [Double]
  /// A bound above all integers: no integer reaches those from here on.
  private var counts: [UInt32] = []
  /// The counts that were published last.
  private var published: [UInt32] = []
  private var width: Int { reals.count + 1 }

  init(_ bounds: [Number]) {
    ints = bounds.prefix { Number.order($0, .int(.max)) <= 0 }.map(Self.leastInteger)
    reals = bounds.map(Self.leastReal)
  }

  private static func leastInteger(atLeast bound: Number) -> Int64 {
    switch bound {
    case .int(let n): n
    case .real(let x): Number.real(x.rounded(.up)).truncated
    }
  }

  private static func leastReal(atLeast bound: Number) -> Double {
    let near = bound.real
    return Number.order(.real(near), bound) < 0 ? near.nextUp : near
  }

  /// Counters held.
  var count: Int { counts.count }

  mutating func make(_ group: Int) {
    let first = group * width
    if first < counts.count { return clear(first) }
    counts.append(contentsOf: repeatElement(0, count: width))
    published.append(contentsOf: repeatElement(0, count: width))
  }

  private mutating func clear(_ first: Int) {
    for at in first..<first + width { (counts[at], published[at]) = (0, 0) }
  }

  @inline(__always)
  mutating func change(_ input: Argument.Input, _ group: Int, isAdded: Bool) {
    let place: Int
    switch input {
    case .int(let n): place = Self.countOf(ints, atMost: n)
    case .real(let x): place = Self.countOf(reals, atMost: x)
    case .text: preconditionFailure("a string is in no histogram")
    }
    if isAdded { counts[group * width + place] += 1 } else { counts[group * width + place] -= 1 }
  }

  @inline(__always)
  private static func countOf<T: Comparable>(_ bounds: [T], atMost value: T) -> Int {
    var (low, high) = (0, bounds.count)
    while low < high {
      let middle = (low + high) / 2
      if bounds[middle] <= value { low = middle + 1 } else { high = middle }
    }
    return low
  }

  // MARK: Publishing

  /// Brings what is published up to date. False: nothing is new.
  mutating func publish(_ group: Int) -> Bool {
    var isNew = false
    for at in group * width..<(group + 1) * width where published[at] != counts[at] {
      published[at] = counts[at]
      isNew = true
    }
    return isNew
  }

  /// A JSON array of what is published.
  func write(_ group: Int, to buffer: inout ByteBuffer) {
    for at in 0..<width {
      buffer.append(at == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
      buffer.append(decimal: Int64(published[group * width + at]))
    }
    buffer.append(UInt8(ascii: "]"))
  }
}
