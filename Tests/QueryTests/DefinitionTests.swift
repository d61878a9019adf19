import Query
import Testing

/// Definitions made by SQL, one statement a line.
private func definitions(_ statements: String) throws -> Definitions {
  var definitions = Definitions()
  for sql in statements.split(separator: "\n") {
    definitions.apply(try parseStatement(String(sql), in: TestCatalog(), definitions))
  }
  return definitions
}

struct DefinitionTests {
  static let town = """
    CREATE FILTER hot AS a > 3 AND flag
    create filter "Old One" as at < NOW() - INTERVAL '1 day';
    CREATE FILTER hotter AS hot AND a > 5 OR "Old One"
    CREATE VIEW heat AS SELECT a AS degrees, b, a * 2 AS twice, s FROM samples WHERE hot
    CREATE VIEW north AS SELECT degrees, twice + 1 AS more FROM heat WHERE b = 7 AND twice > 9
    CREATE VIEW tally AS SELECT b AS place, COUNT(*) AS n, SUM(degrees) AS sum FROM heat GROUP BY b
    CREATE VIEW twins AS SELECT a AS x, a AS y, b FROM samples
    CREATE VIEW grid AS SELECT x, b AS place, COUNT(*) AS n FROM twins GROUP BY b, x
    """

  /// What is asked with names; the same without any.
  @Test(arguments: cases(expansions))
  func `a name means what it stands for`(_ row: [String]) throws {
    let named = try parseView(row[0], in: TestCatalog(), try definitions(Self.town))
    #expect(named.text == (try view(row[1]).text))
  }

  static let expansions = """
    SELECT a FROM samples WHERE hot                  | SELECT a FROM samples WHERE flag AND a >= 4
    SELECT a FROM samples WHERE NOT hot OR b = 1     | SELECT a FROM samples WHERE b = 1 OR NOT flag OR a < 4
    SELECT hot AS h FROM samples WHERE hot = up      | SELECT flag AND a >= 4 AS h FROM samples WHERE (flag AND a > 3) = up
    SELECT COUNT(*) FROM samples WHERE "Old One"     | SELECT COUNT(*) FROM samples WHERE at < NOW() - 86400000
    SELECT id FROM samples WHERE hotter              | SELECT id FROM samples WHERE a > 5 AND flag OR at < NOW() - 86400000
    SELECT SUM(CASE WHEN hot THEN b END) AS x FROM samples | SELECT SUM(CASE WHEN a > 3 AND flag THEN b END) AS x FROM samples
    SELECT * FROM heat                               | SELECT a AS degrees, b, a * 2 AS twice, s FROM samples WHERE a > 3 AND flag
    SELECT degrees AS d FROM heat WHERE s = 'x'      | SELECT a AS d FROM samples WHERE a > 3 AND flag AND s = 'x'
    SELECT b FROM heat WHERE hot AND "Old One"       | SELECT b FROM samples WHERE a > 3 AND flag AND at < NOW() - 86400000
    SELECT degrees FROM heat WHERE twice = degrees   | SELECT a AS degrees FROM samples WHERE a > 3 AND flag AND a = 2 * a
    SELECT * FROM north                              | SELECT a AS degrees, a * 2 + 1 AS more FROM samples WHERE a > 3 AND flag AND b = 7 AND a * 2 > 9
    SELECT COUNT(*) AS n, AVG(more) AS m FROM north  | SELECT COUNT(*) AS n, AVG(a * 2 + 1) AS m FROM samples WHERE a > 3 AND flag AND b = 7 AND a * 2 > 9
    SELECT COUNT(*) FROM heat GROUP BY degrees       | SELECT a AS degrees, COUNT(*) FROM samples WHERE a > 3 AND flag GROUP BY a
    SELECT degrees AS d, COUNT(*) FROM heat GROUP BY degrees | SELECT a AS d, COUNT(*) FROM samples WHERE a > 3 AND flag GROUP BY a
    SELECT * FROM tally                              | SELECT b AS place, COUNT(*) AS n, SUM(a) AS sum FROM samples WHERE a > 3 AND flag GROUP BY b
    SELECT n, n AS m FROM tally                      | SELECT b AS place, COUNT(*) AS n, COUNT(*) AS m FROM samples WHERE a > 3 AND flag GROUP BY b
    SELECT x AS place, place AS x, n FROM grid       | SELECT a AS place, b AS x, COUNT(*) AS n FROM samples GROUP BY a, b
    SELECT y AS v, COUNT(*) FROM twins GROUP BY x, x | SELECT a AS v, COUNT(*) FROM samples GROUP BY a
    SELECT sum AS s, place AS p FROM tally           | SELECT b AS p, SUM(a) AS s FROM samples WHERE a > 3 AND flag GROUP BY b
    """

