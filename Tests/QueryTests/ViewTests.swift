import Events
import Query
import Testing

struct ViewTests {
  /// Text; canonical text.
  @Test(arguments: cases(views))
  func `a view has one canonical text`(_ row: [String]) throws {
    let text = try view(row[0]).text
    #expect(text == row[1])
    #expect(try view(text).text == text)
  }

  static let views = """
    select b, a from samples                              | SELECT id, a, b FROM samples
    SELECT a, id FROM samples;                            | SELECT id, a FROM samples
    SELECT a AS x, a FROM samples                         | SELECT id, a, a AS x FROM samples
    SELECT id AS name FROM samples                        | SELECT id, id AS name FROM samples
    SELECT a+1 AS y, b FROM samples WHERE TRUE            | SELECT id, b, 1 + a AS y FROM samples
    SELECT b + a FROM samples                             | SELECT id, a + b FROM samples
    SELECT a > 3 AS hot, 'x' AS c FROM samples            | SELECT id, 'x' AS c, a >= 4 AS hot FROM samples
    SELECT "select" AS "from" FROM samples WHERE a>3      | SELECT id, "select" AS "from" FROM samples WHERE a >= 4
    SELECT count(*) FROM samples                          | SELECT COUNT(*) FROM samples
    SELECT COUNT(a) FROM samples                          | SELECT COUNT(*) FROM samples
    SELECT sum(a), Min(s) AS first FROM samples           | SELECT SUM(a), MIN(s) AS first FROM samples
    SELECT COUNT(*) AS n, AVG(b+a) FROM samples GROUP BY b, a, b | SELECT a, b, AVG(a + b), COUNT(*) AS n FROM samples GROUP BY a, b
    SELECT a AS k, COUNT(*) AS n FROM samples GROUP BY a  | SELECT a AS k, COUNT(*) AS n FROM samples GROUP BY a
    SELECT COUNT(*) AS n, a FROM samples WHERE 2<1 GROUP BY a | SELECT a, COUNT(*) AS n FROM samples WHERE FALSE GROUP BY a
    """

  @Test func `star gives all columns, key first`() throws {
    guard case .pure(let columns) = try view("SELECT * FROM alerts").body else {
      Issue.record("not pure")
      return
    }
    #expect(columns.map(\.name) == Schema.alerts.columns.map(\.name))
    #expect(columns.map(\.type) == Schema.alerts.columns.map(\.type))
  }

  @Test func `a metric view says names, types and groups`() throws {
    let sql = """
      SELECT Node AS node, COUNT(*), SUM(Tally) AS events, AVG(Severity) AS mean, MAX(LastOccurrence) AS last
      FROM alerts WHERE Severity > 3 GROUP BY Node, Class
      """
    guard case .metric(let metrics, let groupBy) = try view(sql).body else {
      Issue.record("not a metric view")
      return
    }
    #expect(metrics.map(\.name) == ["COUNT(*)", "events", "last", "mean"])
    #expect(metrics.map(\.type) == [.int, .int, .time, .real])
    #expect(metrics.map { $0.argument == nil } == [true, false, false, false])
    #expect(groupBy.map(\.name) == ["node", "Class"])
    #expect(groupBy.map(\.column) == [2, 16])
  }

  @Test func `views over one filter have one filter text`() throws {
    let list = try view("SELECT Node FROM alerts WHERE Severity > 3 AND Node LIKE 'core-%'")
    let count = try view("SELECT COUNT(*) FROM alerts WHERE (Node LIKE 'core-%') AND NOT Severity <= 3")
    #expect(list.filterText == count.filterText)
    #expect(list.filterText == "alerts WHERE Node LIKE 'core-%' AND Severity >= 4")
    #expect(list.text != count.text)
    #expect(list.filter.columnsUsed == [2, 8])
  }

  @Test func `names and metrics that differ are other views`() throws {
    let texts = try [
      "SELECT a FROM samples", "SELECT a AS x FROM samples", "SELECT b FROM samples",
      "SELECT COUNT(*) FROM samples", "SELECT COUNT(*) AS n FROM samples", "SELECT SUM(a) FROM samples",
      "SELECT COUNT(*) FROM samples GROUP BY a", "SELECT COUNT(*) FROM samples GROUP BY a, b",
      "SELECT COUNT(*) FROM alerts", "SELECT COUNT(*) FROM samples WHERE a = 1",
    ].map { try view($0).text }
    #expect(Set(texts).count == texts.count)
  }

  @Test func `texts that Swift takes for one string stay apart`() throws {
    let composed = try view("SELECT * FROM samples WHERE s = '\u{E9}'")
    let decomposed = try view("SELECT * FROM samples WHERE s = 'e\u{301}'")
    #expect("\u{E9}" == "e\u{301}")
    #expect(composed.text != decomposed.text)
    #expect(composed.text.utf8.allSatisfy { $0 < 0x80 })
  }
}
