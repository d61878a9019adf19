import Base
import Bus
import Events
import Glibc
import Testing

extension Integration {
  /// INSERT, UPDATE and DELETE by clients: over the command line, over Kafka, over kills.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct ChangeTests {
    private static func town(rows: Int = 30) throws -> Town {
      let town = try Town()
      try town.start()
      try town.send((0..<rows).map { Samples.event("row \($0)", severity: $0 % 6) })
      try eventually("all rows") { try town.metric("belfry_rows ") == rows }
      return town
    }

    @Test func `changes reach the rows of all shards and the views, and say how many and where`() throws {
      let town = try Self.town()
      let seen = try town.follow(
        town.request("noc", "seen", "SELECT Acknowledged, Grade FROM alerts WHERE Acknowledged = 1"))
      let count = try town.follow(
        town.request(
          "noc", "count", "SELECT COUNT(*) AS n, SUM(Grade) AS g FROM alerts WHERE Acknowledged = 1"))

      let update = try town.belfry(
        "exec", "UPDATE alerts SET Acknowledged = 1, Grade = Severity * 2 WHERE Severity >= 4")
      #expect(update.status == 0, "\(update.errors)")
      let reply = try JSON(parsing: update.output)
      #expect(reply["status"]?.string == "done")
      #expect(reply["rows"]?.int == 10)
      try checkPositions(town, reply)
      try seen.wait("the acknowledged rows") { $0.count == 10 }
      try count.wait("their count") { $0["*"]?["n"]?.int == 10 && $0["*"]?["g"]?.int == 90 }

      let insert = try town.belfry(
        "exec",
        "INSERT INTO alerts (Identifier, Severity, Acknowledged) VALUES ('row 4', 5, 0), ('new', 2 + 3, 1)")
      #expect(try JSON(parsing: insert.output)["rows"]?.int == 2)
      try seen.wait("the new row") { $0["new"] != nil }
      #expect(
        try town.query("SELECT Tally, Severity FROM alerts WHERE Identifier = 'row 4'").first?["Tally"]?.int
          == 2)

