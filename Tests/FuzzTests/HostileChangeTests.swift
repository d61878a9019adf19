import Base
import Events
import Matching
import Query
import Requests
import TestSeeds
import Testing

/// Records of `<cluster>.commands`, and changes of rows with what was there before (`belfry-before`).
struct HostileChangeTests {
  private static let trials = Trials("make fuzz FILTER=FuzzTests CASES=1 SEED=", otherwise: 40)
  private static let inputsPerSeed = 40

  private static let pieces = [
    "{", "}", "[", "]", "\"", ":", ",", "null", "true", "1e400", "9223372036854775808", "-0", "0.5",
    "\\u0000",
    "\\ud800", "\\", "\u{FF}", "\0", "🔔", "e\u{301}", "\u{FEFF}", " ", "\n",
  ]

  // MARK: Commands

  private static let commands = HostileInput(
    examples: [
      #"{"client":"noc","sql":"CREATE FILTER core AS Node LIKE 'core-%' AND Severity > 2"}"#,
      #"{"client":"noc","sql":"CREATE VIEW few AS SELECT Node, Tally FROM alerts WHERE core"}"#,
      #"{"client":"é","sql":"DROP FILTER core"}"#,
      #"{"client":"noc","sql":"UPDATE alerts SET Tally = Tally + 1 WHERE Identifier = 'a'"}"#,
      #"{"client":"noc","sql":"INSERT INTO alerts (Identifier, Severity) VALUES ('a', 5), ('b', -1)"}"#,
      #"{"client":"noc","sql":" /* c */ delete from alerts WHERE LastOccurrence < NOW() - INTERVAL '1 day'"}"#,
      #"{"client":"noc","flush":"open","positions":{"0":17,"1":9}}"#,
      #"{"client":"noc","flush":"gone"}"#,
    ],
    pieces: pieces + [
      "\"client\":\"noc\"", "\"sql\":", "\"flush\":\"open\"", "\"positions\":{\"0\":1}", "\"positions\":[]",
      "\"-1\":", "CREATE ", "DROP ", "UPDATE ", "INSERT ", "DELETE ", "VIEW ", "FILTER ", "core", "few",
    ])

  private static let request = #"{"client":"noc","name":"open","sql":"SELECT Node FROM alerts"}"#

