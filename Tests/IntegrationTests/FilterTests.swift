import Base
import Events
import Testing

extension Integration {
  /// One member and the same rows in SQLite; each filter and each metric view asked of both.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct FilterTests {
    /// Every type, so a table of its own; no duplicates, no clears: what went in is what is there.
    private static let declaration = """
      tables:
        calls:
          key: [id]
          columns:
            id: string
            node: string
            note: { type: string, on_duplicate: replace }
            line: int
            cost: int
            load: real
            open: bool
            begun: time
            ended: time
      """
    private static let columns = [
      ("id", "TEXT"), ("node", "TEXT"), ("note", "TEXT"), ("line", "INTEGER"), ("cost", "INTEGER"),
      ("load", "REAL"), ("open", "INTEGER"), ("begun", "INTEGER"), ("ended", "INTEGER"),
    ]

    private static let filters = """
      line = 3
      line <> 3
      line < 2 OR line > 7
      NOT line < 2 AND NOT line > 7
      line IN (1, 3, 5, 7)
      line NOT IN (1, 3, 5, 7)
      line IN ()
      line BETWEEN 2 AND 5
      line NOT BETWEEN 2 AND 5
      line > 2.5 AND line <= 6.0
      cost = -9223372036854775808
      cost > 9007199254740992
      cost >= 9007199254740993 AND cost < 9223372036854775807
      cost < 0
      cost + line > 10
      cost * 2 - line < 7
      cost / 4 = line
      (cost % 7) = 3
      -line < -6
      ABS(line - 5) <= 1
      load > 0.25
      load * 4 >= line
      load = 0.5
      load < line
      load - load = 0
      node = 'core-1'
      node <> 'core-1'
      node < 'core-2'
      node >= 'edge'
      node LIKE 'core-%'
      node LIKE '%-1'
      node LIKE '%or%'
      node LIKE '____-_'
      node LIKE 'CORE-%'
      node NOT LIKE 'core-%'
      note LIKE '%100!%%' ESCAPE '!'
      note LIKE '%!_%' ESCAPE '!'
      note = 'it''s down'
      note = ''
      note LIKE '%ü%'
      LENGTH(note) > 8
      LENGTH(note) = LENGTH(node)
      UPPER(node) = 'CORE-1'
      LOWER(note) LIKE '%link%'
      SUBSTR(node, 1, 4) = 'edge'
      SUBSTR(node, -1) IN ('1', '2')
      node || '/' || note LIKE 'core-1/%'
      open = 1
      open = 0 AND line > 4
      (line > 4) = (open = 1)
      begun < ended
      ended - begun > 60000
      begun BETWEEN 1700000010000 AND 1700000050000
      begun >= 1700000000000 AND (node = 'core-1' OR node = 'edge-2') AND NOT (line = 1 OR line = 2)
      line = 1 OR (line = 2 AND (node = 'core-1' OR (cost > 0 AND load > 0.5)))
      NOT (NOT (line = 1) AND NOT (node LIKE 'edge%'))
      line > 5 AND line < 3
      line > 3 OR line < 5
      1 = 1
      1 = 2
      """

    private static let metrics = """
      SELECT COUNT(*) AS n FROM calls
      SELECT COUNT(*) AS n FROM calls WHERE line > 4 AND node LIKE 'core-%'
      SELECT SUM(line) AS lines, MIN(line) AS least, MAX(line) AS most, AVG(line) AS mean FROM calls WHERE open = 1
      SELECT MIN(node) AS first, MAX(note) AS last FROM calls
      SELECT SUM(load) AS s, AVG(load) AS a, MIN(load) AS l, MAX(load) AS m FROM calls WHERE line <> 3
      SELECT node, COUNT(*) AS n, SUM(line) AS lines FROM calls GROUP BY node
      SELECT node, line, COUNT(*) AS n, MAX(ended) AS last FROM calls WHERE line < 5 GROUP BY node, line
      SELECT node, AVG(load) AS mean, MIN(begun) AS first FROM calls WHERE note <> '' GROUP BY node
      SELECT open, COUNT(*) AS n, SUM(line * 2 + 1) AS odd FROM calls GROUP BY open
      SELECT SUM(ended - begun) AS whole, MAX(LENGTH(note)) AS longest FROM calls WHERE line IN (1, 2, 3)
      SELECT MIN(line) AS none, MAX(node) AS no, COUNT(*) AS n FROM calls WHERE line > 99
      """

    private static func rows() -> [JSON] {
      let notes = [
        "", "Link down", "it's down", "at 100% now", "snake_case", "Zürich", "LINK UP", "😀 \"q\" \\",
      ]
      let costs: [Int64] = [
        0, 1, -1, 7, 12, 13, 100, -45, .min, .max, 9_007_199_254_740_992, 9_007_199_254_740_993,
      ]
      var random = SeededRandom(seed: 4)
      return (0..<240).map { i in
        let begun = 1_700_000_000_000 + Int64(i) * 300
        return .object(of: [
          "id": .string("call \(i)"),
          "node": .string("\(i % 5 < 3 ? "core" : "edge")-\(i % 3)"),
          "note": .string(notes.randomElement(using: &random)!),
          "line": .int(.random(in: 0..<10, using: &random)),
          "cost": .int(costs.randomElement(using: &random)!),
          "load": .real(Double(Int.random(in: 0..<9, using: &random)) * 0.125),
          "open": .bool(.random(using: &random)),
          "begun": .int(begun), "ended": .int(begun + Int64.random(in: 0..<120_000, using: &random) - 10_000),
        ])
      }
    }

    /// SQLite sums 64-bit integers with an error where we go on as a real, so sums keep to small columns.
    @Test func `filters and metrics give what SQLite gives, asked once and as streams`() throws {
      let rows = Self.rows()
      let oracle = try Oracle(table: "calls", columns: Self.columns, booleans: ["open"], rows: rows)
      let town = try Town(Self.declaration)
      try town.start()
      try town.send(rows.map(\.text))
      try eventually("all rows") { try town.metric("belfry_rows ") == rows.count }

      let filters = Self.filters.split(separator: "\n").map { "SELECT id FROM calls WHERE \($0)" }
      let metrics = Self.metrics.split(separator: "\n").map(String.init)
      for sql in filters + metrics {
        #expect(normal(try town.query(sql)) == normal(try oracle.rows(sql)), "\(sql)")
      }
      let asked = filters.enumerated().filter { $0.offset % 5 == 0 }.map(\.element) + metrics
      let streams = try asked.enumerated().map { i, sql in
        (sql, try town.follow(try town.request("oracle", "\(i)", sql)))
      }
      try change(town, rows, oracle)
      for (sql, stream) in streams {
        let wanted = normal(try oracle.rows(sql))
        try stream.wait("what SQLite gives for \(sql): \(wanted)") { normal(Array($0.values)) == wanted }
      }
    }

    /// Some rows change behind the streams' backs: `note` is replaced.
    private func change(_ town: Town, _ rows: [JSON], _ oracle: Oracle) throws {
      let changed = rows.enumerated().filter { $0.offset % 7 == 0 }.compactMap { $0.element["id"]?.string }
      try town.send(
        changed.map { JSON.object(of: ["id": .string($0), "note": .string("core-1: new link")]).text })
      for id in changed {
        try oracle.execute("UPDATE calls SET note = 'core-1: new link' WHERE id = '\(id)'")
      }
    }
  }
}
