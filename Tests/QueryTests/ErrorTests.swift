import Foundation
import Query
import Testing

struct ErrorTests {
  /// Text; code; line:column; what the message says, with $ for its end.
  @Test(arguments: cases(errors))
  func `an error has its place and says what would fit`(_ row: [String]) throws {
    let error = #expect(throws: SQLError.self) { _ = try view(row[0].replacing("⏎", with: "\n")) }
    let found = try #require(error)
    #expect(found.code.rawValue == row[1])
    #expect("\(found.line):\(found.column)" == row[2], "\(found)")
    #expect((found.message + "$").contains(row[3]), "\(found)")
  }

  static let errors = """
    SELECT                                          | syntax         | 1:7  | found the end where a column, a value or ( was expected
                                                    | syntax         | 1:1  | found the end where SELECT was expected
    SELEKT a FROM samples                           | syntax         | 1:1  | found SELEKT where SELECT was expected
    DELETE FROM samples                             | unsupported    | 1:1  | DELETE is no question
    EXPLAIN SELECT a FROM samples                   | unsupported    | 1:1  | EXPLAIN is no question
    SELECT a                                        | syntax         | 1:9  | found the end where FROM was expected
    SELECT a b FROM samples                         | syntax         | 1:10 | found b where AS, a comma or FROM was expected
    SELECT a, FROM samples                          | syntax         | 1:11 | found FROM where a column, a value or ( was expected
    SELECT a FROM                                   | syntax         | 1:14 | found the end where a table was expected
    SELECT a FROM sample                            | unknown_table  | 1:15 | there is no table sample; did you mean samples?
    SELECT a FROM nowhere                           | unknown_table  | 1:15 | there is no table nowhere
    SELECT A FROM samples                           | unknown_column | 1:8  | samples has no column A; did you mean a?
    SELECT a FROM sapmles                           | unknown_table  | 1:15 | did you mean samples?
    SELECT falg FROM samples                        | unknown_column | 1:8  | did you mean flag?
    SELECT glaf FROM samples                        | unknown_column | 1:8  | samples has no column glaf$
    SELECT flg FROM samples                         | unknown_column | 1:8  | did you mean flag?
    SELECT Sumary FROM alerts                       | unknown_column | 1:8  | alerts has no column Sumary; did you mean Summary?
    SELECT *⏎FROM alerts⏎WHERE Severty > 3           | unknown_column | 3:7  | did you mean Severity?
    SELECT * FROM samples WHERE s = "x"             | unknown_column | 1:33 | strings are written in single quotes
    SELECT * FROM samples WHERE                     | syntax         | 1:28 | found the end where a column, a value or (
    SELECT * FROM samples WHERE a                   | type           | 1:29 | a is an int, and a condition was expected, such as a <> 0
    SELECT * FROM samples WHERE s                   | type           | 1:29 | such as s <> ''
    SELECT * FROM samples WHERE a = 'x'             | type           | 1:33 | a is an int and 'x' is a string: they cannot be compared; numbers have no quotes
    SELECT * FROM samples WHERE s = 3               | type           | 1:33 | write '3' for a string
    SELECT * FROM samples WHERE flag = 2            | type           | 1:36 | a bool is TRUE or FALSE
    SELECT * FROM samples WHERE flag < up           | type           | 1:36 | conditions are equal or not
    SELECT * FROM samples WHERE a IN (1, 'x')       | type           | 1:38 | 'x' is a string
    SELECT * FROM samples WHERE a + 1 IN (1, b)     | unsupported    | 1:42 | the list takes constants only
    SELECT * FROM samples WHERE flag IN (up, TRUE)  | type           | 1:29 | flag is a bool, and IN takes numbers or strings
    SELECT * FROM samples WHERE a BETWEEN 1 OR 2    | syntax         | 1:41 | found OR where AND was expected
    SELECT * FROM samples WHERE a BETWEEN 'x' AND 2 | type           | 1:39 | 'x' is a string
    SELECT * FROM samples WHERE a LIKE 'x%'         | type           | 1:29 | a is an int, and LIKE takes strings
    SELECT * FROM samples WHERE s LIKE t            | unsupported    | 1:36 | the pattern of LIKE is a constant string, and t is none
    SELECT * FROM samples WHERE s LIKE 'x' ESCAPE '!!' | type        | 1:47 | ESCAPE takes one character, and '!!' is none
    SELECT * FROM samples WHERE s LIKE 'x' ESCAPE t | type           | 1:47 | ESCAPE takes one character, and t is none
    SELECT * FROM samples WHERE s LIKE 'x!' ESCAPE '!' | syntax      | 1:36 | the pattern ends in its ESCAPE character
    SELECT * FROM samples WHERE s NOT = 'x'         | syntax         | 1:35 | found = where IN, BETWEEN or LIKE was expected
    SELECT * FROM samples WHERE s + 1 > 2           | type           | 1:29 | s is a string, and + takes numbers
    SELECT * FROM samples WHERE -flag = 1           | type           | 1:30 | flag is a bool, and - takes numbers
    SELECT * FROM samples WHERE s = NULL            | unsupported    | 1:33 | there is no NULL here
    SELECT * FROM samples WHERE s IS NOT NULL       | unsupported    | 1:31 | there is no NULL here
    SELECT * FROM samples WHERE a IS 3              | unsupported    | 1:31 | = and <> do the same
    SELECT * FROM samples WHERE (a = 1              | syntax         | 1:35 | found the end where an operator or ) was expected
    SELECT * FROM samples WHERE a = 1)              | syntax         | 1:34 | found ) where the end was expected
    SELECT * FROM samples WHERE a IN 1              | syntax         | 1:34 | found 1 where ( and a list of values was expected
    SELECT * FROM samples WHERE a = 1 b             | syntax         | 1:35 | found b where the end was expected
    SELECT * FROM samples WHERE s = 'x              | syntax         | 1:33 | this string has no end
    SELECT * FROM samples WHERE s = 'Größe' AND x=1 | unknown_column | 1:45 | samples has no column x
    SELECT * FROM samples WHERE s = '🔔🔔' AND x=1    | unknown_column | 1:42 | samples has no column x
    SELECT * FROM samples /* oh                     | syntax         | 1:23 | this comment has no end
    SELECT * FROM samples WHERE s = U&'\\00G0'       | syntax         | 1:33 | followed by 4 hexadecimal digits, + and 6, or
    SELECT * FROM samples WHERE s = U&'\\+1F51'      | syntax         | 1:33 | followed by 4 hexadecimal digits, + and 6, or
    SELECT * FROM samples WHERE s = U&'\\D800'       | syntax         | 1:33 | \\D800 is half of a surrogate pair, and no character by itself; \\+ and 6 digits name any
    SELECT * FROM samples WHERE s = U&'\\D83D\\DD14'  | syntax         | 1:33 | \\D83D is half of a surrogate pair
    SELECT * FROM samples WHERE U&"\\+00dfff" = 1    | syntax         | 1:29 | \\+00dfff is half of a surrogate pair
    SELECT * FROM samples WHERE s = U&'\\+110000'    | syntax         | 1:33 | \\+110000 is no character: the last one is \\+10FFFF
    SELECT * FROM samples WHERE s = U&'a\\0000'      | syntax         | 1:33 | U+0000 cannot stand in a string
    SELECT * FROM samples WHERE a = 12x             | syntax         | 1:33 | a number runs into letters: 12x
    SELECT * FROM samples WHERE a = #               | syntax         | 1:33 | # has no meaning here
    SELECT samples.a FROM samples                   | syntax         | 1:15 | names have no dots
    SELECT [a] FROM samples                         | syntax         | 1:8  | "in double quotes"
    SELECT select FROM samples                      | unsupported    | 1:8  | a SELECT inside another
    SELECT a AS group FROM samples                  | syntax         | 1:13 | a name that is a keyword is written "group"
    SELECT * FROM samples ORDER BY a                | unsupported    | 1:23 | ORDER is not supported
    SELECT * FROM samples LIMIT 3                   | unsupported    | 1:23 | LIMIT is not supported
    SELECT DISTINCT a FROM samples                  | unsupported    | 1:8  | DISTINCT is not supported
    SELECT SUM(DISTINCT a) FROM samples             | unsupported    | 1:8  | only COUNT takes DISTINCT
    SELECT * FROM samples WHERE COUNT(DISTINCT a) > 3 | unsupported  | 1:29 | COUNT stands alone behind SELECT
    SELECT COUNT(DISTINCT a, b) FROM samples        | syntax         | 1:24 | found , where an operator or ) was expected
    SELECT QUANTILE(a) FROM samples                 | type           | 1:8  | QUANTILE takes 2 arguments, and 1 are given
    SELECT QUANTILE(a, 99) FROM samples             | type           | 1:20 | QUANTILE takes a part from 0 to 1, such as 0.99, and 99 is none
    SELECT QUANTILE(a, -0.5) FROM samples           | type           | 1:20 | such as 0.99, and -0.5 is none
    SELECT QUANTILE(a, b) FROM samples              | type           | 1:20 | b is an int, and QUANTILE takes a constant number here
    SELECT QUANTILE(s, 0.5) FROM samples            | type           | 1:17 | s is a string, and QUANTILE takes numbers or times$
    SELECT HISTOGRAM(flag, 1, 2) FROM samples       | type           | 1:18 | flag is a bool, and HISTOGRAM takes numbers or times$
    SELECT HISTOGRAM(a) FROM samples                | type           | 1:8  | HISTOGRAM takes 2 arguments or more, and 1 are given
    SELECT HISTOGRAM(a, 1, 2, 2.0) FROM samples     | type           | 1:27 | the bounds of a HISTOGRAM ascend, and 2 stands behind 2
    SELECT HISTOGRAM(a, 1, 2.5, -2) FROM samples    | type           | 1:29 | the bounds of a HISTOGRAM ascend, and -2 stands behind 2.5
    SELECT CASE WHEN flag THEN 1 FROM samples       | syntax         | 1:30 | found FROM where an operator, WHEN, ELSE or END was expected
    SELECT CASE flag ELSE 1 END FROM samples        | syntax         | 1:18 | found ELSE where WHEN was expected
    SELECT CASE WHEN flag 1 END FROM samples        | syntax         | 1:23 | found 1 where THEN was expected
    SELECT CASE WHEN flag THEN 1 ELSE 2 3 END FROM samples | syntax  | 1:37 | found 3 where an operator or END was expected
    SELECT CASE WHEN a THEN 1 END AS x FROM samples | type           | 1:18 | a is an int, and a condition was expected
    SELECT CASE s WHEN 1 THEN 1 END AS x FROM samples | type         | 1:20 | s is a string and 1 is an int
    SELECT CASE WHEN flag THEN 1 ELSE 'x' END FROM samples | type    | 1:35 | 'x' is a string, and another branch of this CASE, 1 is an int: all are of one type
    SELECT CASE WHEN flag THEN a ELSE r END FROM samples | type      | 1:28 | a is an int, and another branch
    SELECT CASE WHEN flag THEN s ELSE at + at END FROM samples | type | 1:38 | at + at is an int, and another branch
    SELECT CASE WHEN flag THEN NULL END FROM samples | unsupported   | 1:28 | there is no NULL here
    SELECT * FROM samples WHERE at < INTERVAL '5'   | syntax         | 1:43 | an interval is a number and a unit, such as '5 minutes'
    SELECT * FROM samples WHERE at < INTERVAL 'x minutes' | syntax   | 1:43 | an interval begins with a whole number, and x is none
    SELECT * FROM samples WHERE at < INTERVAL '5 minuts' | syntax    | 1:43 | minuts is no unit of an interval; did you mean minutes?; there are ms
    SELECT * FROM samples WHERE at < INTERVAL '999999999999999 days' | syntax | 1:43 | the interval has more milliseconds
    SELECT * FROM samples WHERE at < INTERVAL 5     | syntax         | 1:43 | found 5 where a string was expected, such as INTERVAL '5 minutes'
    SELECT * FROM samples WHERE at - NOW() > 5      | unsupported    | 1:34 | NOW() stands only in comparisons such as at < NOW() - INTERVAL '5 minutes'
    SELECT * FROM samples WHERE a < NOW()           | type           | 1:29 | a is an int, and NOW() is compared with a time column, as in at <
    SELECT * FROM samples WHERE at + 5 < NOW()      | type           | 1:32 | at + 5 is a time
    SELECT * FROM samples WHERE at < NOW() - a      | unsupported    | 1:42 | to NOW() only a constant is added, such as INTERVAL '5 minutes'
    SELECT * FROM samples WHERE at < 2 * NOW()      | unsupported    | 1:38 | NOW() stands only
    SELECT * FROM samples WHERE NOW() < NOW()       | unsupported    | 1:29 | NOW() stands only
    SELECT * FROM samples WHERE at < NOW(3)         | type           | 1:38 | NOW takes no arguments
    SELECT at < NOW() AS old FROM samples           | unsupported    | 1:13 | NOW() can stand behind WHERE only
    SELECT NOW() AS t FROM samples                  | unsupported    | 1:8  | NOW() stands only
    SELECT SUM(CASE WHEN at < NOW() THEN 1 END) FROM samples | unsupported | 1:27 | NOW() can stand behind WHERE only
    SELECT SUMM(a) FROM samples                     | unsupported    | 1:8  | there is no function SUMM; did you mean SUM?
    SELECT CAST(s AS INT) FROM samples              | unsupported    | 1:8  | there is no function CAST$
    SELECT * FROM samples WHERE LOWER(CAST(s AS INT)) = '1' | unsupported | 1:35 | there is no function CAST$
    SELECT sumn(a b) FROM samples                   | unsupported    | 1:8  | there is no function SUMN; did you mean SUM?
    SELECT lower(s t) FROM samples                  | syntax         | 1:16 | found t where a comma or ) was expected
    SELECT quantile(a b) FROM samples               | syntax         | 1:19 | found b where a comma or ) was expected
    SELECT * FROM samples WHERE at < now(           | syntax         | 1:38 | found the end where a column, a value or (
    SELECT trim(NULL) FROM samples                  | unsupported    | 1:13 | there is no NULL here
    SELECT SUM(s) FROM samples                      | type           | 1:12 | s is a string, and SUM takes numbers$
    SELECT MIN(flag) FROM samples                   | type           | 1:12 | MIN takes numbers, times or strings$
    SELECT SUM(a, b) FROM samples                   | type           | 1:8  | SUM takes 1 argument, and 2 are given
    SELECT SUM(*) FROM samples                      | syntax         | 1:8  | only COUNT takes *
    SELECT SUM(a) / 2 FROM samples                  | unsupported    | 1:8  | SUM stands alone behind SELECT
    SELECT * FROM samples WHERE COUNT(*) > 3        | unsupported    | 1:29 | COUNT stands alone behind SELECT
    SELECT a, COUNT(*) FROM samples                 | unsupported    | 1:8  | a stands beside metrics, so it must be in GROUP BY
    SELECT a + 1, COUNT(*) FROM samples GROUP BY a  | unsupported    | 1:10 | beside metrics only columns of GROUP BY
    SELECT a + 1 AS c, COUNT(*) FROM samples GROUP BY c | unsupported | 1:51 | c is computed behind SELECT, and GROUP BY takes columns of the table
    SELECT a + 1 AS b, COUNT(*) FROM samples GROUP BY b | unsupported | 1:17 | beside metrics only columns of GROUP BY
    SELECT a, a AS c, COUNT(*) FROM samples GROUP BY a | unsupported | 1:16 | a is selected twice beside metrics
    SELECT a AS b, COUNT(*) FROM samples GROUP BY a, b | syntax      | 1:13 | b is there twice
    SELECT COUNT(*) AS a FROM samples GROUP BY a    | syntax         | 1:20 | a is the name of a column of GROUP BY, too
    SELECT a FROM samples GROUP BY a                | unsupported    | 1:32 | GROUP BY needs a metric
    SELECT COUNT(*) FROM samples GROUP BY c         | unknown_column | 1:39 | samples has no column c
    SELECT a, a FROM samples                        | syntax         | 1:11 | a is there twice; AS gives one of them another name
    SELECT *, a FROM samples                        | syntax         | 1:11 | a is there twice
    SELECT a AS id FROM samples                     | syntax         | 1:13 | id is a key column and always in the records
    SELECT LENGTH(s, t) FROM samples                | type           | 1:8  | LENGTH takes 1 argument, and 2 are given
    SELECT SUBSTR(s, 1.5) FROM samples              | type           | 1:18 | SUBSTR takes an int here
    """