  /// What is asked; code; line:column; what the message says, with $ for its end.
  @Test(arguments: cases(errors))
  func `what does not fit has its place`(_ row: [String]) throws {
    let definitions = try definitions(Self.town)
    let error = #expect(throws: SQLError.self) {
      if row[0].hasPrefix("SELECT") {
        _ = try parseView(row[0], in: TestCatalog(), definitions)
      } else {
        _ = try parseStatement(row[0], in: TestCatalog(), definitions)
      }
    }
    let found = try #require(error)
    #expect(found.code.rawValue == row[1])
    #expect("\(found.line):\(found.column)" == row[2], "\(found)")
    #expect((found.message + "$").contains(row[3]), "\(found)")
  }

  static let errors = """
    SELECT a FROM samples WHERE hott              | unknown_column | 1:29 | samples has no column hott; did you mean hot?
    SELECT a FROM heat                            | unknown_column | 1:8  | heat has no column a
    SELECT degree FROM heat                       | unknown_column | 1:8  | did you mean degrees?
    SELECT a FROM heet                            | unknown_table  | 1:15 | there is no table heet; did you mean heat?
    SELECT a FROM hot                             | unknown_table  | 1:15 | it is a filter, which stands behind WHERE
    SELECT a FROM haet                            | unknown_table  | 1:15 | there is no table haet; did you mean heat?
    SELECT a FROM samples WHERE heat              | unknown_column | 1:29 | samples has no column heat; it is a view, which stands behind FROM$
    SELECT degrees FROM heat WHERE north          | unknown_column | 1:32 | heat has no column north; it is a view, which stands behind FROM$
    SELECT Node FROM alerts WHERE hot             | unknown_column | 1:31 | in hot (1:1): alerts has no column a
    SELECT "Old One" AS x FROM samples            | unsupported    | 1:8  | in Old One (1:12): NOW() can stand behind WHERE only
    SELECT a + hot AS x FROM samples              | type           | 1:12 | is a bool, and + takes numbers
    SELECT COUNT(*) FROM heat GROUP BY twice      | unsupported    | 1:36 | twice is computed in heat, and GROUP BY takes columns of the table
    SELECT twice, COUNT(*) FROM heat GROUP BY twice | unsupported  | 1:43 | twice is computed in heat, and GROUP BY takes columns of the table
    SELECT twice AS t, COUNT(*) FROM heat GROUP BY b, twice | unsupported | 1:51 | twice is computed in heat, and GROUP BY
    SELECT degrees * 2 AS d, COUNT(*) FROM heat GROUP BY degrees, twice | unsupported | 1:63 | twice is computed in heat
    SELECT twice, COUNT(*) FROM heat GROUP BY b   | unsupported    | 1:8  | beside metrics only columns of GROUP BY
    SELECT degrees AS id FROM heat                | syntax         | 1:19 | id is a key column
    SELECT n FROM tally WHERE n > 3               | unsupported    | 1:29 | tally is a summary: its groups are not filtered
    SELECT COUNT(*) FROM tally                    | unsupported    | 1:8  | tally is a summary: its columns are selected as they are
    SELECT m FROM tally                           | unknown_column | 1:8  | tally has no column m; did you mean n?
    SELECT place FROM tally                       | unsupported    | 1:19 | select one of its metrics
    SELECT n, n FROM tally                        | syntax         | 1:11 | n is there twice; AS gives one of them another name
    SELECT n, sum AS n FROM tally                 | syntax         | 1:18 | n is there twice
    SELECT *, n FROM tally                        | syntax         | 1:11 | n is there twice
    SELECT n, place, place FROM tally             | syntax         | 1:18 | place is there twice
    SELECT n, place AS n FROM tally               | syntax         | 1:20 | n is there twice
    SELECT place AS x, place AS y, n FROM tally   | unsupported    | 1:29 | x is selected twice beside metrics, here as y
    SELECT *, place AS p FROM tally               | unsupported    | 1:20 | place is selected twice beside metrics, here as p
    SELECT n AS place FROM tally                  | syntax         | 1:13 | place is the name of a column of GROUP BY, too
    SELECT n, place AS x FROM grid                | syntax         | 1:20 | x is there twice, since GROUP BY columns are included
    SELECT x AS y, b AS z, COUNT(*), x AS b FROM twins GROUP BY x, b | unsupported | 1:39 | y is selected twice beside metrics, here as b
    SELECT COUNT(*) FROM twins GROUP BY x, y      | unsupported    | 1:40 | y is the same column as x, and GROUP BY takes it once
    SELECT y, COUNT(*) FROM twins                 | unsupported    | 1:8  | x stands beside metrics, so it must be in GROUP BY
    SELECT degrees, COUNT(*) FROM heat            | unsupported    | 1:8  | degrees stands beside metrics
    SELECT COUNT(*) FROM samples GROUP BY hott    | unknown_column | 1:39 | samples has no column hott$
    SELECT COUNT(*) FROM heat GROUP BY hott       | unknown_column | 1:36 | heat has no column hott$
    CREATE                                        | syntax         | 1:7  | found the end where FILTER or VIEW was expected
    DROP TABLE samples                            | syntax         | 1:6  | found TABLE where FILTER or VIEW was expected
    ALTER FILTER hot                              | syntax         | 1:1  | found ALTER where INSERT, UPDATE, DELETE, CREATE or DROP was expected
    CREATE FILTER hot AS a = 1                    | name           | 1:15 | there is a filter hot already; DROP it first
    CREATE VIEW hot AS SELECT a FROM samples      | name           | 1:13 | there is a filter hot already
    CREATE FILTER Node AS a = 1                   | name           | 1:15 | Node is a column of alerts
    CREATE VIEW samples AS SELECT a FROM samples  | name           | 1:13 | samples is a table
    CREATE VIEW alerts AS SELECT a FROM samples   | name           | 1:13 | alerts is a table
    CREATE FILTER samples AS a = 1                | name           | 1:15 | samples is a table
    CREATE FILTER "alerts" AS a = 1               | name           | 1:15 | alerts is a table
    CREATE FILTER Samples AS b                    | type           | 1:26 | b is an int, and a condition was expected
    CREATE FILTER x a = 1                         | syntax         | 1:17 | found a where AS was expected
    CREATE FILTER x AS a                          | type           | 1:20 | a is an int, and a condition was expected
    CREATE FILTER x AS a = 1 AND                  | syntax         | 1:29 | found the end
    CREATE FILTER x AS nothing = 1                | unknown_column | 1:20 | has no column nothing
    CREATE FILTER x AS x AND a = 1                | unknown_column | 1:20 | has no column x
    CREATE VIEW x AS SELECT a FROM x              | unknown_table  | 1:32 | there is no table x
    CREATE VIEW x AS a = 1                        | syntax         | 1:18 | found a where SELECT was expected
    CREATE VIEW x AS SELECT a FROM samples; more  | syntax         | 1:41 | found more where the end was expected
    DROP FILTER hott                              | name           | 1:13 | there is no filter hott; did you mean hot?
    DROP FILTER htoter                            | name           | 1:13 | there is no filter htoter; did you mean hotter?
    DROP VIEW talyl                               | name           | 1:11 | there is no view talyl; did you mean tally?
    DROP VIEW tallies                             | name           | 1:11 | there is no view tallies$
    DROP VIEW hot                                 | name           | 1:11 | there is no view hot; it is a filter$
    DROP FILTER heat                              | name           | 1:13 | there is no filter heat; it is a view$
    DROP VIEW worts                               | name           | 1:11 | there is no view worts$
    DROP FILTER hot                               | name           | 1:13 | hot is used by heat, hotter, north, …
    DROP VIEW heat                                | name           | 1:11 | heat is used by north, tally
    """

  @Test func `a definition keeps its text and knows what it stands on`() throws {
    let definitions = try definitions(Self.town)
    #expect(
      definitions.all.map(\.name) == ["Old One", "grid", "heat", "hot", "hotter", "north", "tally", "twins"])
    #expect(definitions["Old One"]?.text == "at < NOW() - INTERVAL '1 day'")
    #expect(definitions["north"]?.uses == ["heat", "hot"])
    #expect(definitions["hotter"]?.uses == ["Old One", "hot"])
    #expect(definitions.users(of: "Old One") == ["hotter"])
    let asked = try parseView("SELECT more FROM north WHERE hotter", in: TestCatalog(), definitions)
    #expect(asked.uses == ["Old One", "heat", "hot", "hotter", "north"])
  }

  @Test func `what is dropped is gone, and its name is free`() throws {
    var definitions = try definitions(Self.town)
    for name in [
      "VIEW grid", "VIEW twins", "VIEW tally", "VIEW north", "VIEW heat", "FILTER hotter", "FILTER hot",
    ] {
      definitions.apply(try parseStatement("DROP \(name)", in: TestCatalog(), definitions))
    }
    #expect(definitions.all.map(\.name) == ["Old One"])
    definitions.apply(
      try parseStatement("CREATE VIEW hot AS SELECT b FROM samples", in: TestCatalog(), definitions))
    #expect(
      try parseView("SELECT * FROM hot", in: TestCatalog(), definitions).text == "SELECT id, b FROM samples")
  }

  @Test func `definitions that were kept are restored in any order`() throws {
    let definitions = try definitions(Self.town)
    var restored = Definitions()
    for kept in definitions.all.reversed() {
      restored.insert(Definition(kind: kept.kind, name: kept.name, text: kept.text, uses: kept.uses))
    }
    #expect(restored == definitions)
    #expect(restored.bytes == definitions.bytes)
  }

  @Test func `names that double with each level are refused, not worked out`() throws {
    var (filters, sums) = (Definitions(), Definitions())
    filters.apply(try parseStatement("CREATE FILTER f0 AS flag", in: TestCatalog(), filters))
    sums.apply(try parseStatement("CREATE VIEW v0 AS SELECT a AS x FROM samples", in: TestCatalog(), sums))
    func grow(_ definitions: inout Definitions, _ sql: (Int) -> String) throws -> SQLError {
      for level in 1...200 {
        do {
          definitions.apply(try parseStatement(sql(level), in: TestCatalog(), definitions))
        } catch { return error }
      }
      throw SQLError(.limit, "never", line: 0, column: 0)
    }
    let first = try grow(&filters) { "CREATE FILTER f\($0) AS f\($0 - 1) = (f\($0 - 1) OR a = \($0))" }
    let second = try grow(&sums) { "CREATE VIEW v\($0) AS SELECT x + x AS x FROM v\($0 - 1)" }
    #expect(first.code == .limit && second.code == .limit, "\(first) \(second)")
  }
}
