import Events

/// News of a history stream itself, which it carries as a record with `op: m`.
enum ChangeNotice: Equatable {
  /// These changes of a shard are lost: they were removed, or cannot be read, before they could be published.
  case gap(shard: Int32, from: Int64, to: Int64)
  /// The snapshot that follows begins the stream anew: what it had told before is not continued.
  case again(String)

  /// The clients were away for too long: nothing is told from here on until one of them is back.
  case limit(String)

  var json: JSON {
    switch self {
    case .gap(let shard, let from, let to):
      .object(of: [
        "kind": .string("gap"), "shard": .int(Int64(shard)), "from": .int(from), "to": .int(to),
        "text": .string(
          "changes \(from) to \(to) of shard \(shard) were lost before they could be published"),
      ])
    case .limit(let reason): .object(of: ["kind": .string("limit"), "text": .string(reason)])
    case .again(let reason):
      .object(of: ["kind": .string("snapshot"), "text": .string("a snapshot follows: \(reason)")])
    }
  }
}
