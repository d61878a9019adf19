import Base

/// The net records of a sweep: all their bytes in one buffer, one small entry a record, grouped by stream.
///
/// `@unchecked Sendable` because it is handed on whole: who fills it lets go of it before another thread
/// reads it, and the other way round.
public final class SweepBatch: @unchecked Sendable {
  public struct Record: Sendable {
    /// Index into `streams`.
    public let stream: Int32
    fileprivate let keyCount: Int32
    fileprivate let start: Int
    /// -1: null, the key is gone.
    fileprivate let valueCount: Int
  }

  /// A stream that was collected, changed or not.
  public struct Stream: Sendable {
    public let id: String
    /// Indices into `records`.
    public internal(set) var records: Range<Int>
  }

  public private(set) var streams: [Stream] = []
  public private(set) var records: [Record] = []
  private var buffer: ByteBuffer

  public init(capacity: Int = 1 << 16) { buffer = ByteBuffer(capacity: capacity) }

  public var count: Int { records.count }
  public var isEmpty: Bool { records.isEmpty }
  /// Bytes of keys and values.
  public var byteCount: Int { buffer.count }

  /// Forgets streams and records; keeps the memory.
  public func removeAll() {
    streams.removeAll(keepingCapacity: true)
    records.removeAll(keepingCapacity: true)
    buffer.removeAll()
  }

  /// The bytes of a record's key (UTF-8). Valid until the batch changes.
  public func key(_ record: Record) -> UnsafeRawBufferPointer {
    buffer[record.start..<record.start + Int(record.keyCount)]
  }

  /// A flat JSON object; nil is Kafka's null: the key is gone from the view.
  public func value(_ record: Record) -> UnsafeRawBufferPointer? {
    if record.valueCount < 0 { return nil }
    let start = record.start + Int(record.keyCount)
    return buffer[start..<start + record.valueCount]
  }

  public func keyText(_ record: Record) -> String { String(decoding: key(record), as: UTF8.self) }

  public func valueText(_ record: Record) -> String? {
    value(record).map { String(decoding: $0, as: UTF8.self) }
  }

  // MARK: Filling

  /// The records that follow are this stream's.
  func begin(stream id: String) {
    streams.append(Stream(id: id, records: records.count..<records.count))
  }

  /// Forgets the stream that was begun last, with its records.
  func dropLastStream() {
    let dropped = streams.removeLast().records
    if let first = dropped.first { buffer.truncate(to: records[first].start) }
    records.removeSubrange(dropped)
  }

  /// Appends a record whose key and value are written by the closures.
  @inline(__always)
  func append(key: (inout ByteBuffer) -> Void, value: (inout ByteBuffer) -> Void) {
    let start = buffer.count
    key(&buffer)
    let keyEnd = buffer.count
    value(&buffer)
    append(start, keyEnd, valueCount: buffer.count - keyEnd)
  }

  /// Appends a null: the key is gone.
  @inline(__always)
  func append(nullWithKey key: (inout ByteBuffer) -> Void) {
    let start = buffer.count
    key(&buffer)
    append(start, buffer.count, valueCount: -1)
  }

  private func append(_ start: Int, _ keyEnd: Int, valueCount: Int) {
    records.append(
      Record(
        stream: Int32(streams.count - 1), keyCount: Int32(keyEnd - start), start: start,
        valueCount: valueCount))
    let last = streams.count - 1
    streams[last].records = streams[last].records.lowerBound..<records.count
  }
}
