import Base

/// A record as it lies in a partition of a `SimulatedCluster`.
public struct SimulatedRecord: Sendable, Equatable {
  public struct Header: Sendable, Equatable {
    public let name: [UInt8]
    public let value: [UInt8]?

    public init(name: [UInt8], value: [UInt8]?) {
      self.name = name
      self.value = value
    }
  }

  public internal(set) var offset: Int64
  public internal(set) var timestamp: Timestamp
  /// When the brokers took it: what they tell nobody. nil: not known.
  public internal(set) var taken: Timestamp?
  /// Nil for Kafka's null.
  public let key: [UInt8]?
  /// Nil for Kafka's null: a tombstone.
  public let value: [UInt8]?
  public let headers: [Header]

  public init(offset: Int64 = -1, timestamp: Timestamp, key: [UInt8]?, value: [UInt8]?, headers: [Header]) {
    self.offset = offset
    self.timestamp = timestamp
    self.key = key
    self.value = value
    self.headers = headers
  }

  public var keyText: String? { key.map { String(decoding: $0, as: UTF8.self) } }
  public var valueText: String? { value.map { String(decoding: $0, as: UTF8.self) } }

  /// The value of the last header of that name.
  public func headerText(_ name: String) -> String? {
    guard let header = headers.last(where: { $0.name.elementsEqual(name.utf8) }) else { return nil }
    return header.value.map { String(decoding: $0, as: UTF8.self) }
  }
}

extension SimulatedRecord {
  /// A copy of a record; one that is to be sent has no offset yet.
  public init(copyOf record: RecordBatch.Record, in batch: RecordBatch) {
    self.init(
      offset: record.offset, timestamp: record.timestamp, key: batch.key(record).map { [UInt8]($0) },
      value: batch.value(record).map { [UInt8]($0) },
      headers: (0..<batch.headerCount(record)).map { index in
        let header = batch.header(record, at: index)
        return Header(name: [UInt8](header.name), value: header.value.map { [UInt8]($0) })
      })
  }

  /// Appends a copy to a batch, as a poll does.
  public func copy(to batch: RecordBatch, _ place: TopicPartition) {
    let topic = batch.index(ofTopic: place.topic)
    Self.withBytes(key) { key in
      Self.withBytes(value) { value in
        batch.append(
          topic: topic, partition: place.partition, offset: offset, timestamp: timestamp, key: key,
          value: value)
      }
    }
    for header in headers {
      header.name.withUnsafeBytes { name in
        Self.withBytes(header.value) { batch.appendHeader(name, $0) }
      }
    }
  }

  private static func withBytes(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Void) {
    guard let bytes else { return body(nil) }
    bytes.withUnsafeBytes { body($0) }
  }
}
