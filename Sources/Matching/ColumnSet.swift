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
    var word = 0
    while column < width {
      let end = min(column + 64, width)
      var bits: UInt64 = 0
      for at in column..<end { bits |= (a[at] == b[at] ? 0 : 1) << UInt64(at - column) }
      words[word] = bits
      word += 1
      column = end
    }
  }

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

  /// One bit for each eight columns: sets that share none share no column.
  @inline(__always)
  var signature: UInt64 {
    let four = words.lowHalf | words.highHalf
    let two = four.lowHalf | four.highHalf
    return two.x | two.y
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
