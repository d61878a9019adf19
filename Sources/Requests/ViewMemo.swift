import Query

/// What texts of SQL mean, so that ten thousand clients with the same request cost one parse. It forgets all where it is
/// full; whoever owns it does so where a name's meaning changes.
struct ViewMemo {
  /// Texts that are remembered, and the bytes of one: some 4 MiB at most, and a view each.
  private static let countMax = 1_000
  private static let bytesMax = 4_096

  private var views: [ByteKey: View] = [:]

  subscript(sql: ByteKey) -> View? { views[sql] }

  mutating func remember(_ sql: ByteKey, _ view: View) {
    if sql.bytes.count > Self.bytesMax { return }
    if views.count >= Self.countMax { forget() }
    views[sql] = view
  }

  mutating func forget() { views.removeAll(keepingCapacity: true) }
}
