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

/// `belfry requests`: each as its reply has it.
func showRequests(_ invocation: Invocation, _ output: Output) throws {
  let registry = try openSession(invocation).registry()
  try output.rows(
    [
      "client", "name", "stream", "mode", "status", "interval_ms", "lease_ms", "store_and_forward", "sql",
    ],
    members(registry, "request").map { _, request in
      let stream = registry["stream/\(request["stream"]?.string ?? "")"] ?? .null
      return [
        Cell(request["client"] ?? .null), Cell(request["name"] ?? .null), Cell(request["stream"] ?? .null),
        Cell(request["mode"] ?? .null), .text(status(request, stream)), interval(request, registry),
        Cell(request["lease_ms"] ?? .null), .bool(request["store_and_forward"]?.bool ?? false),
        Cell(request["sql"] ?? .null),
      ]
    })
}

/// Streams of every change are published at once.
private func interval(_ request: JSON, _ registry: [String: JSON]) -> Cell {
  if request["mode"]?.string != Mode.net.rawValue { return .int(0) }
  return Cell(registry["set/\(request["set"]?.string ?? "")"]?["interval_ms"] ?? .null)
}

/// `active`, `failed`, or of one whose client is away `away` or `full`, by the request's and the stream's entities.
private func status(_ request: JSON, _ stream: JSON) -> String {
  if stream["error"] != nil { return "failed" }
  if request["away_ms"] == nil { return "active" }
  return stream["full"] == nil ? "away" : "full"
}

/// `belfry streams`. `away`: of the clients, those for whom the stream stores what they will want.
func showStreams(_ invocation: Invocation, _ output: Output) throws {
  let registry = try openSession(invocation).registry()
  var clients: [String: (all: Int64, away: Int64)] = [:]
  for (_, request) in members(registry, "request") {
    let id = request["stream"]?.string ?? ""
    clients[id, default: (0, 0)].all += 1
    if request["away_ms"] != nil { clients[id]!.away += 1 }
  }
  try output.rows(
    ["id", "clients", "away", "mode", "state", "topic", "partition", "key_prefix", "view"],
    members(registry, "stream").filter { $0.value["state"]?.string != "ended" }.map { key, stream in
      let id = String(key.dropFirst("stream/".count))
      let (all, away) = clients[id] ?? (0, 0)
      return [
        .text(id), .int(all), .int(away), Cell(stream["mode"] ?? .null),
        state(stream, isStoring: all > 0 && all == away), Cell(stream["topic"] ?? .null),
        Cell(stream["partition"] ?? .null), Cell(stream["key_prefix"] ?? .null),
        Cell(stream["text"] ?? .null),
      ]
    })
}

/// `active` or `grace`, `failed`, or where all clients are away `away` or `full`.
private func state(_ stream: JSON, isStoring: Bool) -> Cell {
  if stream["error"] != nil { return .text("failed") }
  if isStoring { return .text(stream["full"] == nil ? "away" : "full") }
  return Cell(stream["state"] ?? .null)
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
