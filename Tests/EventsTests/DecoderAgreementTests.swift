import Base
import Events
import Foundation
import Testing

/// simdjson's decoder and jansson's accept the same texts, refuse the same ones for the same cause, and come to
/// the same values. `BELFRY_FUZZ_CASES` says how many mutated texts are tried, `BELFRY_FUZZ_SEED` which.
@Suite struct DecoderAgreementTests {
  /// Good events, and the ends of what JSON takes and does not: each a text by itself, and what is mutated.
  static let corpus: [[UInt8]] =
    events.map { Array($0.utf8) } + values.map { Array("{\"Id\":\"a\",\"X\":\($0),\"q\":\($0)}".utf8) }
    + rawBytes.map { Array("{\"Id\":\"".utf8) + $0 + Array("\"}".utf8) }
    + rawBytes.map { $0 + Array("{\"Id\":\"a\"}".utf8) } + rawBytes.map { Array("{\"Id\":\"a\"}".utf8) + $0 }

  static let events = [
    #"{"Id":"core-1:Link:4","N":5,"X":0.25,"B":true,"T":1732185172000,"ExtendedAttr":"{\"a\":1}"}"#,
    #"{"Id":"b","N":-1,"X":17,"B":false,"T":0,"ExtendedAttr":"plain text, no JSON"}"#,
    #" { "Id" : "c" , "N" : 4.0 , "T" : 1e3 } "# + "\r\n\t",
    #"{"Id":"d","rack":7,"z":{"b":[1,2.5,null,{"y":true}],"a":"\u00e9"},"ExtendedAttr":"{\"rack\":1,\"k\":2}"}"#,
    #"{"Id":"e","N":1,"N":"x","N":2,"q":1,"q":null,"X":1,"X":null}"#,
    #"{"Id":"f","q":{"a":1,"a":2},"":0,"q":[[],{}]}"#,
    #"{"\u0049d":"g","N":null,"ExtendedAttr":null}"#,
    #"{"Id":"\"\\\/\b\f\n\r\t\u20ac\ud83d\ude00","ExtendedAttr":"{\"p\":null}","q":0}"#,
    #"{"Id":"h","ExtendedAttr":"[1]","q":1}"#, #"{"Id":"","q":1}"#, #"{"N":1}"#, "{}", "[]", "[1,2]", "null",
    "\"text\"", "17", "1.5", "true", " ", "{\"Id\":\"a\"", "{\"Id\":\"a\"}}", "{\"Id\":\"a\"} x",
    "{\"Id\":\"a\",}",
    "{\"Id\" \"a\"}", "{\"Id\":\"a\" \"N\":1}", "{Id:\"a\"}", "{'Id':'a'}", "{\"Id\":\"a\"/**/}", "{,}",
    "{\"Id\"}",
    "{\"Id\":\"a\n\"}", "{\"Id\":\"open}", "{\"Id\":\"a\",\"q\":[1,]}", "{\"Id\":\"a\",\"q\":[1 2]}", "[}",
    "{]",
  ]

  static let values = [
    "0", "-0", "-0.0", "0.0", "00", "01", "-01", "+1", "1.", ".5", "1.e1", "1e", "1e+", "1E5", "1e+5", "1e-5",
    "--1",
    "-", "1x", "0x10", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551615", "18446744073709551616", "99999999999999999999999",
    "123456789012345678901234567890e-10", "9007199254740992.0", "9007199254740993.0", "-9007199254740993.0",
    "1e16", "1e308", "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e400", "1e-400",
    "5e-324",
    "2.4703282292062327e-324", "0.1", "0.30000000000000004", "1e99999999999999999999",
    "0e99999999999999999999",
    "1.00000000000000000000000000000000000000000001", "Infinity", "-Infinity", "NaN", "nan", "true", "false",
    "tru", "truee", "True", "null", "nul", "nulll", "\"\"", #""\u0000""#, #""a\u0000b""#, #""\ud83d\ude00""#,
    #""\ud83d""#, #""\ude00""#, #""\ud83dx""#, #""\ud83d\n""#, #""\ud83d\u0041""#, #""\ud83d\ud83d""#,
    #""\ude00\ud83d""#, #""\uD83D\uDE00""#, #""\uffff""#, #""\ufffe""#, #""\u00g0""#, #""\u00""#, #""\u""#,
    #""\x41""#, #""\""#, #""\a""#, #""\'""#, #""\u+123""#, "\"\u{7f}\"", "\"\u{1}\"", "\"\t\"",
    "\"\u{2028}\"",
    "[]", "{}", "[[[]]]", #"{"a":{"b":{}}}"#, #"{"\u0000":1}"#, #"{"a\ud800":1}"#, "[1,2", "{\"a\":}",
    "{1:2}",
    #"[9223372036854775808]"#, #"{"a":[18446744073709551616]}"#, "",
  ]

