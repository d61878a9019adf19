import Base
import Events
import Testing

@Suite struct StringTableTests {
  /// Lengths around words, classes of size and large blocks.
  private static func text(_ random: inout SeededRandom) -> [UInt8] {
    let lengths = [
      0...3, 4...9, 15...18, 30...40, 240...260, 500...530, 4000...4200, 262_100...262_200,
      1_048_500...1_048_600,
    ]
    let length = Int.random(in: lengths[min(random.next().trailingZeroBitCount, 8)], using: &random)
    return [UInt8](repeating: UInt8.random(in: 97...99, using: &random), count: length)
  }

  @Test(arguments: [1, 2, 3])
  func `codes and bytes are those of a dictionary, over any taking and giving back`(
    seed: UInt64
  ) {
    var random = SeededRandom(seed: seed)
    let table = StringTable()
    var codes: [[UInt8]: StringTable.Code] = [:]
    var held: [[UInt8]] = []
    var shares: [StringTable.Code: Int] = [:]
    for step in 0..<4_000 {
      if step % 1000 < 600 || held.isEmpty {
        let text =
          step % 3 == 0 ? Self.text(&random) : Array("row \(Int.random(in: 0...900, using: &random))".utf8)
        let code = text.withUnsafeBytes { table.intern($0) }
        #expect(codes[text, default: code] == code)
        codes[text] = code
        held.append(text)
        shares[code, default: 0] += 1
      } else {
        let text = held.remove(at: Int.random(in: 0..<held.count, using: &random))
        let code = codes[text]!
        table.release(code)
        shares[code]! -= 1
        if shares[code] == 0 { codes[text] = nil }
      }
    }
    #expect(Set(codes.values).count == codes.count)
    for (text, code) in codes {
      #expect(table.bytes(code).elementsEqual(text))
      #expect(text.withUnsafeBytes { table.code(of: $0) } == code)
    }
    #expect(table.count == codes.keys.filter { !$0.isEmpty }.count)
    #expect(table.bytesHeld == codes.keys.reduce(0) { $0 + $1.count })
    for text in held { table.release(codes[text]!) }
    #expect(table.count == 0 && table.bytesHeld == 0)
  }

  @Test func `a string that nobody holds is not known, and its code is used again`() {
    let table = StringTable()
    let code = table.intern("a")
    table.retain(code)
    table.release(code)
    #expect(table.string(code) == "a")
    table.release(code)
    #expect(Array("a".utf8).withUnsafeBytes { table.code(of: $0) } == nil)
    #expect(table.intern("b") == code && table.codeLimit == 2)
  }

  @Test func `codes compare as their bytes do`() {
    let table = StringTable()
    let texts = ["", "a", "ab", "b", "\u{e9}", "\u{10000}"]
    let codes = texts.map { table.intern($0) }
    for a in codes.indices {
      for b in codes.indices { #expect(table.compare(codes[a], codes[b]).signum() == (a - b).signum()) }
    }
  }

  /// Strings of one event are looked for together; the codes are those that one by one would give.
  @Test func `an event's strings become codes of the same dictionary`() {
    let decoder = EventDecoder(EventDecoderTests.schema, bytesMax: 1000, unknownFields: .keep)
    let strings = StringTable()
    let known = strings.intern("a")
    let text = Array(#"{"Id":"a","N":7,"ExtendedAttr":"","q":1}"#.utf8)
    text.withUnsafeBytes { bytes in
      guard case .event = decoder.decode(bytes) else { return }
      decoder.internStrings(strings)
    }
    #expect(decoder.cell(0).code == known)
    #expect(decoder.cell(1).int == 7)
    #expect(strings.string(decoder.cell(5).code) == #"{"q":1}"#)
    strings.release(known)
    #expect(strings.string(known) == "a")
  }
}
