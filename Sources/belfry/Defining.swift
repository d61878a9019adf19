import Client
import Events
import FrontDoor

/// `belfry exec SQL`: one change of rows, or of the named filters and views; with `--flush`, a request's view that
/// has it in it.
func execute(_ invocation: Invocation, _ output: Output) throws {
  let session = try openSession(invocation)
  let client = try clientName(invocation)
  let id = try commandID(invocation) ?? commandID(client, "exec")
  let flushed = invocation.text("flush")
  if let flushed { try checkFlush(flushed, client, session) }
  let reply = try session.execute(client: client, id: id, sql: invocation.argument(0)!)
  guard reply["status"]?.string == "done" else { throw CommandFailure(failure(reply)) }
  let columns = ["rows", "positions"].filter { reply[$0] != nil }
  try output.object(["status"] + columns, [.text("done")] + columns.map { Cell(reply[$0]!) })
  guard let flushed else { return }
  try flush(flushed, reply["positions"], client, session, output)
}

private func commandID(_ invocation: Invocation) throws -> String? {
  guard let id = invocation.text("id") else { return nil }
  let bytesMax = 385
  if id.isEmpty || id.utf8.count > bytesMax { throw UsageError("--id: a text of at most \(bytesMax) bytes") }
  return id
}

/// An id that no other command has.
func commandID(_ client: String, _ what: String) -> String {
  "\(client)/\(what)-" + String(UInt64.random(in: .min ... .max), radix: 16)
}

/// A change that fails in some shards may have been done in others.
private func failure(_ reply: JSON) -> String {
  guard reply["status"]?.string == "failed", let rows = reply["rows"]?.int, rows > 0 else {
    return rejection(reply)
  }
  return rejection(reply) + " (\(rows) rows were changed in other shards)"
}

/// `belfry definitions`.
func showDefinitions(_ invocation: Invocation, _ output: Output) throws {
  let registry = try openSession(invocation).registry()
  let rows = ["filter", "view"].flatMap { kind in
    members(registry, kind).map { key, definition in
      [
        Cell.text(kind), .text(String(key.dropFirst(kind.count + 1))),
        .text((definition["uses"]?.array ?? []).compactMap(\.string).joined(separator: ", ")),
        Cell(definition["text"] ?? .null),
      ]
    }
  }
  try output.rows(["kind", "name", "uses", "text"], rows)
}
