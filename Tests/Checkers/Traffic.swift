import Base
import Bus
import Events

/// Events from outside, as anyone might send them. What they come to must not depend on how shards race, so:
///
/// - a row's events are all sent to one partition, be it the right one ("home") or a wrong one ("stray"),
///   where they stay in order; only those whose outcome has no order ("anywhere") go to all of them;
/// - problems and resolutions are sent to their home partitions, a resolution when its problems are in theirs: so
///   a clear never overtakes its problem (docs/events.md; a forwarded resolution may, in its own shard).
///   LastOccurrence rises from problem to clear to problem raised anew;
/// - what expires has one event ("brief").
///
/// Every event carries its number in a header, malformed ones the code that they must be refused with.
public struct Traffic {
  static let number = "number"
  static let refusal = "refusal"

  private let world: any World
  private var random: SeededRandom
  /// The number of the last event.
  public private(set) var sent: Int64 = 0
  /// Another program's transaction in the events topic is open.
  private var isForeignOpen = false

  init(_ world: any World, seed: UInt64) {
    self.world = world
    random = SeededRandom(seed: seed)
  }

  public mutating func send() {
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<4: sendPlain("home", to: nil)
    case 4..<6: sendPlain("stray", to: 1)
    case 6..<9: sendAnywhere()
    case 9..<13: sendProblem()
    case 13..<15: sendResolution()
    case 15..<17: sendBrief()
    case 17: sendInTransaction()
    default: sendMalformed()
    }
  }

  private func home(_ key: String) -> Int32 {
    Array(key.utf8).withUnsafeBytes { Base.partition(ofKey: $0, count: world.partitions) }
  }

  private mutating func one(of texts: String...) -> String { texts.randomElement(using: &random)! }

  private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  /// Sends an event; `shift`: to the partition that many after its own.
  private mutating func append(
    _ key: String, _ members: [JSON.Member], shift: Int = 0, partition: Int32? = nil, ahead: Duration = .zero
  ) {
    let text = JSON.object([JSON.Member("Identifier", .string(key))] + members).text
    let target = partition ?? Int32((Int(home(key)) + shift) % world.partitions)
    append(key: key, value: Array(text.utf8), target, refusal: nil, ahead: ahead)
  }

  private mutating func append(
    key: String?, value: [UInt8]?, _ partition: Int32, refusal: String?, ahead: Duration = .zero
  ) {
    sent += 1
    world.append(
      topic: world.topics.events, partition: partition, key: key.map { Array($0.utf8) }, value: value,
      headers: headers(refusal), timestamp: world.now() + ahead)
  }

  private func headers(_ refusal: String?) -> [SeenRecord.Header] {
    let texts = [(Self.number, String(sent))] + (refusal.map { [(Self.refusal, $0)] } ?? [])
    return texts.map { .init(name: Array($0.0.utf8), value: Array($0.1.utf8)) }
  }

  private mutating func plain() -> [JSON.Member] {
    var members = [JSON.Member("Node", .string(one(of: "core-1", "core-2", "edge")))]
    if !chance(4) { members.append(JSON.Member("Severity", .int(Int64.random(in: 0...5, using: &random)))) }
    if chance(2) { members.append(JSON.Member("Summary", .string("s\(sent) \"ü\"\n"))) }
    if chance(4) { members.append(JSON.Member("Tally", chance(2) ? .null : .int(3))) }
    if chance(4) { members.append(JSON.Member("LastOccurrence", .int(nextTime()))) }
    if chance(5) { members.append(JSON.Member("Severity", .null)) }
    if chance(6) { members.append(JSON.Member("Zone", .array([.int(sent), .null]))) }
    return members
  }

  /// Times of occurrence rise from event to event.
  private func nextTime() -> Int64 { world.now().milliseconds + sent }

  private mutating func sendPlain(_ kind: String, to shift: Int?) {
    let ahead: Duration = chance(10) ? .seconds(chance(2) ? 30 : 1000) : .zero
    let key = "\(kind)/\(Int.random(in: 0..<6, using: &random))"
    let members = plain()
    append(key, members, shift: shift ?? 0, ahead: ahead)
  }

  private mutating func sendAnywhere() {
    let number = Int64.random(in: 0..<4, using: &random)
    append(
      "anywhere/\(number)",
      [
        JSON.Member("Node", .string("edge")), JSON.Member("Severity", .int(number)),
        JSON.Member("FirstOccurrence", .int(1)), JSON.Member("LastOccurrence", .int(nextTime())),
      ], partition: Int32.random(in: 0..<Int32(world.partitions), using: &random))
  }

  private mutating func pair() -> [JSON.Member] {
    let pair = Int.random(in: 0..<4, using: &random)
    return [
      JSON.Member("Node", .string(pair < 2 ? "core-1" : "edge")), JSON.Member("Manager", .string("m")),
      JSON.Member("AlertGroup", .string("g\(pair)")), JSON.Member("AlertKey", .string("k\(pair)")),
      JSON.Member("LastOccurrence", .int(nextTime())),
    ]
  }

  private mutating func sendProblem() {
    let members = pair()
    let key = "problem/\(members[2].value.string!)/\(Int.random(in: 0..<4, using: &random))"
    append(
      key,
      members + [
        JSON.Member("Type", .int(1)), JSON.Member("Severity", .int(Int64.random(in: 1...5, using: &random))),
        JSON.Member("Summary", .string("down \(sent)")),
      ])
  }

  private mutating func sendResolution() {
    world.flush()
    let members = pair()
    let key = "resolution/\(members[2].value.string!)/\(Int.random(in: 0..<3, using: &random))"
    append(key, members + [JSON.Member("Type", .int(2)), JSON.Member("Severity", .int(1))])
  }

  private mutating func sendBrief() {
    let latest = world.pace.expiry.milliseconds
    let soon = world.now().milliseconds + Int64.random(in: -2_000...latest, using: &random)
    append(
      "brief/\(sent)",
      [
        JSON.Member("Severity", .int(4)), JSON.Member("Node", .string("edge")),
        JSON.Member("ExpireTime", .int(chance(4) ? soon + 1_000_000_000 : soon)),
      ], shift: chance(3) ? 1 : 0)
  }

  private mutating func sendMalformed() {
    let cases: [(String?, String)] = [
      (nil, "empty"), ("", "empty"), (#"{"Identifier":"#, "json"), ("[1]", "not_object"),
      (#"{"Node":"core-1"}"#, "key_missing"), (#"{"Identifier":""}"#, "key_missing"),
      (#"{"Identifier":"x","Severity":"high"}"#, "type"), (#"{"Identifier":"x","Severity":1e300}"#, "range"),
      (#"{"Identifier":null}"#, "key_missing"), (#"{"Identifier":"x","Severity":1.5}"#, "type"),
    ]
    let (value, code) = cases.randomElement(using: &random)!
    append(
      key: chance(2) ? nil : "bad", value: value.map { Array($0.utf8) },
      Int32.random(in: 0..<Int32(world.partitions), using: &random), refusal: code)
  }

  /// Another program's transaction: opened with an event of home population in it, or ended either way.
  private mutating func sendInTransaction() {
    if isForeignOpen { return endTransaction() }
    let key = "home/foreign"
    sent += 1
    let batch = RecordBatch()
    batch.append(
      topic: world.topics.events, partition: home(key), timestamp: world.now(), key: key,
      value: #"{"Identifier":"\#(key)","Severity":2,"Summary":"\#(sent)"}"#,
      headers: ["number": String(sent)])
    isForeignOpen = world.beginTransaction(batch)
  }

  /// Ends what is open.
  public mutating func endTransaction() {
    guard isForeignOpen else { return }
    isForeignOpen = false
    world.endTransaction(committed: chance(2))
  }

  /// An event for a row of its own kind, with a text of so many bytes: for volume. Nothing hangs on its order but
  /// that of its row.
  public mutating func sendBulk(_ bytes: Int) {
    append(
      "bulk/\(Int.random(in: 0..<100, using: &random))",
      [
        JSON.Member("Node", .string("edge")),
        JSON.Member("Severity", .int(Int64.random(in: 1...5, using: &random))),
        JSON.Member("Summary", .string("\(sent) " + String(repeating: "x", count: bytes))),
      ])
  }
}
