import Base

/// Records of streams that have no sequence count yet, all their bytes in one buffer. Not thread-safe.
final class ChangeItems {
  enum Operation: String {
    case entered = "c"
    case changed = "u"
    case left = "d"
    case read = "r"
    case notice = "m"
  }

  /// Debezium's words for a snapshot's records.
  enum Mark: String {
    case none = "false"
    case first, last
    case within = "true"
  }

  /// What an item is, besides its bytes.
  struct Head {
    /// The stream's number with the matcher.
    var stream: Int
    var operation: Operation
    var mark = Mark.none
    /// When the row changed.
    var time: Timestamp
    var shard: Int32 = -1
    /// The change's number in its shard; 0: it comes from none.
    var change: Int64 = 0
    /// Of a gap, whose last change is `change`: the first.
    var first: Int64 = 0
  }

  struct Item {
    let head: Head
    fileprivate let start: Int
    fileprivate let keyCount: Int32
    /// -1: there is none.
    fileprivate let beforeCount: Int32
    fileprivate let afterCount: Int32
    fileprivate let traceCount: Int32
  }

  private(set) var items: [Item] = []
  private var buffer = ByteBuffer(capacity: 1 << 14)

  var isEmpty: Bool { items.isEmpty }
  var count: Int { items.count }
  var byteCount: Int { buffer.count }

  /// Forgets all; keeps the memory.
  func removeAll() {
    items.removeAll(keepingCapacity: true)
    buffer.removeAll()
  }

  func removeAll(ofStreams numbers: Set<Int>) {
    items.removeAll { numbers.contains($0.head.stream) }
    if items.isEmpty { buffer.removeAll() }
  }

  /// Copies the bytes. A notice has its text as `after`.
  func append(
    _ head: Head, key: UnsafeRawBufferPointer, before: UnsafeRawBufferPointer?,
    after: UnsafeRawBufferPointer?, trace: UnsafeRawBufferPointer?
  ) {
    let start = buffer.count
    buffer.append(key)
    if let before { buffer.append(before) }
    if let after { buffer.append(after) }
    if let trace { buffer.append(trace) }
    items.append(
      Item(
        head: head, start: start, keyCount: Int32(key.count), beforeCount: Self.count(before),
        afterCount: Self.count(after), traceCount: Self.count(trace)))
  }

  private static func count(_ bytes: UnsafeRawBufferPointer?) -> Int32 { bytes.map { Int32($0.count) } ?? -1 }

  func append(copyOf item: Item, in other: ChangeItems) {
    append(
      item.head, key: other.key(item), before: other.before(item), after: other.after(item),
      trace: other.trace(item))
  }

  // Valid until the items change.

  func key(_ item: Item) -> UnsafeRawBufferPointer { buffer[item.start..<item.start + Int(item.keyCount)] }

  func before(_ item: Item) -> UnsafeRawBufferPointer? {
    bytes(item.start + Int(item.keyCount), item.beforeCount)
  }

  func after(_ item: Item) -> UnsafeRawBufferPointer? {
    bytes(item.start + Int(item.keyCount) + Int(max(item.beforeCount, 0)), item.afterCount)
  }

  /// The change's `traceparent`.
  func trace(_ item: Item) -> UnsafeRawBufferPointer? {
    let images = Int(max(item.beforeCount, 0)) + Int(max(item.afterCount, 0))
    return bytes(item.start + Int(item.keyCount) + images, item.traceCount)
  }

  private func bytes(_ start: Int, _ count: Int32) -> UnsafeRawBufferPointer? {
    count < 0 ? nil : buffer[start..<start + Int(count)]
  }
}
