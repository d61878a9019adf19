import Base
import Events
import Testing

@Suite struct EventKeysTests {
  private let calls = Schema(
    table: "calls", columns: [Column("Line", .int), Column("Node", .string), Column("Text", .string)],
    key: ["Node", "Line"])

  private func key(_ value: String, _ schema: Schema = .alerts) -> String? {
    let keys = EventKeys(schema)
    return withExtendedLifetime(keys) {
      Array(value.utf8).withUnsafeBytes { value in
        keys.key(of: value).map { String(decoding: $0, as: UTF8.self) }
      }
    }
  }

  @Test func `an event's key is its row's`() {
    #expect(key(#"{"Severity":3,"Identifier":"a\u00e9 b"}"#) == "aé b")
    #expect(key(#"{"Line":7.0,"Node":"n\"1","Text":"x","Else":[1]}"#, calls) == #"["n\"1",7]"#)
  }

  @Test(arguments: [
    "", "{", "[1]", "{}", #"{"Identifier":""}"#, #"{"Identifier":5}"#, #"{"Identifier":"a","Tally":"x"}"#,
  ])
  func `what is no event has no key`(value: String) {
    #expect(key(value) == nil)
  }
}
