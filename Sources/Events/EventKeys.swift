import Base

/// Makes the key of an event's record from its value: the row's key, as text. By the key Kafka's clients choose
/// the partition (murmur2), so the events of a row lie in the partition of its shard, in the order in which
/// they were sent. One thread uses it.
public final class EventKeys {
  private let decoder: EventDecoder
  private var text = ByteBuffer(capacity: 256)

  public init(_ schema: Schema) {
    decoder = EventDecoder(schema, bytesMax: .max, unknownFields: .drop)
  }

  /// nil where the value is no event of the table: its dead letter may come from any partition. Valid until
  /// the next call.
  public func key(of value: UnsafeRawBufferPointer?) -> UnsafeRawBufferPointer? {
    guard case .event = decoder.decode(value) else { return nil }
    text.removeAll()
    decoder.writeKey(to: &text)
    return text.bytes
  }
}
