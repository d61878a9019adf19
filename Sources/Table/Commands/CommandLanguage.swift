import Base
import Events

/// What the table must be told of clients' commands, since it knows neither their records' form nor SQL. Called on
/// the table's thread.
public protocol CommandLanguage: AnyObject {
  /// Whether a record of the commands topic is a change of rows, which the table answers: never where key or value
  /// is missing. Cheap.
  func isChange(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) -> Bool
  /// By what a change of rows is known again that comes under an id that was used. Cheap.
  func identity(of value: UnsafeRawBufferPointer) -> CommandID
  /// Reads one. `offset` is its place among the commands: names mean what the commands before it made of them.
  func read(_ value: UnsafeRawBufferPointer, offset: Int64, now: Timestamp) -> CommandReading
  /// Makes the text of a `CommandReading.change` ready for rows; nil where it is none.
  func compile(_ text: String) -> (any RowChange)?
}

/// Who sends a command, as far as that can be read, and what it asks for.
public struct CommandID {
  /// 64 bits over it.
  public typealias Content = UInt64

  public let client: String?
  public let content: Content

  public init(client: String?, content: Content) {
    self.client = client
    self.content = content
  }
}

/// What a command's record asks for.
public enum CommandReading {
  /// It stands on names, and what the commands before it define is not known yet: to be read again later.
  case early
  /// It cannot be carried out: what its reply says of it.
  case refused(client: String?, error: JSON)
  /// Rows as events.
  case insert(client: String, sql: String, rows: [JSON])
  /// A change of the rows that are there, as a text that every member reads alike. `keys` are those of the only rows
  /// that it can touch; nil: it may touch any.
  case change(client: String, sql: String, text: String, keys: [[UInt8]]?)
}

/// A change made ready for rows. Called once for many rows but `assign`, which is for those that change.
public protocol RowChange {
  /// The rows are deleted, and `assign` is not to be called.
  var isDeletion: Bool { get }
  /// As in `CommandReading.change`.
  var keys: [[UInt8]]? { get }
  /// Leaves of `slots` those whose rows it is for; `row` gives a slot's, valid until its next call.
  func keepMatches(_ slots: inout [RowStore.Slot], _ strings: StringTable, row: (RowStore.Slot) -> Row)
  /// Puts the row's new values over its copy in `next`, with a share of each string in which that then differs.
  func assign(_ row: Row, to next: UnsafeMutablePointer<Cell>, _ strings: StringTable)
}

/// Why a shard did nothing of a command: the `error` of the reply.
struct CommandFault: Error {
  let code: String
  let message: String

  init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }

  init(_ refusal: Refusal) { self.init(refusal.code.rawValue, refusal.message) }

  /// `shard`: where nothing was done; nil: nothing was done anywhere.
  func json(shard: Int32? = nil) -> JSON {
    let place = shard.map { "shard \($0), where nothing was changed: " } ?? ""
    return .object(of: ["code": .string(code), "message": .string(place + message)])
  }
}
