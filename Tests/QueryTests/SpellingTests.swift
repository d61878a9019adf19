import Events
import Query
import Testing

struct SpellingTests {
  @Test(arguments: cases(meeting))
  func `spellings of one filter meet`(_ row: [String]) throws {
    #expect(try canonicalText(row[0]) == canonicalText(row[1]))
  }

  static let meeting = """
    a > 3                              | a >= 4
    NOT a < 4                          | a >= 4
    3 < a                              | a > 3
    a = 1 OR a = 2                     | a IN (1,2)
    a IN (2, 1, 2)                     | a IN (1, 2)
    a IN (1)                           | a = 1
    a BETWEEN 1 AND 5                  | a >= 1 AND a <= 5
    a BETWEEN 1 AND 5                  | a > 0 AND 6 > a
    NOT (a BETWEEN 1 AND 5)            | a < 1 OR a > 5
    a NOT BETWEEN 1 AND 5              | a < 1 OR a >= 6
    a NOT IN (1, 2)                    | a <> 1 AND a <> 2
    s LIKE 'x'                         | s = 'x'
    s LIKE 'x!%' ESCAPE '!'            | s = 'x%'
    s LIKE '%'                         | TRUE
    s LIKE '%%a'                       | s LIKE '%a'
    s LIKE '%_%_'                      | s LIKE '__%'
    NOT s LIKE 'p%'                    | s NOT LIKE 'p%'
    NOT NOT a = 1                      | a = 1
    a > 3.5                            | a >= 4
    a >= 3.5                           | a > 3
    a = 3.5                            | FALSE
    a <> 3.5                           | TRUE
    a = 4.0                            | a = 4
    r = 4.0                            | r = 4
    a == 4                             | a = 4
    a != 4                             | a <> 4
    a = 1 AND b = 2                    | b = 2 AND a = 1
    a = 1 AND (b = 2 AND s = 'x')      | (s = 'x' AND a = 1) AND b = 2
    a = 1 AND a = 1                    | a = 1
    a = 1 AND a = 2                    | FALSE
    a < 5 OR a >= 5                    | TRUE
    a <= 9223372036854775807           | TRUE
    a > 9223372036854775807            | FALSE
    a >= -9223372036854775808          | TRUE
    a < 1e19                           | TRUE
    a > 1e999                          | FALSE
    a > 2 AND a > 3                    | a >= 4
    a IN (1, 2, 3)                     | a BETWEEN 1 AND 3
    a IN (1, 2) AND a > 1              | a = 2
    NOT (a = 1 AND b = 2)              | a <> 1 OR b <> 2
    NOT (a = 1 OR s LIKE 'p%')         | a <> 1 AND s NOT LIKE 'p%'
    a = 1 OR FALSE                     | a = 1
    a = 1 AND TRUE                     | a = 1
    a = 1 AND 1 = 2                    | FALSE
    a = 2 + 3 * 4                      | a = 14
    a + b = 3                          | b + a = 3
    a < b                              | b > a
    NOT a < b                          | a >= b
    a <= b AND a >= b                  | a = b
    a < b OR a > b                     | NOT b = a
    a = a                              | TRUE
    a < a                              | FALSE
    flag = TRUE                        | flag
    flag = FALSE                       | NOT flag
    flag <> 1                          | NOT flag
    flag AND NOT flag                  | FALSE
    flag OR NOT flag                   | TRUE
    flag = up                          | up = flag
    (NOT flag) = up                    | flag <> up
    (a > 3) = flag                     | flag = (a >= 4)
    a = 1 AND (a = 1 OR b = 2)         | a = 1
    flag OR (flag AND b = 2)           | flag
    s >= ''                            | TRUE
    s <= ''                            | s = ''
    s IN ('b', 'a')                    | s = 'a' OR s = 'b'
    s = 'it''s' /* one */              | /* another */ 'it''s' = s
    "a" = 1                            | (((a))) = 1
    a <> 1 = FALSE AND 1 = 1           | a = 1
    LOWER('ABC') = s                   | s = 'abc'
    a IN (b, 1)                        | b = a OR a = 1
    a = 1 OR a > 5 OR a = 2            | a IN (1, 2) OR 5 < a
    at > 1000 and b = 5                | b = 5 aNd at >= 1001
    s = U&'\\0041'                     | s = 'A'
    flag AND a > 3 OR flag AND a <= 3  | flag
    a < 3 AND flag OR a >= 3 AND flag  | flag
    flag AND (up OR NOT flag)          | flag AND up
    flag OR NOT flag AND up            | flag OR up
    a > 3 OR a > 5 AND flag            | a > 3
    a > 5 AND (a > 3 OR flag)          | a > 5
    a > 3 AND flag OR a > 5 AND NOT flag | a > 3 AND (flag OR a > 5)
    a < 3 AND (b = 1 OR a < 5)         | a < 3
    flag AND up OR NOT flag AND b = 1 OR up AND b = 1 | NOT flag AND b = 1 OR flag AND up
    (flag OR a = 1) AND (flag OR b = 2) | flag OR a = 1 AND b = 2
    flag AND a = 1 OR flag AND b = 2   | flag AND (a = 1 OR b = 2)
    (flag OR up) AND (NOT flag OR NOT up) | flag <> up
    flag <> up                         | NOT (flag AND up OR NOT flag AND NOT up)
    (flag = up) = (a = 1)              | flag = (up = (a = 1))
    a = 1 AND flag OR a = 2 AND up OR a IN (1, 2) AND flag AND up | a = 2 AND up OR a = 1 AND flag
    CASE WHEN flag THEN up ELSE a = 1 END | flag AND up OR NOT flag AND a = 1
    CASE WHEN flag THEN up END         | up AND flag
    CASE WHEN a > 3 THEN 'x' WHEN a > 1 THEN 'y' ELSE 'z' END = 'y' | a IN (2, 3)
    CASE a WHEN 1 THEN 10 WHEN 2 THEN 20 END > 15 | a = 2
    CASE WHEN flag THEN s ELSE t END LIKE 'x%' | flag AND s LIKE 'x%' OR t LIKE 'x%' AND NOT flag
    a < b AND flag OR a >= b AND flag  | flag
    a < b OR a = b AND flag            | a <= b AND (a < b OR flag)
    s LIKE 'x%' AND flag OR s LIKE 'x%' | s LIKE 'x%'
    at < NOW() AND flag OR flag AND at >= NOW() | flag
    at > 5000 - INTERVAL '1 second'    | at > 4000
    b < INTERVAL '2 Hours'             | b < 7200000
    at < NOW() - INTERVAL '5 minutes'  | NOW() - 300000 > at
    at < NOW() - INTERVAL '1 day'      | at < INTERVAL '-24 hours' + NOW()
    NOT at < NOW()                     | at >= NOW()
    at > NOW() - 10 AND at < NOW() + 6 | at BETWEEN NOW() - 9 AND 5 + NOW()
    at = NOW() OR NOW() + 5 = at       | at IN (NOW() + 5, NOW())
    at < NOW() OR at >= NOW()          | TRUE
    at > NOW() AND at < NOW()          | FALSE
    at > NOW() - 1.5                   | at >= NOW() - 1
    at < NOW() + 5 - 2 * 5             | at < NOW() - 5
    CASE WHEN a > 3 THEN 1 ELSE 0 END = b | CASE WHEN NOT a <= 3 THEN 1 END = b
    CASE a WHEN 1 THEN s WHEN 2 THEN t ELSE '' END = 'x' | CASE WHEN a = 1 THEN s WHEN 2 = a THEN t END = 'x'
    CASE WHEN a = 1 THEN 5 WHEN a = 2 THEN 5 ELSE b END > 1 | CASE WHEN a IN (1, 2) THEN 5 ELSE b END > 1
    CASE WHEN TRUE THEN a ELSE b END = 1 | a = 1
    CASE WHEN flag THEN a WHEN up THEN b ELSE b END = 1 | CASE WHEN flag THEN a ELSE b END = 1
    CASE WHEN flag THEN r ELSE 1 END = 2 | CASE WHEN flag THEN r ELSE 1.0 END = 2
    """

