import Base
import Events

/// What became of a command so far.
enum CommandState {
  case running(RunningCommand)
  case answered(AnsweredCommand)

  /// What its reply on `<cluster>.replies` says.
  var reply: [UInt8] {
    switch self {
    case .running(let command): Array(command.reply.text.utf8)
    case .answered(let command): command.reply
    }
  }

  /// What the id stands for; nil: not known, in replies of versions that did not say it.
  var content: CommandID.Content? {
    switch self {
    case .running(let command): command.content
    case .answered(let command): command.content
    }
  }

  /// Whether a record with this content is another command than the one that the id stands for.
  func isOther(_ content: CommandID.Content) -> Bool { self.content.map { $0 != content } ?? false }

  /// Nothing was done under the id, nor will be.
  var isRejected: Bool { if case .answered(let command) = self { command.isRejected } else { false } }

  /// As a reply has it; nil where it is none of ours.
  init?(reply: UnsafeRawBufferPointer, content: CommandID.Content?) {
    guard let json = try? JSON(parsing: reply), let status = json["status"]?.string else { return nil }
    if status != "running" {
      self = .answered(
        AnsweredCommand(reply: Array(reply), content: content, isRejected: status == "rejected"))
    } else if var command = RunningCommand(json) {
      command.content = content
      self = .running(command)
    } else {
      return nil
    }
  }

  var isRunning: Bool { if case .running = self { true } else { false } }
}

/// A command that is over.
struct AnsweredCommand {
  let reply: [UInt8]
  let content: CommandID.Content?
  let isRejected: Bool
}

/// A command whose copies were sent to shards of which some have not answered.
struct RunningCommand {
  let client: String
  let sql: String
  var content: CommandID.Content?
  /// The shards whose answers are missing, ascending.
  var awaited: [Int32]
  /// Rows touched so far, and where: the shards' change numbers.
  var rows: Int64 = 0
  var positions: [(shard: Int32, change: Int64)] = []
  /// The first that went wrong.
  var error: JSON?

  init(client: String, sql: String, content: CommandID.Content) {
    self.client = client
    self.sql = sql
    self.content = content
    awaited = []
  }

  fileprivate init?(_ reply: JSON) {
    guard let client = reply["client"]?.string, let sql = reply["command"]?.string,
      let awaited = reply["awaited"]?.array?.compactMap(\.int), let rows = reply["rows"]?.int,
      let positions = reply["positions"]?.members, rows.isCount
    else { return nil }
    self.client = client
    self.sql = sql
    self.awaited = awaited.compactMap { Int32(exactly: $0) }
    self.rows = rows
    self.positions = positions.compactMap { member in
      guard let shard = Int32(member.name), let change = member.value.int else { return nil }
      return (shard, change)
    }
    error = reply["error"]
  }

  /// Takes a shard's answer in; false where none of it is awaited.
  mutating func take(_ answer: CommandAnswer) -> Bool {
    guard let at = awaited.firstIndex(of: answer.shard) else { return false }
    awaited.remove(at: at)
    rows &+= answer.rows  // what the inbox says is not to trap
    if answer.rows > 0 {
      let place = positions.firstIndex { $0.shard > answer.shard } ?? positions.endIndex
      positions.insert((answer.shard, answer.change), at: place)
    }
    error = error ?? answer.error
    return true
  }

  /// What its shards have not answered will never be known.
  mutating func giveUp() {
    let shards = awaited.map { "\($0)" }.joined(separator: ", ")
    let fault = CommandFault(
      "lost",
      "the inbox was deleted or cut before it was read: what became of it in the shards \(shards) is not known"
    )
    error = error ?? fault.json()
    awaited = []
  }

  var reply: JSON {
    let isRunning = !awaited.isEmpty
    let status = isRunning ? "running" : error == nil ? "done" : "failed"
    return .object(of: [
      "client": .string(client), "status": .string(status), "rows": .int(rows),
      "positions": .object(positions.map { JSON.Member("\($0.shard)", .int($0.change)) }),
      "awaited": isRunning ? .array(awaited.map { .int(Int64($0)) }) : nil,
      "command": isRunning ? .string(sql) : nil, "error": error,
    ])
  }
}

/// What a shard did of a command: an inbox record of kind `answer` to the reader's shard.
struct CommandAnswer {
  let shard: Int32
  let rows: Int64
  /// The shard's change number behind it.
  let change: Int64
  let error: JSON?

  init(shard: Int32, rows: Int64, change: Int64, error: JSON?) {
    self.shard = shard
    self.rows = rows
    self.change = change
    self.error = error
  }

  init?(_ value: UnsafeRawBufferPointer?) {
    guard let value, let json = try? JSON(parsing: value),
      let shard = json["shard"]?.int.flatMap({ Int32(exactly: $0) }),
      let rows = json["rows"]?.int, let change = json["change"]?.int, rows.isCount, change.isCount
    else { return nil }
    self.init(shard: shard, rows: rows, change: change, error: json["error"])
  }

  var json: JSON {
    .object(of: [
      "shard": .int(Int64(shard)), "rows": .int(rows), "change": .int(change), "error": error,
    ])
  }
}
