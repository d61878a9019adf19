import Base
import Events
import Query

/// A change of rows as a record on `<cluster>.commands` asks for it. The table's reader answers these; the registry
/// passes them over.
public struct ChangeCommand: Sendable {
  public let client: String
  public let sql: String

  private static let memberNames = ["client", "sql"]

  /// Whether a record is one that can be answered: its key is a command's id, and its value a JSON object whose
  /// `sql` begins as a change does. What cannot be read is the registry's.
  public static func isOne(
    key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, _ settings: RegistrySettings
  ) -> Bool {
    guard let key, let value, key.count > 0, key.count <= settings.commandIDBytesMax,
      String(validating: key, as: UTF8.self) != nil
    else { return false }
    return isChange(value, settings)
  }

  /// Who sends a record that `isOne`, as far as that can be read, and 64 bits over what it asks for.
  public static func identity(of value: UnsafeRawBufferPointer, _ settings: RegistrySettings)
    -> (client: String?, content: UInt64)
  {
    let json = RecordObject((try? JSON(parsing: value)) ?? .null)
    return (json.client(settings), sha256Start(json.json["sql"]?.string ?? ""))
  }

  /// What a record says, or why it is refused, with the client where that much could be read.
  public static func read(_ value: UnsafeRawBufferPointer, _ settings: RegistrySettings)
    -> Result<ChangeCommand, CommandRefusal>
  {
    var client: String?
    do throws(Rejection) {
      let json = try RecordObject(parsing: value, "change", bytesMax: settings.requestBytesMax)
      client = json.client(settings)
      try json.check(memberNames, "change")
      let name = try json.requiredText("client", bytesMax: settings.clientBytesMax)
      let sql = try json.requiredText("sql", bytesMax: settings.requestBytesMax)
      return .success(ChangeCommand(client: name, sql: sql))
    } catch {
      return .failure(CommandRefusal(client: client, error: error.json))
    }
  }
}

/// Why a command is refused: its reply's `client` and `error`.
public struct CommandRefusal: Error, Sendable {
  public let client: String?
  public let error: JSON

  init(client: String?, error: JSON) {
    self.client = client
    self.error = error
  }

  public init(client: String, _ error: SQLError) {
    self.init(client: client, error: Rejection(error).json)
  }
}

/// The same of the value alone.
func isChange(_ value: UnsafeRawBufferPointer, _ settings: RegistrySettings) -> Bool {
  guard value.count <= settings.requestBytesMax, let sql = (try? JSON(parsing: value))?["sql"]?.string else {
    return false
  }
  return isChange(sql)
}
