import Events

/// A set of a schema's columns, one bit each, so that "did anything change that this view looks at" is one
/// AND for all of them.
struct ColumnSet: Equatable {
  // 8 words of 64 bits are Schema.columnsMax.
  private var words = SIMD8<UInt64>.zero

  init() {}

  init(_ columns: some Sequence<Int>) {
    for column in columns { insert(column) }
  }

  /// The columns in which two rows differ.
  init(changedBetween a: Row, _ b: Row, width: Int) {
    var column = 0
    while column < width {
      let end = min(column + 64, width)
      words[column >> 6] = Self.differences(a + column, b + column, end - column)
      column = end
    }
  }

  /// One bit for each of at most 64 cells. Eight at once: all rows that change are compared.
  @inline(__always)
  private static func differences(_ a: Row, _ b: Row, _ count: Int) -> UInt64 {
    var bits: UInt64 = 0
    var at = 0
    while at + 8 <= count {
      let (x, y) = (a + at, b + at)
      let low = differs(x, y, 0) | differs(x, y, 1) << 1 | differs(x, y, 2) << 2 | differs(x, y, 3) << 3
      let high = differs(x, y, 4) | differs(x, y, 5) << 1 | differs(x, y, 6) << 2 | differs(x, y, 7) << 3
      bits |= (low | high << 4) << UInt64(at)
      at += 8
    }
    while at < count {
      bits |= differs(a, b, at) << UInt64(at)
      at += 1
    }
    return bits
  }

  @inline(__always)
  private static func differs(_ a: Row, _ b: Row, _ at: Int) -> UInt64 { a[at] == b[at] ? 0 : 1 }

  mutating func insert(_ column: Int) { words[column >> 6] |= 1 << UInt64(column & 63) }

  mutating func remove(_ column: Int) { words[column >> 6] &= ~(1 << UInt64(column & 63)) }

  @inline(__always)
  func contains(_ column: Int) -> Bool { words[column >> 6] >> UInt64(column & 63) & 1 != 0 }

  /// Ascending.
  @inline(__always)
  func visit(_ body: (Int) -> Void) {
    for word in 0..<8 {
      var bits = words[word]
      while bits != 0 {
        body(word << 6 + bits.trailingZeroBitCount)
        bits &= bits - 1
      }
    }
  }

  func isSuperset(of other: ColumnSet) -> Bool { other.words & ~words == .zero }

  mutating func formUnion(_ other: ColumnSet) { words |= other.words }

  /// Each column's bit is its number less multiples of 64: sets that share none share no column, and with
  /// at most 64 columns those that share one do.
  @inline(__always)
  var signature: UInt64 {
    let four = words.lowHalf | words.highHalf
    let two = four.lowHalf | four.highHalf
    return two.x | two.y
  }

  /// The signature in 32 bits.
  @inline(__always)
  var half: UInt32 {
    let whole = signature
    return UInt32(truncatingIfNeeded: whole | whole >> 32)
  }

  var isEmpty: Bool { words == .zero }

  @inline(__always)
  func intersects(_ other: ColumnSet) -> Bool {
    let both = words & other.words
    let half = both.lowHalf | both.highHalf
    let quarter = half.lowHalf | half.highHalf
    return quarter[0] | quarter[1] != 0
  }
}
