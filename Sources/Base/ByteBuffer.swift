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

  public mutating func replace(at index: Int, with byte: UInt8) {
    precondition(index < count)
    storage[index] = byte
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
    if value >= 0, value < 10 { return append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value)) }
    if value < 0 { append(UInt8(ascii: "-")) }
    var magnitude = value.magnitude
    let digits = Self.digits(of: magnitude)
    var at = storage.baseAddress.unsafelyUnwrapped + count + digits
    count += digits
    while magnitude >= 10 {
      let (rest, pair) = magnitude.quotientAndRemainder(dividingBy: 100)
      at -= 2
      at.copyMemory(from: Self.pairs.utf8Start + Int(pair) * 2, byteCount: 2)
      magnitude = rest
    }
    // Of an odd number of digits the first one is left.
    if digits & 1 == 1 { (at - 1).storeBytes(of: UInt8(ascii: "0") + UInt8(magnitude), as: UInt8.self) }
  }

  private static func digits(of magnitude: UInt64) -> Int {
    var digits = 1
    var rest = magnitude
    while rest >= 10_000 {
      digits += 4
      rest /= 10_000
    }
    return digits + (rest >= 1000 ? 3 : rest >= 100 ? 2 : rest >= 10 ? 1 : 0)
  }

  /// The decimal texts of 0 to 99, two digits each.
  private static let pairs: StaticString = """
    00010203040506070809101112131415161718192021222324252627282930313233343536373839\
    40414243444546474849505152535455565758596061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899
    """
}