  /// A few ids, so that many stand for another command already.
  private static func id(_ random: inout SeededRandom) -> [UInt8]? {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: nil
    case 1: commands.make(&random)
    case 2: Array("é".utf8)
    default: Array("id \(Int.random(in: 0..<12, using: &random))".utf8)
    }
  }

  @Test(arguments: trials.shares)
  func `a command's record is answered, again as before, or passed over, and the registry lives`(
    _ share: Int
  ) {
    Self.trials.forEach(in: share) { seed, again in
      var random = SeededRandom(seed: seed)
      let settings = RegistrySettings()
      let registry = Registry(settings: settings, catalog: Tables()) { _ in StreamProgress(seq: 7, epoch: 3) }
      var now = Timestamp(milliseconds: 1_000_000)
      withBytes(Array("noc/open".utf8)) { key in
        withBytes(Array(Self.request.utf8)) { _ = registry.handle(key: key, value: $0, now: now, offset: 0) }
      }
      for offset in 0..<Int64(Self.inputsPerSeed) {
        let key = Self.id(&random)
        let value = Int.random(in: 0..<9, using: &random) > 0 ? Self.commands.makeHalf(&random) : nil
        let context: Comment = "\(again), record \(offset): \(String(decoding: value ?? [], as: UTF8.self))"
        withBytes(key) { key in
          withBytes(value) { value in
            let isChange = ChangeCommand.isOne(key: key, value: value, settings)
            if isChange { check(change: value!, settings, context) }
            let replies = [2 * offset, 2 * offset + 1].map { offset in
              registry.handle(command: key, value: value, now: now, offset: offset).replies.map {
                "\($0.key): \($0.value.text)"
              }
            }
            #expect(replies[0] == replies[1], context)
            #expect(!isChange || replies[0].isEmpty, context)
          }
        }
        now = now + .milliseconds(Int64.random(in: 0...20_000, using: &random))
        for (_, reply) in registry.tick(now: now).replies { check(reply: reply, context) }
      }
      let reply = withBytes(Array("last".utf8)) { key in
        withBytes(Array(#"{"client":"noc","sql":"CREATE FILTER last AS Tally > 1"}"#.utf8)) {
          registry.handle(command: key, value: $0, now: now, offset: 1_000).replies
        }
      }
      #expect(reply.map { $0.value["status"]?.string } == ["done"], "\(again)")
    }
  }

  /// What the table's reader makes of a change.
  private func check(
    change value: UnsafeRawBufferPointer, _ settings: RegistrySettings, _ context: Comment
  ) {
    let (client, _) = ChangeCommand.identity(of: value, settings)
    switch ChangeCommand.read(value, settings) {
    case .success(let command):
      #expect(command.client == client, context)
      _ = Result { () throws(SQLError) in
        try parseChange(command.sql, in: Tables(), Definitions(), now: 1_000)
      }
    case .failure(let refusal): check(error: refusal.error, context)
    }
  }

  private func check(reply: JSON, _ context: Comment) {
    switch reply["status"]?.string {
    case "rejected": check(error: reply["error"] ?? .null, context)
    case let status: #expect(status != nil, context)
    }
  }

  private func check(error: JSON, _ context: Comment) {
    #expect(error["code"]?.string?.isEmpty == false && error["message"]?.string?.isEmpty == false, context)
  }

  // MARK: Changes

  private static let changes = HostileInput(
    examples: [
      #"{"Identifier":"a","Node":"core-1","Severity":5,"Summary":"é","Tally":3,"LastOccurrence":1767225600000}"#,
      #"{"Identifier":"b","Node":"edge","Severity":-1,"Unknown":{"a":[1,2]}}"#,
      #"{"Severity":3}"#, #"{"Node":"core-2","Tally":9223372036854775807}"#,
      #"{"Node":"CORE-3","Summary":"","LastOccurrence":0}"#, "{}",
    ],
    pieces: pieces + [
      "\"Identifier\":", "\"Identifier\":\"z\"", "\"Node\":\"core-9\"", "\"Severity\":", "\"Severity\":4.5",
      "\"Tally\":1", "\"LastOccurrence\":-1",
    ])

  private static let views = [
    "SELECT Identifier, Severity FROM alerts WHERE Severity >= 4",
    "SELECT UPPER(Node) || Summary AS n FROM alerts WHERE Node LIKE 'core-%' OR Summary LIKE '%é%'",
    "SELECT * FROM alerts WHERE Tally BETWEEN -5 AND 1000000", "SELECT * FROM alerts",
  ]

  @Test(arguments: trials.shares)
  func `a change and what was there before are matched or refused, and the next one is matched`(
    _ share: Int
  ) throws {
    let views = try Self.views.map { try parseView($0, in: Tables()) }
    Self.trials.forEach(in: share) { seed, again in
      var random = SeededRandom(seed: seed)
      let matcher = ChangeMatcher(.alerts)
      for view in views { _ = matcher.add(view) }
      for number in 0..<Self.inputsPerSeed {
        let value = Int.random(in: 0..<6, using: &random) > 0 ? Self.changes.makeHalf(&random) : nil
        let before = Int.random(in: 0..<6, using: &random) > 0 ? Self.changes.makeHalf(&random) : nil
        let texts = [value, before].map { String(decoding: $0 ?? [], as: UTF8.self) }
        let context: Comment = "\(again), change \(number): \(texts[0])\n\(texts[1])"
        let (refusal, told) = take(value, before, matcher, context)
        #expect(refusal == nil || told.isEmpty && refusal?.description.isEmpty == false, context)
        #expect(refusal != nil || value != nil || before != nil, context)

        let (none, next) = take(
          Array(#"{"Identifier":"c","Node":"core-1","Severity":4,"Tally":7}"#.utf8),
          Array(#"{"Severity":3}"#.utf8), matcher, context)
        #expect(none == nil && next == ["0 entered", "2 changed", "3 changed"], context)
      }
    }
  }

  /// What is told of a change; records that can be written are JSON.
  private func take(_ value: [UInt8]?, _ before: [UInt8]?, _ matcher: ChangeMatcher, _ context: Comment)
    -> (Refusal?, [String])
  {
    var told: [String] = []
    let refusal = withBytes(value) { value in
      withBytes(before) { before in
        matcher.take(value: value, before: before) { view, transition in
          told.append("\(view) \(transition)")
          if transition != .entered { check(context) { matcher.writeBefore(view, to: &$0) } }
          if transition != .left { check(context) { matcher.writeAfter(view, to: &$0) } }
        }
      }
    }
    return (refusal, told.sorted())
  }

  private func check(_ context: Comment, _ write: (inout ByteBuffer) -> Void) {
    var buffer = ByteBuffer(capacity: 256)
    write(&buffer)
    #expect((try? JSON(parsing: buffer.bytes))?.members?.isEmpty == false, context)
  }
}

private func withBytes<T>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
  guard let bytes else { return body(nil) }
  return bytes.withUnsafeBytes { body($0) }
}
