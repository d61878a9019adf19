import Base
import Bus
import Client
import Events
import Foundation
import Glibc
import Testing

/// What a command wrote, each line as JSON.
private func objects(_ ran: Belfry.Ran) throws -> [JSON] { try ran.lines.map { try JSON(parsing: $0) } }

extension Integration {
  /// The commands against a running member.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct CommandTests {
    @Test func `send, query and the dead-letter commands`() throws {
      let town = try Town()
      try town.start()
      let bad = #"{"Severity":3}"#
      let sent = try town.belfry(
        "send", input: [Samples.event("a", severity: 4), bad, "", Samples.event("b")].joined(separator: "\n"))
      #expect(sent.status == 0, "\(sent.errors)")
      #expect(try objects(sent).first?["sent"]?.int == 3)
      try eventually("both rows") { try town.metric("belfry_rows ") == 2 }

      let folder = try town.belfry("send", Scratch.folder)
      #expect(folder.status == 1 && folder.output.isEmpty, "\(folder)")
      #expect(folder.errors.contains("belfry: \(Scratch.folder): Is a directory; 0 events"), "\(folder)")

      let rows = try town.belfry("query", "SELECT Identifier, Severity FROM alerts WHERE Severity > 3")
      #expect(rows.status == 0)
      #expect(rows.output == "{\"Identifier\":\"a\",\"Severity\":4}\n")
      let summary = try town.belfry(
        "query", "SELECT HISTOGRAM(Severity, 4, 5) AS h FROM alerts WHERE Severity > 3")
      #expect(summary.output == "{\"h\":[0,1,0]}\n")
      let wrong = try town.belfry("query", "SELECT Identifier FROM alerts\nWHERE Severty > 3")
      #expect(wrong.status == 1)
      #expect(wrong.output.isEmpty)
      #expect(wrong.errors.contains("SQL 2:7: ") && wrong.errors.contains("Severity"), "\(wrong.errors)")

      let letters = try objects(try town.belfry("dlq", "list"))
      #expect(letters.map { $0["code"]?.string } == ["key_missing"])
      #expect(letters.map { $0["topic"]?.string } == [town.topics.events])
      let offset = "\(try #require(letters.first?["offset"]?.int))"
      #expect(try town.belfry("dlq", "show", offset).output == bad)
      let none = try town.belfry("dlq", "show", "99999")
      #expect(none.status == 1 && none.errors.contains("no dead letter at offset 99999"))
      let replayed = try town.belfry("dlq", "replay", offset)
      #expect(try objects(replayed).first?["replayed"]?.int == 1)
      try eventually("the second letter") { try objects(try town.belfry("dlq", "list")).count == 2 }
    }

    @Test func `dead letters are sent again once, unless it is said otherwise`() throws {
      let town = try Town()
      try town.start()
      func replayed(_ words: String...) throws -> Int64? {
        let ran = try Belfry.run(["dlq", "replay"] + words + town.where)
        #expect(ran.status == 0, "\(ran.errors)")
        return try objects(ran).first?["replayed"]?.int
      }
      func letters(_ count: Int) throws {
        try eventually("\(count) letters") { try objects(try town.belfry("dlq", "list")).count == count }
      }
      #expect(try replayed() == 0)
      let lines = (0..<3).map { "{\"Severity\":\($0)}" }
      #expect(try town.belfry("send", input: lines.joined(separator: "\n")).status == 0)
      try letters(3)
      #expect(try replayed() == 3)
      // They are no better the second time, and so come back, as new ones.
      try letters(6)
      #expect(try replayed() == 3)
      try letters(9)
      #expect(try replayed("0") == 1)
      try letters(10)
      #expect(try replayed("--all") == 10)
      try letters(20)
      #expect(try town.belfry("dlq", "replay", "0", "--all").status == 2)
    }

    @Test func `of a file's events the last one of each row wins`() throws {
      let town = try Town()
      try town.start()
      let lines = (0..<2000).map { Samples.event("row \($0 % 400)", summary: "round \($0 / 400)") }
      #expect(try town.belfry("send", input: lines.joined(separator: "\n")).status == 0)
      try eventually("all events") {
        try town.query("SELECT SUM(Tally) AS n FROM alerts").first?["n"]?.int == 2000
      }
      let rows = try town.query("SELECT Summary, COUNT(*) AS n FROM alerts GROUP BY Summary")
      #expect(rows.map { $0["Summary"]?.string } == ["round 4"] && rows.first?["n"]?.int == 400, "\(rows)")
      #expect(try town.metric("belfry_forwarded_total") == 0, "each went to its row's partition")
    }

