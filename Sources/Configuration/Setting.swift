import Base

/// One key that can be set: where it stands in the file, how it is read and shown, and its row in the
/// reference. Parsing, variables' names, suggestions, the echo and `docs/configuration.md` all come from
/// the table of these (`Setting.all`).
struct Setting: Sendable {
  /// Such as `kafka.bootstrap`; at most one dot.
  var path: String
  /// For the reference.
  var type: String
  var meaning: String
  var isScalar: Bool
  var read: @Sendable (inout Configuration, Node, inout Problems) -> Void
  var shown: @Sendable (Configuration) -> Node

  /// `BELFRY_KAFKA_BOOTSTRAP`
  var variable: String {
    "BELFRY_" + path.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
  }

  typealias Field<Value> = any WritableKeyPath<Configuration, Value> & Sendable

  /// A scalar whose text `parse` accepts; `expected` says in words what it accepts.
  static func scalar<Value: Sendable>(
    _ path: String, _ field: Field<Value>, type: String, expected: String, _ meaning: String,
    parse: @escaping @Sendable (String) -> Value?, text: @escaping @Sendable (Value) -> String
  ) -> Setting {
    Setting(
      path: path, type: type, meaning: meaning, isScalar: true,
      read: { configuration, node, problems in
        if !node.isNull, let written = node.text, let value = parse(written) {
          configuration[keyPath: field] = value
        } else {
          problems.error(node.place, "\(path): expected \(expected), found \(node.shown)")
        }
      },
      shown: { Node(.scalar(Scalar(text($0[keyPath: field]))), at: Place(source: "")) })
  }

  static func integer(_ path: String, _ field: Field<Int>, _ range: ClosedRange<Int>, _ meaning: String)
    -> Setting
  {
    scalar(
      path, field, type: "\(range.lowerBound) to \(range.upperBound)",
      expected: "a whole number from \(range.lowerBound) to \(range.upperBound)", meaning,
      parse: { text in integer(text).flatMap { range.contains($0) ? $0 : nil } },
      text: { String($0) })
  }

  static func milliseconds(
    _ path: String, _ field: Field<Duration>, _ range: ClosedRange<Int>, _ meaning: String
  ) -> Setting {
    scalar(
      path, field, type: "\(range.lowerBound) to \(range.upperBound)",
      expected: "milliseconds from \(range.lowerBound) to \(range.upperBound)", meaning,
      parse: { text in
        integer(text).flatMap { range.contains($0) ? Duration.milliseconds($0) : nil }
      },
      text: { String($0.milliseconds) })
  }

  static func choice<Value: RawRepresentable & CaseIterable & Sendable>(
    _ path: String, _ field: Field<Value>, _ meaning: String
  ) -> Setting where Value.RawValue == String {
    let names = Value.allCases.map(\.rawValue)
    return scalar(
      path, field, type: names.map { "`\($0)`" }.joined(separator: ", "),
      expected: names.joined(separator: ", "), meaning,
      parse: { Value(rawValue: $0) }, text: { $0.rawValue })
  }

  /// A name that becomes part of topics and ids.
  static func name(_ path: String, _ field: Field<String>, _ meaning: String) -> Setting {
    scalar(
      path, field, type: "name", expected: "a name of a-z, 0-9, '.' and '-', 1 to 100 characters", meaning,
      parse: { isName($0) ? $0 : nil }, text: { $0 })
  }

  static func integer(_ text: String) -> Int? {
    text.utf8.count <= 20 ? Int(text) : nil
  }

  static func isName(_ text: String) -> Bool {
    let isPlain: (UInt8) -> Bool = { (97...122).contains($0) || isDigit($0) }
    return matches(text, first: isPlain, rest: { isPlain($0) || $0 == 0x2D || $0 == 0x2E }, bytesMax: 100)
  }
}
