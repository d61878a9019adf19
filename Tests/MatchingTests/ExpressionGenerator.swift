import Base
import Events

/// One thing in two dialects: Belfry's, and SQLite's with our answers where SQLite has NULL.
struct Written {
  var ours: String
  var theirs: String

  init(_ both: String) { (ours, theirs) = (both, both) }
  init(_ ours: String, _ theirs: String) { (self.ours, self.theirs) = (ours, theirs) }

  /// `$0`, `$1`, … in the pattern are the parts.
  init(_ pattern: String, _ parts: Written...) { self.init(pattern, pattern, parts) }

  init(_ ours: String, _ theirs: String, _ parts: Written...) { self.init(ours, theirs, parts) }

  private init(_ ours: String, _ theirs: String, _ parts: [Written]) {
    (self.ours, self.theirs) = (ours, theirs)
    for (i, part) in parts.enumerated() {
      self.ours = self.ours.replacing("$\(i)", with: part.ours)
      self.theirs = self.theirs.replacing("$\(i)", with: part.theirs)
    }
  }
}

/// Random rows, values and conditions on `samples`.
struct Generator {
  var random: SeededRandom
  /// Whether conditions may say NOW(), which values behind SELECT may not.
  var allowsClock = true

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  mutating func below(_ n: Int) -> Int { Int.random(in: 0..<n, using: &random) }
  mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }

  // MARK: Rows

  static let integers: [Int64] = [
    0, 1, 2, 3, 4, 5, -1, -2, -7, 10, 99, 100, .max, .max - 1, .min, .min + 1, 1 << 53, (1 << 53) + 1,
    3_037_000_500, -4_294_967_296,
  ]
  static let reals: [Double] = [
    0, 1, 2, 3, 4, 0.5, 1.5, 3.5, -1, -2.5, 1e10, 1e300, -1e300, 9_007_199_254_740_992, 0x1p63, -0x1p63, 1e-9,
  ]
  static let texts = [
    "", "a", "A", "b", "ab", "abc", "aXc", "a%", "a_c", "%", "_", "\\", "it's", "'", "é", "e\u{301}",
    "Zürich", "🔔", "🔔a", "core-1", "core-12", "CORE-1", "core-rtr-017.example.net",
    "core-rtr-018.example.net", "aaaaaaaaaaaaaaaaaaaaaaab", " a ", "10", "\n", "a\u{7F}",
  ]

  mutating func rows(_ count: Int) -> [[Value]] {
    (0..<count).map { i in
      [
        .string("row\(i)"), .int(int()), .int(int()), .real(pick(Self.reals)), .real(pick(Self.reals)),
        .string(pick(Self.texts)), .string(pick(Self.texts)), .bool(below(2) == 0), .bool(below(2) == 0),
        .time(Int64(below(5)) * 1000),
      ]
    }
  }

  private mutating func int() -> Int64 { below(2) == 0 ? Int64(below(6)) : pick(Self.integers) }

  // MARK: Numbers

  mutating func number(_ depth: Int) -> Written {
    switch below(depth > 0 ? 13 : 7) {
    case 0, 1, 2: return Written(pick(["a", "b", "at"]))
    case 3: return Written(pick(["r", "q"]))
    case 4, 5: return Written("\(int())")
    case 6: return Written(pick(["0.5", "1.5", "3.5", "2.0", "-1.0", "1e3", ".25", "4.", "1e19", "-2.5e-3"]))
    case 7:
      let x = number(depth - 1)
      return Written("(- $0)", x)
    case 8:
      let x = number(depth - 1)
      let guarded = "(CASE WHEN $0 = -9223372036854775808 THEN 9223372036854775808.0 ELSE ABS($0) END)"
      return Written("ABS(\(x.ours))", Written(guarded, x).theirs)
    case 9: return Written("LENGTH($0)", string(depth - 1))
    case 10: return choice(integer(depth - 1), integer(depth - 1), condition(depth - 1), zero: "0")
    default: return arithmetic(number(depth - 1), pick(["+", "-", "*", "/", "%"]), number(depth - 1))
    }
  }

  /// Of an integer type, which all branches of a CASE must have; overflow makes a real.
  private mutating func integer(_ depth: Int) -> Written {
    switch below(depth > 0 ? 4 : 2) {
    case 0: return Written(pick(["a", "b"]))
    case 1: return Written("\(int())")
    case 2:
      return arithmetic(Written(pick(["a", "b"])), pick(["+", "-", "*", "/", "%"]), integer(depth - 1))
    default: return Written("LENGTH($0)", string(depth - 1))
    }
  }

  /// CASE in one of its forms; without ELSE, SQLite's NULL is our zero.
  private mutating func choice(_ first: Written, _ second: Written, _ when: Written, zero: String) -> Written
  {
    switch below(4) {
    case 0: return Written("CASE WHEN $0 THEN $1 ELSE $2 END", when, first, second)
    case 1: return Written("CASE WHEN $0 THEN $1 END", "CASE WHEN $0 THEN $1 ELSE \(zero) END", when, first)
    case 2:
      return Written(
        "CASE $3 WHEN 1 THEN $1 WHEN $4 THEN $2 ELSE $1 END", when, first, second, integer(0), integer(1))
    default:
      return Written(
        "CASE WHEN $0 THEN $1 WHEN $3 THEN $2 ELSE $1 END", when, first, second, condition(0))
    }
  }

  private func arithmetic(_ a: Written, _ sign: String, _ b: Written) -> Written {
    let zero = "CASE WHEN typeof($0) = 'integer' AND typeof($1) = 'integer' THEN 0 ELSE 0.0 END"
    let theirs = Written("COALESCE($0 \(sign) $1, \(zero))", a, b).theirs
    return Written("(\(a.ours) \(sign) \(b.ours))", theirs)
  }

  // MARK: Strings

  static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

  mutating func string(_ depth: Int) -> Written {
    switch below(depth > 0 ? 10 : 6) {
    case 0, 1, 2, 3: return Written(pick(["s", "t", "id"]))
    case 4, 5: return Written(Self.quoted(pick(Self.texts)))
    case 6: return Written(pick(["LOWER", "upper"]) + "($0)", string(depth - 1))
    case 7: return Written("($0 || $1)", string(depth - 1), string(depth - 1))
    case 8: return choice(string(depth - 1), string(0), condition(depth - 1), zero: "''")
    default:
      let count = below(2) == 0 ? "" : ", \(below(9) - 4)"
      return Written("SUBSTR($0, \(below(9) - 4)\(count))", string(depth - 1))
    }
  }

  private mutating func pattern() -> String {
    let pieces = ["%", "%", "_", "a", "b", "c", "core", "-", "é", "A", "1", "!%", "!_", "!!", "'"]
    let text = (0..<below(5)).map { _ in pick(pieces) }.joined()
    let escape = text.contains("!") ? " ESCAPE '!'" : ""
    return Self.quoted(text) + escape
  }

  // MARK: Conditions

  mutating func condition(_ depth: Int) -> Written {
    if depth > 0 {
      switch below(8) {
      case 0, 1: return Written("($0 AND $1)", condition(depth - 1), condition(depth - 1))
      case 2, 3: return Written("($0 OR $1)", condition(depth - 1), condition(depth - 1))
      case 4: return Written("(NOT $0)", condition(depth - 1))
      case 5:
        let sign = pick(["=", "<>"])
        return Written("(($0) \(sign) ($1))", condition(depth - 1), condition(depth - 1))
      case 6: return choice(condition(depth - 1), condition(0), condition(depth - 1), zero: "0")
      default: break
      }
    }
    return atom(depth)
  }

  /// NOW() and what is added to it; it begins (`Oracle.now`) halfway between two of the rows' times.
  mutating func moment() -> Written {
    let steps = below(7) - 3
    switch below(3) {
    case 0: return Written("NOW() + \(steps * 500)", "NOW() + \(steps * 500)")
    case 1: return Written("NOW() - INTERVAL '\(steps) seconds'", "NOW() - \(steps * 1000)")
    default: return Written("INTERVAL '\(steps * 500) ms' + NOW()", "\(steps * 500) + NOW()")
    }
  }

  private mutating func atom(_ depth: Int) -> Written {
    let relation = pick(["=", "<>", "<", "<=", ">", ">=", "!=", "=="])
    let not = pick(["", "NOT "])
    switch below(allowsClock ? 12 : 10) {
    case 0, 1: return Written("$0 \(relation) $1", number(depth), number(0))
    case 10: return Written("at \(relation) $0", moment())
    case 11:
      return pick([
        Written("$0 \(relation) at", moment()), Written("at \(not)BETWEEN $0 AND $1", moment(), moment()),
        Written("at \(not)IN ($0, $1, \(below(5) * 1000))", moment(), moment()),
      ])
    case 2: return Written("$1 \(relation) $0", number(depth), number(depth))
    case 3: return Written("$0 \(relation) $1", string(depth), string(0))
    case 4: return Written("$0 \(not)BETWEEN $1 AND $2", number(depth), number(0), number(0))
    case 5:
      let list = (0..<below(5)).map { _ in "\(below(9) - 2)" }.joined(separator: ", ")
      return Written("$0 \(not)IN (\(list))", number(depth))
    case 6:
      let list = (0..<below(4)).map { _ in Self.quoted(pick(Self.texts)) }.joined(separator: ",")
      return Written("$0 \(not)IN (\(list))", string(depth))
    case 7, 8: return Written("$0 \(not)LIKE \(pattern())", string(depth))
    default:
      return Written(
        pick(["flag", "up", "flag = TRUE", "up <> flag", "flag = 0", "TRUE", "FALSE", "up <> 1"]))
    }
  }
}
