import Base
import Configuration
import Events
import Query
import Requests
import Service
import TestSeeds
import Testing

/// Whatever comes in at a door is taken or refused, with a place that is in it; nothing traps.
struct HostileInputTests {
  private static let trials = Trials("make fuzz FILTER=FuzzTests CASES=1 SEED=", otherwise: 40)
  private static let inputsPerSeed = 40

  private func forEachInput(_ input: HostileInput, _ share: Int, _ body: (String, [UInt8]) -> Void) {
    Self.trials.forEach(in: share) { seed, again in
      var random = SeededRandom(seed: seed)
      for _ in 0..<Self.inputsPerSeed { body(again, input.make(&random)) }
    }
  }

  /// The line and the column of an error are in the text, or right behind it.
  private func isWithin(_ text: String, _ line: Int, _ column: Int, _ isBreak: (UInt8) -> Bool = { $0 == 10 })
    -> Bool
  {
    let lines = text.utf8.count(where: isBreak) + 1
    return (1...lines).contains(line) && (1...text.utf8.count + 1).contains(column)
  }

  // MARK: SQL

  private static let sql = HostileInput(
    examples: [
      "SELECT Node, Severity, Summary FROM alerts WHERE Severity >= 4 AND Node LIKE 'core-%' ESCAPE '!'",
      "SELECT COUNT(*) AS n, SUM(Tally % 3), COUNT(DISTINCT Node) FROM alerts WHERE NOT Class IN (1, 2) GROUP BY Node",
      "SELECT QUANTILE(Tally, 0.5), HISTOGRAM(Severity, -1, 2.5, 1e19) AS h FROM urgent WHERE mine OR Grade / 0 = 1",
      "SELECT CASE Type WHEN 1 THEN Node || 'x' ELSE SUBSTR(Node, -3, 2) END AS c FROM alerts WHERE (Tally > 3) = (Class = 0)",
      "SELECT * FROM alerts WHERE LastOccurrence BETWEEN NOW() - INTERVAL '5 minutes' AND NOW() + 1000 -- end",
      "CREATE FILTER core AS Node LIKE 'core-%' AND mine",
      "CREATE VIEW few AS SELECT Node, U&'\\00e9' AS x FROM urgent WHERE Tally < 9223372036854775808; /* c */",
      "DROP VIEW urgent",
      "UPDATE alerts SET Tally = Tally + 1, Summary = Summary || U&'\\00e9', ExpireTime = NOW() WHERE mine AND Class = 7",
      "INSERT INTO alerts (Identifier, Severity, Url) VALUES ('a', -1 + 2.0, ''), (UPPER('é'), 3, 'x')",
      "DELETE FROM alerts WHERE Identifier IN ('a', 'b') OR LastOccurrence < NOW() - INTERVAL '1 day'",
    ],
    pieces: [
      "(", ")", ",", "'", "\"", " NOT ", " AND ", " OR ", "=", "<", ">", "-", "--", "/*", "*/", "*", "%",
      "||",
      "U&'", "\\", "\0", "é", "🔔", " NULL ", " IN ", " BETWEEN ", " LIKE ", "9223372036854775808", "1e999",
      ".",
      ";", "\n", "Node", "Tally", "mine", "urgent", "NOW()", " CASE ", " WHEN ", " THEN ", " END ",
      "INTERVAL ",
      "'5 days'", "DISTINCT ", "QUANTILE(", "HISTOGRAM(", "SELECT ", " FROM ", " WHERE ", " GROUP BY ",
      " AS ",
      "CREATE ", "FILTER ", "VIEW ", "DROP ", "UPDATE ", "SET ", "DELETE ", "INSERT INTO ", "VALUES (",
      "\u{301}", "0x", "1.5e-3",
    ])

  @Test(arguments: trials.shares)
  func `SQL is read, and what it is written as is the same again, or is refused at a place in it`(
    _ share: Int
  ) throws {
    var definitions = Definitions()
    for statement in [
      "CREATE FILTER mine AS OwnerUID = 7",
      "CREATE VIEW urgent AS SELECT * FROM alerts WHERE Severity > 3 AND mine",
    ] {
      definitions.apply(try parseStatement(statement, in: Tables(), definitions))
    }
    forEachInput(Self.sql, share) { again, bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      let context: Comment = "\(again): \(text)"
      do throws(SQLError) {
        let view = try parseView(text, in: Tables(), definitions)
        if (try? parseView(view.text, in: Tables()).text) != view.text { Issue.record(context) }
      } catch {
        if !isWithin(text, error.line, error.column) { Issue.record("\(context): \(error)") }
      }
      do throws(SQLError) {
        let change = try parseChange(text, in: Tables(), definitions, now: 1_000)
        if case .insert = change.kind { return }
        if (try? parseChange(change.text, in: Tables(), now: 0).text) != change.text { Issue.record(context) }
      } catch {
        if !isWithin(text, error.line, error.column) { Issue.record("\(context): \(error)") }
      }
      do throws(SQLError) {
        var changed = definitions
        changed.apply(try parseStatement(text, in: Tables(), definitions))
      } catch {
        if !isWithin(text, error.line, error.column) { Issue.record("\(context): \(error)") }
      }
    }
  }

