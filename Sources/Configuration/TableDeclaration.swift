/// A table as the user declares it; its names and rules are checked, the making is the table's own.
public struct TableDeclaration: Equatable, Sendable {
  public enum ColumnType: String, CaseIterable, Sendable { case string, int, real, bool, time }

  /// What a duplicate does to a column.
  public enum Rule: String, CaseIterable, Sendable { case replace, keep, increment, latest, min, max }

  /// A column's value in a new row whose event has none.
  public enum Default: Equatable, Sendable {
    case string(String)
    case int(Int64)
    case real(Double)
    case bool(Bool)
    /// Milliseconds since 1970 UTC.
    case time(Int64)
  }

  public struct Column: Equatable, Sendable {
    public var name: String
    public var type: ColumnType
    public var defaultValue: Default
    public var onDuplicate: Rule
    public var place: Place

    public init(
      name: String, type: ColumnType, defaultValue: Default? = nil, onDuplicate: Rule = .keep,
      place: Place = Place(source: "")
    ) {
      self.name = name
      self.type = type
      self.defaultValue = defaultValue ?? type.zero
      self.onDuplicate = onDuplicate
      self.place = place
    }

    public static func == (a: Column, b: Column) -> Bool {
      a.name == b.name && a.type == b.type && a.defaultValue == b.defaultValue
        && a.onDuplicate == b.onDuplicate
    }
  }

  public var name: String
  /// Columns by which rows are told apart, in this order; never none.
  public var key: [String]
  public var columns: [Column]
  public var place: Place

  public init(name: String, key: [String], columns: [Column], place: Place = Place(source: "")) {
    self.name = name
    self.key = key
    self.columns = columns
    self.place = place
  }

  public static func == (a: TableDeclaration, b: TableDeclaration) -> Bool {
    a.name == b.name && a.key == b.key && a.columns == b.columns
  }
}

extension TableDeclaration.ColumnType {
  /// What a column starts with when nothing else is said.
  public var zero: TableDeclaration.Default {
    switch self {
    case .string: .string("")
    case .int: .int(0)
    case .real: .real(0)
    case .bool: .bool(false)
    case .time: .time(0)
    }
  }

  /// The value that a text stands for; nil when it is not of this type.
  func value(_ text: String) -> TableDeclaration.Default? {
    switch self {
    case .string: return .string(text)
    case .int: return text.utf8.count <= 20 ? Int64(text).map { .int($0) } : nil
    case .time:
      guard text.utf8.count <= 20, let time = Int64(text), time >= 0 else { return nil }
      return .time(time)
    case .real:
      guard text.utf8.count <= 64, let real = Double(text), real.isFinite else { return nil }
      return .real(real)
    case .bool: return ["true": .bool(true), "false": .bool(false)][text]
    }
  }

  /// The rules that mean something for this type.
  var rules: [TableDeclaration.Rule] {
    switch self {
    case .int: [.replace, .keep, .increment, .latest, .min, .max]
    case .time: [.replace, .keep, .latest, .min, .max]
    case .real: [.replace, .keep, .min, .max]
    case .string, .bool: [.replace, .keep]
    }
  }
}

extension TableDeclaration.Default {
  var text: String {
    switch self {
    case .string(let text): text
    case .int(let number), .time(let number): String(number)
    case .real(let number): String(number)
    case .bool(let bool): String(bool)
    }
  }
}

extension TableDeclaration {
  /// The declaration as it is written.
  var entry: Node.Entry {
    let nowhere = Place(source: "")
    func scalar(_ text: String, quoted: Bool = false) -> Node {
      Node(.scalar(Scalar(text, isQuoted: quoted)), at: nowhere)
    }
    func map(_ entries: [(String, Node)]) -> Node {
      Node(.map(entries.map { Node.Entry(key: $0, keyPlace: nowhere, value: $1) }), at: nowhere)
    }
    let declared = columns.map { column in
      (
        column.name,
        map([
          ("type", scalar(column.type.rawValue)),
          ("default", scalar(column.defaultValue.text, quoted: column.type == .string)),
          ("on_duplicate", scalar(column.onDuplicate.rawValue)),
        ])
      )
    }
    return Node.Entry(
      key: name, keyPlace: nowhere,
      value: map([
        ("key", Node(.list(key.map { scalar($0) }), at: nowhere)), ("columns", map(declared)),
      ]))
  }
}
