import Base
import Events
import Query

/// How the cluster's definitions change: by the records of `<cluster>.commands`.
extension Registry {
  /// One record of `<cluster>.commands`; `now` as in the other `handle`. Records below `commandsPosition`, and
  /// changes of rows, which the table's reader answers, are passed over. A command's id that was answered before
  /// gets that answer again, and nothing is done twice; under it no other command is taken, unless the first was
  /// rejected. A flush is among `flushes` from then on, and has no effects until it is answered.
  public func handle(
    command key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, now: Timestamp, offset: Int64
  ) -> Effects {
    guard offset >= commandsPosition, offset < .max else {
      counts.ignored += 1
      return Effects()
    }
    commandsPosition = offset + 1
    guard let key, key.count <= settings.commandIDBytesMax, isText(key) else {
      passOver(.commands, offset, badKey(settings.commandIDBytesMax))
      return Effects()
    }
    guard let value else {
      passOver(.commands, offset, "its value is null")
      return Effects()
    }
    if isChange(value, settings) { return quietly(now, isCommand: true) }
    counts.commands += 1
    var draft = Draft(now: now)
    let id = ByteKey(key)
    let json = Result { () throws(Rejection) in
      try RecordObject(parsing: value, "command", bytesMax: settings.requestBytesMax)
    }
    let (client, content) = CommandContent.identity(of: json, value, settings)
    if let known = answers[id], !known.isFree(for: content, at: offset) {
      if known.isOther(content) { refuse(id, client, &draft) }
      // Behind the refusal: the id's last reply is that of the command that it stands for.
      draft.effects.replies.append((id.text, known.reply))
    } else if let waiting = flushes.first(where: { $0.id == id }) {
      if waiting.content == content { return Effects() }
      refuse(id, client, &draft)
    } else if let reply = answer(id, json, client, content, offset, &draft) {
      say(AnsweredCommand(reply: reply, content: content, offset: offset), to: id, &draft)
    } else {
      return Effects()
    }
    return settle(commands: &draft)
  }

  /// Answers a record under an id that stands for another command; that is not remembered.
  private func refuse(_ id: ByteKey, _ client: String?, _ draft: inout Draft) {
    let rejection = Rejection(.id, "the id stands for another command: choose one of its own")
    counts.rejected[rejection.code, default: 0] += 1
    draft.effects.replies.append((id.text, CommandContent.reply(to: client, "rejected", rejection)))
  }

  /// Whether a command's record makes or drops a name.
  public func isDefinition(_ value: UnsafeRawBufferPointer?) -> Bool {
    guard let value, !isChange(value, settings),
      let json = try? RecordObject(parsing: value, "command", bytesMax: settings.requestBytesMax),
      let command = try? CommandContent(json, settings), case .statement = command.deed
    else { return false }
    return true
  }

  /// Carries a command out. nil: it is a flush, and waits.
  private func answer(
    _ id: ByteKey, _ json: Result<RecordObject, Rejection>, _ client: String?, _ content: UInt64,
    _ offset: Int64, _ draft: inout Draft
  ) -> JSON? {
    do throws(Rejection) {
      let command = try CommandContent(try json.get(), settings)
      switch command.deed {
      case .statement(let sql): try carryOut(sql, &draft)
      case .flush(let name, let positions):
        let flush = Flush(
          id: id, client: command.client, name: name, positions: positions, content: content,
          offset: offset, since: draft.now)
        try wait(for: flush)
        return nil
      }
      return CommandContent.reply(to: client, "done")
    } catch {
      counts.rejected[error.code, default: 0] += 1
      return CommandContent.reply(to: client, "rejected", error)
    }
  }

  /// Answers a command, and remembers what was said.
  func say(_ command: AnsweredCommand, to id: ByteKey, _ draft: inout Draft) {
    draft.effects.replies.append((id.text, command.reply))
    let number = nextCreation()
    answers.insert(id, command, number: number)
    draft.effects.cluster.append((Entity.command(id), Entity.value(of: command, number: number)))
    for old in answers.forget(above: settings.answersMax) {
      draft.effects.cluster.append((Entity.command(old), nil))
    }
  }

  /// As `settle`, with the position up to which commands need not be read again.
  func settle(commands draft: inout Draft) -> Effects {
    let position = flushes.first?.offset ?? commandsPosition
    draft.effects.cluster.append((Entity.commandsPosition, Entity.position(position)))
    return settle(&draft)
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

extension RecordObject {
  /// Who sent a command, as far as that can be read: for the reply to one that has other faults.
  func client(_ settings: RegistrySettings) -> String? {
    try? text("client", bytesMax: settings.clientBytesMax)
  }
}

/// What a command was answered, and which one it was.
struct AnsweredCommand {
  let reply: JSON
  /// 64 bits over what it asked for; nil: not known, in entities of versions that did not say it.
  let content: UInt64?
  /// Of its record.
  let offset: Int64?

  /// Whether a record with this content is another command than the one that the id stands for.
  func isOther(_ content: UInt64) -> Bool { self.content.map { $0 != content } ?? false }

  /// Nothing was done under a rejected id: another command may have it. The same one stays rejected, as was said, and
  /// what lies before it was answered when it was read first.
  func isFree(for content: UInt64, at offset: Int64) -> Bool {
    reply["status"]?.string == "rejected" && isOther(content) && offset > self.offset ?? .max
  }
}

/// What a command's record says.
struct CommandContent {
  enum Deed: Equatable {
    case statement(String)
    /// The name of one of the client's requests, and change numbers by shard.
    case flush(String, positions: [Int32: Int64])
  }

  let client: String
  let deed: Deed

  private static let memberNames = ["client", "sql", "flush", "positions"]

  init(_ json: RecordObject, _ settings: RegistrySettings) throws(Rejection) {
    try json.check(Self.memberNames, "command")
    client = try json.requiredText("client", bytesMax: settings.clientBytesMax)
    guard let name = try json.text("flush", bytesMax: settings.nameBytesMax) else {
      if json.json["positions"] != nil { throw Rejection(.value, "positions are for a flush") }
      deed = .statement(try json.requiredText("sql", bytesMax: settings.requestBytesMax))
      return
    }
    if json.json["sql"] != nil { throw Rejection(.value, "a command has either sql or flush") }
    deed = .flush(name, positions: try Flush.positions(json.json["positions"]))
  }

  /// Who sends a record, as far as that can be read, and 64 bits over what it asks for. `value`: its bytes, where they
  /// are no object.
  static func identity(
    of json: Result<RecordObject, Rejection>, _ value: UnsafeRawBufferPointer, _ settings: RegistrySettings
  ) -> (client: String?, content: UInt64) {
    guard case .success(let json) = json else {
      return (nil, sha256Start(String(decoding: value.prefix(settings.requestBytesMax), as: UTF8.self)))
    }
    let deed = ["sql", "flush", "positions"].map { json.json[$0]?.text ?? "" }
    return (json.client(settings), sha256Start(deed.joined(separator: "\n")))
  }

  /// The answer to a command; `client` is nil where the record could not be read so far.
  static func reply(to client: String?, _ status: String, _ rejection: Rejection? = nil) -> JSON {
    .object(of: [
      "client": client.map { .string($0) }, "status": .string(status), "error": rejection?.json,
    ])
  }
}
