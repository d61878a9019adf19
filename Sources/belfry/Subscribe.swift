import Base
import Bus
import Client
import ConnectorKit
import Events
import FrontDoor
import Glibc
import Requests

/// `belfry subscribe`: makes a request, follows its stream, and ends the request on ^C, unless the stream is to store
/// what comes meanwhile.
func subscribe(_ invocation: Invocation, _ output: Output) throws {
  try checkStoring(invocation)
  try checkInterval(invocation)
  Signals.block()
  let session = try openSession(invocation)
  let client = try clientName(invocation)
  let name =
    invocation.text("name") ?? "subscribe-\(getpid())-\(session.clock.now().milliseconds % 1_000_000)"
  let subscription = Subscription(session, invocation, client, name)
  let reply = try session.request(client: client, name: name, subscription.request)
  guard reply["status"]?.string == "active", var address = StreamAddress(reply: reply) else {
    throw CommandFailure(rejection(reply))
  }
  let form = ViewForm(reply)
  let printer = EventPrinter(output, form)
  // Rows as they are would hide what was stored for this client: it gets each record.
  let isWhole = invocation.has("from-start") || subscription.isStored
  var first = invocation.integer("from").map { Int64($0) } ?? (isWhole ? 1 : nil)
  while true {
    subscription.tellPlace(address, as: reply["role"]?.string ?? "active")
    let reader = try session.read(address, from: first ?? 1)
    defer { reader.close() }
    do {
      if first == nil {
        guard let present = try readPresent(reader) else {
          return try subscription.leave(reader, from: first)
        }
        // An immediate stream tells changes only.
        if form.mode != .immediate { try printer.show(present) }
      }
      guard let next = try subscription.follow(reader, printer, at: address) else {
        return try subscription.leave(reader, from: first)
      }
      address = next
      first = first.map { _ in 1 }
    } catch let error as OutputError {
      try subscription.leave(reader, from: first)
      throw error
    }
  }
}

/// The view as it is now: the stream folded up to its present end, behind what was found to be missing in it.
/// nil: a signal came.
private func readPresent(_ reader: HistoryReader) throws -> [HistoryEvent]? {
  var rows: [String: HistoryEntry] = [:]
  var remarks: [HistoryEvent] = []
  var beginning: StreamPosition?
  repeat {
    if Signals.wait(atMost: .zero) != nil { return nil }
    for event in try again({ () throws(BusError) in try reader.poll(timeout: .milliseconds(100)) }) ?? [] {
      switch event {
      case .entry(let entry):
        if case .notice = entry.content { continue }
        rows[entry.key] = entry.isGone ? nil : entry
      // What was there before it is void, and missing for nobody.
      case .madeAgain(let place): (rows, remarks, beginning) = ([:], [], place)
      case .gap(let hole) where hole.before == beginning: break
      case .gap, .unreadable: remarks.append(event)
      default: break
      }
    }
    // While its topic is made again, brokers may not know it.
  } while try again({ () throws(BusError) in try reader.isAtEnd(.committed) }) != true
  return remarks + rows.values.sorted { $0.position.point < $1.position.point }.map { .entry($0) }
}

/// What the registry would reject is wrong use already here.
private func checkInterval(_ invocation: Invocation) throws {
  let limits = RegistrySettings()
  guard let interval = invocation.duration("interval"), let text = invocation.text("interval"),
    !(limits.intervalMin...limits.intervalMax).contains(interval)
  else { return }
  throw UsageError(
    "subscribe: --interval: expected \(limits.intervalMin.milliseconds)ms to "
      + "\(limits.intervalMax.milliseconds / 3_600_000)h, found '\(visible(text))'")
}

private func checkStoring(_ invocation: Invocation) throws {
  guard invocation.has("store-and-forward") else { return }
  if invocation.text("mode") != Mode.all.rawValue {
    throw UsageError(
      "subscribe: --store-and-forward is for --mode all: other streams keep no change for later")
  }
  if invocation.text("placement") == Placement.lane.rawValue {
    throw UsageError("subscribe: --store-and-forward takes a topic of its own, no lane")
  }
  if !invocation.has("name") {
    throw UsageError("subscribe: --store-and-forward needs --name, under which to come back")
  }
}