    @Test func `exec makes and drops names, which queries and requests use`() throws {
      let town = try Town()
      try town.start()
      #expect(try town.belfry("exec", "CREATE FILTER hot AS Severity >= 4").status == 0)
      #expect(try town.belfry("exec", "CREATE VIEW nodes AS SELECT Node FROM alerts WHERE hot").status == 0)
      try town.send([Samples.event("a", severity: 5), Samples.event("b", severity: 1)])
      try eventually("both rows") { try town.metric("belfry_rows ") == 2 }
      let rows = try town.belfry("query", "SELECT Identifier FROM alerts WHERE hot")
      #expect(rows.output == "{\"Identifier\":\"a\"}\n", "\(rows.errors)")
      let view = try town.belfry("query", "SELECT COUNT(*) AS n FROM nodes")
      #expect(view.output == "{\"n\":1}\n", "\(view.errors)")
      let explained = try town.belfry("query", "EXPLAIN SELECT Node FROM nodes")
      #expect(
        explained.output.contains("no index: evaluated for each change of Severity"), "\(explained.output)")
      let listed = try objects(try town.belfry("definitions"))
      #expect(listed.map { $0["name"]?.string } == ["hot", "nodes"])
      let used = try town.belfry("exec", "DROP FILTER hot")
      #expect(used.status == 1 && used.errors.contains("SQL 1:13: hot is used by nodes"), "\(used.errors)")
    }

    @Test func `subscribe, requests, streams and unsubscribe`() throws {
      let town = try Town()
      try town.start()
      let sql = "SELECT Severity, Summary FROM alerts WHERE Severity >= 4"
      let child = try town.belfryChild(
        "subscribe", sql, "--client", "desk", "--name", "bad", "--interval", "100ms", "--lease", "20s")
      try eventually("the request: \(child.errors)") { child.errors.contains("desk/bad is primary") }
      try town.send([Samples.event("a", severity: 5, summary: "\u{1B}[31mred"), Samples.event("b")])
      try eventually("the row: \(child.output)") { child.output.contains("\"key\":\"a\"") }
      let record = try JSON(parsing: try #require(child.output.split(separator: "\n").first.map(String.init)))
      #expect(record["seq"]?.int == 1 && record["last"]?.bool == true)
      #expect(record["row"]?["Summary"]?.string == "\u{1B}[31mred")
      #expect(!child.output.contains("\u{1B}"), "what a terminal obeys is escaped")

      try town.request("wall", "same", "select Summary, Severity from alerts where not 4 > Severity")
      let requests = try objects(try town.belfry("requests"))
      #expect(requests.map { $0["client"]?.string } == ["desk", "wall"])
      #expect(requests[0]["stream"] == requests[1]["stream"])
      let streams = try objects(try town.belfry("streams"))
      #expect(streams.map { $0["clients"]?.int } == [2])
      for command in ["requests", "streams"] {
        let terminal = try Terminal(Belfry.path, [command] + town.where, columns: 80)
        #expect(try terminal.child.end() == 0)
        #expect(terminal.written.split(whereSeparator: \.isNewline).count <= 3, "\(terminal.written)")
      }
      let table = try Terminal(
        Belfry.path, ["subscribe", sql, "--client", "desk", "--name", "table"] + town.where, columns: 80)
      try eventually("the table: \(table.written)") { table.written.contains("Severity  Summary") }
      #expect(table.written.components(separatedBy: "Identifier").count == 2, "\(table.written)")
      table.type("\u{03}")
      #expect(try table.child.end() == 0)
      #expect(streams[0]["id"] == requests[0]["stream"] && streams[0]["state"]?.string == "active")

      let explained = try objects(try town.belfry("explain", sql))
      #expect(explained.first { $0["what"]?.string == "stream" }?["value"] == requests[0]["stream"])

      child.signal(SIGINT)
      #expect(try child.end() == 0)
      try eventually("the end of the request") { try objects(try town.belfry("requests")).count == 1 }
      let ended = try town.belfry("unsubscribe", "wall/same")
      #expect(ended.status == 0, "\(ended.errors)")
      #expect(try objects(ended).first?["status"]?.string == "ended")
      let twice = try town.belfry("unsubscribe", "wall/same")
      #expect(twice.status == 1 && twice.errors.contains("there is no request wall/same"), "\(twice.errors)")
      let rejected = try town.belfry("subscribe", "SELECT Nod FROM alerts")
      #expect(rejected.status == 1 && rejected.errors.contains("SQL 1:8: "), "\(rejected.errors)")
    }

    @Test
    func `requests and streams show what the replies say of modes, intervals and clients that are away`()
      throws
    {
      let town = try Town()
      try town.start()
      let sql = "SELECT Severity FROM alerts"
      let words = [
        "subscribe", sql, "--mode", "all", "--store-and-forward", "--client", "gate", "--name", "h",
        "--lease", "3s", "--json",
      ]
      func subscribe(_ more: String...) throws -> Child {
        let child = try Child(Belfry.path, words + more + town.where)
        try eventually("the request: \(child.errors)") { child.errors.contains("gate/h is primary") }
        return child
      }
      let child = try subscribe()
      try town.request("gate", "now", sql, ["mode": .string("immediate")])
      try town.request("gate", "rows", sql, ["interval_ms": .int(700)])
      func request(_ name: String) throws -> JSON? {
        try objects(try town.belfry("requests")).first { $0["name"]?.string == name }
      }
      for name in ["h", "now", "rows"] {
        let (shown, reply) = (try #require(try request(name)), try town.replies()["gate/\(name)"])
        #expect(shown["interval_ms"] == reply?["interval_ms"] && shown["mode"] == reply?["mode"], "\(shown)")
        #expect(shown["status"]?.string == "active")
        #expect(shown["store_and_forward"]?.bool == (name == "h"))
      }
      try town.send([Samples.event("a")])
      try eventually("the row: \(child.output)") { child.output.contains("\"key\":\"a\"") }
      child.signal(SIGINT)
      #expect(try child.end() == 0)
      #expect(child.errors.contains("'belfry history gate/h --from 2'"), "\(child.errors)")
      try eventually("the client to be away") { try request("h")?["status"]?.string == "away" }
      let stream = try objects(try town.belfry("streams")).first { $0["mode"]?.string == "all" }
      #expect(stream?["state"]?.string == "away" && stream?["clients"]?.int == 1 && stream?["away"]?.int == 1)

      try town.send([Samples.event("b")])
      try eventually("what is stored") {
        try town.belfry("history", "gate/h", "--from", "2").output.contains("\"key\":\"b\"")
      }
      let again = try subscribe("--from", "2")
      try eventually("what it missed: \(again.output)") { again.output.contains("\"key\":\"b\"") }
      #expect(!again.output.contains("\"key\":\"a\""))
      try eventually("the client to be back") { try request("h")?["status"]?.string == "active" }
      try again.killNow()
      #expect(try town.belfry("unsubscribe", "gate/h").status == 0)
      #expect(try request("h") == nil)
    }

    @Test func `a subscription ends with its reader`() throws {
      let town = try Town()
      try town.start()
      try town.send((0..<5).map { Samples.event("\($0)") })
      let child = try town.pipeline(
        "subscribe 'SELECT Node FROM alerts' --client desk --interval 100ms", into: "head -1")
      try eventually("the request") { try objects(try town.belfry("requests")).count == 1 }
      var round = 0
      try eventually("the end of the pipeline") {
        round += 1
        try town.send([Samples.event("more \(round)")])
        return child.status != nil
      }
      #expect(child.output.split(separator: "\n").count == 1)
      try eventually("the end of the request") { try objects(try town.belfry("requests")).isEmpty }
    }

    @Test func `SIGHUP takes over pipelines, and says which other keys wait for a restart`() throws {
      let town = try Town("pipelines: []")
      try town.start()
      try town.reconfigure("partitions: 3", "partitions: 5")
      try town.reconfigure("pipelines: []", "pipelines: [{ name: a, source: { sylog: } }]")
      let member = try #require(town.member)
      member.signal(SIGHUP)
      try eventually("the fault: \(member.errors)") { member.errors.contains("did you mean syslog?") }
      try town.reconfigure("sylog:", "host_monitor:")
      member.signal(SIGHUP)
      try eventually("the new pipeline: \(member.errors)") { member.errors.contains("pipelines reloaded") }
      #expect(member.errors.contains("keys=kafka.partitions\n"), "\(member.errors)")
    }

    @Test func `a topic with the wrong number of partitions ends serve, and it says which`() throws {
      let town = try Town()
      try town.bus.ensureTopics([TopicSpec(town.topics.events, partitions: 2, properties: [:])])
      try town.launch()
      let status = try #require(town.member).end()
      let errors = try #require(town.member).errors
      #expect(status == 1)
      #expect(errors.contains("\(town.topics.events) has 2 partitions"), "\(errors)")
    }

    @Test func `commands for a cluster that is not there say so`() throws {
      let town = try Town()
      for command in [["requests"], ["streams"], ["dlq", "list"], ["subscribe", "SELECT Node FROM alerts"]] {
        let ran = try Belfry.run(
          command + ["--bootstrap", try Broker.running.bootstrap, "--cluster", town.name])
        #expect(ran.status == 1 && ran.errors.contains("there is no cluster \"\(town.name)\""), "\(ran)")
      }
    }
  }

  /// The commands that need no Kafka, or meet none.
  @Suite struct LonelyCommandTests {
    /// command | status | words on standard error
    private static let cases = """
      nonsense | 2 | unknown command 'nonsense'
      serve --wrong | 2 | --wrong
      subscribe | 2 | SQL
      dlq show soon | 2 | OFFSET
      query --http moon SELECT | 2 | --http
      requests --cluster UPPER | 2 | --cluster
      validate -c /nowhere.yaml | 1 | /nowhere.yaml
      serve -c /nowhere.yaml | 1 | /nowhere.yaml
      explain SELECT | 1 | SQL 1:7
      query SELECT --http 127.0.0.1:1 | 1 | 127.0.0.1:1
      flush list --positions 2=1,3=1,2=7 | 2 | shard 2 is there twice
      subscribe SELECT --store-and-forward --name n | 2 | --mode all
      subscribe SELECT --interval 5ms | 2 | --interval: expected 100ms to 24h, found '5ms'
      subscribe SELECT --interval 25h | 2 | --interval: expected 100ms to 24h, found '25h'
      subscribe SELECT --store-and-forward --name n --mode immediate | 2 | --mode all
      subscribe SELECT --store-and-forward --name n --mode all --placement lane | 2 | no lane
      subscribe SELECT --store-and-forward --mode all | 2 | --name
      """

    @Test(arguments: cases.split(separator: "\n").map(String.init))
    func `a wrong call says what is wrong with it`(line: String) throws {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      let ran = try Belfry.run(cells[0].split(separator: " ").map(String.init))
      #expect("\(ran.status)" == cells[1], "\(ran)")
      #expect(ran.errors.contains(cells[2]), "\(ran)")
      #expect(ran.output.isEmpty)
    }

    @Test func `validate tells all errors with their places`() throws {
      let file = try Scratch.file("cluster: ok\nkafka: { partition: 3 }\nsweep:\n  interval_ms: soon\n")
      let ran = try Belfry.run(["validate", "-c", file])
      #expect(ran.status == 1)
      #expect(ran.errors.contains("\(file):2:10: ") && ran.errors.contains("partitions"), "\(ran.errors)")
      #expect(ran.errors.contains("\(file):4:16: "), "\(ran.errors)")
      let good = try Belfry.run(
        ["validate", "-c", try Scratch.file("kafka: { properties: { sasl.password: hush } }")],
        environment: ["BELFRY_CLUSTER": "other"])
      #expect(good.status == 0)
      #expect(good.output.contains("cluster: other") && !good.output.contains("hush"), "\(good.output)")
    }

    @Test func `validate and serve tell the same of pipelines and of librdkafka's properties`() throws {
      let file = try Scratch.file(
        """
        kafka: { bootstrap: "127.0.0.1:1", properties: { foo.bar: 1 } }
        sweep: { interval_ms: soon }
        pipelines:
          - { name: a, source: { syslg: } }
          - { name: a, source: { host_monitor: { intervl: 1s, interval: never } } }
        tables: { alerts: { key: [X], columns: { Node: strin } } }
        """)
      let told = try Belfry.run(["validate", "-c", file])
      #expect(told.status == 1 && told.output.isEmpty)
      for place in ["1:59: ", "2:23: ", "4:26: ", "5:13: ", "5:42: ", "5:65: ", "6:27: ", "6:48: "] {
        #expect(told.errors.contains("\(file):\(place)"), "\(place) in \(told.errors)")
      }
      #expect(told.errors.split(separator: "\n").count == 8, "\(told.errors)")
      let served = try Belfry.run(["serve", "-c", file])
      #expect(served.status == 1 && served.errors == told.errors)
    }

    @Test func `a narrow terminal is shown all of it`() throws {
      let filter = (0..<12).map { "Node LIKE 'a long name \($0)-%'" }.joined(separator: " OR ")
      let sql = "SELECT Node FROM alerts WHERE \(filter)"
      let terminal = try Terminal(Belfry.path, ["explain", sql], columns: 80)
      #expect(try terminal.child.end() == 0)
      let piped = try Belfry.run(["explain", sql])
      let canonical = try #require(try objects(piped).first { $0["what"]?.string == "canonical" })
      #expect(terminal.written.contains(try #require(canonical["value"]?.string)), "\(terminal.written)")
    }

    @Test func `results on a full disk are a failure`() throws {
      for command in ["version", "help", "explain 'SELECT Node FROM alerts'"] {
        let child = try Child("/bin/sh", ["-c", "exec \(Belfry.path) \(command) >/dev/full"])
        #expect(try child.end() == 1)
        #expect(child.errors == "belfry: the results could not be written: No space left on device\n")
      }
    }

    @Test func `explain shows one form for two spellings`() throws {
      let first = try Belfry.run(["explain", "SELECT Node FROM alerts WHERE Severity > 3"])
      let second = try Belfry.run(["explain", "select Node from alerts where not Severity <= 3"])
      #expect(first.status == 0 && first.output.contains("Severity >= 4"))
      #expect(first.output == second.output)
    }

    @Test func `a broker that is not there is an error in bounded time`() throws {
      let address = "127.0.0.1:\(try freePorts(1)[0])"
      let commands = [["requests"], ["send"], ["subscribe", "SELECT Node FROM alerts"], ["dlq", "list"]]
      let children = try commands.map { command in
        try Child(Belfry.path, command + ["--bootstrap", address], input: Samples.event("a"))
      }
      for child in children {
        #expect(try child.end(within: .seconds(60)) == 1)
        #expect(child.errors.contains(address), "\(child.errors)")
      }
    }

    @Test func `SIGHUP is served while the broker is away, whatever the probes have left`() throws {
      let file = try Scratch.file(
        """
        kafka: { bootstrap: "127.0.0.1:\(try freePorts(1)[0])" }
        http: { listen: "127.0.0.1:0" }
        pipelines: [{ name: a, source: { host_monitor: { interval: 1s } } }]
        """)
      let child = try Child(Belfry.path, ["serve", "-c", file])
      try eventually("an event that waits: \(child.errors)") {
        guard let port = Town.port(in: child.errors) else { return false }
        let lines = try HTTPClient.get("http://127.0.0.1:\(port)/metrics").body.split(separator: "\n")
        return lines.contains { $0.hasPrefix("belfry_connector_events_total{") && !$0.hasSuffix(" 0") }
      }
      child.signal(SIGHUP)
      // Less than what the client tries to deliver them for.
      try eventually(within: .seconds(20), "the reload: \(child.errors)") {
        child.errors.contains("pipelines reloaded")
      }
      child.signal(SIGTERM)
      try child.end()
    }

    @Test func `a member without its broker lives, is not ready, and says why`() throws {
      let address = "127.0.0.1:\(try freePorts(1)[0])"
      let file = try Scratch.file("kafka: { bootstrap: \"\(address)\" }\nhttp: { listen: \"127.0.0.1:0\" }")
      let child = try Child(Belfry.path, ["serve", "-c", file])
      var port = 0
      try eventually("its port: \(child.errors)") {
        port = Town.port(in: child.errors) ?? 0
        return port > 0
      }
      var answer = (status: 0, body: "")
      try eventually("the reason: \(answer.body)") {
        answer = try HTTPClient.get("http://127.0.0.1:\(port)/readyz")
        return answer.status == 503 && answer.body.contains(address)
      }
      #expect(try HTTPClient.get("http://127.0.0.1:\(port)/livez").status == 200)
      #expect(try HTTPClient.get("http://127.0.0.1:\(port)/v1/query", query: ["sql": "SELECT"]).status == 400)
      child.signal(SIGTERM)
      #expect(try child.end() == 0, "\(child.errors)")
    }
  }
}
