import Client
import Events
import FrontDoor
import Requests

/// `belfry flush NAME`.
func flush(_ invocation: Invocation, _ output: Output) throws {
  let positions = try invocation.text("positions").map(parsePositions)
  let session = try openSession(invocation)
  try flush(invocation.argument(0)!, positions, try clientName(invocation), session, output)
}

func flush(_ name: String, _ positions: JSON?, _ client: String, _ session: Session, _ output: Output) throws
{
  let reply = try session.flush(
    client: client, id: commandID(client, "flush"), name: name, positions: positions)
  guard reply["status"]?.string == "flushed" else { throw CommandFailure(rejection(reply)) }
  try output.object(
    ["status", "seq", "sweep"],
    [.text("flushed"), Cell(reply["seq"] ?? .null), Cell(reply["sweep"] ?? .null)])
}

/// Throws where a flush of this request would be rejected, as far as the registry tells: before a change that is to be
/// in it is sent.
func checkFlush(_ name: String, _ client: String, _ session: Session) throws {
  let registry = try session.registry()
  guard let request = registry["request/\(client)/\(name)"] else {
    throw CommandFailure("--flush: \(client) has no request \(name); nothing was changed")
  }
  let mode = request["mode"]?.string ?? Mode.net.rawValue
  if mode != Mode.net.rawValue {
    throw CommandFailure("--flush: a stream of mode \(mode) waits for no interval; nothing was changed")
  }
  if let error = registry["stream/\(request["stream"]?.string ?? "")"]?["error"] {
    throw CommandFailure("--flush: \(error["message"]?.string ?? error.text); nothing was changed")
  }
}

/// `2=8812,3=17`
private func parsePositions(_ text: String) throws -> JSON {
  var shards = Set<Int32>()
  return .object(
    try text.split(separator: ",", omittingEmptySubsequences: false).map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let shard = Int32(parts[0]), shard >= 0, let number = Int64(parts[1]),
        number >= 0
      else { throw UsageError("--positions: expected SHARD=NUMBER, several with commas, found '\(pair)'") }
      guard shards.insert(shard).inserted else {
        throw UsageError("--positions: shard \(shard) is there twice")
      }
      return JSON.Member(String(shard), .int(number))
    })
}