  static let rawBytes: [[UInt8]] = [
    [0xEF, 0xBB, 0xBF], [0xFE, 0xFF], [0], [0x20, 0], [0x0B], [0x0C], [0x1F], [0x7F], [0x80], [0xBF],
    [0xC0, 0x80],
    [0xC1, 0xBF], [0xC2, 0x80], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80], [0xE0, 0xA0, 0x80], [0xE2, 0x82],
    [0xED, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xEE, 0x80, 0x80], [0xEF, 0xBF, 0xBF],
    [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
    [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFF], [0xC2, 0xA0], [0xE2, 0x80, 0xA8],
  ]

  /// What a mutation puts in.
  static let tokens: [[UInt8]] =
    [
      "\"", "\\", "{", "}", "[", "]", ",", ":", "\"N\":", "\"q\":", "\"Id\":\"x\"", "\\u0000", "\\ud800",
      "\\udc00", "-",
    ]
    .map { Array($0.utf8) } + values.map { Array($0.utf8) } + rawBytes

  private let unknown: [EventDecoder.UnknownFields] = [.keep, .drop, .refuse]

  @Test func `on the corpus`() {
    for unknown in unknown {
      let pair = DecoderPair(unknown)
      for text in Self.corpus { #expect(pair.difference(text) == nil) }
    }
  }

  @Test func `at each place where a good event can end`() {
    let pair = DecoderPair(.keep)
    for text in Self.corpus.prefix(10) {
      for count in 0...text.count { #expect(pair.difference(Array(text[..<count])) == nil) }
    }
  }

  @Test func `at each length of a string up to two vectors, behind any space`() {
    let pair = DecoderPair(.keep)
    for count in 0...130 {
      for end in [#"""#, #"\""#, "\u{1}\"", "\u{e9}\""] {
        let text =
          String(repeating: " ", count: count / 3) + #"{"Id":""# + String(repeating: "x", count: count)
        #expect(pair.difference(Array((text + end + "}").utf8)) == nil)
      }
    }
  }

  @Test(arguments: [1023, 1024, 1025, 2046, 2047, 2048, 2049, 5000])
  func `down to the same depth`(levels: Int) {
    for unknown in unknown {
      let pair = DecoderPair(unknown)
      for (open, inner, close) in [
        ("[", "", "]"), ("[", "1", "]"), ("{\"a\":", "{}", "}"), ("{\"a\":", "1", "}"),
      ] {
        let value =
          String(repeating: open, count: levels - 1) + inner + String(repeating: close, count: levels - 1)
        #expect(
          pair.difference(Array("{\"Id\":\"a\",\"q\":\(value)}".utf8)) == nil, "\(levels) \(open) \(inner)")
      }
    }
  }

  @Test func `on mutated texts`() {
    let cases = Self.setting("BELFRY_FUZZ_CASES", 200_000)
    let seed = Self.setting("BELFRY_FUZZ_SEED", 1)
    var random = SeededRandom(seed: UInt64(seed))
    let pairs = unknown.map { DecoderPair($0) }
    var taken = 0
    for number in 0..<cases {
      let text = Self.mutated(&random)
      let pair = pairs[Int.random(in: 0..<pairs.count, using: &random)]
      if let difference = pair.difference(text) {
        Issue.record("seed \(seed), case \(number): \(Self.shrunk(text, pair)): \(difference)")
        return
      }
      taken += pair.tookLast ? 1 : 0
    }
    #expect(taken > cases / 20 && taken < cases / 20 * 19)
    print("decoders agree on \(cases) mutated texts from seed \(seed), \(taken) of them taken")
  }

  private static func mutated(_ random: inout SeededRandom) -> [UInt8] {
    let isGood = Bool.random(using: &random)
    var text =
      isGood
      ? Array(events[Int.random(in: 0..<8, using: &random)].utf8) : corpus.randomElement(using: &random)!
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      let at = Int.random(in: 0...text.count, using: &random)
      let end = min(text.count, at + Int.random(in: 0...8, using: &random))
      switch Int.random(in: 0..<7, using: &random) {
      case 0 where at < text.count: text[at] = UInt8.random(in: 0...255, using: &random)
      case 1 where at < text.count: text[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: text.removeSubrange(at..<end)
      case 3: text.insert(contentsOf: text[at..<end], at: Int.random(in: 0...text.count, using: &random))
      case 4:
        let other = corpus.randomElement(using: &random)!
        text = Array(text[..<at]) + other[Int.random(in: 0...other.count, using: &random)...]
      case 5: text.insert(contentsOf: number(&random), at: at)
      default: text.insert(contentsOf: tokens.randomElement(using: &random)!, at: at)
      }
    }
    return text
  }

  /// Digits with, at times, a point and an exponent: many of them in a row of what they are put into.
  private static func number(_ random: inout SeededRandom) -> [UInt8] {
    var text = String(random.next() >> UInt64.random(in: 0..<64, using: &random))
    if Bool.random(using: &random) {
      text.insert(
        ".", at: text.index(text.startIndex, offsetBy: Int.random(in: 0...text.count, using: &random)))
    }
    if Bool.random(using: &random) { text += "e\(Int.random(in: -330...310, using: &random))" }
    return Array(text.utf8)
  }

  /// The text without what is not needed for the difference.
  private static func shrunk(_ text: [UInt8], _ pair: DecoderPair) -> String {
    var text = text
    var at = 0
    while at < text.count {
      var shorter = text
      shorter.remove(at: at)
      if pair.difference(shorter) != nil { text = shorter } else { at += 1 }
    }
    return text.map { $0 >= 0x20 && $0 < 0x7F ? String(UnicodeScalar($0)) : "<\(String($0, radix: 16))>" }
      .joined()
  }

  private static func setting(_ name: String, _ otherwise: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? otherwise
  }
}

/// Both decoders of one schema.
final class DecoderPair {
  private static let schema = EventDecoderTests.schema
  private let decoder: EventDecoder
  private let oracle: JanssonDecoder
  private(set) var tookLast = false

