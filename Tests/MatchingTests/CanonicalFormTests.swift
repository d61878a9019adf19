import Base
import Events
import Query
import TestSeeds
import Testing

@testable import Matching

/// Filters over a few values, all of whose rows can be listed: two mean the same if and only if they answer alike
/// on every one of these rows, and then they must have one canonical text.
struct CanonicalFormTests {
  private static let trials = Trials("make fuzz FILTER=CanonicalFormTests CASES=1 SEED=", otherwise: 4)

  /// Every combination of a in 0...4, b in 0...2, flag, up, two texts and two times before and after NOW().
  private static let rows: [[Value]] = {
    var rows: [[Value]] = []
    for a in Int64(0)...4 {
      for b in Int64(0)...2 {
        for bits in 0..<16 {
          let isLate = bits & 8 != 0
          rows.append([
            .string("row"), .int(a), .int(b), .real(0), .real(0), .string(bits & 4 != 0 ? "ab" : "b"),
            .string(""), .bool(bits & 1 != 0), .bool(bits & 2 != 0),
            .time(Oracle.now + (isLate ? 500 : -500)),
          ])
        }
      }
    }
    return rows
  }()

  /// Atoms that cut the values of `rows` at places of their own.
  private static func atom(_ generator: inout Generator) -> String {
    let relation = generator.pick(["<", "<=", "=", "<>", ">=", ">"])
    return generator.pick([
      "a \(relation) \(generator.below(5))", "a IN (\(generator.below(5)), \(generator.below(5)))",
      "a BETWEEN \(generator.below(5)) AND \(generator.below(5))", "b \(relation) \(generator.below(3))",
      "flag", "up", "s LIKE 'a%'", "at \(generator.pick(["<", ">="])) NOW()",
    ])
  }

  private static func filter(_ depth: Int, _ generator: inout Generator) -> String {
    if depth == 0 { return atom(&generator) }
    func part() -> String { "(" + filter(depth - 1 - generator.below(2 < depth ? 2 : 1), &generator) + ")" }
    switch generator.below(8) {
    case 0: return "NOT " + part()
    case 1, 2, 3: return part() + " AND " + part()
    case 4, 5: return part() + " OR " + part()
    case 6: return part() + generator.pick([" = ", " <> "]) + part()
    default: return "CASE WHEN \(part()) THEN \(part()) ELSE \(part()) END"
    }
  }

  /// Every atom of the generator, restricted to what `rows` has: a is never outside 0...4, so a text that speaks of
  /// values outside may differ where the answers do not. The whole filter says that they do not occur.
  private static let domain = "a BETWEEN 0 AND 4 AND b BETWEEN 0 AND 2"

  @Test(arguments: trials.shares)
  func `filters that answer alike have one text, and others have others`(_ share: Int) throws {
    try Self.trials.forEach(in: share) { try compareTexts($0, $1) }
  }

  private func compareTexts(_ seed: UInt64, _ again: String) throws {
    var generator = Generator(seed: seed)
    let oracle = Oracle(Self.rows)
    var texts: [[Bool]: String] = [:]
    var answersOfText: [String: [Bool]] = [:]
    var met = 0
    for i in 0..<400 {
      let sql = "\(Self.domain) AND (\(Self.filter(1 + i % 3, &generator)))"
      let filter = try parseFilter(sql, on: samples)
      let form = canonical(filter, on: samples)
      let text = form.text(on: samples)
      let answers = oracle.answers(filter)
      #expect(oracle.answers(form) == answers, "\(again): \(sql)\n\(text)")
      #expect(canonical(form, on: samples) == form, "\(again): \(sql)\n\(text)")
      if let before = texts.updateValue(text, forKey: answers) {
        met += 1
        #expect(before == text, "\(again): \(sql)")
      }
      if let before = answersOfText.updateValue(answers, forKey: text) {
        #expect(before == answers, "\(again): \(sql)")
      }
    }
    #expect(met > 60, "\(again)")
  }

  @Test(arguments: trials.shares)
  func `a filter that is too large for a diagram keeps its meaning and its form`(_ share: Int) throws {
    try Self.trials.forEach(in: share) { try compareLarge($0, $1) }
  }

  private func compareLarge(_ seed: UInt64, _ again: String) throws {
    var generator = Generator(seed: seed)
    let oracle = Oracle(generator.rows(40))
    for _ in 0..<8 {
      let written = generator.condition(8)
      let filter = try parseFilter(written.ours, on: samples)
      let form = canonical(filter, on: samples)
      #expect(oracle.answers(form) == oracle.answers(filter), "\(again): \(written.ours)")
      #expect(canonical(form, on: samples) == form, "\(again): \(written.ours)")
    }
  }

  /// A filter against itself, rewritten by laws of logic that do not change it.
  @Test(arguments: trials.shares)
  func `a rewritten filter has the text of the first`(_ share: Int) throws {
    try Self.trials.forEach(in: share) { try compareRewritten($0, $1) }
  }

  private func compareRewritten(_ seed: UInt64, _ again: String) throws {
    var generator = Generator(seed: seed)
    let oracle = Oracle(Self.rows)
    var past = 0
    for i in 0..<100 {
      let x = "(\(Self.filter(1 + i % 2, &generator)))"
      let y = "(\(Self.filter(1, &generator)))"
      let z = "(\(Self.atom(&generator)))"
      let pairs = [
        ("\(x) AND (\(y) OR \(z))", "\(x) AND \(y) OR \(z) AND \(x)"),
        ("\(x) OR \(y) AND \(z)", "(\(x) OR \(y)) AND (\(x) OR \(z))"),
        ("NOT (\(x) AND \(y))", "NOT \(y) OR NOT \(x)"),
        (x, "CASE WHEN \(y) THEN \(x) ELSE NOT NOT \(x) END"),
        ("\(x) AND \(y)", "CASE WHEN \(y) THEN \(x) END"),
        ("\(x) <> \(y)", "NOT \(x) AND \(y) OR NOT \(y) AND \(x)"),
        ("\(x) AND \(y) OR NOT \(x) AND \(z)", "\(x) AND \(y) OR NOT \(x) AND \(z) OR \(y) AND \(z)"),
        ("CASE WHEN \(x) THEN 1 WHEN \(y) THEN 2 ELSE 3 END < 3", "\(x) OR \(y)"),
      ]
      for (a, b) in pairs {
        let forms = try [a, b].map { canonical(try parseFilter($0, on: samples), on: samples) }
        let texts = forms.map { $0.text(on: samples) }
        if texts[0] != texts[1], !forms.allSatisfy(isOfDiagram) {
          past += 1
          #expect(oracle.answers(forms[0]) == oracle.answers(forms[1]), "\(again): \(a)\n\(b)")
          continue
        }
        #expect(texts[0] == texts[1], "\(again): \(a)\n\(b)")
      }
    }
    #expect(
      past <= (Self.trials.seeds.areMany ? 8 : 0),
      "\(again): of 800 pairs \(past) are past a bound of the diagram")
  }

  /// A form that still compares conditions, or chooses between them, was past a bound of the diagram.
  private func isOfDiagram(_ form: Filter) -> Bool {
    switch form {
    case .same, .holds(.choice): false
    case .not(let part): isOfDiagram(part)
    case .and(let parts), .or(let parts): parts.allSatisfy(isOfDiagram)
    default: true
    }
  }
}
