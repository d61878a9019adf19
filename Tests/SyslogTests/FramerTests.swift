import Base
import Testing

@testable import Syslog

/// The messages of a stream that comes in the given parts: `a|b`, `~` after one that was truncated, then how
/// the stream ended.
private func frames(_ parts: [String], _ framing: SyslogSettings.Framing = .auto, most: Int = 16) -> String {
  var framer = Framer(framing: framing, messageMax: most)
  var told: [String] = []
  func tell(_ frame: Framer.Frame) { told.append(text(frame.bytes[...]) + (frame.truncated ? "~" : "")) }
  do {
    for part in parts {
      framer.give(ArraySlice(part.utf8))
      while let frame = try framer.next() { tell(frame) }
    }
  } catch {
    return (told + ["broken"]).joined(separator: "|")
  }
  let (last, cut) = framer.end()
  if let last { tell(last) }
  return (told + (cut ? ["cut"] : [])).joined(separator: "|")
}

@Test(
  arguments: [
    ("one\ntwo\n", "one|two"), ("one\r\ntwo", "one|two"), ("one\0two\n", "one|two"), ("\n\n\r\none\n", "one"),
    ("0 leading zero\n", "0 leading zero"), ("", ""), ("<13>0123456789ABCDEF\nx\n", "<13>0123456789AB~|x"),
    ("3 one5 two x", "one|two x"), ("3 one\n3 two\n", "one|two"), ("4 one\n", "one"), ("3 o\ne", "o\ne"),
    ("20 0123456789abcdefghij3 one", "0123456789abcdef~|one"), ("3 on", "cut"), ("3", "cut"),
    ("3 one1", "one|cut"),
    ("3x one", "broken"), ("3 onex", "one|broken"), ("9999999 x", "cut"), ("10000000 x", "broken"),
    ("3 one03 two", "one|broken"),
  ] as [(String, String)])
func `a stream is cut into messages wherever it is split`(stream: String, expected: String) {
  #expect(frames([stream]) == expected)
  #expect(frames(stream.utf8.map { String(UnicodeScalar($0)) }) == expected)
  for split in 1..<max(stream.utf8.count, 2) {
    #expect(frames([String(stream.prefix(split)), String(stream.dropFirst(split))]) == expected)
  }
}

@Test func `the settings can fix the framing`() {
  #expect(frames(["3 one\n"], .newline) == "3 one")
  #expect(frames(["<13>one\n"], .octet) == "broken")
}

@Test func `no stream breaks the framer or makes it grow`() {
  var random = SeededRandom(seed: 3)
  for _ in 0..<5000 {
    var framer = Framer(framing: .auto, messageMax: 16)
    for _ in 0..<4 {
      let alphabet = Array("0123 \n\r\0<ab".utf8)
      framer.give(ArraySlice((0..<20).map { _ in alphabet.randomElement(using: &random) ?? 0 }))
      do {
        while let frame = try framer.next() { #expect((1...16).contains(frame.bytes.count)) }
      } catch { break }
    }
  }
}