  private func columns(_ count: Int) -> String {
    "SELECT " + (1...count).map { "a AS n\($0)" }.joined(separator: ", ") + " FROM samples"
  }

  @Test func `what is too large is refused with the limit's name`() throws {
    func error(_ sql: String) -> SQLError? { #expect(throws: SQLError.self) { _ = try view(sql) } }
    let start = "SELECT * FROM samples WHERE "
    let cases: [(String, String)] = [
      (start + String(repeating: "(", count: 30_000), "nested deeper than 100 levels"),
      (start + String(repeating: "NOT ", count: 10_000) + "flag", "nested deeper than 100 levels"),
      (start + "a = " + String(repeating: "- ", count: 10_000) + "1", "nested deeper than 100 levels"),
      (start + "a" + String(repeating: "+a", count: 20_000) + " > 1", "nested deeper than 100 levels"),
      (start + "flag" + String(repeating: "=flag", count: 10_000), "nested deeper than 100 levels"),
      (start + "a=1" + String(repeating: " OR b=1", count: 1000), "more than 1000 comparisons"),
      (start + "a IN (1" + String(repeating: ",1", count: 10_000) + ")", "more than 10000 values in a list"),
      ("SELECT a" + String(repeating: ",a", count: 512) + " FROM samples", "more than 512 columns"),
      (columns(512), "more than 512 columns behind SELECT, with those of the key and of GROUP BY"),
      (
        "SELECT COUNT(*) FROM samples GROUP BY a" + String(repeating: ",a", count: 32), "more than 32 columns"
      ),
      ("SELECT a AS " + String(repeating: "n", count: 257) + " FROM samples", "a name is longer than 256"),
      ("SELECT a IN (" + (0..<200).map { "\($0 * 2)" }.joined(separator: ",") + ") FROM samples", "AS gives"),
      (start + "a = " + String(repeating: "- ", count: 80) + "b", "canonical form is too large: nested"),
      (start + "a IN (" + (0..<2_000).map { "\($0 * 3),b" }.joined(separator: ",") + ")", "comparisons"),
      (
        start + "s > 'é' AND s NOT IN (" + (0..<6_000).map { "'é\($0)'" }.joined(separator: ",") + ")",
        "canonical"
      ),
      (start + String(repeating: " ", count: 70_000), "longer than 65536 bytes"),
    ]
    for (sql, message) in cases {
      let found = try #require(error(sql))
      #expect(found.code == .limit)
      #expect(found.message.contains(message), "\(found)")
    }
  }

  /// Each character becomes five in the canonical text.
  @Test func `a canonical form too large is told at the part of the query that has it`() throws {
    let wide = "'" + String(repeating: "Ü", count: 20_000) + "'"
    func error(_ sql: String, _ definitions: Definitions = Definitions()) -> String {
      let error = #expect(throws: SQLError.self) { _ = try parseView(sql, in: TestCatalog(), definitions) }
      return error?.description ?? ""
    }
    let fault = "the canonical form is too large: the text is longer than 65536 bytes"
    #expect(error("SELECT id FROM samples\nWHERE s LIKE \(wide)") == "SQL 2:9: behind WHERE \(fault)")
    #expect(error("SELECT\n  \(wide) || s AS x FROM samples WHERE a = 1").hasPrefix("SQL 2:"))
    #expect(error("SELECT \(wide) || s AS x FROM samples WHERE a = 1").hasSuffix(": behind SELECT \(fault)"))
    let half = "'" + String(repeating: "Ü", count: 7_000) + "'"
    var definitions = Definitions()
    definitions.apply(
      try parseStatement(
        "CREATE VIEW v AS SELECT s FROM samples WHERE t <> \(half)", in: TestCatalog(), definitions))
    let twice = error("SELECT s || \(half) AS x FROM v", definitions)
    #expect(twice.hasSuffix(": behind FROM \(fault)"), "\(twice)")
    let filter = #expect(throws: SQLError.self) {
      _ = try parseStatement("CREATE FILTER f AS s LIKE \(wide)", in: TestCatalog(), Definitions())
    }
    #expect(filter?.description == "SQL 1:22: behind AS \(fault)")
    let view = #expect(throws: SQLError.self) {
      _ = try parseStatement(
        "CREATE VIEW f AS SELECT s FROM samples WHERE s LIKE \(wide)", in: TestCatalog(), Definitions())
    }
    #expect(view?.description == "SQL 1:48: behind WHERE \(fault)")
  }

  @Test func `what is just within the limits is read`() throws {
    let start = "SELECT * FROM samples WHERE "
    let deep = String(repeating: "(", count: 99) + "flag" + String(repeating: ")", count: 99)
    #expect(try view(start + deep).filterText == "samples WHERE flag")
    #expect(try view(columns(511)).recordColumns.count == 512)
    let nested = (0..<48).reduce("flag") { inner, i in "(\(inner)) = (a > \(i))" }
    _ = try view(start + nested)
    let wide = (0..<1000).map { "a = \($0 * 2)" }.joined(separator: " OR ")
    let list = (0..<1000).map { "\($0 * 2)" }.joined(separator: ", ")
    #expect(try view(start + wide).filterText == "samples WHERE a IN (\(list))")
    // Taken apart into ANDs and ORs this would have 90,000 bytes.
    let sets = ["s", "t", "LOWER(s)"].map { value in
      "(\(value) IN ("
        + ["x", "y", "z"].map { "'" + String(repeating: $0, count: 2_500) + "'" }
        .joined(separator: ", ") + "))"
    }
    _ = try view(start + "\(sets[0]) = (\(sets[1]) = \(sets[2]))")
    let long = (0..<10_000).map { "\($0 % 1000)" }.joined(separator: ",")
    #expect(try view(start + "a IN (\(long))").filterText == "samples WHERE a BETWEEN 0 AND 999")
  }

  @Test func `the deepest query is read on a small stack`() {
    let finished = DispatchSemaphore(value: 0)
    let thread = Thread {
      let start = "SELECT * FROM samples WHERE "
      let inner = (0..<48).reduce("flag") { inner, i in "(\(inner)) = (a > \(i))" }
      let nots = String(repeating: "NOT (", count: 49) + "flag" + String(repeating: ")", count: 49)
      let sums = (0..<98).reduce("a") { inner, _ in "\(inner) + b" } + " > 3"
      let cases = (0..<48).reduce("a") { inner, i in "CASE WHEN \(inner) > \(i) THEN b ELSE a END" } + " > 3"
      for filter in [inner, nots, sums, cases] { _ = try? view(start + filter).text }
      finished.signal()
    }
    thread.stackSize = 2 << 20
    thread.start()
    finished.wait()
  }

  @Test func `a message does not repeat a long text`() throws {
    let name = String(repeating: "x", count: 60_000)
    let error = #expect(throws: SQLError.self) { _ = try view("SELECT \(name) FROM samples") }
    #expect(try #require(error).message.count < 400)
  }
}
