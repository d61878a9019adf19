import Events
import Query
import Testing

struct ChangeTests {
  static let now: Int64 = 1_700_000_000_000

  private func change(_ sql: String, _ definitions: Definitions = Definitions()) throws(SQLError)
    -> ChangeStatement
  {
    try parseChange(sql, in: TestCatalog(), definitions, now: Self.now)
  }

  /// What is written; what goes to the shards.
  @Test(arguments: cases(texts))
  func `a change has one canonical text, which reads back as itself`(_ row: [String]) throws {
    let change = try change(row[0])
    #expect(change.text == row[1])
    #expect(try self.change(change.text).text == change.text)
    #expect(
      try parseChange(change.text, in: TestCatalog(), now: 0).text == change.text, "no clock is left in it")
  }

  static let texts = """
    UPDATE samples SET a = 1                                | UPDATE samples SET a = 1
    update samples set b = a + 1, a = 2 where a > 3;        | UPDATE samples SET a = 2, b = 1 + a WHERE a >= 4
    UPDATE samples SET a = 4.0, r = 7, at = 5e3             | UPDATE samples SET a = 4, r = 7.0, at = 5000
    UPDATE samples SET flag = 1, up = a > 3 AND flag        | UPDATE samples SET flag = TRUE, up = a >= 4 AND flag
    UPDATE samples SET flag = b = 1                         | UPDATE samples SET flag = b = 1
    UPDATE samples SET r = r * 2 + a, a = at                | UPDATE samples SET a = at, r = (2 * r) + a
    UPDATE samples SET "select" = 1, "Grüße" = 2            | UPDATE samples SET U&"Gr\\00FC\\00DFe" = 2, "select" = 1
    UPDATE samples SET a = CASE WHEN b > 3 THEN 1 ELSE 2 END | UPDATE samples SET a = CASE WHEN b >= 4 THEN 1 ELSE 2 END
    UPDATE samples SET at = NOW() + INTERVAL '1 hour'       | UPDATE samples SET at = 1700003600000
    UPDATE samples SET a = NOW() / 1000 WHERE at < now() - INTERVAL '5 minutes' | UPDATE samples SET a = 1700000000 WHERE at <= 1699999699999
    DELETE FROM samples                                     | DELETE FROM samples
    DELETE FROM samples WHERE NOW() - at > 1000 AND b = 1   | DELETE FROM samples WHERE (1700000000000 - at) > 1000 AND b = 1
    DELETE FROM samples WHERE id IN ('b', 'a') AND 1 = 1    | DELETE FROM samples WHERE id IN ('a', 'b')
    DELETE FROM samples WHERE a > 5 AND a < 3               | DELETE FROM samples WHERE FALSE
    """

  @Test func `names are expanded, NOW() in them too, and said`() throws {
    var definitions = Definitions()
    for sql in ["CREATE FILTER hot AS a > 3", "CREATE FILTER stale AS hot AND at < NOW() - 1000"] {
      definitions.apply(try parseStatement(sql, in: TestCatalog(), definitions))
    }
    let change = try change("UPDATE samples SET b = 1, flag = hot WHERE stale", definitions)
    #expect(
      change.text
        == "UPDATE samples SET b = 1, flag = a >= 4 WHERE a >= 4 AND at <= 1699999998999")
    #expect(change.uses == ["hot", "stale"])
  }

  @Test func `rows that are inserted are constants of their columns' types`() throws {
    let change = try change(
      """
      INSERT INTO samples (id, a, r, flag, at, s) VALUES
        ('x' || 'y', -7, 2, 0, NOW(), ''), (LOWER('Z'), 2 * 3.0, .5, 1 = 1, 9, UPPER('ü''s'))
      """)
    guard case .insert(let rows) = change.kind else { throw Wrong() }
    #expect(rows.map { $0.map(\.column) } == [[0, 1, 3, 6, 8, 4], [0, 1, 3, 6, 8, 4]])
    #expect(
      rows.map { $0.map(\.value) } == [
        [.string("xy"), .int(-7), .real(2), .bool(false), .time(Self.now), .string("")],
        [.string("z"), .int(6), .real(0.5), .bool(true), .time(9), .string("ü'S")],
      ])
  }

  private struct Wrong: Error {}

  /// What is asked; code; line:column; what the message says, with $ for its end.
  @Test(arguments: cases(errors))
  func `what does not fit has its place`(_ row: [String]) throws {
    var definitions = Definitions()
    for sql in ["CREATE FILTER hot AS a > 3", "CREATE VIEW heat AS SELECT a FROM samples"] {
      definitions.apply(try parseStatement(sql, in: TestCatalog(), definitions))
    }
    let error = #expect(throws: SQLError.self) { _ = try change(row[0], definitions) }
    let found = try #require(error)
    #expect(found.code.rawValue == row[1], "\(found)")
    #expect("\(found.line):\(found.column)" == row[2], "\(found)")
    #expect((found.message + "$").contains(row[3]), "\(found)")
  }

  static let errors = """
    UPDATE                                        | syntax         | 1:7  | found the end where a table was expected
    UPDATE sample SET a = 1                       | unknown_table  | 1:8  | there is no table sample; did you mean samples?
    UPDATE heat SET a = 1                         | unknown_table  | 1:8  | heat is a view; rows are changed in their table
    UPDATE samples a = 1                          | syntax         | 1:16 | found a where SET was expected
    UPDATE samples SET a + 1                      | syntax         | 1:22 | found + where = was expected
    UPDATE samples SET a = 1 b = 2                | syntax         | 1:26 | found b where the end was expected
    UPDATE samples SET a = 1, WHERE a = 1         | syntax         | 1:27 | found WHERE where a column was expected
    UPDATE samples SET a = 1 WHERE                | syntax         | 1:31 | found the end
    UPDATE samples SET aa = 1                     | unknown_column | 1:20 | samples has no column aa; did you mean a?
    UPDATE samples SET hott = 1                   | unknown_column | 1:20 | samples has no column hott$
    UPDATE samples SET flag = hott                | unknown_column | 1:27 | samples has no column hott; did you mean hot?
    INSERT INTO samples (id, hott) VALUES ('', 1) | unknown_column | 1:26 | samples has no column hott$
    UPDATE samples SET a = c                      | unknown_column | 1:24 | samples has no column c
    UPDATE samples SET a = 1, a = 2               | syntax         | 1:27 | a is given twice
    UPDATE samples SET id = 'x'                   | unsupported    | 1:20 | id is of the row's key, which stays
    UPDATE samples SET a = 'x'                    | type           | 1:24 | 'x' is a string, and a takes an int
    UPDATE samples SET s = 1                      | type           | 1:24 | 1 is an int, and s takes a string
    UPDATE samples SET a = 1.5                    | type           | 1:24 | a takes whole numbers, and 1.5 is none
    UPDATE samples SET a = 1e30                   | type           | 1:24 | beyond 2^53, where reals have gaps
    UPDATE samples SET a = 9223372036854775808    | type           | 1:24 | beyond 2^53
    UPDATE samples SET r = 1e999                  | type           | 1:24 | too large for r, a real
    UPDATE samples SET a = r                      | type           | 1:24 | r is a real, and a takes an int
    UPDATE samples SET a = b = 1                  | type           | 1:26 | is a bool, and a takes an int
    UPDATE samples SET flag = 2                   | type           | 1:27 | 2 is an int, and flag takes a bool
    UPDATE samples SET a = COUNT(*)               | unsupported    | 1:24 | COUNT stands alone behind SELECT
    UPDATE samples SET a = NOW(1)                 | type           | 1:28 | NOW takes no arguments
    UPDATE samples SET a = NULL                   | unsupported    | 1:24 | there is no NULL here
    UPDATE samples SET a = 1 ORDER BY b           | unsupported    | 1:26 | ORDER is not supported: a change is UPDATE … SET … WHERE …
    UPDATE samples SET a = 1 LIMIT 3              | unsupported    | 1:26 | LIMIT is not supported
    UPDATE samples SET a = 1; DELETE FROM samples | syntax         | 1:27 | found DELETE where the end was expected
    UPDATE samples SET a = 1 WHERE b              | type           | 1:32 | b is an int, and a condition was expected
    DELETE samples                                | syntax         | 1:8  | found samples where FROM was expected
    DELETE FROM samples WHERE warm                | unknown_column | 1:27 | samples has no column warm
    INSERT samples (a) VALUES (1)                 | syntax         | 1:8  | found samples where INTO was expected
    INSERT INTO samples VALUES ('x')              | syntax         | 1:21 | found VALUES where ( and the columns that have values was expected
    INSERT INTO samples (id) SELECT               | unsupported    | 1:26 | rows come from VALUES, not from a SELECT
    INSERT INTO samples (id, a) VALUES ('x')      | syntax         | 1:36 | the row has 1 values for 2 columns
    INSERT INTO samples (a) VALUES (1)            | syntax         | 1:22 | id, of the row's key, is not among the columns
    INSERT INTO samples (id, id) VALUES ('x', 'y') | syntax        | 1:26 | id is given twice
    INSERT INTO samples (id, a) VALUES ('x', a)   | unsupported    | 1:42 | VALUES takes constants
    INSERT INTO samples (id, flag) VALUES ('x', hot) | unsupported | 1:45 | VALUES takes constants
    INSERT INTO samples (id) VALUES ('x'), ('')   | type           | 1:40 | the row's key is empty
    INSERT INTO samples (id) VALUES ('x') 7       | syntax         | 1:39 | found 7 where the end was expected
    INSERT INTO samples (id) VALUES ()            | syntax         | 1:34 | found ) where
    """

  @Test func `a change too large is refused with its limit`() {
    let rows = String(repeating: "(1),", count: QueryLimits.insertRowsMax) + "(1)"
    let many = #expect(throws: SQLError.self) { try change("INSERT INTO samples (id) VALUES \(rows)") }
    #expect(many?.code == .limit)
    let long = String(repeating: " ", count: QueryLimits.textBytesMax)
    let text = #expect(throws: SQLError.self) { try change("DELETE FROM samples\(long)") }
    #expect(text?.code == .limit)
    // Each character becomes five in the canonical text.
    let wide = String(repeating: "Ü", count: 20_000)
    let canonical = #expect(throws: SQLError.self) { try change("UPDATE samples SET s = '\(wide)'") }
    #expect(
      canonical?.description
        == "SQL 1:20: behind SET the canonical form is too large: the text is longer than 65536 bytes")
    let condition = #expect(throws: SQLError.self) {
      try change("UPDATE samples SET a = 1\nWHERE s = '\(wide)'")
    }
    #expect(condition?.line == 2 && condition?.message.hasPrefix("behind WHERE the canonical") == true)
    let all = #expect(throws: SQLError.self) { try change("DELETE FROM samples WHERE s = '\(wide)'") }
    #expect(all?.message.hasPrefix("behind WHERE the canonical") == true)
  }

  @Test(arguments: [
    ("UPDATE x", true), (" \t\r\n\u{C}insert", true), ("/* a * / */ -- b\n Delete(", true), ("DELETE", true),
    ("UPDATE_x", false), ("UPDATE1", false), ("UPDATE$", false), ("UPDATEÜ", false), ("\"UPDATE\"", false),
    ("-- UPDATE", false), ("/* UPDATE", false), ("", false), ("CREATE FILTER", false), ("(UPDATE", false),
  ])
  func `the first word says whether it is a change`(sql: String, answer: Bool) {
    #expect(isChange(sql) == answer)
  }
}