/// A request that lives for as long as its client follows the stream, or longer.
private final class Subscription {
  /// How long a renewal may hold the display up. One that was not acknowledged is sent again.
  private static let sendTimeout = Duration.seconds(3)

  let request: JSON
  private let session: Session
  private let client: String
  private let name: String
  private let lease: Duration
  let isStored: Bool
  /// When the request was sent last; its first sending is about to come.
  private var renewed: Duration

  private var key: String { "\(client)/\(name)" }

  init(_ session: Session, _ invocation: Invocation, _ client: String, _ name: String) {
    self.session = session
    self.client = client
    self.name = name
    lease = invocation.duration("lease") ?? Session.lease
    isStored = invocation.has("store-and-forward")
    renewed = session.clock.elapsed()
    request = JSON.object(of: [
      "client": .string(client), "name": .string(name), "sql": .string(invocation.argument(0)!),
      "mode": invocation.text("mode").map { .string($0) },
      "placement": invocation.text("placement").map { .string($0) },
      "interval_ms": invocation.duration("interval").map { .int($0.milliseconds) },
      "link": invocation.text("link").map { .string($0) },
      "lease_ms": .int(lease.milliseconds), "store_and_forward": isStored ? .bool(true) : nil,
    ])
  }

  func tellPlace(_ address: StreamAddress, as role: String) {
    tell(
      "belfry: \(visible(client))/\(visible(name)) is \(role) on stream \(address.id):"
        + " topic \(address.topic), partition \(address.partition)"
        + (address.keyPrefix.isEmpty ? "" : ", key prefix \(address.keyPrefix)") + "\n")
  }

  /// Until a signal comes: nil; or until the request's stream is another one, since its lease ran out while brokers
  /// were away, or this process stood still. The lease is renewed by sending the same record again.
  func follow(_ reader: HistoryReader, _ printer: EventPrinter, at address: StreamAddress) throws
    -> StreamAddress?
  {
    var outage = Outage()
    // A member may not have read yet what was sent when it is first looked. Its answer lies behind `heard`.
    var looks = 0
    var heard: Int64 = 0
    while Signals.wait(atMost: .zero) == nil {
      let events = try again { () throws(BusError) in try reader.poll(timeout: .milliseconds(200)) } ?? []
      try printer.show(events)
      let passed = session.clock.elapsed() - renewed
      guard lease > .zero, passed >= lease / 3 else { continue }
      // So late that the member may have ended it.
      let isLate = passed >= lease / 2
      if isLate { looks = 2 }
      let end = try again { () throws(BusError) -> Int64 in
        let end = isLate ? try session.endOfReplies() : heard
        try send(request)
        return end
      }
      outage.take(isAnswered: end != nil, session.bus)
      guard let end else { continue }
      heard = end
      renewed = session.clock.elapsed()
      if looks > 0, let now = try presentAddress(since: heard) {
        looks -= 1
        if now != address { return now }
      }
    }
    return nil
  }

  /// nil: the request has no stream now, or nobody answers. What comes so late may be a new request to the member, and
  /// rejected as one: that is thrown.
  private func presentAddress(since heard: Int64) throws -> StreamAddress? {
    do {
      if let address = try session.address(ofRequest: key) { return address }
      if let reply = try session.lastReply(to: key, from: heard), reply["status"]?.string == "rejected" {
        throw CommandFailure("the request was late, and is rejected now: \(rejection(reply))")
      }
    } catch let error as BusError where error.remedy == .retry {}
    return nil
  }

  private func send(_ request: JSON?) throws(BusError) {
    try session.send(
      topic: session.topics.requests, key: key, value: request?.text, within: Self.sendTimeout)
  }

