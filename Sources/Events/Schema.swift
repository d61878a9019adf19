import Base

/// What a column holds. There is no NULL: every column of every row has a value.
public enum ColumnType: String, Sendable, CaseIterable {
  case string, int, real, bool
  /// Whole milliseconds since 1970 UTC.
  case time
}

/// What a duplicate event does to a column of the row that is there.
public enum DuplicateRule: String, Sendable, CaseIterable {
  /// The event's value, where it has one.
  case replace
  /// The row's value stays.
  case keep
  /// The row's value grows by the event's, or by 1 where the event has none. Saturates.
  case increment
  /// The event's value, unless the row's is greater (the same as `max`, the usual word for times).
  case latest
  case min, max
}

/// A value at the edge of the house (requests, configuration, query results). Inside, rows hold `Cell`s.
public enum Value: Hashable, Sendable {
  case string(String)
  case int(Int64)
  case real(Double)
  case bool(Bool)
  case time(Int64)

  public var type: ColumnType {
    switch self {
    case .string: .string
    case .int: .int
    case .real: .real
    case .bool: .bool
    case .time: .time
    }
  }
}

public struct Column: Sendable, Hashable {
  public let name: String
  public let type: ColumnType
  public let onDuplicate: DuplicateRule
  /// The value of a new row whose event has none.
  public let `default`: Value
  /// The default is the event's record time instead (time columns only).
  public let defaultsToRecordTime: Bool

  public init(
    _ name: String, _ type: ColumnType, _ onDuplicate: DuplicateRule = .keep,
    default value: Value? = nil, defaultsToRecordTime: Bool = false
  ) {
    self.name = name
    self.type = type
    self.onDuplicate = onDuplicate
    self.default = value ?? Self.zero(of: type)
    self.defaultsToRecordTime = defaultsToRecordTime
    precondition(self.default.type == type, "default of \(name) is no \(type)")
  }

  public static func zero(of type: ColumnType) -> Value {
    switch type {
    case .string: .string("")
    case .int: .int(0)
    case .real: .real(0)
    case .bool: .bool(false)
    case .time: .time(0)
    }
  }
}

/// A table's declaration: its columns in order, and which of them make the row key. Immutable.
public final class Schema: Sendable {
  /// Columns of a table at most.
  public static let columnsMax = 512

  public let table: String
  public let columns: [Column]
  /// Indices into `columns`, in the order in which they make the key.
  public let key: [Int]
  private let indices: [String: Int]

  /// Traps on a declaration that the configuration's check would have refused: no key, an unknown or
  /// doubled column name, too many columns.
  public init(table: String, columns: [Column], key: [String]) {
    precondition(!key.isEmpty && columns.count <= Self.columnsMax)
    self.table = table
    self.columns = columns
    let indices = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1.name, $0) })
    self.indices = indices
    self.key = key.map { indices[$0]! }
  }

  /// Column names are case-sensitive, as JSON's are.
  public func index(of name: String) -> Int? { indices[name] }

  /// The `alerts` table with the columns that OMNIbus operators know (docs/events.md).
  public static let alerts = Schema(
    table: "alerts",
    columns: [
      Column("Identifier", .string),
      Column("Serial", .int),
      Column("Node", .string),
      Column("NodeAlias", .string),
      Column("Manager", .string),
      Column("Agent", .string),
      Column("AlertGroup", .string),
      Column("AlertKey", .string),
      Column("Severity", .int, .replace),
      Column("Summary", .string, .replace),
      Column("FirstOccurrence", .time, .keep, defaultsToRecordTime: true),
      Column("LastOccurrence", .time, .latest, defaultsToRecordTime: true),
      Column("InternalLast", .time),
      Column("StateChange", .time),
      Column("Type", .int),
      Column("Tally", .int, .increment, default: .int(1)),
      Column("Class", .int),
      Column("Grade", .int),
      Column("Location", .string),
      Column("OwnerUID", .int),
      Column("OwnerGID", .int),
      Column("Acknowledged", .int),
      Column("ExpireTime", .time),
      Column("Customer", .string),
      Column("Service", .string),
      Column("Url", .string),
      Column("ExtendedAttr", .string),
    ],
    key: ["Identifier"])
}
