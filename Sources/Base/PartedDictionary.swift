/// A dictionary in parts by its keys, each of which grows for itself: to move all of a large one at once takes tens of
/// milliseconds, in which its thread does nothing else.
public struct PartedDictionary<Key: Hashable, Value> {
  private var parts: [[Key: Value]]
  public private(set) var count = 0

  private static var partCount: Int { 256 }

  public init() { parts = Array(repeating: [:], count: Self.partCount) }

  /// Setting nil removes the key.
  public subscript(key: Key) -> Value? {
    get { parts[Self.part(of: key)][key] }
    set { if let newValue { updateValue(newValue, forKey: key) } else { removeValue(forKey: key) } }
  }

  /// In no order.
  public var values: some Sequence<Value> { parts.lazy.flatMap(\.values) }

  /// What was there before.
  @discardableResult
  public mutating func updateValue(_ value: Value, forKey key: Key) -> Value? {
    let old = parts[Self.part(of: key)].updateValue(value, forKey: key)
    if old == nil { count += 1 }
    return old
  }

  /// What was there.
  @discardableResult
  public mutating func removeValue(forKey key: Key) -> Value? {
    let old = parts[Self.part(of: key)].removeValue(forKey: key)
    if old != nil { count -= 1 }
    return old
  }

  /// By other bits than a dictionary finds its place with.
  private static func part(of key: Key) -> Int { Int(UInt(bitPattern: key.hashValue) >> (UInt.bitWidth - 8)) }
}
