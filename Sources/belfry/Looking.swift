import Base
import Client
import Configuration
import Events
import FrontDoor
import Query
import Requests
import Service

/// The entities of a kind, by key.
func members(_ registry: [String: JSON], _ kind: String) -> [(key: String, value: JSON)] {
  registry.filter { $0.key.hasPrefix(kind + "/") }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
}

/// `belfry requests`.
func showRequests(_ invocation: Invocation, _ output: Output) throws {
  let registry = try openSession(invocation).registry()
  try output.rows(
    ["client", "name", "stream", "mode", "interval_ms", "lease_ms", "sql"],
    members(registry, "request").map { _, request in
      let set = registry["set/\(request["set"]?.string ?? "")"]
      return [
        Cell(request["client"] ?? .null), Cell(request["name"] ?? .null), Cell(request["stream"] ?? .null),
        Cell(request["mode"] ?? .null), Cell(set?["interval_ms"] ?? .null),
        Cell(request["lease_ms"] ?? .null),
        Cell(request["sql"] ?? .null),
      ]
    })
}

/// `belfry streams`.
func showStreams(_ invocation: Invocation, _ output: Output) throws {
  let registry = try openSession(invocation).registry()
  var clients: [String: Int64] = [:]
  for (_, request) in members(registry, "request") {
    clients[request["stream"]?.string ?? "", default: 0] += 1
  }
  try output.rows(
    ["id", "clients", "mode", "state", "topic", "partition", "key_prefix", "view"],
    members(registry, "stream").filter { $0.value["state"]?.string != "ended" }.map { key, stream in
      let id = String(key.dropFirst("stream/".count))
      return [
        .text(id), .int(clients[id] ?? 0), Cell(stream["mode"] ?? .null), Cell(stream["state"] ?? .null),
        Cell(stream["topic"] ?? .null),
        Cell(stream["partition"] ?? .null), Cell(stream["key_prefix"] ?? .null),
        Cell(stream["text"] ?? .null),
      ]
    })
}

/// `belfry query`: asks a member over HTTP.
func query(_ invocation: Invocation, _ output: Output) throws {
  let listen = try loadConfiguration(invocation).http.listen
  let (status, body) = try HTTPClient.get(
    "http://\(listen)/v1/query", query: ["sql": invocation.argument(0)!])
  let answer = try JSON(parsing: body)
  guard status == 200 else { throw CommandFailure(rejection(answer)) }
  let columns = (answer["columns"]?.array ?? []).compactMap { $0["name"]?.string }
  let rows = answer["rows"]?.array ?? []
  try output.rows(columns, rows.map { row in columns.map { Cell(row[$0] ?? .null) } })
  if answer["truncated"]?.bool == true {
    tell("belfry: only the first \(rows.count) rows are shown\n")
  }
}

/// `belfry explain`: the canonical form and what follows from it. Needs no cluster.
func explain(_ invocation: Invocation, _ output: Output) throws {
  let schema = try Schema.of(try loadConfiguration(invocation))
  let view = try parseView(invocation.argument(0)!, in: OneTable(schema))
  try output.rows(
    ["what", "value"], Explanation(view).lines.map { [.text($0.0), .text($0.1)] })
}
