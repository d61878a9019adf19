import Base

// Nearly all events are one flat object of unescaped ASCII strings, whole numbers and bools. Those are read
// where they lie, without a tree: several times as fast as by way of jansson, which remains the judge of all
// others and of everything that is wrong.
extension EventDecoder {
  /// Reads a plain event. False, with some columns perhaps set, where the text is not plain: an escape or a
  /// byte outside ASCII in a string, null, a fraction, nesting, a field that is no column, a value of another
  /// type, or no JSON at all.
  func readPlain(_ text: UnsafeRawBufferPointer) -> Bool {
    var scan = PlainJSON(text)
    guard scan.take(UInt8(ascii: "{")) else { return false }
    repeat {
      guard scan.take(UInt8(ascii: "\"")), let name = scan.string() else { return false }
      let column = column(named: name)
      guard column >= 0, scan.take(UInt8(ascii: ":")), readPlain(&scan, column) else { return false }
    } while scan.take(UInt8(ascii: ","))
    return scan.take(UInt8(ascii: "}")) && scan.isAtEnd()
  }

  @inline(__always)
  private func readPlain(_ scan: inout PlainJSON, _ column: Int) -> Bool {
    switch types[column] {
    case .string:
      guard scan.take(UInt8(ascii: "\"")), let text = scan.string() else { return false }
      set(column, string: text)
    case .int, .time:
      guard let number = scan.integer() else { return false }
      set(column, cell: Cell(int: number))
    case .real:
      guard let number = scan.integer() else { return false }
      set(column, cell: Double(number).bitPattern)
    case .bool:
      guard let flag = scan.bool() else { return false }
      set(column, cell: flag ? 1 : 0)
    }
    return true
  }
}

/// A place in a JSON text (RFC 8259) that takes plain tokens only. Reads no byte behind the text's end.
private struct PlainJSON {
  private let base: UnsafeRawPointer
  private let count: Int
  private var at = 0

  /// Every byte 1, every byte's top bit.
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let tops: UInt64 = 0x8080_8080_8080_8080
  /// Ten to this many digits is below 2^63.
  private static let digitsMax = 18

  init(_ text: UnsafeRawBufferPointer) {
    base = text.baseAddress!
    count = text.count
  }

  @inline(__always)
  private func byte(_ index: Int) -> UInt8 { base.load(fromByteOffset: index, as: UInt8.self) }

  @inline(__always)
  private mutating func skipSpace() {
    while at < count {
      switch byte(at) {
      case 0x20, 0x09, 0x0A, 0x0D: at += 1
      default: return
      }
    }
  }

  /// Passes that byte, space before it aside; false if it is another.
  @inline(__always)
  mutating func take(_ wanted: UInt8) -> Bool {
    if at < count, byte(at) == wanted {
      at += 1
      return true
    }
    skipSpace()
    guard at < count, byte(at) == wanted else { return false }
    at += 1
    return true
  }

  mutating func isAtEnd() -> Bool {
    skipSpace()
    return at == count
  }

  /// The string whose opening quote was taken, up to its closing one, which is passed; nil unless it is all
  /// printable ASCII without a backslash.
  @inline(__always)
  mutating func string() -> UnsafeRawBufferPointer? {
    let start = at
    while at + 8 <= count {
      let word = base.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian
      let special = Self.special(word)
      if special == 0 {
        at += 8
      } else {
        at += special.trailingZeroBitCount / 8
        return close(start)
      }
    }
    while at < count, Self.isPlain(byte(at)) { at += 1 }
    return at < count ? close(start) : nil
  }

  @inline(__always)
  private mutating func close(_ start: Int) -> UnsafeRawBufferPointer? {
    guard byte(at) == UInt8(ascii: "\"") else { return nil }
    defer { at += 1 }
    return UnsafeRawBufferPointer(start: base + start, count: at - start)
  }

  /// The lowest bit set belongs to the first byte that is a quote, a backslash, a control or not ASCII. (A
  /// borrow can mark bytes above that one wrongly, never below it.)
  @inline(__always)
  private static func special(_ word: UInt64) -> UInt64 {
    let quote = word ^ (ones &* 0x22)
    let backslash = word ^ (ones &* 0x5C)
    let zeros = ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
    let controls = (word &- (ones &* 0x20)) & ~word
    return (zeros | controls | word) & tops
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x80 && byte != 0x22 && byte != 0x5C
  }

  /// A whole number of at most 18 digits. What follows it is the caller's to check: a point or an exponent
  /// is neither a comma nor a brace.
  @inline(__always)
  mutating func integer() -> Int64? {
    skipSpace()
    let isNegative = at < count && byte(at) == UInt8(ascii: "-")
    if isNegative { at += 1 }
    let start = at
    var value: Int64 = 0
    while at < count, at - start <= Self.digitsMax, case let digit = byte(at) &- UInt8(ascii: "0"), digit < 10
    {
      value = value &* 10 &+ Int64(digit)
      at += 1
    }
    let digits = at - start
    guard digits > 0, digits <= Self.digitsMax else { return nil }
    // A zero in front of other digits is no JSON.
    if digits > 1, byte(start) == UInt8(ascii: "0") { return nil }
    return isNegative ? -value : value
  }

  @inline(__always)
  mutating func bool() -> Bool? {
    skipSpace()
    if take("true") { return true }
    return take("false") ? false : nil
  }

  private mutating func take(_ word: StaticString) -> Bool {
    let length = word.utf8CodeUnitCount
    guard count - at >= length else { return false }
    for index in 0..<length where byte(at + index) != word.utf8Start[index] { return false }
    at += length
    return true
  }
}
