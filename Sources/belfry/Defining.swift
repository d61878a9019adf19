import Client
import Events
import FrontDoor

/// `belfry exec SQL`: one change of the named filters and views.
func execute(_ invocation: Invocation, _ output: Output) throws {
  let session = try openSession(invocation)
  let client = try clientName(invocation)
  let id = "\(client)/exec-" + String(UInt64.random(in: .min ... .max), radix: 16)
  let reply = try session.execute(client: client, id: id, sql: invocation.argument(0)!)
  guard reply["status"]?.string == "done" else { throw CommandFailure(rejection(reply)) }
  try output.object(["status"], [.text("done")])
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
