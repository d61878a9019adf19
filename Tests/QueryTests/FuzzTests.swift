import Base
import Events
import Query
import Testing

/// Whatever comes in, the answer is a view or an error with a place within the text.
struct FuzzTests {
  static let corpus = [
    "SELECT Node, Severity, Summary FROM alerts WHERE Severity >= 4 AND Node LIKE 'core-%'",
    "SELECT a AS x, \"select\", b + r * -2.5e3 AS y FROM samples WHERE NOT (a BETWEEN 1 AND 5) OR flag;",
    "SELECT COUNT(*) AS n, SUM(a % 3), MIN(s || t) FROM samples WHERE s NOT IN ('a', 'it''s') GROUP BY a, b",
    "select * from samples where s like '%!_%' escape '!' /* c */ and U&'\\00e9' <> s -- end",
    "SELECT CASE a WHEN 1 THEN s WHEN b + 2 THEN 'x' ELSE t END AS c FROM samples WHERE at NOT BETWEEN NOW() AND 5",
    "SELECT * FROM samples WHERE at > NOW() - INTERVAL '5 minutes' AND CASE WHEN flag THEN a = 1 ELSE up END OR NOW() = at",
    "SELECT id FROM samples WHERE substr(lower(s), -3, 2) = 'x' AND (a > 3) = (up <> TRUE) AND at < 1e19",
    "SELECT * FROM samples WHERE a = -9223372036854775808 OR a / 0 = 9223372036854775808 % 0.0",
  ]
  static let pieces = [
    "(", ")", ",", "'", "\"", "NOT ", " AND ", " OR ", "=", "<", ">", "-", "--", "/*", "*/", "*", "%", "||",
    "U&'", "\\", "\0", "é", "🔔", " NULL ", " IN ", " BETWEEN ", " LIKE ", "9223372036854775808", "1e999",
    ".", ";", "\n", "a", "s", "flag", "COUNT(", "at", " NOW() ", "CASE ", " WHEN ", " THEN ", " ELSE ",
    " END ", "INTERVAL ",
    "'5 days'", "DISTINCT ", "QUANTILE(", "HISTOGRAM(", "SELECT ", " FROM ", " WHERE ", " GROUP BY ",
    "\u{301}",
  ]

  private func read(_ text: String) -> Bool {
    do throws(SQLError) {
      let read = try view(text)
      // What was read is written so that it is read as the same again.
      if (try? view(read.text).text) != read.text { Issue.record("\(text)\nbecomes \(read.text)") }
      return true
    } catch {
      if error.message.contains("canonical form") { Issue.record("\(text)\n\(error)") }
      let lines = text.utf8.count { $0 == UInt8(ascii: "\n") } + 1
      if error.line < 1 || error.line > lines || error.column < 1 || error.column > text.utf8.count + 1 {
        Issue.record("\(error) is not within \(text)")
      }
      return false
    }
  }

  @Test(arguments: 0..<UInt64(6))
  func `mutated SQL is read or refused`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var accepted = 0
    for _ in 0..<6_000 {
      var bytes = Array(Self.corpus.randomElement(using: &random)!.utf8)
      for _ in 0..<Int.random(in: 1...3, using: &random) { mutate(&bytes, &random) }
      if read(String(decoding: bytes, as: UTF8.self)) { accepted += 1 }
    }
    #expect(accepted > 50)
  }

  private func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
    guard !bytes.isEmpty else { return }
    let at = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
    case 1: bytes.remove(at: at)
    case 2: bytes.insert(contentsOf: Self.pieces.randomElement(using: &random)!.utf8, at: at)
    case 3: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...12, using: &random)))
    default:
      let from = Int.random(in: 0..<bytes.count, using: &random)
      bytes.insert(contentsOf: bytes[from..<min(bytes.count, from + 10)], at: at)
    }
  }

  @Test func `random bytes and random words are read or refused`() {
    var random = SeededRandom(seed: 99)
    for i in 0..<20_000 {
      let count = Int.random(in: 0..<40, using: &random)
      if i % 2 == 0 {
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        _ = read(String(decoding: bytes, as: UTF8.self))
      } else {
        let words = (0..<count).map { _ in Self.pieces.randomElement(using: &random)! }
        _ = read("SELECT a FROM samples WHERE " + words.joined())
      }
    }
  }
}
