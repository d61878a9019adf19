import Base
import Events
import Query

/// Which changes of a view a stream carries.
public enum Mode: String, Sendable, CaseIterable {
  /// What changed since the last sweep, newest state only.
  case net
  /// Every committed change.
  case all
  /// Every committed change, at once.
  case immediate
}

/// Where a stream lives.
public enum Placement: String, Sendable, CaseIterable {
  /// In a topic of its own.
  case own
  /// In a lane: one partition of a topic that many streams share.
  case lane
}

/// What a request's record says. Two are equal when the clients said the same, byte for byte in its texts.
struct RequestContent: Equatable {
  var client: String
  var name: String
  var sql: String
  var mode: Mode
  /// nil where the request leaves it open; so are the interval and the link.
  var placement: Placement?
  var intervalMs: Int64?
  var link: String?
  /// 0: no lease.
  var leaseMs: Int64
  /// Its stream goes on collecting when its lease is over.
  var storesAndForwards: Bool

  var key: ByteKey { ByteKey(client + "/" + name) }
  /// Links are a client's own: the same word of two clients links nothing. A client's name has no slash.
  var linkWord: ByteKey? { link.map { ByteKey(client + "/" + $0) } }
  var bytes: Int { client.utf8.count + name.utf8.count + sql.utf8.count + (link?.utf8.count ?? 0) }

  static func == (a: RequestContent, b: RequestContent) -> Bool {
    a.key == b.key && ByteKey(a.sql) == ByteKey(b.sql) && a.mode == b.mode && a.placement == b.placement
      && a.intervalMs == b.intervalMs && a.linkWord == b.linkWord && a.leaseMs == b.leaseMs
      && a.storesAndForwards == b.storesAndForwards
  }

  /// Its members in the entity `request/<client>/<name>`.
  var members: [JSON.Member] {
    let all = JSON.object(of: [
      "client": .string(client), "name": .string(name), "sql": .string(sql), "mode": .string(mode.rawValue),
      "placement": placement.map { .string($0.rawValue) }, "interval_ms": intervalMs.map { .int($0) },
      "link": link.map { .string($0) }, "lease_ms": .int(leaseMs),
      "store_and_forward": storesAndForwards ? .bool(true) : nil,
    ])
    return all.members ?? []
  }
}

extension RequestContent {
  static let memberNames = [
    "client", "name", "sql", "mode", "placement", "interval_ms", "link", "lease_ms", "store_and_forward",
  ]

  /// Reads a record's value.
  init(parsing value: UnsafeRawBufferPointer, _ settings: RegistrySettings) throws(Rejection) {
    try self.init(
      RecordObject(
        parsing: value, "request", memberNames: Self.memberNames, bytesMax: settings.requestBytesMax),
      settings)
  }

  /// Reads the members of a request, or of its entity.
  init(_ json: RecordObject, _ settings: RegistrySettings) throws(Rejection) {
    client = try json.requiredText("client", bytesMax: settings.clientBytesMax)
    name = try json.requiredText("name", bytesMax: settings.nameBytesMax)
    sql = try json.requiredText("sql", bytesMax: settings.requestBytesMax)
    link = try json.text("link", bytesMax: settings.linkBytesMax)
    mode = try json.word("mode") ?? .net
    placement = try json.word("placement")
    intervalMs = try json.number(
      "interval_ms", settings.intervalMin.milliseconds...settings.intervalMax.milliseconds)
    leaseMs = try json.number("lease_ms", 0...Int64.max) ?? 0
    storesAndForwards = try json.truth("store_and_forward") ?? false
    if client.utf8.contains(UInt8(ascii: "/")) {
      throw Rejection(.value, "a client's name has no slash")
    }
    for text in [client, name] where text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw Rejection(.value, "names have no control characters, but \(excerpt(text)) has")
    }
  }
}
