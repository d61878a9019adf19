/// A named filter or view: what `CREATE` said.
public struct Definition: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Stands for a condition wherever one may stand; it speaks of the table's columns.
    case filter
    /// Stands behind FROM.
    case view
  }

  public let kind: Kind
  public let name: String
  /// As it was written behind AS: a condition, or a SELECT.
  public let text: String
  /// The names of other definitions that its text stands on, all levels down; ascending.
  public let uses: [String]

  /// `Statement.create` makes them from SQL; this restores one that was kept.
  public init(kind: Kind, name: String, text: String, uses: [String]) {
    self.kind = kind
    self.name = name
    self.text = text
    self.uses = uses
  }
}

/// The named filters and views that a query may use. A value; equal ones expand every query alike.
///
/// A name is defined once and not changed while others stand on it (`parseStatement` sees to that), so a
/// definition can use only older ones and means the same always: there are no cycles. Queries are expanded
/// when they are read, and what was read does not follow a later `DROP` and `CREATE`.
public struct Definitions: Hashable, Sendable {
  private var byName: [String: Definition] = [:]
  /// Bytes of all texts and names.
  public private(set) var bytes = 0

  public init() {}

  /// By name, ascending.
  public var all: [Definition] { byName.values.sorted { $0.name < $1.name } }
  public var count: Int { byName.count }

  public subscript(name: String) -> Definition? { byName[name] }

  func names(_ kind: Definition.Kind) -> [String] { all.filter { $0.kind == kind }.map(\.name) }

  /// The names of those that stand on `name`, ascending.
  public func users(of name: String) -> [String] {
    byName.values.filter { $0.uses.contains(name) }.map(\.name).sorted()
  }

  /// Does what a statement says, which `parseStatement` checked against these definitions.
  public mutating func apply(_ statement: Statement) {
    switch statement {
    case .create(let definition): insert(definition)
    case .drop(_, let name): remove(name)
    }
  }

  /// Takes in a definition as it is, in place of one of its name: to restore what was kept.
  public mutating func insert(_ definition: Definition) {
    remove(definition.name)
    byName[definition.name] = definition
    bytes += Self.bytes(definition)
  }

  public mutating func remove(_ name: String) {
    if let old = byName.removeValue(forKey: name) { bytes -= Self.bytes(old) }
  }

  static func bytes(_ definition: Definition) -> Int {
    definition.name.utf8.count + definition.text.utf8.count
  }
}
