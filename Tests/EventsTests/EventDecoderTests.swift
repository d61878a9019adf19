import Base
import Events
import Testing

@Suite struct EventDecoderTests {
  static let schema = Schema(
    table: "t",
    columns: [
      Column("Id", .string), Column("N", .int), Column("X", .real), Column("B", .bool), Column("T", .time),
      Column("ExtendedAttr", .string),
    ], key: ["Id"])

  /// What the decoder makes of a text, as text: `Column=value …` in the schema's order, or the refusal.
  static func read(
    _ text: String, _ unknown: EventDecoder.UnknownFields = .keep, schema: Schema = schema,
    bytesMax: Int = 1000
  ) -> String {
    let decoder = EventDecoder(schema, bytesMax: bytesMax, unknownFields: unknown)
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBytes { bytes in
      if case .refused(let refusal) = decoder.decode(bytes) { return refusal.description }
      return schema.columns.indices.filter { decoder.isPresent($0) }.map { column in
        let name = schema.columns[column].name
        return switch schema.columns[column].type {
        case .string: "\(name)=\(String(decoding: decoder.string(column), as: UTF8.self))"
        case .real: "\(name)=\(decoder.cell(column).real)"
        default: "\(name)=\(decoder.cell(column).int)"
        }
      }.joined(separator: " ")
    }
  }

