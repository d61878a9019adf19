import Base

/// A run of records, read or to be sent: all their bytes in one buffer, one small entry a record. Made
/// once and filled again and again; not thread-safe.
public final class RecordBatch {
  /// A record's place in the batch. Ranges are offsets into the batch's bytes.
  public struct Record {
    /// Index into `topics`.
    public var topic: Int32
    public var partition: Int32
    /// The record's offset where it was read; -1 where it is to be sent.
    public var offset: Int64
    public var timestamp: Timestamp
    fileprivate var keyStart: Int
    fileprivate var keyCount: Int32
    fileprivate var valueStart: Int
    fileprivate var valueCount: Int32
    fileprivate var headersStart: Int32
    fileprivate var headersCount: Int32
  }

  private struct Header {
    var nameStart: Int
    var nameCount: Int32
    var valueStart: Int
    var valueCount: Int32
  }

  public private(set) var topics: [String] = []
  private var topicIndices: [String: Int32] = [:]
  public private(set) var records: [Record] = []
  private var headers: [Header] = []
  private var buffer: ByteBuffer

  public init(capacity: Int = 1 << 16) { buffer = ByteBuffer(capacity: capacity) }

  public var count: Int { records.count }
  public var isEmpty: Bool { records.isEmpty }
  /// Bytes of keys, values and headers.
  public var byteCount: Int { buffer.count }

  /// Forgets the records; keeps the memory and the topics' indices.
  public func removeAll() {
    records.removeAll(keepingCapacity: true)
    headers.removeAll(keepingCapacity: true)
    buffer.removeAll()
  }

  /// The batch's own index of a topic's name, to be given to `append`.
  public func index(ofTopic name: String) -> Int32 {
    if let known = topicIndices[name] { return known }
    let index = Int32(topics.count)
    topics.append(name)
    topicIndices[name] = index
    return index
  }

  public func topic(_ record: Record) -> String { topics[Int(record.topic)] }

  /// Appends a record without headers. A nil key or value is Kafka's null (a null value: a tombstone).
  public func append(
    topic: Int32, partition: Int32, offset: Int64 = -1, timestamp: Timestamp,
    key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?
  ) {
    let keyStart = buffer.count
    if let key { buffer.append(key) }
    let valueStart = buffer.count
    if let value { buffer.append(value) }
    records.append(
      Record(
        topic: topic, partition: partition, offset: offset, timestamp: timestamp,
        keyStart: keyStart, keyCount: key.map { Int32($0.count) } ?? -1,
        valueStart: valueStart, valueCount: value.map { Int32($0.count) } ?? -1,
        headersStart: Int32(headers.count), headersCount: 0))
  }

  /// The same with texts, for the control side.
  public func append(
    topic: String, partition: Int32, timestamp: Timestamp, key: String, value: String?,
    headers: KeyValuePairs<String, String> = [:]
  ) {
    let index = index(ofTopic: topic)
    var key = key
    key.withUTF8 { key in
      if var value {
        value.withUTF8 { value in
          append(
            topic: index, partition: partition, timestamp: timestamp,
            key: UnsafeRawBufferPointer(key), value: UnsafeRawBufferPointer(value))
        }
      } else {
        append(
          topic: index, partition: partition, timestamp: timestamp,
          key: UnsafeRawBufferPointer(key), value: nil)
      }
    }
    for (name, value) in headers { appendHeader(name, value) }
  }

  /// Adds a header to the record that was appended last.
  public func appendHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
    let nameStart = buffer.count
    buffer.append(name)
    let valueStart = buffer.count
    if let value { buffer.append(value) }
    headers.append(
      Header(
        nameStart: nameStart, nameCount: Int32(name.count), valueStart: valueStart,
        valueCount: value.map { Int32($0.count) } ?? -1))
    records[records.count - 1].headersCount += 1
  }

  public func appendHeader(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
    appendHeader(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value)
  }

  public func appendHeader(_ name: String, _ value: String) {
    var name = name
    var value = value
    name.withUTF8 { name in
      value.withUTF8 { appendHeader(UnsafeRawBufferPointer(name), UnsafeRawBufferPointer($0)) }
    }
  }

  /// The key's bytes, nil for Kafka's null. Valid until the batch changes.
  public func key(_ record: Record) -> UnsafeRawBufferPointer? {
    record.keyCount < 0 ? nil : buffer[record.keyStart..<record.keyStart + Int(record.keyCount)]
  }

  public func value(_ record: Record) -> UnsafeRawBufferPointer? {
    record.valueCount < 0 ? nil : buffer[record.valueStart..<record.valueStart + Int(record.valueCount)]
  }

  /// The number of a record's headers.
  public func headerCount(_ record: Record) -> Int { Int(record.headersCount) }

  /// The header at a place from 0, in the record's order.
  public func header(_ record: Record, at index: Int)
    -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?)
  {
    precondition(index < Int(record.headersCount))
    let header = headers[Int(record.headersStart) + index]
    let name = buffer[header.nameStart..<header.nameStart + Int(header.nameCount)]
    guard header.valueCount >= 0 else { return (name, nil) }
    return (name, buffer[header.valueStart..<header.valueStart + Int(header.valueCount)])
  }

  /// The last header of that name, as Kafka's clients look one up; nil if there is none.
  public func header(_ record: Record, _ name: StaticString) -> UnsafeRawBufferPointer? {
    let wanted = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    for index in stride(from: Int(record.headersCount) - 1, through: 0, by: -1) {
      let header = header(record, at: index)
      if header.name.elementsEqual(wanted) { return header.value }
    }
    return nil
  }

  /// Appends a copy of another batch's record, headers and timestamp with it, for another place.
  public func append(copyOf record: Record, in other: RecordBatch, topic: Int32, partition: Int32) {
    append(
      topic: topic, partition: partition, timestamp: record.timestamp, key: other.key(record),
      value: other.value(record))
    for index in 0..<other.headerCount(record) {
      let header = other.header(record, at: index)
      appendHeader(header.name, header.value)
    }
  }

  public func keyText(_ record: Record) -> String? { key(record).map { String(decoding: $0, as: UTF8.self) } }

  public func valueText(_ record: Record) -> String? {
    value(record).map { String(decoding: $0, as: UTF8.self) }
  }

  public func headerText(_ record: Record, _ name: StaticString) -> String? {
    header(record, name).map { String(decoding: $0, as: UTF8.self) }
  }
}