  /// Both spellings are of few comparisons; their form weighs more than the shorter one, and as much as the other.
  @Test func `whether a form is taken does not depend on the spelling`() throws {
    let sets = ["a", "b", "r"].map { "(\($0) IN (\((0..<30).map { "\($0 * 2)" }.joined(separator: ", "))))" }
    let (x, y, z) = (sets[0], sets[1], sets[2])
    let short = try canonicalText("\(x) = (\(y) = \(z))")
    let long = try canonicalText(
      "\(x) AND \(y) AND \(z) OR \(x) AND NOT \(y) AND NOT \(z) OR NOT \(x) AND \(y) AND NOT \(z) OR NOT \(x) AND NOT \(y) AND \(z)"
    )
    #expect(short == long)
    #expect(try canonicalText(short) == short)
  }

  @Test(arguments: cases(distinct))
  func `filters of other meaning stay apart`(_ row: [String]) throws {
    #expect(try canonicalText(row[0]) != canonicalText(row[1]))
  }

  static let distinct = """
    a > 3                       | a > 4
    a > 3                       | b > 3
    r > 3                       | r >= 4
    r > 3                       | r >= 3
    a + b > 3                   | a + b >= 4
    a - b = 3                   | b - a = 3
    a / 2 = 1                   | a = 2
    a * 2.0 = r                 | a * 2 = r
    s = 'a'                     | s = 'A'
    s LIKE 'a%'                 | s LIKE 'A%'
    s LIKE 'a_'                 | s LIKE 'a%'
    s LIKE 'a!_' ESCAPE '!'     | s LIKE 'a_'
    s LIKE '_%'                 | s LIKE '%'
    s = '\u{E9}'               | s = 'e\u{301}'
    a = 1 AND b = 2             | a = 1 OR b = 2
    NOT (a = 1 AND b = 2)       | a <> 1 AND b <> 2
    a BETWEEN 1 AND 5           | a BETWEEN 5 AND 1
    flag                        | NOT flag
    flag = up                   | flag <> up
    a < b                       | a <= b
    s < 'b'                     | s <= 'b'
    a = 9007199254740993        | a = 9007199254740992.0
    (a = 1 OR b = 2) AND flag   | a = 1 OR (b = 2 AND flag)
    a % 2 = 1                   | a % 3 = 1
    flag AND a > 3 OR up        | flag AND (a > 3 OR up)
    flag AND up OR a = 1        | flag AND up OR a = 2
    flag = up                   | flag = (up OR a = 1)
    CASE WHEN flag THEN up ELSE a = 1 END | CASE WHEN flag THEN up ELSE a = 2 END
    at < NOW()                  | at <= NOW()
    at < NOW() - 1000           | at < 1000
    at < NOW() - 1000           | at < NOW() + 1000
    CASE WHEN flag THEN a ELSE b END = 1 | CASE WHEN up THEN a ELSE b END = 1
    CASE WHEN flag THEN a WHEN up THEN b END = 1 | CASE WHEN up THEN b WHEN flag THEN a END = 1
    """

