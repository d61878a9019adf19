import Base
import Bus
import Client
import Events
import FrontDoor
import Glibc
import Requests

/// `belfry subscribe`: makes a request, follows its stream, and ends the request on ^C, unless the stream is to store
/// what comes meanwhile.
func subscribe(_ invocation: Invocation, _ output: Output) throws {
  try checkStoring(invocation)
  Signals.block()
  let session = try openSession(invocation)
  let client = try clientName(invocation)
  let name =
    invocation.text("name") ?? "subscribe-\(getpid())-\(session.clock.now().milliseconds % 1_000_000)"
  let subscription = Subscription(session, invocation, client, name)
  let reply = try session.request(client: client, name: name, subscription.request)
  guard reply["status"]?.string == "active", let address = StreamAddress(reply: reply) else {
    throw CommandFailure(rejection(reply))
  }
  tell(
    "belfry: \(visible(client))/\(visible(name)) is \(reply["role"]?.string ?? "active") on stream \(address.id):"
      + " topic \(address.topic), partition \(address.partition)"
      + (address.keyPrefix.isEmpty ? "" : ", key prefix \(address.keyPrefix)") + "\n")
  let follower = try StreamFollower(address, bus: session.bus)
  defer { follower.close() }
  let printer = StreamPrinter(reply, output)
  do {
    if !invocation.has("from-start") { try printer.showPresent(follower) }
    try subscription.follow(follower, printer)
  } catch let error as OutputError {
    try subscription.leave(at: follower.last)
    throw error
  }
  try subscription.leave(at: follower.last)
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
private struct Subscription {
  let request: JSON
  private let session: Session
  private let client: String
  private let name: String
  private let lease: Duration
  private let isStored: Bool

  private var key: String { "\(client)/\(name)" }

  init(_ session: Session, _ invocation: Invocation, _ client: String, _ name: String) {
    self.session = session
    self.client = client
    self.name = name
    lease = invocation.duration("lease") ?? Session.lease
    isStored = invocation.has("store-and-forward")
    request = JSON.object(of: [
      "client": .string(client), "name": .string(name), "sql": .string(invocation.argument(0)!),
      "mode": invocation.text("mode").map { .string($0) },
      "placement": invocation.text("placement").map { .string($0) },
      "interval_ms": invocation.duration("interval").map { .int($0.milliseconds) },
      "link": invocation.text("link").map { .string($0) },
      "lease_ms": .int(lease.milliseconds), "store_and_forward": isStored ? .bool(true) : nil,
    ])
  }

  /// Until a signal comes. The lease is renewed by sending the same record again.
  func follow(_ follower: StreamFollower, _ printer: StreamPrinter) throws {
    let renewal = lease / 3
    var renewed = session.clock.elapsed()
    while true {
      try printer.showNext(follower)
      if Signals.wait(atMost: .zero) != nil { return }
      if renewal > .zero, session.clock.elapsed() - renewed >= renewal {
        try session.send(topic: session.topics.requests, key: key, value: request.text)
        renewed = session.clock.elapsed()
      }
    }
  }

  /// Ends the request, or says how to come back to it.
  func leave(at last: Int64) throws {
    if !isStored { return try session.send(topic: session.topics.requests, key: key, value: nil) }
    let (client, name) = (visible(client), visible(name))
    tell(
      "belfry: \(client)/\(name) stands, and its stream stores what comes: the same command takes it up again,"
        + " 'belfry history \(client)/\(name) --from \(last + 1)' shows what was missed,"
        + " 'belfry unsubscribe \(client)/\(name)' ends it\n")
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

/// Shows a stream's records: JSON lines, or tables of the view's columns.
final class StreamPrinter {
  private let columns: [String]
  private let mode: Mode
  private let topic: String
  private let output: Output
  /// How often it was said that the topic was made again.
  private var timesMadeAgain = 0

  init(_ reply: JSON, _ output: Output) {
    mode = reply["mode"]?.string.flatMap(Mode.init(rawValue:)) ?? .net
    topic = reply["stream"]?["topic"]?.string ?? ""
    columns = (reply["columns"]?.array ?? []).compactMap { $0["name"]?.string }
    self.output = output
  }

  /// The view as it is now: the stream folded up to its present end. An immediate stream does not tell it.
  func showPresent(_ follower: StreamFollower) throws {
    var order: [String] = []
    var rows: [String: StreamRecord] = [:]
    while true {
      let records = try follower.poll(timeout: .milliseconds(100))
      if try tellMadeAgain(follower) { (order, rows) = ([], [:]) }
      for record in records {
        if mode == .all, record.value?["op"]?.string == "m" { continue }
        let isGone = record.value == nil || mode == .all && record.value?["after"] == .null
        if !isGone, rows[record.key] == nil { order.append(record.key) }
        rows[record.key] = isGone ? nil : record
      }
      // While its topic is made again, brokers may not know it.
      if try again({ () throws(BusError) in try follower.isAtPresent() }) ?? false { break }
    }
    if mode == .immediate { return }
    var shown = Set<String>()
    try show(order.filter { shown.insert($0).inserted }.compactMap { rows[$0] })
  }

  /// Shows what comes next.
  func showNext(_ follower: StreamFollower) throws {
    let records = try follower.poll(timeout: .milliseconds(200))
    try tellMadeAgain(follower)
    try show(records)
  }

  /// Says so where the rows that were shown are void: what the topic has now comes behind this.
  @discardableResult
  private func tellMadeAgain(_ follower: StreamFollower) throws(OutputError) -> Bool {
    if follower.timesMadeAgain == timesMadeAgain { return false }
    timesMadeAgain = follower.timesMadeAgain
    if output.isTable {
      tell("belfry: topic \(topic) was deleted and made again: what it has now follows\n")
    } else {
      let event = JSON.object(of: ["event": .string("made_again"), "topic": .string(topic)])
      try output.write(event.text + "\n")
    }
    return true
  }

  private func show(_ records: [StreamRecord]) throws(OutputError) {
    if records.isEmpty { return }
    if output.isTable {
      try output.rows(["", "key"] + columns, records.map(cells))
    } else {
      for record in records {
        let line = JSON.object(of: [
          "seq": .int(record.seq), "epoch": .int(record.epoch), "sweep": .int(record.sweep),
          "key": .string(record.key), mode == .all ? "change" : "row": record.value ?? .null,
          "last": record.isLast ? .bool(true) : nil,
        ])
        try output.write(line.text + "\n")
      }
    }
  }
}

extension StreamPrinter {
  /// A row that is there, or is gone. Of a history, the row as it is now, or was, behind the change's letter.
  private func cells(_ record: StreamRecord) -> [Cell] {
    guard mode == .all, let change = record.value else {
      return [.text(record.value == nil ? "-" : "+"), .text(record.key)]
        + columns.map { Cell(record.value?[$0] ?? .null) }
    }
    let text = change["notice"]?["text"]?.string
    let row = [change["after"], change["before"]].lazy.compactMap { $0 }.first { $0 != .null } ?? .null
    return [.text(change["op"]?.string ?? ""), .text(text ?? record.key)]
      + columns.map { Cell(row[$0] ?? .null) }
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