  // MARK: Requests

  private static let requests = HostileInput(
    examples: [
      #"{"client":"noc","name":"core","sql":"SELECT Node FROM alerts WHERE Severity >= 4","mode":"net","interval_ms":5000}"#,
      #"{"client":"noc","name":"n","sql":"SELECT COUNT(*) AS n FROM alerts","placement":"lane","link":"wall","lease_ms":60000}"#,
      #"{"client":"é","name":"x\ty","sql":"SELECT HISTOGRAM(Tally, 1, 2) FROM alerts","mode":"all","lease_ms":-1}"#,
      #"{"client":"noc","name":"core","sql":"SELECT"}"#,
    ],
    pieces: [
      "{", "}", "[", "]", "\"", ":", ",", "null", "true", "1e400", "9223372036854775808", "-0", "\\u0000",
      "\\ud800",
      "\\", "\u{FF}", "\0", "\"client\":", "\"name\":\"core\"", "\"sql\":", "\"mode\":\"immediate\"",
      "\"link\":[]",
      "\"interval_ms\":0.5", "\"store_and_forward\":true", "noc/core", "/", "🔔",
    ])

  @Test(arguments: trials.shares)
  func `a request's record is answered or passed over, and the registry lives`(_ share: Int) {
    Self.trials.forEach(in: share) { seed, again in
      var random = SeededRandom(seed: seed)
      let registry = Registry(settings: RegistrySettings(), catalog: Tables()) { _ in
        StreamProgress(seq: 7, epoch: 3)
      }
      var now = Timestamp(milliseconds: 1_000_000)
      for offset in 0..<Int64(Self.inputsPerSeed) {
        let keys = [
          "noc/core", "noc/n", "é/x\ty", "noc/",
          String(decoding: Self.requests.make(&random), as: UTF8.self),
        ]
        let key = Array(keys.randomElement(using: &random)!.utf8)
        let value = Bool.random(using: &random) || offset % 7 > 0 ? Self.requests.make(&random) : nil
        let effects = Self.handle(registry, key, value, now, offset)
        now = now + .milliseconds(Int64.random(in: 0...20_000, using: &random))
        let ticked = registry.tick(now: now)
        for (_, reply) in effects.replies + ticked.replies where reply["status"]?.string == nil {
          Issue.record("\(again): \(reply)")
        }
      }
    }
  }

  private static func handle(
    _ registry: Registry, _ key: [UInt8], _ value: [UInt8]?, _ now: Timestamp, _ offset: Int64
  ) -> Effects {
    key.withUnsafeBytes { key in
      guard let value else { return registry.handle(key: key, value: nil, now: now, offset: offset) }
      return value.withUnsafeBytes { registry.handle(key: key, value: $0, now: now, offset: offset) }
    }
  }

  // MARK: Configuration

  private static let yaml = HostileInput(
    examples: [
      """
      cluster: belfry
      member: { id: noc-a, priority: 10 }
      kafka:
        bootstrap: ${BOOTSTRAP:-127.0.0.1:9092}
        properties: { security.protocol: plaintext }
      http: { listen: 127.0.0.1:8787 }
      sweep: { interval_ms: 5000, drain_ms: 100 }
      commit_ms: 100

      """,
      """
      tables:
        alerts:
          key: [Identifier]
          columns:
            Identifier: string
            Tally: &c { type: int, on_duplicate: increment, default: 1 }
            Count: *c
            Up: { type: bool, on_duplicate: replace }
      pipelines:
      - { name: a, source: { syslog: { udp: "127.0.0.1:5514" } } }

      """,
    ],
    pieces: [
      "a", ": ", "\n", "\n  ", "- ", "[", "]", "{", "}", "&a ", "*a", "!t ", "\"", "'", "|\n", ">\n", "${",
      "}", ":-",
      "kafka", "tables", "columns", "type", "#", "\u{FEFF}", "\0", "---\n", "%", "? ", "secret_file", ",",
      "$", "é",
      "1e9", "-1", "9223372036854775808", "\t", "<<: ", "~", "string", "Tally", "[Identifier]", "[]", "{}",
    ])

  @Test(arguments: trials.shares)
  func `a configuration is loaded, or refused with what is wrong`(_ share: Int) {
    forEachInput(Self.yaml, share) { again, bytes in
      let reader: FileReader = { path, _ throws(Diagnostic) in
        guard path == "b.yaml" else { throw Diagnostic(Place(source: path), "no such file") }
        return bytes
      }
      let text = String(decoding: bytes, as: UTF8.self)
      do throws(ConfigurationErrors) {
        _ = try Configuration.load(
          path: "b.yaml", environment: ["BOOTSTRAP": "x:1"], readFile: reader, check: { $0.faults })
      } catch {
        for fault in error.diagnostics where fault.place.line > 0 && fault.place.source == "b.yaml" {
          // YAML ends each line, the last one too, and knows more breaks than \n.
          if isWithin(text + "\n", fault.place.line, fault.place.column, { $0 < 0x20 || $0 >= 0x80 }) {
            continue
          }
          Issue.record("\(again): \(fault)\n\(text)")
        }
      }
    }
  }
}
