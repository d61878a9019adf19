import Base
import ConnectorKit
import Testing

/// A map whose values are on line 1, each at its own column.
private func map(_ entries: (String, ConnectorSettings.Value)...) -> ConnectorSettings {
  let entries = entries.enumerated().map { i, entry in
    ConnectorSettings.Entry(
      name: entry.0, place: "\(i + 2):3", value: ConnectorSettings(entry.1, place: "\(i + 2):9"))
  }
  return ConnectorSettings(.map(entries), place: "1:1")
}

/// What reading ends with: the error's text, or `fine`.
private func outcome(
  _ settings: ConnectorSettings, _ body: (inout SettingsReader) throws -> Void
) -> String {
  do {
    var reader = try SettingsReader(settings, of: "probe")
    try body(&reader)
    try reader.finish()
    return "fine"
  } catch {
    return "\(error)"
  }
}

@Test func `settings that are missing take their defaults`() throws {
  var reader = try SettingsReader(.empty, of: "probe")
  #expect(try reader.string("a", default: "x") == "x")
  #expect(try reader.int("b", default: 7, in: 0...9) == 7)
  #expect(try reader.bool("c", default: true))
  #expect(try reader.duration("d", default: .seconds(5), in: .zero ... .seconds(9)) == .seconds(5))
  #expect(try reader.strings("e", default: ["y"], most: 1) == ["y"])
  #expect(try reader.choice("f", of: ["p", "q"], default: "q") == "q")
  try reader.finish()
}

@Test func `every wrong setting is told with its place`() {
  let cases: [(ConnectorSettings, (inout SettingsReader) throws -> Void, String)] = [
    (
      map(("a", .int(1))), { _ = try $0.string("a", default: "") },
      "2:9: `probe.a` wants a text, not the number 1"
    ),
    (
      map(("a", .string("1"))), { _ = try $0.int("a", default: 0, in: 0...9) },
      "2:9: `probe.a` wants a whole number from 0 to 9, not the text \"1\""
    ),
    (
      map(("a", .int(10))), { _ = try $0.int("a", default: 0, in: 0...9) },
      "2:9: `probe.a` wants a whole number from 0 to 9, not the number 10"
    ),
    (
      map(("a", .string("5 s"))), { _ = try $0.duration("a", default: .zero, in: .zero ... .seconds(60)) },
      "2:9: `probe.a` wants a duration such as 100ms, 5s or 2m, from 0ms to 1m, not the text \"5 s\""
    ),
    (
      map(("a", .string("yes"))), { _ = try $0.bool("a", default: true) },
      "2:9: `probe.a` wants true or false, not the text \"yes\""
    ),
    (
      map(("b", .bool(true))), { _ = try $0.int("a", default: 0, in: 0...9) },
      "2:3: unknown key `b` in `probe`; known keys: a"
    ),
    (map(("a", .int(1)), ("a", .int(2))), { _ in }, "3:3: the key `a` is in `probe` twice"),
    (ConnectorSettings(.int(3), place: "4:5"), { _ in }, "4:5: `probe` wants a map, not the number 3"),
    (
      map(("a", .list([ConnectorSettings(.int(3), place: "2:11")]))),
      { _ = try $0.strings("a", default: [], most: 9) },
      "2:11: `probe.a` wants texts as its members, not the number 3"
    ),
    (
      map(("a", .string("r"))), { _ = try $0.choice("a", of: ["p", "q"], default: "p") },
      "2:9: `probe.a` wants one of p, q, not the text \"r\""
    ),
    (
      map(("a", .list([]))), { _ = try $0.int("a", default: 4, in: 0...9) },
      "2:9: `probe.a` wants a whole number from 0 to 9, not an empty list"
    ),
    (map(("a", .none)), { _ = try $0.int("a", default: 4, in: 0...9) }, "fine"),
  ]
  for (settings, body, expected) in cases { #expect(outcome(settings, body) == expected) }
}

@Test(
  arguments: [
    ("", .none), ("~", .none), ("null", .none), ("true", .bool(true)), ("false", .bool(false)),
    ("5", .int(5)),
    ("-5", .int(-5)), ("0.5", .real(0.5)), ("1e3", .real(1000)), ("99999999999999999999", .real(1e20)),
    ("5s", .string("5s")), ("off", .string("off")), ("inf", .string("inf")), ("0x10", .string("0x10")),
    ("+01:00", .string("+01:00")), ("1e999", .string("1e999")), ("-", .string("-")),
    ("True", .string("True")),
  ] as [(String, ConnectorSettings.Value)])
func `a scalar that is not quoted has the type that it looks like`(
  text: String, value: ConnectorSettings.Value
) {
  #expect(ConnectorSettings(scalar: text, isQuoted: false, place: "").value == value)
  #expect(ConnectorSettings(scalar: text, isQuoted: true, place: "").value == .string(text))
}

@Test func `a secret is in no message`() {
  let secret = ConnectorSettings(.string("hunter2"), place: "3:4", isSecret: true)
  let settings = ConnectorSettings(.map([.init(name: "a", place: "3:1", value: secret)]), place: "1:1")
  #expect(
    outcome(settings) { _ = try $0.int("a", default: 0, in: 0...9) }
      == "3:4: `probe.a` wants a whole number from 0 to 9, not what it was given (a secret)")
}

@Test func `an unknown key in an inner map names the map`() {
  let inner = map(("y", .int(1)))
  let settings = map(("inner", inner.value))
  #expect(
    outcome(settings) { reader in
      var inside = try reader.map("inner")
      _ = try inside.bool("x", default: true)
      try inside.finish()
    } == "2:3: unknown key `y` in `probe.inner`; known keys: x")
}

@Test(
  arguments: [
    ("100ms", 100), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000), ("0s", 0),
    ("", nil), ("5", nil), ("s", nil), ("-5s", nil), ("5 s", nil), ("5S", nil), ("5.5s", nil),
    ("99999999999999999999s", nil), ("9223372036854775807d", nil), ("٣s", nil),
  ] as [(String, Int64?)])
func `durations are whole numbers with a unit`(text: String, milliseconds: Int64?) {
  #expect(Duration(settingsText: text)?.milliseconds == milliseconds)
}

@Test(
  arguments: [
    (0.05, 1, "0.1"), (1.25, 2, "1.25"), (-0.5, 0, "-1"), (12, 0, "12"), (-1.005, 1, "-1.0"), (1e300, 1, "-"),
    (.nan, 1, "-"), (.infinity, 0, "-"), (99.96, 1, "100.0"),
  ] as [(Double, Int, String)])
func `numbers for people have a fixed count of decimals`(value: Double, decimals: Int, text: String) {
  #expect(fixed(value, decimals) == text)
}