  @Test(arguments: cases(texts))
  func `a canonical text is short SQL`(_ row: [String]) throws {
    let text = try canonicalText(row[0])
    #expect(text == row[1])
  }

  static let texts = """
    a > 3 AND s LIKE 'p%'         ; a >= 4 AND s LIKE 'p%'
    a > 3 AND a < 10 AND flag     ; a BETWEEN 4 AND 9 AND flag
    a <> 3                        ; a <> 3
    NOT a IN (3, 7)               ; a NOT IN (3, 7)
    (a < 3 OR a > 5) AND NOT flag ; NOT flag AND (a <= 2 OR a >= 6)
    r > 1.5 AND r <= 2            ; (r > 1.5 AND r <= 2)
    s LIKE '100!%%' ESCAPE '!'    ; s LIKE '100\\%%' ESCAPE '\\'
    "select" = 1 or "Grüße" = 2   ; "select" = 1 OR U&"Gr\\00FC\\00DFe" = 2
    s = 'Zürich'                  ; s = U&'Z\\00FCrich'
    s = '🔔'                      ; s = U&'\\+01F514'
    -a < -5                       ; (0 - a) < -5
    a - -5 > b                    ; (a - -5) > b
    flag AND (a = 1 OR b = 2)     ; (a = 1 OR b = 2) AND flag
    (a = 1 OR flag) AND (b = 2 OR up) ; (a = 1 OR flag) AND (b = 2 OR up)
    a = 1 AND flag OR b = 2 AND up ; (a = 1 AND flag) OR (b = 2 AND up)
    a = 1 AND flag OR a = 2 AND up ; (a = 1 AND flag) OR (a = 2 AND up)
    (a = 1 OR b = 1 AND flag) AND (r = 1 OR s = 'x' AND up) ; (a = 1 OR (b = 1 AND flag)) AND (r = 1 OR (s = 'x' AND up))
    a >= 4 AND s LIKE 'x%' OR a = 5 ; a = 5 OR (a >= 4 AND s LIKE 'x%')
    flag <> (a = 1)               ; (NOT flag AND a = 1) OR (a <> 1 AND flag)
    at < NOW() - INTERVAL '5 minutes' ; at <= NOW() - 300001
    at >= NOW() AND at < 10 + NOW()   ; at BETWEEN NOW() AND NOW() + 9
    at <> NOW()                       ; at <> NOW()
    s <= ''                       ; s = ''
    NOT s = ''                    ; s <> ''
    s IN ('b', '', 'a')           ; s IN ('', 'a', 'b')
    s NOT IN ('b', '')            ; s NOT IN ('', 'b')
    s = '' OR s > 'x'             ; s > 'x' OR s = ''
    CASE a WHEN 1 THEN s END = s  ; CASE WHEN a = 1 THEN s ELSE '' END = s
    """.replacingSemicolons()
}

extension String {
  fileprivate func replacingSemicolons() -> String {
    String(map { $0 == ";" ? "|" : $0 })
  }
}
