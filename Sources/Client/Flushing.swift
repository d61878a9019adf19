import Base
import Events

extension Session {
  /// How long the answer to a flush is waited for: longer than the cluster lets one wait.
  public static let flushTimeout = Duration.seconds(40)

  /// Publishes a request of the client's now, and waits until that is done. `positions` as the answer to a
  /// change of rows has them; nil: the commands before this one.
  public func flush(client: String, id: String, name: String, positions: JSON?) throws -> JSON {
    let flush = JSON.object(of: [
      "client": .string(client), "flush": .string(name), "positions": positions,
    ])
    return try command(id: id, flush, within: Self.flushTimeout)
  }
}
