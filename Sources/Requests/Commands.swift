import Base
import Events
import Query

/// How the cluster's definitions change: by the records of `<cluster>.commands`.
extension Registry {
  /// One record of `<cluster>.commands`; `now` as in the other `handle`. Records below `commandsPosition`, and
  /// changes of rows, which the table's reader answers, are passed over. A command's id that was answered before gets that answer again, and nothing is done twice.
  public func handle(
    command key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, now: Timestamp, offset: Int64
  ) -> Effects {
    guard offset >= commandsPosition, offset < .max else {
      counts.ignored += 1
      return Effects()
    }
    commandsPosition = offset + 1
    guard let key, let value, key.count <= settings.commandIDBytesMax, isText(key) else {
      counts.ignored += 1
      return Effects()
    }
    if isChange(value, settings) { return quietly(now) }
    counts.commands += 1
    var draft = Draft(now: now)
    let id = ByteKey(key)
    let reply = answers[id] ?? answer(id, value, &draft)
    draft.effects.replies.append((id.text, reply))
    draft.effects.cluster.append((Entity.commandsPosition, Entity.position(commandsPosition)))
    return settle(&draft)
  }

  /// Carries a command out, and remembers what was said.
  private func answer(_ id: ByteKey, _ value: UnsafeRawBufferPointer, _ draft: inout Draft) -> JSON {
    var client: String?
    let reply: JSON
    do throws(Rejection) {
      let command = try CommandContent(parsing: value, settings)
      client = command.client
      try carryOut(command.sql, &draft)
      reply = CommandContent.reply(to: client, "done")
    } catch {
      counts.rejected[error.code, default: 0] += 1
      reply = CommandContent.reply(to: client, "rejected", error)
    }
    let number = nextCreation()
    answers.insert(id, reply, number: number)
    draft.effects.cluster.append((Entity.command(id), Entity.answered(reply, number: number)))
    for old in answers.forget(above: settings.answersMax) {
      draft.effects.cluster.append((Entity.command(old), nil))
    }
    return reply
  }

  private func carryOut(_ sql: String, _ draft: inout Draft) throws(Rejection) {
    let statement: Statement
    do { statement = try parseStatement(sql, in: catalog, definitions) } catch { throw Rejection(error) }
    definitions.apply(statement)
    draft.effects.definitions = definitions
    switch statement {
    case .create(let definition):
      draft.effects.cluster.append(
        (Entity.definition(definition.kind, definition.name), Entity.value(of: definition, nextCreation())))
    case .drop(let kind, let name):
      draft.effects.cluster.append((Entity.definition(kind, name), nil))
    }
  }
}

/// What a command's record says.
struct CommandContent {
  let client: String
  let sql: String

  private static let memberNames = ["client", "sql"]

  init(parsing value: UnsafeRawBufferPointer, _ settings: RegistrySettings) throws(Rejection) {
    let json = try RecordObject(
      parsing: value, "command", memberNames: Self.memberNames, bytesMax: settings.requestBytesMax)
    client = try json.requiredText("client", bytesMax: settings.clientBytesMax)
    sql = try json.requiredText("sql", bytesMax: settings.requestBytesMax)
  }

  /// The answer to a command; `client` is nil where the record could not be read so far.
  static func reply(to client: String?, _ status: String, _ rejection: Rejection? = nil) -> JSON {
    .object(of: [
      "client": client.map { .string($0) }, "status": .string(status), "error": rejection?.json,
    ])
  }
}