  @Test(
    arguments: [
      (#"{"Id":"a","N":3,"X":1.5,"B":true,"T":17}"#, "Id=a N=3 X=1.5 B=1 T=17"),
      (#"{"Id":"a","N":null,"B":false}"#, "Id=a B=0"),
      (#"{"Id":"a","N":4.0,"X":2,"T":1e3}"#, "Id=a N=4 X=2.0 T=1000"),
      (#"{"Id":"a","X":-0.0}"#, "Id=a X=0.0"),
      (#"{"Id":"a","N":1,"N":2}"#, "Id=a N=2"),
      (#"{"Id":"a","N":-9223372036854775808}"#, "Id=a N=-9223372036854775808"),
    ])
  func `fields become cells of their column's type`(text: String, expected: String) {
    #expect(Self.read(text) == expected)
  }

  @Test(
    arguments: [
      ("", "empty: the record's value has no bytes"),
      ("{", "json: 1:1: string or '}' expected near end of file"),
      ("{\"Id\":\"a\",\n \"N\":}", "json: 2:6: unexpected token near '}'"),
      ("{\"Id\":\"a\"} x", "json: 1:12: end of file expected near 'x'"),
      ("[1]", "not_object: an object expected, an array found"),
      ("null", "not_object: an object expected, null found"),
      (#"{"Id":7}"#, "type: Id: string expected, an integer found"),
      (#"{"Id":"a","N":"4"}"#, "type: N: int expected, a string found"),
      (#"{"Id":"a","N":4.5}"#, "type: N: int expected, 4.5 found"),
      (#"{"Id":"a","N":true}"#, "type: N: int expected, a bool found"),
      (#"{"Id":"a","T":1e16}"#, "range: T: 1e+16 is beyond 2^53, where reals have gaps"),
      (#"{"Id":"a","B":1}"#, "type: B: bool expected, an integer found"),
      (#"{"Id":"a","X":"1"}"#, "type: X: real expected, a string found"),
      (#"{"N":1}"#, "key_missing: Id, of the row's key, is missing"),
      (#"{"Id":null}"#, "key_missing: Id, of the row's key, is missing"),
      (#"{"Id":""}"#, "key_missing: the row's key is empty"),
      (
        #"{"Id":"a","N":9223372036854775808}"#,
        "range: 1:33: an integer beyond 64 bits near '9223372036854775808'"
      ),
      (
        #"{"Id":"a","N":99999999999999999999}"#,
        "range: 1:34: an integer beyond 64 bits near '99999999999999999999'"
      ),
      (#"{"Id":"a","q":[1e999]}"#, "range: 1:20: a number beyond the range of a double near '1e999'"),
      (#"{"Id":"a\u0000"}"#, #"json: 1:15: a string with U+0000, which is not taken near '"a\u0000"'"#),
      (#"{"Id":"a","\u0000":1}"#, #"json: 1:18: a string with U+0000, which is not taken near '"\u0000"'"#),
    ])
  func `what cannot be used is refused with its place and cause`(text: String, expected: String) {
    #expect(Self.read(text) == expected)
  }

  @Test func `a record without a value is told from one whose value has no bytes`() {
    let decoder = EventDecoder(Self.schema, bytesMax: 1000, unknownFields: .keep)
    var told = ""
    if case .refused(let refusal) = decoder.decode(nil) { told = refusal.description }
    #expect(told == "empty: the record has no value")
  }

  @Test func `an event larger than the limit is not even parsed`() {
    #expect(Self.read("{not json", bytesMax: 5) == "oversize: 9 bytes, at most 5 are taken")
  }

  @Test(
    arguments: [
      // Sorted by name at every level.
      (#"{"z":1,"Id":"a","b":{"y":null,"x":[1,2.5,true]}}"#, #"{"b":{"x":[1,2.5,true],"y":null},"z":1}"#),
      // Null is a missing field.
      (#"{"Id":"a","z":null}"#, nil),
      // The event's own members stay; an unknown field wins over one of its name.
      (#"{"Id":"a","q":1,"ExtendedAttr":"{\"p\":\"x\",\"q\":0}"}"#, #"{"p":"x","q":1}"#),
      // A text that is no object is kept under the column's name.
      (#"{"Id":"a","q":"\u00e9","ExtendedAttr":"plain"}"#, #"{"ExtendedAttr":"plain","q":"é"}"#),
      // Without unknown fields the text is left alone.
      (#"{"Id":"a","ExtendedAttr":"{ \"p\" : 1 }"}"#, #"{ "p" : 1 }"#),
    ] as [(String, String?)])
  func `unknown fields are kept in ExtendedAttr`(text: String, expected: String?) {
    #expect(Self.read(text) == "Id=a" + (expected.map { " ExtendedAttr=\($0)" } ?? ""))
  }

  @Test func `unknown fields are dropped or refused as the setting says`() {
    #expect(Self.read(#"{"Id":"a","q":1}"#, .drop) == "Id=a")
    #expect(Self.read(#"{"Id":"a","q":1}"#, .refuse) == "unknown_field: q is no column of t")
    let plain = Schema(table: "p", columns: [Column("Id", .string)], key: ["Id"])
    #expect(Self.read(#"{"Id":"a","q":1}"#, .keep, schema: plain) == "Id=a")
  }

  @Test func `nothing of one event is left in the next`() {
    let decoder = EventDecoder(Self.schema, bytesMax: 1000, unknownFields: .keep)
    func decode(_ text: String) -> Bool {
      if case .event = Array(text.utf8).withUnsafeBytes({ decoder.decode($0) }) { return true }
      return false
    }
    #expect(decode(#"{"Id":"a","N":1,"q":2}"#))
    #expect(decoder.isPresent(1) && decoder.isPresent(5))
    #expect(!decode(#"{"Id":"a","N":1,"B":4}"#))
    #expect(decode(#"{"Id":"b"}"#))
    #expect(Array(decoder.present) == [0])
    #expect(!decoder.isPresent(1) && !decoder.isPresent(5))
  }

  @Test func `the names of 512 columns are told apart`() {
    let names = (0..<512).map { "column_\($0)_x" }
    let schema = Schema(table: "t", columns: names.map { Column($0, .int) }, key: [names[0]])
    let text = "{" + names.enumerated().map { "\"\($1)\":\($0)" }.joined(separator: ",") + "}"
    let expected = names.enumerated().map { "\($1)=\($0)" }.joined(separator: " ")
    #expect(Self.read(text, schema: schema, bytesMax: 100_000) == expected)
    #expect(
      Self.read(#"{"column_0_x":1,"column_512_x":1,"":2}"#, .refuse, schema: schema).hasPrefix("unknown"))
  }

  @Test(
    arguments: [
      (["Id"], #"{"Id":"a\"b"}"#, "a\"b"),
      (["N"], #"{"N":-12}"#, "-12"),
      (["B"], #"{"B":true}"#, "true"),
      (["X"], #"{"X":0.1}"#, "0.1"),
      (["Id", "N"], #"{"Id":"a\"b","N":7}"#, #"["a\"b",7]"#),
      (["N", "Id"], #"{"Id":"","N":7}"#, #"[7,""]"#),
    ])
  func `a row's key is text`(key: [String], text: String, expected: String) {
    let schema = Schema(table: "t", columns: Self.schema.columns, key: key)
    let decoder = EventDecoder(schema, bytesMax: 1000, unknownFields: .keep)
    var buffer = ByteBuffer()
    Array(text.utf8).withUnsafeBytes { bytes in
      guard case .event = decoder.decode(bytes) else { return }
      decoder.writeKey(to: &buffer)
    }
    #expect(String(decoding: buffer.bytes, as: UTF8.self) == expected)
  }

  @Test func `deep nesting is refused or kept whole`() {
    func event(_ levels: Int) -> (text: String, value: String) {
      let value = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
      return (#"{"Id":"a","q":\#(value)}"#, value)
    }
    let kept = event(2047)
    #expect(Self.read(kept.text, bytesMax: 100_000) == #"Id=a ExtendedAttr={"q":\#(kept.value)}"#)
    let refused = Self.read(event(2048).text, bytesMax: 100_000)
    #expect(refused.hasPrefix("json: 1:2062: nested deeper than 2048 levels"))
  }
}
