import Base
import Events
import Query
import TestSeeds
import Testing

@testable import Matching

/// Our answers against SQLite's on the same rows. A failure prints the filter and its seed.
struct ExpressionDifferentialTests {
  private static let command: StaticString = "make fuzz FILTER=ExpressionDifferentialTests CASES=1 SEED="
  private static let filters = Trials(command, otherwise: 80)
  private static let values = Trials(command, otherwise: 40)
  private static let texts = Trials(command, otherwise: 1)

  @Test(arguments: fixed.split(separator: "\n").map(String.init))
  func `a filter of the table answers as SQLite does`(_ sql: String) throws {
    var generator = Generator(seed: 4)
    let oracle = Oracle(generator.rows(200))
    let filter = try parseFilter(sql, on: samples)
    let wanted = oracle.answers(sql)
    #expect(oracle.answers(filter) == wanted)
    #expect(oracle.answers(canonical(filter, on: samples)) == wanted)
  }

  /// Division by a column stands in the random tests only: SQLite has NULL there.
  static let fixed = """
    a = 3
    a <> 3
    a != 3
    a == 3
    a < 3
    a <= 3
    a > 3
    a >= 3
    3 < a
    a > 3.5
    a <= -2.5
    a = 2.0
    a > 9223372036854775806
    a < -9223372036854775807
    a = -9223372036854775808
    a < 1e19
    a >= 9223372036854775808
    r = 1
    r > 1
    r <= 0.5
    r = 9007199254740993
    r < 9223372036854775807
    a < r
    a = r
    r <> q
    a = b
    a + b > 4
    a - b = 0
    a * b > 1e18
    a * b < 0
    a + 1 > a
    -a > 3
    - a = b
    a / 2 = 1
    a % 3 = 1
    a % -1 = 0
    r * 2 = 3
    r / 2 > 1
    r % 2 = 1
    a + r > 3
    2 + 3 * 4 = 14
    (2 + 3) * 4 = 20
    7 / 2 = 3
    -7 / 2 = -3
    -7 % 3 = -1
    a BETWEEN 1 AND 3
    a NOT BETWEEN 1 AND 3
    a BETWEEN 3 AND 1
    a BETWEEN b AND 5
    r BETWEEN 0.5 AND 3
    a IN (1, 2, 3)
    a IN (1, 5, 99, -7)
    a NOT IN (1, 5)
    a IN ()
    a NOT IN ()
    a IN (b, 3)
    s IN ('a', 'abc', '')
    s NOT IN ('a', 'it''s')
    s = 'abc'
    s = 'core-rtr-017.example.net'
    s <> ''
    s > 'a'
    s < 'é'
    s >= 'core'
    s = t
    s < t
    s LIKE 'a%'
    s LIKE '%a'
    s LIKE '%a%'
    s LIKE 'a_c'
    s LIKE '_'
    s LIKE '__'
    s LIKE '%_%'
    s LIKE 'core-%-%.net'
    s LIKE '%a%b'
    s NOT LIKE 'core%'
    s LIKE 'a!%' ESCAPE '!'
    s LIKE '%!_%' ESCAPE '!'
    s LIKE 'CORE%'
    s LIKE ''
    s LIKE '%é%'
    flag
    NOT flag
    flag = TRUE
    flag = 0
    flag <> up
    flag = (a > 3)
    flag AND up OR a = 1
    flag OR up AND a = 1
    NOT flag AND up
    NOT (flag AND up)
    NOT a = 1
    NOT a BETWEEN 1 AND 3
    a > 1 = flag
    a = 1 = TRUE
    at > 1000
    at + 1000 = 3000
    at BETWEEN 1000 AND 3000
    s || t = 'ab'
    LOWER(s) = 'abc'
    UPPER(s) LIKE 'CORE-%'
    LENGTH(s) > 3
    LENGTH(s) = LENGTH(t)
    SUBSTR(s, 1, 4) = 'core'
    SUBSTR(s, -1) = 'c'
    ABS(b % 10) > 3
    CASE WHEN a > 3 THEN 1 ELSE 0 END = 1
    CASE a WHEN 1 THEN 'x' WHEN b THEN s ELSE t END = s
    CASE WHEN flag THEN r WHEN up THEN q ELSE 0.5 END > 1
    CASE WHEN flag THEN a > 1 ELSE up END
    NOT CASE flag WHEN up THEN a = b ELSE s LIKE 'a%' END
    LENGTH(CASE WHEN flag THEN s ELSE t || s END) > 2
    CASE WHEN flag THEN CASE WHEN up THEN 1 ELSE 2 END ELSE 3 END IN (1, 3)
    CASE WHEN flag THEN 9223372036854775807 ELSE a END + 1 > 0
    at < NOW()
    at >= NOW() - 500
    NOW() + 500 > at
    at BETWEEN NOW() - 1500 AND NOW() + 500
    at NOT BETWEEN NOW() - 1500 AND NOW() + 500
    at IN (NOW() + 500, NOW() - 500, 0)
    at <> NOW() - 500 AND flag
    at > NOW() - 1500.5
    CASE WHEN at < NOW() THEN a ELSE b END > 2
    CASE WHEN at < NOW() THEN flag ELSE at = NOW() + 500 END
    (at < NOW()) = flag
    TRUE
    FALSE
    TRUE AND NOT FALSE
    """

