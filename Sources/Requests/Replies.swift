import Base
import Events
import Query

/// Why a request ended, as its reply says it.
enum EndReason: String {
  case unsubscribed, lease
}

/// The two parts of a record's key.
struct ClientAndName {
  let client: String
  let name: String

  init(client: String, name: String) {
    self.client = client
    self.name = name
  }

  /// nil where the key is no `<client>/<name>`. A name may hold further slashes.
  init?(_ key: ByteKey) {
    guard let slash = key.bytes.firstIndex(of: UInt8(ascii: "/")),
      let client = String(validating: key.bytes[..<slash], as: UTF8.self),
      let name = String(validating: key.bytes[(slash + 1)...], as: UTF8.self),
      !client.isEmpty, !name.isEmpty
    else { return nil }
    self.init(client: client, name: name)
  }

  func endedReply(_ reason: EndReason) -> JSON {
    .object(of: [
      "client": .string(client), "name": .string(name), "status": .string("ended"),
      "reason": .string(reason.rawValue),
    ])
  }
}

func rejectedReply(_ rejection: Rejection, to key: ByteKey) -> JSON {
  let names = ClientAndName(key)
  return .object(of: [
    "client": names.map { .string($0.client) }, "name": names.map { .string($0.name) },
    "status": .string("rejected"), "error": rejection.json,
  ])
}

extension Registry {
  /// The reply to a living request (docs/bus-contract.md); where its stream stands still, with the error.
  func reply(to request: RequestEntry) -> JSON {
    let stream = request.stream.stream
    let failure = request.stream.failure ?? (request.awaySince == nil ? nil : request.stream.isFull)
    let progress = progress(stream.id)
    return .object(of: [
      "client": .string(request.content.client), "name": .string(request.content.name),
      "status": .string(request.status),
      "role": .string(request.isPrimary ? "primary" : "secondary"),
      "primary": .string(stream.id), "set": .string(stream.set), "mode": .string(stream.mode.rawValue),
      "stream": stream.place.replyMember, "columns": stream.view.replyColumns,
      "key": .array(stream.view.recordKey.map { .string($0) }),
      "interval_ms": .int(stream.mode == .net ? request.stream.set.interval : 0),
      "seq": .int(progress.seq), "epoch": .int(progress.epoch), "error": failure?.json,
    ])
  }
}

extension RequestEntry {
  /// Whether its stream is published for it, and how.
  fileprivate var status: String {
    if stream.failure != nil { return "failed" }
    if awaySince == nil { return "active" }
    return stream.isFull == nil ? "away" : "full"
  }
}

extension StreamPlace {
  fileprivate var replyMember: JSON {
    .object(of: [
      "id": .string(id), "topic": .string(topic), "partition": .int(Int64(partition)),
      "key_prefix": .string(keyPrefix),
    ])
  }
}

extension View {
  fileprivate var replyColumns: JSON {
    .array(
      recordColumns.map { column in
        .object(of: ["name": .string(column.name), "type": .string(column.type.rawValue)])
      })
  }
}
