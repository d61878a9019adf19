import Configuration
import Testing

@Suite struct TableDeclarationTests {
  @Test func `a table is read with its columns in order`() throws {
    let loaded = try load(
      """
      tables:
        calls:
          key: [Node, Line]
          columns:
            Node: string
            Line: int
            Tally: { type: int, default: 1, on_duplicate: increment }
            Loss: { type: real, default: -0.5, on_duplicate: max }
            Up: { type: bool, default: true, on_duplicate: replace }
            Last: { type: time, on_duplicate: latest }
      """)
    #expect(
      loaded.configuration.tables == [
        TableDeclaration(
          name: "calls", key: ["Node", "Line"],
          columns: [
            .init(name: "Node", type: .string),
            .init(name: "Line", type: .int),
            .init(name: "Tally", type: .int, defaultValue: .int(1), onDuplicate: .increment),
            .init(name: "Loss", type: .real, defaultValue: .real(-0.5), onDuplicate: .max),
            .init(name: "Up", type: .bool, defaultValue: .bool(true), onDuplicate: .replace),
            .init(name: "Last", type: .time, defaultValue: .time(0), onDuplicate: .latest),
          ])
      ])
    #expect(loaded.configuration.tables[0].columns[2].place.description == "b.yaml:7:7")
  }

  /// Each text stands after `columns:` of a table whose key is `A`, in line 3.
  @Test(arguments: [
    ("{ A: text }", "3:15: tables.t.columns.A: expected string, int, real, bool, time, found 'text'"),
    (
      "{ A: strin }",
      "3:15: tables.t.columns.A: expected string, int, real, bool, time, found 'strin'; did you mean 'string'?"
    ),
    (
      "{ A: string, 1b: int }",
      "3:23: tables.t.columns: '1b': a column's name is letters, digits and '_', begins with no digit, at most 64"
    ),
    ("{ A: string, a: int }", "3:23: tables.t.columns.a: differs from another only in its case"),
    (
      "{ A: string, B: { typ: int } }",
      "3:28: tables.t.columns.B: unknown key 'typ'; did you mean 'type'?\nb.yaml:3:26: tables.t.columns.B.type is missing"
    ),
    (
      "{ A: string, B: { type: int, default: x } }",
      "3:48: tables.t.columns.B.default: expected int, found 'x'"
    ),
    (
      "{ A: string, B: { type: int, default: 9223372036854775808 } }",
      "3:48: tables.t.columns.B.default: expected int, found '9223372036854775808'"
    ),
    (
      "{ A: string, B: { type: real, default: inf } }",
      "3:49: tables.t.columns.B.default: expected real, found 'inf'"
    ),
    (
      "{ A: string, B: { type: string, on_duplicate: increment } }",
      "3:56: tables.t.columns.B.on_duplicate: a string can only replace, keep, found 'increment'"
    ),
    (
      "{ A: { type: string, on_duplicate: replace } }",
      "3:12: tables.t.key: A tells rows apart, so a duplicate can only keep it"
    ),
    ("{ B: string }", "2:8: tables.t.key: expected one of the columns, found 'A'; did you mean 'B'?"),
    (
      "{}",
      "3:10: tables.t.columns: expected a map of columns, found a map"
    ),
  ])
  func `a fault in a table is told with its place`(columns: String, expected: String) {
    #expect(faults("tables: { t: {\nkey: [ A ],\ncolumns: \(columns) } }") == "b.yaml:\(expected)")
  }

  @Test(arguments: [
    (
      "tables: { T: {} }",
      "b.yaml:1:11: tables: 'T': a table's name is a-z and 0-9, begins with a letter, at most 64"
    ),
    ("tables: { t: 1 }", "b.yaml:1:14: tables.t: expected a map of key, columns, found '1'"),
    ("tables: { t: {} }", "b.yaml:1:14: tables.t.key is missing\nb.yaml:1:14: tables.t.columns is missing"),
    ("tables: [t]", "b.yaml:1:9: tables: expected a map of tables, found a list"),
    ("tables: { t: { key: [A, A], columns: { A: int } } }", "b.yaml:1:25: tables.t.key: A is there twice"),
    (
      "tables: { t: { key: [], columns: { A: int } } }",
      "b.yaml:1:21: tables.t.key: expected a list of 1 to 8 columns, found an empty list"
    ),
  ])
  func `a fault of a table's frame is told with its place`(yaml: String, expected: String) {
    #expect(faults(yaml) == expected)
  }

  @Test func `columns and tables have a limit`() {
    let columns = (0...512).map { "c\($0): int" }.joined(separator: ", ")
    #expect(faults("tables: { t: { key: [c0], columns: { \(columns) } } }").contains("at most 512"))
    let tables = (0...16).map { "t\($0): { key: [a], columns: { a: int } }" }.joined(separator: ", ")
    #expect(faults("tables: { \(tables) }").contains("tables: at most 16"))
  }
}
