import Bus
import Events

extension StreamAddress {
  /// A topic that is one stream.
  public init(topic: String) {
    id = topic
    self.topic = topic
    partition = 0
    keyPrefix = ""
  }

  /// The stream's entity of the registry. nil for one that has ended, which has no place any more.
  public init?(id: String, entity: JSON) {
    guard let topic = entity["topic"]?.string, let prefix = entity["key_prefix"]?.string,
      let partition = entity["partition"]?.int.flatMap({ Int32(exactly: $0) })
    else { return nil }
    self.id = id
    self.topic = topic
    self.partition = partition
    keyPrefix = prefix
  }
}

/// A stream that was found, with what is known of it.
public struct FoundStream: Sendable {
  public let address: StreamAddress
  /// The registry's entity; nil where a topic was named.
  public let entity: JSON?
}

extension Session {
  /// Where the stream of a request (`client/name`) is now, by the registry; nil where it has none.
  public func address(ofRequest key: String) throws -> StreamAddress? {
    let registry = try registry()
    guard let id = registry["request/\(key)"]?["stream"]?.string, let entity = registry["stream/\(id)"] else {
      return nil
    }
    return StreamAddress(id: id, entity: entity)
  }

  /// The stream that a person means: the name of its topic, its id, `client/name` of a request for it, or the
  /// name of one of `client`'s own requests. Throws in words for people.
  public func findStream(_ text: String, client: String) throws -> FoundStream {
    if let partitions = try bus.partitionCounts([text])[text] {
      guard partitions == 1 else {
        throw ClientError(
          "topic \(text) has \(partitions) partitions, a stream's has one"
            + (text.contains(".lanes.") ? ": name the stream in it (`belfry streams`)" : ""))
      }
      return FoundStream(address: StreamAddress(topic: text), entity: nil)
    }
    let registry = try registry()
    let request = registry["request/\(text)"] ?? registry["request/\(client)/\(text)"]
    let id = request?["stream"]?.string ?? text
    guard let entity = registry["stream/\(id)"] else {
      throw ClientError("there is no topic, stream or request \(text) (`belfry streams`, `belfry requests`)")
    }
    guard let address = StreamAddress(id: id, entity: entity) else {
      throw ClientError("stream \(id) has ended, and its records with it")
    }
    return FoundStream(address: address, entity: entity)
  }
}