  /// Ends the request, or says how to come back to it.
  func leave(_ reader: HistoryReader, from first: Int64?) throws {
    let (client, name) = (visible(client), visible(name))
    if !isStored {
      if try again({ () throws(BusError) in try send(nil) }) == nil {
        tell("belfry: Kafka does not answer: \(client)/\(name) ends with its lease\n")
      }
      return
    }
    let next = reader.position.map { $0.point.seq + 1 } ?? first ?? 1
    tell(
      "belfry: \(client)/\(name) stands, and its stream stores what comes: the same command with --from \(next)"
        + " takes it up again behind what was shown, 'belfry history \(client)/\(name) --from \(next)' shows what"
        + " was missed, 'belfry unsubscribe \(client)/\(name)' ends it\n")
  }
}

/// Says once that brokers are away, and once that they are back.
private struct Outage {
  private var isTold = false

  /// A question to the brokers has had an answer, or has not.
  mutating func take(isAnswered: Bool, _ bus: any Bus) {
    if isAnswered == !isTold { return }
    isTold = !isAnswered
    let reason = bus.complaint().map { ": \($0.words)" } ?? ""
    tell(
      isTold ? "belfry: Kafka does not answer, it is waited for\(reason)\n" : "belfry: Kafka answers again\n")
  }
}

/// What a rejected reply says, with its place.
func rejection(_ reply: JSON) -> String {
  guard let error = reply["error"] else { return "the request was not accepted: \(reply.text)" }
  let message = error["message"]?.string ?? error.text
  if let line = error["line"]?.int, let column = error["column"]?.int {
    return "SQL \(line):\(column): \(message)"
  }
  return message
}

/// A view's rows as they come, or the changes of a history.
private struct ViewForm: EntryForm {
  /// Without the column that is the key, where it is one.
  let columns: [String]
  let key: String
  let mode: Mode

  init(_ reply: JSON) {
    mode = reply["mode"]?.string.flatMap(Mode.init(rawValue:)) ?? .net
    let names = (reply["columns"]?.array ?? []).compactMap { $0["name"]?.string }
    let keys = (reply["key"]?.array ?? []).compactMap(\.string)
    let only = keys.count == 1 ? keys.first : nil
    key = only ?? "key"
    columns = names.filter { $0 != only }
  }

  func header(_ entries: [HistoryEntry]) -> [String] { ["", key] + columns }

  func rows(_ entries: [HistoryEntry]) -> [[Cell]] {
    entries.map { entry in
      [.text(entry.op), .text(entry.key)] + columns.map { Cell(entry.row?[$0] ?? .null) }
    }
  }

  func line(_ entry: HistoryEntry) -> JSON {
    .object(of: [
      "seq": .int(entry.seq), "epoch": .int(entry.epoch), "sweep": .int(entry.sweep),
      "key": .string(entry.key), mode == .all ? "change" : "row": entry.value ?? .null,
      "last": entry.isLast ? .bool(true) : nil,
    ])
  }
}

extension Cell {
  init(_ json: JSON) {
    switch json {
    case .null: self = .null
    case .bool(let b): self = .bool(b)
    case .int(let n): self = .int(n)
    case .real(let x): self = .real(x)
    case .string(let text): self = .text(text)
    case .array, .object: self = .json(json.text)
    }
  }
}

/// `belfry unsubscribe NAME`.
func unsubscribe(_ invocation: Invocation, _ output: Output) throws {
  let session = try openSession(invocation)
  let name = invocation.argument(0)!
  // `client/name`, as `belfry requests` shows it, or a name of one's own.
  let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
  let (client, own) = parts.count == 2 ? (parts[0], parts[1]) : (try clientName(invocation), name)
  let known = try session.registry()["request/\(client)/\(own)"]
  if known == nil { throw CommandFailure("there is no request \(client)/\(own)") }
  let reply = try session.request(client: client, name: own, nil)
  guard reply["status"]?.string == "ended" else { throw CommandFailure(rejection(reply)) }
  try output.object(["client", "name", "status"], [.text(client), .text(own), .text("ended")])
}
