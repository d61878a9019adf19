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

  var key: ByteKey { ByteKey(client + "/" + name) }
  /// Links are a client's own: the same word of two clients links nothing. A client's name has no slash.
  var linkWord: ByteKey? { link.map { ByteKey(client + "/" + $0) } }
  var bytes: Int { client.utf8.count + name.utf8.count + sql.utf8.count + (link?.utf8.count ?? 0) }

  static func == (a: RequestContent, b: RequestContent) -> Bool {
    a.key == b.key && ByteKey(a.sql) == ByteKey(b.sql) && a.mode == b.mode && a.placement == b.placement
      && a.intervalMs == b.intervalMs && a.linkWord == b.linkWord && a.leaseMs == b.leaseMs
  }

  /// Its members in the entity `request/<client>/<name>`.
  var members: [JSON.Member] {
    let all = JSON.object(of: [
      "client": .string(client), "name": .string(name), "sql": .string(sql), "mode": .string(mode.rawValue),
      "placement": placement.map { .string($0.rawValue) }, "interval_ms": intervalMs.map { .int($0) },
      "link": link.map { .string($0) }, "lease_ms": .int(leaseMs),
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
    guard value.count <= settings.requestBytesMax else {
      throw Rejection(.limit, "the request has more than \(settings.requestBytesMax) bytes")
    }
    let json: JSON
    do { json = try JSON(parsing: value) } catch { throw Rejection(error) }
    guard let members = json.members else {
      throw Rejection(.json, "a request is a JSON object", place: (1, 1))
    }
    for member in members where !Self.memberNames.contains(member.name) {
      throw Rejection(
        .member,
        "a request has no member \(excerpt(member.name))"
          + suggestion(for: member.name, among: Self.memberNames))
    }
    try self.init(json, settings)
  }

  /// Reads the members of a request, or of its entity.
  init(_ json: JSON, _ settings: RegistrySettings) throws(Rejection) {
    client = try requiredText(json, "client", bytesMax: settings.clientBytesMax)
    name = try requiredText(json, "name", bytesMax: settings.nameBytesMax)
    sql = try requiredText(json, "sql", bytesMax: settings.requestBytesMax)
    link = try text(json, "link", bytesMax: settings.linkBytesMax)
    mode = try word(json, "mode") ?? .net
    placement = try word(json, "placement")
    intervalMs = try number(
      json, "interval_ms", settings.intervalMin.milliseconds...settings.intervalMax.milliseconds)
    leaseMs = try number(json, "lease_ms", 0...Int64.max) ?? 0
    if client.utf8.contains(UInt8(ascii: "/")) {
      throw Rejection(.value, "a client's name has no slash")
    }
    for text in [client, name] where text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw Rejection(.value, "names have no control characters, but \(excerpt(text)) has")
    }
    try refuseWhatIsToCome(json)
  }

  private func refuseWhatIsToCome(_ json: JSON) throws(Rejection) {
    if mode != .net {
      throw Rejection(.unsupported, "the mode \(mode.rawValue) comes with a later version; here is net")
    }
    switch json["store_and_forward"] {
    case nil, .null, .bool(false): break
    case .bool(true): throw Rejection(.unsupported, "store_and_forward comes with a later version")
    default: throw Rejection(.value, "store_and_forward is true or false")
    }
  }
}

/// A member's value; JSON null is as good as none.
private func member(_ json: JSON, _ name: String) -> JSON? {
  let value = json[name]
  return value == .null ? nil : value
}

/// An empty text is as good as none.
private func text(_ json: JSON, _ name: String, bytesMax: Int) throws(Rejection) -> String? {
  guard let value = member(json, name) else { return nil }
  guard let text = value.string else { throw Rejection(.value, "\(name) is a text") }
  guard text.utf8.count <= bytesMax else {
    throw Rejection(.limit, "\(name) has more than \(bytesMax) bytes")
  }
  return text.isEmpty ? nil : text
}

private func requiredText(_ json: JSON, _ name: String, bytesMax: Int) throws(Rejection) -> String {
  guard let text = try text(json, name, bytesMax: bytesMax) else {
    throw Rejection(.value, "\(name) is missing")
  }
  return text
}

private func word<Word>(_ json: JSON, _ name: String) throws(Rejection) -> Word?
where Word: RawRepresentable & CaseIterable, Word.RawValue == String {
  guard let value = member(json, name) else { return nil }
  if let word = value.string.flatMap(Word.init(rawValue:)) { return word }
  let known = Word.allCases.map(\.rawValue)
  let hint = value.string.map { suggestion(for: $0, among: known) } ?? ""
  throw Rejection(.value, "\(name) is one of \(known.joined(separator: ", "))\(hint)")
}

private func number(_ json: JSON, _ name: String, _ range: ClosedRange<Int64>) throws(Rejection) -> Int64? {
  guard let value = member(json, name) else { return nil }
  if let number = value.int, range.contains(number) { return number }
  let bounds =
    range.upperBound == .max ? "\(range.lowerBound) on" : "\(range.lowerBound) to \(range.upperBound)"
  throw Rejection(.value, "\(name) is a whole number of milliseconds, \(bounds)")
}

/// A client's text for a message, shortened where it is long.
private func excerpt(_ text: String) -> String {
  let limit = 32
  return text.count <= limit ? text : text.prefix(limit) + "…"
}
