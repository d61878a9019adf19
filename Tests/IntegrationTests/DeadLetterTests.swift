import Base
import Bus
import Events
import Testing

extension Integration {
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct DeadLetterTests {
    /// What goes in, and the code that it comes back with.
    private static let unusable: [(value: [UInt8]?, code: String)] = [
      (Array(#"{"Identifier":"x","#.utf8), "json"),
      (Array("{\"Identifier\":\"\u{0}x\"".utf8), "json"),
      ([0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x31, 0x7D], "json"),
      (Array("[1,2]".utf8), "not_object"),
      (Array(#""text""#.utf8), "not_object"),
      (Array(#"{"Identifier":5}"#.utf8), "type"),
      (Array(#"{"Identifier":"x","Severity":"high"}"#.utf8), "type"),
      (Array(#"{"Identifier":"x","Severity":{"a":1}}"#.utf8), "type"),
      (Array(#"{"Identifier":"x","Severity":1e300}"#.utf8), "range"),
      (Array(#"{"Severity":3,"Summary":"Who am I?"}"#.utf8), "key_missing"),
      (Array(#"{"Identifier":"","Severity":3}"#.utf8), "key_missing"),
      (Array(#"{"Identifier":null}"#.utf8), "key_missing"),
      ([], "empty"),
      (nil, "empty"),
      (Array(#"{"Identifier":"big","Summary":"\#(String(repeating: "ü", count: 1500))"}"#.utf8), "oversize"),
    ]

    private struct Letter {
      var value: [UInt8]?
      var key: [UInt8]?
      var headers: [String: [UInt8]] = [:]
    }

    @Test func `what cannot be used lies on the dead-letter topic byte for byte`() throws {
      let town = try Town("events: { bytes_max: 2048 }")
      try town.start()
      try sendAll(town)
      try eventually("the good events") { try town.count("Tally >= 1") == Int64(Self.unusable.count) }
      let letters = try readLetters(town)
      try #require(letters.count == Self.unusable.count)
      // Good and bad ones went to one partition in turn, so the dead letters keep their order.
      for (i, (letter, sent)) in zip(letters, Self.unusable).enumerated() {
        #expect(letter.value == sent.value, "letter \(i)")
        #expect(letter.key == [0x6B, UInt8(i), 0xFF])
        #expect(letter.headers["traceparent"] == Array("00-trace-\(i)".utf8))
        #expect(letter.headers["blob"] == [0, 1, 0xFF, UInt8(i)])
        func text(_ name: String) -> String {
          String(decoding: letter.headers["belfry.error.\(name)"] ?? [], as: UTF8.self)
        }
        #expect(text("code") == sent.code, "letter \(i): \(text("message"))")
        #expect(!text("message").isEmpty && !text("stage").isEmpty)
        #expect(text("topic") == town.topics.events)
        #expect(text("partition") == "0")
        #expect(text("offset") == "\(i * 2)")
      }
      for (code, all) in Dictionary(grouping: Self.unusable, by: \.code) {
        try town.expect("belfry_events_rejected_total{reason=\"\(code)\"}", all.count)
      }
    }

    /// A bad one, a good one, and so on.
    private func sendAll(_ town: Town) throws {
      let batch = RecordBatch()
      let topic = batch.index(ofTopic: town.topics.events)
      for (i, (value, _)) in Self.unusable.enumerated() {
        append([0x6B, UInt8(i), 0xFF], value, topic, town, batch)
        batch.appendHeader("traceparent", "00-trace-\(i)")
        [0, 1, 0xFF, UInt8(i)].withUnsafeBytes { batch.appendHeader("blob", $0) }
        append(nil, Array(Samples.event("good \(i)").utf8), topic, town, batch)
      }
      try town.deliver(batch)
    }

    private func append(
      _ key: [UInt8]?, _ value: [UInt8]?, _ topic: Int32, _ town: Town, _ batch: RecordBatch
    ) {
      func bytes(_ array: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Void) {
        guard let array else { return body(nil) }
        array.withUnsafeBytes { body($0) }
      }
      bytes(key) { key in
        bytes(value) { value in
          batch.append(topic: topic, partition: 0, timestamp: town.clock.now(), key: key, value: value)
        }
      }
    }

    private func readLetters(_ town: Town) throws -> [Letter] {
      var letters: [Letter] = []
      try town.read(town.topics.deadLetters) { record, batch in
        var letter = Letter(
          value: batch.value(record).map { Array($0) }, key: batch.key(record).map { Array($0) })
        for i in 0..<batch.headerCount(record) {
          let header = batch.header(record, at: i)
          letter.headers[String(decoding: header.name, as: UTF8.self)] = header.value.map { Array($0) }
        }
        letters.append(letter)
      }
      return letters
    }
  }
}
