import Events

/// What a diagram's variables stand for, in the order of their texts: for each value that is compared with
/// constants the cells into which these comparisons cut its domain, told apart as far as a comparison tells
/// them apart; less, equal and greater for two values; false and true for other atoms.
struct Variables {
  enum Subject: Hashable {
    case value(Expression)
    /// A time column less NOW().
    case clock(Int)
    case pair(Expression, Expression)
    case atom(Filter)
  }

  private let subjects: [Subject]
  private let levels: [Subject: Int]
  private let partitions: [Partition?]
  let widths: [Int]

  /// nil where there is nothing for a diagram to find, and past a limit.
  init?(of filter: Filter, _ writer: Writer) {
    var collected = Collected()
    collected.collect(filter)
    guard collected.isWorthwhile(filter), collected.isWithinLimits else { return nil }
    let named = collected.sets.keys.map { ($0, writer.text($0)) }
    subjects = named.sorted { $0.1.utf8.lexicographicallyPrecedes($1.1.utf8) }.map(\.0)
    levels = Dictionary(uniqueKeysWithValues: subjects.enumerated().map { ($1, $0) })
    var partitions: [Partition?] = []
    var widths: [Int] = []
    for subject in subjects {
      let sets = collected.sets[subject] ?? []
      let partition = sets.isEmpty ? nil : Partition(sets)
      if let partition, partition.classes.count > UInt64.bitWidth { return nil }
      partitions.append(partition)
      widths.append(partition?.classes.count ?? (subject.isPair ? 3 : 2))
    }
    (self.partitions, self.widths) = (partitions, widths)
  }

  // MARK: Atoms and literals

  /// What an atom says of its variable.
  func literal(_ atom: Filter) -> Diagram.Literal {
    let subject = Subject(atom)
    guard let level = levels[subject] else { preconditionFailure("an atom was not collected") }
    return switch atom {
    case .within(_, let set), .relative(_, let set):
      Diagram.Literal(level: level, mask: partitions[level]?.mask(set) ?? 0)
    case .compare(_, let relation, _): Diagram.Literal(level: level, mask: UInt64(relation.rawValue))
    default: Diagram.Literal(level: level, mask: 0b10)
    }
  }

  func filter(_ literal: Diagram.Literal) -> Filter {
    switch subjects[literal.level] {
    case .value(let value): .within(value, partitions[literal.level]!.set(literal.mask))
    case .clock(let column): .relative(column, partitions[literal.level]!.set(literal.mask))
    case .pair(let a, let b): .compare(a, Relation(rawValue: UInt8(literal.mask)), b)
    case .atom(let atom): literal.mask == 0b10 ? atom : .not(atom)
    }
  }
}

extension Variables.Subject {
  init(_ atom: Filter) {
    switch atom {
    case .within(let value, _): self = .value(value)
    case .relative(let column, _): self = .clock(column)
    case .compare(let a, _, let b): self = .pair(a, b)
    default: self = .atom(atom)
    }
  }

  fileprivate var isPair: Bool {
    if case .pair = self { return true }
    return false
  }
}

extension Writer {
  /// A variable's name, by which variables are ordered: different ones have different names.
  fileprivate func text(_ subject: Variables.Subject) -> String {
    switch subject {
    case .value(let value): text(value)
    case .clock(let column): text(.column(column, .time)) + " - NOW()"
    case .pair(let a, let b): "(\(text(a))) < (\(text(b)))"
    case .atom(let atom): text(atom)
    }
  }
}

/// The atoms of a filter by what they are about.
private struct Collected {
  var sets: [Variables.Subject: [ValueSet]] = [:]
  private var atoms = 0
  private var cuts = 0

  mutating func collect(_ filter: Filter) {
    switch filter {
    case .constant: break
    case .within(_, let set), .relative(_, let set):
      atoms += 1
      cuts += set.cuts.count
      let subject = Variables.Subject(filter)
      if sets[subject]?.contains(set) != true { sets[subject, default: []].append(set) }
    case .compare, .like, .holds(.column):
      atoms += 1
      sets[Variables.Subject(filter)] = []
    case .holds(.choice(let branches, let otherwise)):
      for branch in branches {
        collect(branch.when)
        collect(Filter(branch.then))
      }
      collect(Filter(otherwise))
    case .holds(let value): collect(Filter(value))
    case .same(let a, let b):
      collect(a)
      collect(b)
    case .not(let inner): collect(inner)
    case .and(let parts), .or(let parts): for part in parts { collect(part) }
    }
  }

  /// Whether one variable is in several atoms, or atoms are combined by more than one AND or OR: otherwise merging
  /// and sorting have done everything.
  func isWorthwhile(_ filter: Filter) -> Bool {
    switch filter {
    case .and(let parts), .or(let parts): sets.count < atoms || !parts.allSatisfy(\.isAtom)
    default: !filter.isAtom
    }
  }

  var isWithinLimits: Bool {
    atoms <= QueryLimits.diagramAtomsMax && cuts <= QueryLimits.diagramCutsMax
      && sets.count <= QueryLimits.diagramVariablesMax
      && sets.values.allSatisfy { $0.count <= QueryLimits.diagramSetsMax }
  }
}

extension Filter {
  /// Or the negation of one.
  fileprivate var isAtom: Bool {
    switch self {
    case .constant, .within, .relative, .compare, .like, .holds(.column): true
    case .not(let inner): inner.isAtom
    case .holds, .same, .and, .or: false
    }
  }
}

/// A domain cut into cells by sets of it. Cells that all sets hold alike are one class, numbered by its
/// first cell.
private struct Partition {
  private let sets: [ValueSet]
  private var cuts: [ValueSet.Cut] = []
  /// The class of each cell; one cell more than cuts.
  private var cells: [Int] = []
  /// By class, one bit a set: whether it holds the class.
  private(set) var classes: [UInt64] = []

  init(_ sets: [ValueSet]) {
    self.sets = sets
    var places: [(cut: ValueSet.Cut, set: Int)] = []
    for (i, set) in sets.enumerated() { places += set.cuts.map { ($0, i) } }
    places.sort { ValueSet.Cut.order($0.cut, $1.cut) < 0 }
    var holders = sets.enumerated().reduce(UInt64(0)) {
      $0 | ($1.element.startsInside ? 1 << UInt64($1.offset) : 0)
    }
    var known: [UInt64: Int] = [:]
    addCell(holders, &known)
    var i = 0
    while i < places.count {
      let cut = places[i].cut
      while i < places.count, places[i].cut == cut {
        holders ^= 1 << UInt64(places[i].set)
        i += 1
      }
      cuts.append(cut)
      addCell(holders, &known)
    }
  }

  private mutating func addCell(_ holders: UInt64, _ known: inout [UInt64: Int]) {
    let number = known[holders] ?? classes.count
    if number == classes.count {
      known[holders] = number
      classes.append(holders)
    }
    cells.append(number)
  }

  /// The classes in a set that it was made of.
  func mask(_ set: ValueSet) -> UInt64 {
    guard let i = sets.firstIndex(of: set) else { preconditionFailure("a set was not collected") }
    return classes.enumerated().reduce(0) { $0 | ($1.element >> UInt64(i) & 1) << UInt64($1.offset) }
  }

  func set(_ mask: UInt64) -> ValueSet {
    func isInside(_ cell: Int) -> Bool { mask >> UInt64(cells[cell]) & 1 == 1 }
    let changes = cuts.indices.filter { isInside($0) != isInside($0 + 1) }
    return ValueSet(sets[0].domain, startsInside: isInside(0), cuts: changes.map { cuts[$0] })
  }
}
