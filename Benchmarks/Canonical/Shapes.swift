import Base
import Events
import Query

let alerts = Schema.alerts

struct Tables: Catalog {
  var tableNames: [String] { [alerts.table] }
  func schema(ofTable name: String) -> Schema? { name == alerts.table ? alerts : nil }
}

/// Random filters on `alerts`.
struct Shapes {
  static let all: [(name: String, make: @Sendable (inout Shapes) -> String)] = [
    ("4, AND", { $0.some(4, "AND") { $0.atom() } }),
    ("100, AND", { $0.some(100, "AND") { $0.atom() } }),
    ("100, OR of 25 ANDs", { $0.some(25, "OR") { $0.some(4, "AND") { $0.atom() } } }),
    ("100, OR of 25 ANDs of the same 4 columns", { $0.some(25, "OR") { $0.ofFourColumns() } }),
    ("100, AND of 25 ORs", { $0.some(25, "AND") { $0.some(4, "OR") { $0.atom() } } }),
    ("100, random tree", { $0.tree(100) }),
    (
      "45, equations",
      { shapes in (0..<44).reduce("Type = 1") { text, _ in "(\(text)) = (\(shapes.atom()))" } }
    ),
  ]

  var random: SeededRandom
  private let numbers = alerts.columns.filter { $0.type == .int }.map(\.name)
  private let strings = alerts.columns.filter { $0.type == .string }.map(\.name)
  private let times = alerts.columns.filter { $0.type == .time }.map(\.name)

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  private mutating func below(_ n: Int) -> Int { Int.random(in: 0..<n, using: &random) }
  private mutating func pick(_ choices: [String]) -> String { choices[below(choices.count)] }

  mutating func atom() -> String {
    switch below(8) {
    case 0, 1, 2: "\(pick(numbers)) \(pick(["<", "=", ">=", "<>"])) \(below(6))"
    case 3: "\(pick(strings)) = 'name-\(below(20))'"
    case 4: "\(pick(strings)) LIKE 'name-\(below(20))%'"
    case 5: "\(pick(strings)) IN ('a\(below(9))', 'b\(below(9))', 'c')"
    case 6: "\(pick(times)) > NOW() - \(below(9) * 60_000)"
    default: "Severity >= \(below(6))"
    }
  }

  mutating func some(_ count: Int, _ word: String, _ part: (inout Shapes) -> String) -> String {
    var parts: [String] = []
    for _ in 0..<count { parts.append("(\(part(&self)))") }
    return parts.joined(separator: " \(word) ")
  }

  mutating func ofFourColumns() -> String {
    "Severity \(pick(["=", ">="])) \(below(6)) AND Class = \(below(4)) AND Node LIKE 'name-\(below(3))%' "
      + "AND Type <> \(below(3))"
  }

  mutating func tree(_ atoms: Int) -> String {
    if atoms == 1 { return atom() }
    let left = 1 + below(atoms - 1)
    let not = below(6) == 0 ? "NOT " : ""
    return "\(not)(\(tree(left))) \(pick(["AND", "OR"])) (\(tree(atoms - left)))"
  }
}