  init(_ unknown: EventDecoder.UnknownFields) {
    decoder = EventDecoder(Self.schema, bytesMax: 1 << 20, unknownFields: unknown)
    oracle = JanssonDecoder(schema: Self.schema, unknown: unknown)
  }

  /// What they say where they differ.
  func difference(_ text: [UInt8]) -> String? {
    text.withUnsafeBytes { bytes in
      let ours = answer(bytes)
      let theirs = oracle.decode(bytes)
      tookLast = if case .event = ours { true } else { false }
      return isSame(ours, theirs) ? nil : "simdjson says \(ours), jansson \(theirs)"
    }
  }

  private func answer(_ bytes: UnsafeRawBufferPointer) -> JanssonDecoder.Answer {
    if case .refused(let refusal) = decoder.decode(bytes) { return .refused(refusal) }
    let values = Self.schema.columns.indices.map { column -> Value? in
      guard decoder.isPresent(column) else { return nil }
      switch Self.schema.columns[column].type {
      case .string: return .string(String(decoding: decoder.string(column), as: UTF8.self))
      case .int: return .int(decoder.cell(column).int)
      case .time: return .time(decoder.cell(column).int)
      case .real: return .real(decoder.cell(column).real)
      case .bool: return .bool(decoder.cell(column) != 0)
      }
    }
    let present = Self.schema.columns.indices.filter { values[$0] != nil }
    return decoder.present.sorted() == present ? .event(values) : .refused(Refusal(.json, "present is wrong"))
  }

  /// Refusals are the same word by word, but for what only one of the two can name: a zero byte, and which of
  /// several unknown fields.
  private func isSame(_ a: JanssonDecoder.Answer, _ b: JanssonDecoder.Answer) -> Bool {
    if case .event(let a) = a, case .event(let b) = b {
      return a.elementsEqual(b) { $0.map(Self.bytes) == $1.map(Self.bytes) }
    }
    guard case .refused(let a) = a, case .refused(let b) = b else { return false }
    return a == b || a.code == b.code && (a.code == .unknownField || b.message == "zero byte")
  }

  /// Swift's own equality of texts is that of Unicode, and of reals it takes no note of signs.
  private static func bytes(_ value: Value) -> [UInt8] {
    switch value {
    case .string(let text): Array(text.utf8)
    case .int(let n), .time(let n): withUnsafeBytes(of: n) { Array($0) }
    case .real(let x): withUnsafeBytes(of: x.bitPattern) { Array($0) }
    case .bool(let b): [b ? 1 : 0]
    }
  }
}
