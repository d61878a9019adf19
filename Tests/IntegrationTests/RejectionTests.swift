import Base
import Bus
import Client
import Events
import Testing

extension Integration {
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct RejectionTests {
    /// name | code | line:column or - | words of the message | the value
    private static let cases = """
      r1 | json | 1: | | select
      r2 | json | 1:1 | object | ["sql"]
      r3 | json | 2: | | {"client":"c",\\n"name" "r3"}
      r4 | key | - | | {"client":"c","name":"another","sql":"SELECT Node FROM alerts"}
      r5 | member | - | intervall | {"client":"c","name":"r5","sql":"SELECT Node FROM alerts","intervall":1}
      r6 | value | - | sql | {"client":"c","name":"r6"}
      r7 | value | - | interval_ms | {"client":"c","name":"r7","sql":"SELECT Node FROM alerts","interval_ms":1}
      r8 | value | - | interval_ms | {"client":"c","name":"r8","sql":"SELECT Node FROM alerts","interval_ms":"5s"}
      r9 | value | - | mode | {"client":"c","name":"r9","sql":"SELECT Node FROM alerts","mode":"sometimes"}
      r10 | value | - | placement | {"client":"c","name":"r10","sql":"SELECT Node FROM alerts","placement":"moon"}
      r11 | unsupported | - | all | {"client":"c","name":"r11","sql":"SELECT COUNT(*) FROM alerts","mode":"all"}
      r12 | unsupported | - | immediate | {"client":"c","name":"r12","sql":"SELECT COUNT(*) FROM alerts","mode":"immediate"}
      r13 | syntax | 1:1 | SELECT | {"client":"c","name":"r13","sql":"SELEC Node FROM alerts"}
      r14 | syntax | 2:17 | | {"client":"c","name":"r14","sql":"SELECT Node FROM alerts\\nWHERE Severity >"}
      r15 | unknown_column | 1:8 | Summary | {"client":"c","name":"r15","sql":"SELECT Sumary FROM alerts"}
      r16 | unknown_table | 1:18 | alerts | {"client":"c","name":"r16","sql":"SELECT Node FROM alert"}
      r17 | type | 1: | | {"client":"c","name":"r17","sql":"SELECT Node FROM alerts WHERE Severity = '5'"}
      r18 | unsupported | 1: | | {"client":"c","name":"r18","sql":"SELECT Node FROM alerts ORDER BY Node"}
      """

    private struct Case {
      let name, code, place, words, value: String

      init(_ line: Substring) {
        let cells = line.split(separator: "|", maxSplits: 4, omittingEmptySubsequences: false).map { cell in
          String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        (name, code, place, words) = (cells[0], cells[1], cells[2], cells[3])
        value = cells[4]
      }
    }

    @Test func `a request that cannot be is rejected with its place, and others go on`() throws {
      let cases = Self.cases.split(separator: "\n").map { Case($0) }
      let town = try Town()
      try town.start()
      let batch = RecordBatch()
      for one in cases {
        // `\\n` of the table is a line feed of the JSON where it stands outside its strings.
        let value = one.name == "r3" ? one.value.split(separator: "\\n").joined(separator: "\n") : one.value
        batch.append(
          topic: town.topics.requests, partition: 0, timestamp: town.clock.now(), key: "c/\(one.name)",
          value: value)
      }
      batch.append(
        topic: town.topics.requests, partition: 0, timestamp: town.clock.now(), key: "no slash", value: "{}")
      try town.deliver(batch)
      let good = try town.request("c", "good", "SELECT Node FROM alerts")
      #expect(good["status"]?.string == "active")
      let replies = try town.replies()
      for one in cases { check(one, replies["c/\(one.name)"]) }
      try town.send([Samples.event("x")])
      try town.follow(good).wait("the row") { $0.count == 1 }
    }

    private func check(_ one: Case, _ reply: JSON?) {
      #expect(reply?["status"]?.string == "rejected", "\(one.name): \(reply?.text ?? "no reply")")
      let error = reply?["error"]
      #expect(error?["code"]?.string == one.code, "\(one.name): \(reply?.text ?? "")")
      let message = error?["message"]?.string ?? ""
      #expect(one.words.isEmpty || message.contains(one.words), "\(one.name): \(message)")
      let line = error?["line"]?.int
      let place = line.map { "\($0):\(error?["column"]?.int ?? -1)" } ?? "-"
      #expect(place.hasPrefix(one.place), "\(one.name): \(place), \(message)")
    }

    @Test func `a rejected record under the key of a standing request ends that`() throws {
      let town = try Town()
      try town.start()
      try town.request("c", "one", "SELECT Node FROM alerts")
      #expect(try town.request("c", "one", "SELECT Nod FROM alerts")["status"]?.string == "rejected")
      #expect(try town.session.registry()["request/c/one"] == nil)
    }
  }
}
