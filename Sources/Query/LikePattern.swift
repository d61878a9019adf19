/// A LIKE pattern, its wildcards told apart from text: in `code` the byte 0xFF stands for `%` and 0xFE for
/// `_` (neither occurs in UTF-8), everything else for itself.
public struct LikePattern: Hashable, Sendable {
  public static let many: UInt8 = 0xFF
  public static let one: UInt8 = 0xFE

  /// In a run of wildcards the `_` stand before a single `%`, which means the same.
  public let code: [UInt8]

  /// nil where the escape character stands at the end or before nothing it could escape.
  init?(_ pattern: [UInt8], escape: [UInt8]?) {
    var code: [UInt8] = []
    var rest = pattern[...]
    var pendingMany = false
    while let byte = rest.first {
      if let escape, rest.starts(with: escape) {
        rest.removeFirst(escape.count)
        guard let escaped = rest.popFirst() else { return nil }
        if pendingMany { code.append(Self.many) }
        pendingMany = false
        code.append(escaped)
        continue
      }
      rest.removeFirst()
      switch byte {
      case UInt8(ascii: "%"): pendingMany = true
      case UInt8(ascii: "_"): code.append(Self.one)
      default:
        if pendingMany { code.append(Self.many) }
        pendingMany = false
        code.append(byte)
      }
    }
    if pendingMany { code.append(Self.many) }
    self.code = code
  }

  /// The one string that it matches, if it has no wildcards.
  var literal: [UInt8]? { code.allSatisfy { $0 < Self.one } ? code : nil }
  var matchesAll: Bool { code == [Self.many] }

  /// The pattern as it is written in SQL, and whether with ESCAPE '\\'.
  var written: (pattern: [UInt8], needsEscape: Bool) {
    let backslash = UInt8(ascii: "\\")
    let wildcards = [UInt8(ascii: "%"), UInt8(ascii: "_")]
    let needsEscape = code.contains(where: wildcards.contains)
    let pattern = code.flatMap { byte -> [UInt8] in
      switch byte {
      case Self.many: [wildcards[0]]
      case Self.one: [wildcards[1]]
      default: needsEscape && (wildcards + [backslash]).contains(byte) ? [backslash, byte] : [byte]
      }
    }
    return (pattern, needsEscape)
  }
}

/// Whether a string (UTF-8) matches a pattern's code, case-sensitively; `_` is one character. When the text
/// behind a `%` does not fit, only the last `%` is tried further on, so the time is at most the product of
/// the lengths.
@inlinable
public func matchesLike(_ code: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer) -> Bool {
  var at = 0
  var position = 0
  var retryCode = -1
  var retryText = 0
  while true {
    if at < code.count {
      let wanted = code[at]
      if wanted == LikePattern.many {
        at += 1
        if at == code.count { return true }
        retryCode = at
        retryText = firstPlace(of: code[at], text, position)
        position = retryText
        continue
      }
      if position < text.count {
        if wanted == LikePattern.one {
          position = characterEnd(text, position)
          at += 1
          continue
        }
        if wanted == text[position] {
          position += 1
          at += 1
          continue
        }
      }
    } else if position == text.count {
      return true
    }
    if retryCode < 0 || retryText >= text.count { return false }
    retryText = firstPlace(of: code[retryCode], text, characterEnd(text, retryText))
    (at, position) = (retryCode, retryText)
  }
}

/// Where a character of the text may be what a pattern wants behind a `%`, from `start` on; the text's end where
/// none is.
@inlinable
func firstPlace(of wanted: UInt8, _ text: UnsafeRawBufferPointer, _ start: Int) -> Int {
  if wanted >= LikePattern.one { return start }
  var place = start
  while place < text.count, text[place] != wanted { place += 1 }
  return place
}

/// The offset behind the character that begins at `start`, which is inside the text.
@inlinable
func characterEnd(_ text: UnsafeRawBufferPointer, _ start: Int) -> Int {
  var end = start + 1
  while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
  return end
}
