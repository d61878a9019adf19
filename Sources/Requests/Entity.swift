import Base
import Events
import Query

/// The records of `<cluster>.cluster` (the table at `Registry`): keys, and values both ways.
enum Entity {
  static let position = "position/requests"
  static let commandsPosition = "position/commands"
  static let throttle = "throttle"
  /// What keys begin with, the positions' aside.
  static let kinds =
    ["request/", "stream/", "set/", "command/"] + Definition.Kind.allCases.map { definition($0, "") }

  static func request(_ key: ByteKey) -> String { "request/" + key.text }
  static func stream(_ id: String) -> String { "stream/" + id }
  static func set(_ id: String) -> String { "set/" + id }

  static func command(_ id: ByteKey) -> String { "command/" + id.text }
  static func definition(_ kind: Definition.Kind, _ name: String) -> String { "\(kind.rawValue)/\(name)" }

  static func position(_ offset: Int64) -> JSON { .object(of: ["offset": .int(offset)]) }

  static func value(of command: AnsweredCommand, number: Int64) -> JSON {
    .object(of: [
      "creation": .int(number), "reply": command.reply,
      "content": command.content.map { .string(String($0, radix: 16)) },
      "offset": command.offset.map { .int($0) },
    ])
  }

  static func value(of definition: Definition, _ creation: Int64) -> JSON {
    .object(of: [
      "creation": .int(creation), "text": .string(definition.text),
      "uses": .array(definition.uses.map { .string($0) }),
    ])
  }

  static func value(of request: RequestEntry) -> JSON {
    let head = JSON.object(of: [
      "creation": .int(request.creation), "stream": .string(request.stream.stream.id),
      "set": .string(request.stream.set.id), "replied_ms": .int(request.repliedAt.milliseconds),
      "away_ms": request.awaySince.map { .int($0.milliseconds) },
    ])
    return .object((head.members ?? []) + request.content.members)
  }

  static func value(of entry: StreamEntry) -> JSON {
    let stream = entry.stream
    return .object(of: [
      "creation": .int(stream.place.creation), "state": .string(entry.graceSince == nil ? "active" : "grace"),
      "text": .string(stream.text), "mode": .string(stream.mode.rawValue),
      "placement": .string(stream.place.placement.rawValue), "topic": .string(stream.place.topic),
      "partition": .int(Int64(stream.place.partition)), "key_prefix": .string(stream.place.keyPrefix),
      "again": .bool(stream.place.isAgain), "set": .string(stream.set),
      "grace_ms": entry.graceSince.map { .int($0.milliseconds) }, "error": entry.failure?.json,
      "full": entry.isFull?.json,
    ])
  }

  static func ended(creation: Int64, number: Int64) -> JSON {
    .object(of: ["creation": .int(creation), "state": .string("ended"), "ended": .int(number)])
  }

  static func value(of set: SetEntry) -> JSON {
    .object(of: [
      "creation": .int(set.creation), "filter": .string(set.filterText), "interval_ms": .int(set.interval),
    ])
  }
}

extension Registry {
  var positionEntity: JSON {
    .object(of: [
      "offset": .int(requestsPosition), "creations": .int(creations),
      "forgotten": .bool(endedStreams.hasForgotten),
    ])
  }
}

extension StreamPlace {
  /// Reads a place back from its stream's entity.
  init?(id: String, _ json: JSON) {
    guard let creation = json["creation"]?.int, let topic = json["topic"]?.string,
      let mode = json["mode"]?.string.flatMap(Mode.init(rawValue:)),
      let placement = json["placement"]?.string.flatMap(Placement.init(rawValue:)),
      let partition = json["partition"]?.int.flatMap({ Int32(exactly: $0) }),
      let keyPrefix = json["key_prefix"]?.string, let isAgain = json["again"]?.bool
    else { return nil }
    self.id = id
    self.creation = creation
    self.mode = mode
    self.placement = placement
    self.topic = topic
    self.partition = partition
    self.keyPrefix = keyPrefix
    self.isAgain = isAgain
  }
}
