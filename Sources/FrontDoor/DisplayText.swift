/// A text as a terminal may show it: what it would obey (escape sequences, line ends, changes of writing
/// direction) is made visible instead. An ESC becomes U+241B, others of the kind `\u{202E}`.
public func visible(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: isObeyed) else { return text }
  var result = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    if !isObeyed(scalar) {
      result.append(scalar)
    } else if scalar.value < 0x20 {
      result.append(Unicode.Scalar(0x2400 + scalar.value)!)
    } else if scalar.value == 0x7F {
      result.append("\u{2421}")
    } else {
      result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
    }
  }
  return String(result)
}

/// Controls (C0, DEL, C1), line and paragraph separators, and format characters but for the joiners that
/// scripts and emoji need.
private func isObeyed(_ scalar: Unicode.Scalar) -> Bool {
  if scalar.value < 0x7F { return scalar.value < 0x20 }
  switch scalar.properties.generalCategory {
  case .control, .lineSeparator, .paragraphSeparator: return true
  case .format: return scalar.value != 0x200C && scalar.value != 0x200D
  default: return false
  }
}

/// Columns that a character takes on a terminal: 0, 1 or 2 (East Asian wide, emoji).
func displayWidth(_ character: Character) -> Int {
  character.unicodeScalars.map(displayWidth).max() ?? 0
}

public func displayWidth(_ text: String) -> Int {
  text.reduce(0) { $0 + displayWidth($1) }
}

private func displayWidth(_ scalar: Unicode.Scalar) -> Int {
  if scalar.value < 0x300 { return 1 }
  switch scalar.properties.generalCategory {
  case .nonspacingMark, .enclosingMark, .format: return 0
  default: break
  }
  if scalar.properties.isEmojiPresentation { return 2 }
  switch scalar.value {
  case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD:
    return 2
  default: return 1
  }
}

/// The text cut to a width, with `…` where something was cut.
public func fitted(_ text: String, to width: Int) -> String {
  guard displayWidth(text) > width else { return text }
  guard width > 0 else { return "" }
  var result = ""
  var used = 1
  for character in text {
    used += displayWidth(character)
    if used > width { break }
    result.append(character)
  }
  return result + "…"
}
