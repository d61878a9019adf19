/// A text's tree before names and types are looked at.
struct Syntax {
  indirect enum Form {
    case int(Int64)
    case twoTo63
    case real(Double)
    case string([UInt8])
    case bool(Bool)
    case name(String)
    case negated(Syntax)
    case arithmetic(Arithmetic, Syntax, Syntax)
    case compared(Syntax, Relation, Syntax)
    case among(Syntax, [Syntax])
    case between(Syntax, Syntax, Syntax)
    case like(Syntax, pattern: Syntax, escape: Syntax?)
    case not(Syntax)
    case all([Syntax])
    case any([Syntax])
    case call(String, [Syntax])
    /// `COUNT(DISTINCT a)`.
    case callOfDistinct(String, Syntax)
    /// `COUNT(*)`.
    case callOfStar(String)
    /// CASE. With an operand each WHEN is a value that it is compared with, else a condition.
    case choice(operand: Syntax?, [Branch], otherwise: Syntax?)
  }

  struct Branch {
    let when: Syntax
    let then: Syntax
  }

  let form: Form
  /// The offset of its first byte, or of the operator where it has one.
  let at: Int
  /// Levels below and with this one.
  let depth: Int
}

/// `SELECT … FROM …` as it was written.
struct SelectSyntax {
  enum Item {
    case star(at: Int)
    case expression(Syntax, alias: Name?)
  }
  struct Name {
    let text: String
    let at: Int
  }

  var items: [Item]
  var table: Name
  var filter: Syntax?
  var groupBy: [Name]
}