  @Test(arguments: filters.shares)
  func `random filters answer as SQLite does, in every form`(_ share: Int) throws {
    try Self.filters.forEach(in: share) { try compareFilters($0, $1) }
  }

  private func compareFilters(_ seed: UInt64, _ again: String) throws {
    var generator = Generator(seed: seed)
    let oracle = Oracle(generator.rows(50))
    for i in 0..<50 {
      let written = generator.condition(i % 4)
      let filter = try parseFilter(written.ours, on: samples)
      let wanted = oracle.answers(written.theirs)
      let form = canonical(filter, on: samples)
      let text = form.text(on: samples)
      let again = try parseFilter(text, on: samples)
      let context: Comment = "\(again): \(written.ours)\ncanonical \(text)\nSQLite \(written.theirs)"
      #expect(oracle.answers(filter) == wanted, context)
      #expect(oracle.answers(form) == wanted, context)
      #expect(oracle.answers(again) == wanted, context)
      #expect(canonical(form, on: samples) == form, context)
      #expect(canonical(again, on: samples).text(on: samples) == text, context)
    }
  }

  @Test(arguments: values.shares)
  func `random values are SQLite's`(_ share: Int) throws {
    try Self.values.forEach(in: share) { try compareValues($0, $1) }
  }

  private func compareValues(_ seed: UInt64, _ again: String) throws {
    var generator = Generator(seed: seed)
    generator.allowsClock = false
    let oracle = Oracle(generator.rows(50))
    for i in 0..<50 {
      let written = i % 3 == 0 ? generator.string(3) : generator.number(3)
      let value = try parseExpression(written.ours, on: samples)
      let wanted = oracle.values(written.theirs)
      let context: Comment = "\(again): \(written.ours)\nSQLite \(written.theirs)"
      #expect(oracle.values(value).map(Optional.init) == wanted, context)
    }
  }

  @Test(arguments: texts.shares)
  func `equal canonical texts have equal answers`(_ share: Int) throws {
    try Self.texts.forEach(in: share) { try compareTexts($0, $1) }
  }

  private func compareTexts(_ seed: UInt64, _ again: String) throws {
    var generator = Generator(seed: seed)
    let oracle = Oracle(generator.rows(100))
    var known: [String: [Bool]] = [:]
    var met = 0
    for i in 0..<6000 {
      let filter = try parseFilter(generator.condition(i % 3).ours, on: samples)
      let text = canonical(filter, on: samples).text(on: samples)
      let answers = oracle.answers(filter)
      if let before = known.updateValue(answers, forKey: text) {
        met += 1
        #expect(before == answers, "\(again): \(text)")
      }
    }
    #expect(met > 500, "\(again)")
  }
}
