import Base
import Events
import Matching
import Notifier
import Query
import Requests
import Table

extension CompiledChange: RowChange {}

/// What the table must be told of clients' commands: their records' form from `Requests`, their SQL from `Query`,
/// their meaning for rows from `Matching`.
final class CommandReader: CommandLanguage {
  private let catalog: OneTable
  private let settings: RegistrySettings
  private let definitions: SharedDefinitions

  init(catalog: OneTable, settings: RegistrySettings, definitions: SharedDefinitions) {
    self.catalog = catalog
    self.settings = settings
    self.definitions = definitions
  }

  func isChange(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) -> Bool {
    ChangeCommand.isOne(key: key, value: value, settings)
  }

  func identity(of value: UnsafeRawBufferPointer) -> CommandID {
    let (client, content) = ChangeCommand.identity(of: value, settings)
    return CommandID(client: client, content: content)
  }

  func read(_ value: UnsafeRawBufferPointer, offset: Int64, now: Timestamp) -> CommandReading {
    switch ChangeCommand.read(value, settings) {
    case .failure(let refusal): return .refused(client: refusal.client, error: refusal.error)
    case .success(let command): return read(command, definitions.upTo(command: offset), now)
    }
  }

  /// What stands on no names need not wait for them.
  private func read(_ command: ChangeCommand, _ names: Definitions?, _ now: Timestamp) -> CommandReading {
    let change: ChangeStatement
    do throws(SQLError) {
      change = try parseChange(
        command.sql, in: catalog, names ?? definitions.current, now: now.milliseconds)
    } catch {
      if names == nil, error.code == .unknownColumn { return .early }
      let refusal = CommandRefusal(client: command.client, error)
      return .refused(client: refusal.client, error: refusal.error)
    }
    if names == nil, !change.uses.isEmpty { return .early }
    if case .insert(let rows) = change.kind {
      return .insert(
        client: command.client, sql: command.sql, rows: rows.map { event($0, change.schema) })
    }
    return .change(
      client: command.client, sql: command.sql, text: change.text, keys: CompiledChange(change).keys)
  }

  /// A row that is inserted, as a probe would send it.
  private func event(_ row: [ChangeStatement.Value], _ schema: Schema) -> JSON {
    .object(row.map { JSON.Member(schema.columns[$0.column].name, JSON($0.value)) })
  }

  func compile(_ text: String) -> (any RowChange)? {
    guard let change = try? parseChange(text, in: catalog, now: 0) else { return nil }
    if case .insert = change.kind { return nil }
    return CompiledChange(change)
  }
}