      try #require(town.belfry("exec", "CREATE FILTER mine AS Acknowledged = 1").status == 0)
      let delete = try town.belfry("exec", "DELETE FROM alerts WHERE mine AND Severity = 5")
      #expect(try JSON(parsing: delete.output)["rows"]?.int == 7)
      try seen.wait("what is left") { $0.count == 4 }
      try count.wait("its count") { $0["*"]?["n"]?.int == 4 }
      try town.expect("belfry_commands_total{result=\"done\"}", 3)
      try town.expect("belfry_command_rows_total", 19)
      try town.expect("belfry_commands_pending", 0)
    }

    /// The change numbers of a reply are in the changelog, and are the shards' last.
    private func checkPositions(_ town: Town, _ reply: JSON) throws {
      var last: [String: Int64] = [:]
      try town.read(town.topics.changelog("alerts"), partitions: 3) { record, batch in
        last["\(record.partition)"] = batch.headerText(record, "belfry-change").flatMap { Int64($0) }
      }
      let positions = try #require(reply["positions"]?.members)
      #expect(positions.count == 3)
      for position in positions { #expect(last[position.name] == position.value.int) }
    }

    @Test func `a change that cannot be is told with its place, and the status says so`() throws {
      let town = try Self.town(rows: 1)
      for (sql, message) in [
        (
          "UPDATE alerts SET Acknowledged = 1 WHERE Severty = 5",
          "SQL 1:42: alerts has no column Severty; did you mean Severity?"
        ),
        ("UPDATE alerts SET Identifier = 'x'", "SQL 1:19: Identifier is of the row's key"),
        (
          "INSERT INTO alerts (Identifier, Severity) VALUES ('x', 'y')",
          "SQL 1:56: 'y' is a string, and Severity takes an int"
        ),
        ("DELETE FROM events", "SQL 1:13: there is no table events"),
        ("UPDATE alerts SET Grade = 1 LIMIT 1", "SQL 1:29: LIMIT is not supported"),
      ] {
        let ran = try town.belfry("exec", sql)
        #expect(ran.status == 1)
        #expect(ran.errors.contains(message), "\(ran.errors)")
        #expect(ran.output.isEmpty)
      }
      #expect(try town.belfry("exec", "DELETE FROM alerts", "--id", "").status == 2)
      #expect(try town.count("TRUE") == 1)
    }

    @Test func `a command sent again under its id gets its answer and is not done twice`() throws {
      let town = try Self.town()
      let sql = "UPDATE alerts SET Grade = Grade + 1"
      let first = try town.belfry("exec", sql, "--id", "noc/1")
      #expect(first.status == 0, "\(first.errors)")
      #expect(try town.belfry("exec", sql, "--id", "noc/1").output == first.output)
      try town.restart()
      #expect(try town.belfry("exec", sql, "--id", "noc/1").output == first.output)
      #expect(try town.count("Grade = 1") == 30)
    }

    @Test func `a dozen kills under load, and each command is applied once`() throws {
      let town = try Self.town()
      let load = try Load(town, identifiers: 100, seed: 7)
      var random = SeededRandom(seed: 11)
      var sent: [(id: String, sql: String)] = []
      for kill in 0..<12 {
        // Some before the kill, some while the member is away; any may come twice.
        for n in 0..<6 {
          if n == 3 {
            let moment = load.sent + .random(in: 0...1_500, using: &random)
            try eventually("\(moment) events sent") { load.sent >= moment }
            try town.kill()
          }
          sent.append(("noc/\(kill)-\(n)", n % 2 == 0 ? Self.update : Self.insert))
          try command(town, sent.suffix(1) + [sent.randomElement(using: &random)!])
        }
        try town.launch()
      }
      try town.waitUntilReady()
      try load.stop()
      try command(town, sent)
      var replies: [String: JSON] = [:]
      try eventually(within: .seconds(60), "answers to all commands") {
        replies = try town.replies()
        return sent.allSatisfy { replies[$0.id]?["status"]?.string == "done" }
      }
      // The rows of before the load had all the updates, and those of the inserts have all of these.
      #expect(try town.count("Identifier IN ('row 0', 'row 1', 'row 29') AND Grade = 36") == 3)
      #expect(try town.query("SELECT Tally FROM alerts WHERE Identifier = 'mine'").first?["Tally"]?.int == 36)
      #expect(try town.count("Grade > 36") == 0)
    }

    private static let update = "UPDATE alerts SET Grade = Grade + 1"
    private static let insert = "INSERT INTO alerts (Identifier, Summary) VALUES ('mine', 'counted')"

    private func command(_ town: Town, _ commands: some Sequence<(id: String, sql: String)>) throws {
      let batch = RecordBatch()
      for (id, sql) in commands {
        batch.append(
          topic: town.topics.commands, partition: 0, timestamp: town.clock.now(), key: id,
          value: JSON.object(of: ["client": .string("noc"), "sql": .string(sql)]).text)
      }
      try town.deliver(batch)
    }

    @Test func `hostile commands are refused or passed over, and hold up nothing`() throws {
      let town = try Self.town()
      let sql = "UPDATE alerts SET Grade = 9"
      let batch = RecordBatch()
      func append(_ key: String, _ value: String?) {
        batch.append(
          topic: town.topics.commands, partition: 0, timestamp: town.clock.now(), key: key, value: value)
      }
      append("k1", "not JSON")
      append("k2", #"{"client":"x","sql":"\#(sql)","more":1}"#)
      append("k3", #"{"client":"x","sql":"\#(sql)\#(String(repeating: " ", count: 900_000))"}"#)
      append("k4", #"{"client":"x","sql":"UPDATE alerts SET Nothing = 1"}"#)
      append(
        "k5",
        #"{"client":"x","sql":"INSERT INTO alerts (Identifier) VALUES \#(String(repeating: "('x'),", count: 10_000))('x')"}"#
      )
      append(
        "k6", #"{"client":"x","sql":"DELETE FROM alerts WHERE \#(String(repeating: "(", count: 5_000))"}"#)
      append("k7", nil)
      append(String(repeating: "k", count: 400), #"{"client":"x","sql":"\#(sql)"}"#)
      append("", #"{"client":"x","sql":"\#(sql)"}"#)
      let id = "a\u{1}\n\u{1B}[31m\u{7F}/\"\\"
      append(id, #"{"client":"x","sql":"UPDATE alerts SET Class = 7 WHERE Severity = 5"}"#)
      try town.deliver(batch)
      var replies: [String: JSON] = [:]
      try eventually("an answer to the last") {
        replies = try town.replies()
        return replies[id]?["status"]?.string == "done"
      }
      #expect(replies[id]?["rows"]?.int == 5)
      let codes = (1...6).map { replies["k\($0)"]?["error"]?["code"]?.string }
      #expect(codes == ["json", "member", "limit", "unknown_column", "limit", "limit"])
      // What is no JSON, or is not read for its length, names nobody.
      #expect((1...6).map { replies["k\($0)"]?["client"]?.string } == [nil, "x", nil, "x", "x", "x"])
      #expect(try town.metric(#"belfry_unanswered_records_total{topic="commands"}"#) == 3)
      let said = try #require(town.member).errors.split(separator: "\n").filter {
        $0.contains("cannot be answered")
      }
      #expect(
        said.count == 1 && said[0].contains("topic=\(town.topics.commands) offset="), "\(said)")
      #expect(try town.count("Grade = 0") == 30)
      let ran = try town.belfry("exec", "UPDATE alerts SET Class = 7 WHERE Severity = 5", "--id", id)
      #expect(ran.status == 0)
      #expect(
        ran.output == #"{"status":"done","rows":5,"positions":\#(replies[id]!["positions"]!.text)}"# + "\n")
    }

    @Test func `an id stands for one command: another one is refused, but where the first was rejected`()
      throws
    {
      let town = try Self.town()
      let sql = "UPDATE alerts SET Grade = Grade + 1"
      let wrong = try town.belfry("exec", "UPDATE alerts SET Grad = Grade + 1", "--id", "noc/1")
      #expect(wrong.status == 1 && wrong.errors.contains("Grad"), "\(wrong)")
      let first = try town.belfry("exec", sql, "--id", "noc/1")
      #expect(first.status == 0, "a rejected id is free: \(first.errors)")
      for again in [false, true] {
        if again { try town.restart() }
        let other = try town.belfry("exec", "DELETE FROM alerts", "--id", "noc/1")
        #expect(
          other.status == 1 && other.output.isEmpty && other.errors.contains("another command"), "\(other)")
        #expect(try town.belfry("exec", sql, "--id", "noc/1").output == first.output)
      }
      #expect(try town.count("Grade = 1") == 30)
      #expect(try town.replies()["noc/1"]?["status"]?.string == "done")

      #expect(try town.belfry("exec", "DROP FILTER hot", "--id", "noc/2").status == 1)
      #expect(try town.belfry("exec", "CREATE FILTER hot AS Severity = 5", "--id", "noc/2").status == 0)
      let other = try town.belfry("exec", "CREATE FILTER cold AS Severity = 0", "--id", "noc/2")
      #expect(other.status == 1 && other.errors.contains("another command"), "\(other)")
    }

    @Test func `a change of many rows is atomic in its shards and holds up no events`() throws {
      let town = try Town("commit_ms: 50")
      try town.start()
      let rows = 60_000
      try town.send((0..<rows).map { Samples.event("row \($0)", severity: 3) }) { "row \($0)" }
      try eventually(within: .seconds(60), "all rows") { try town.metric("belfry_rows ") == rows }
      let ran = try town.belfry("exec", "UPDATE alerts SET Acknowledged = 1, Summary = Summary || '!'")
      #expect(try JSON(parsing: ran.output)["rows"]?.int == Int64(rows), "\(ran.errors)")
      #expect(try town.count("Acknowledged = 1 AND Summary LIKE '%!'") == Int64(rows))
      // All of one shard's changes are of one transaction: only its last has the positions consumed.
      var consumed: [Int32: Int] = [:]
      try town.read(town.topics.changelog("alerts"), partitions: 3) { record, batch in
        let isOurs = batch.headerText(record, "belfry-before")?.contains("Acknowledged") == true
        if isOurs, batch.header(record, "belfry-consumed") != nil {
          consumed[record.partition, default: 0] += 1
        }
      }
      #expect(consumed.values.allSatisfy { $0 == 1 })
    }
  }
}
