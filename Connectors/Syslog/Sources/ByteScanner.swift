/// Walks over a message's bytes. Every access is checked: the bytes are anyone's.
struct ByteScanner {
  let bytes: ArraySlice<UInt8>
  private(set) var at: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    at = bytes.startIndex
  }

  /// Bytes from the beginning.
  var offset: Int { at - bytes.startIndex }
  var rest: ArraySlice<UInt8> { bytes[at...] }
  var isAtEnd: Bool { at == bytes.endIndex }
  var next: UInt8? { at < bytes.endIndex ? bytes[at] : nil }

  mutating func skip() { if at < bytes.endIndex { at += 1 } }

  /// Takes one byte if it is the one wanted.
  mutating func take(_ wanted: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: wanted) else { return false }
    at += 1
    return true
  }

  /// Takes bytes while the test holds, at most `most`.
  mutating func take(atMost most: Int, while test: (UInt8) -> Bool) -> ArraySlice<UInt8> {
    let start = at
    while at < bytes.endIndex, at - start < most, test(bytes[at]) { at += 1 }
    return bytes[start..<at]
  }

  /// A number of exactly `digits` digits within a range; nil, and nothing taken, when it is not there.
  mutating func number(digits: Int, in range: ClosedRange<Int>) -> Int? {
    let start = at
    let word = take(atMost: digits, while: isDigit)
    let n = word.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    guard word.count == digits, range.contains(n) else {
      at = start
      return nil
    }
    return n
  }

  /// `<0>` to `<191>`, without leading zeros (RFC 5424, 6.2.1); nil, and nothing taken, when it is not there.
  mutating func priority() -> Int? {
    let start = at
    if take("<") {
      let word = take(atMost: 3, while: isDigit)
      let n = word.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
      let plain = word.count == 1 || word.first != UInt8(ascii: "0")
      if !word.isEmpty, plain, n <= 191, take(">") { return n }
    }
    at = start
    return nil
  }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

/// PRINTUSASCII of RFC 5424: `!` to `~`.
func isPrintable(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7f }

func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
