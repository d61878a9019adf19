/// A growing run of bytes for building records: one allocation, reused from batch to batch.
/// Not thread-safe; it belongs to whoever fills it.
public struct ByteBuffer: ~Copyable {
  public private(set) var count = 0
  private var storage: UnsafeMutableRawBufferPointer

  public init(capacity: Int = 4096) {
    storage = .allocate(byteCount: max(capacity, 16), alignment: 16)
  }

  deinit { storage.deallocate() }

  public var capacity: Int { storage.count }

  /// The bytes written so far. Valid until the next write.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[..<count]) }

  public subscript(range: Range<Int>) -> UnsafeRawBufferPointer {
    precondition(range.upperBound <= count)
    return UnsafeRawBufferPointer(rebasing: storage[range])
  }

  public mutating func removeAll() { count = 0 }

  /// Forgets what was written after `count` bytes.
  public mutating func truncate(to count: Int) {
    precondition(count <= self.count)
    self.count = count
  }

  @inline(__always)
  public mutating func reserve(_ more: Int) {
    if count + more > storage.count { grow(more) }
  }

  private mutating func grow(_ more: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(storage.count * 2, count + more), alignment: 16)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[..<count]))
    storage.deallocate()
    storage = larger
  }

  @inline(__always)
  public mutating func append(_ byte: UInt8) {
    reserve(1)
    storage[count] = byte
    count += 1
  }

  @inline(__always)
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let from = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    (storage.baseAddress! + count).copyMemory(from: from, byteCount: bytes.count)
    count += bytes.count
  }

  public mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  public mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Decimal text of an integer.
  public mutating func append(decimal value: Int64) {
    reserve(20)
    var magnitude = value.magnitude
    if value < 0 { append(UInt8(ascii: "-")) }
    let start = count
    repeat {
      storage[count] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10)
      count += 1
      magnitude /= 10
    } while magnitude != 0
    var low = start
    var high = count - 1
    while low < high {
      storage.swapAt(low, high)
      low += 1
      high -= 1
    }
  }
}
