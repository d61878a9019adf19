import Base
import Events
import Testing

@testable import Requests

@Suite struct RejectionTests {
  /// The record's value (client c, name n) and what the reply says.
  static let cases: [(value: String, error: String)] = [
    ("", "json at 1:0"),
    ("{", "json at 1:1"),
    ("{\"client\":\"c\",\n  oops}", "json at 2:6"),
    ("[]", "json at 1:1"),
    ("null", "json at 1:1"),
    (#"{"client":"d","name":"n","sql":"SELECT * FROM alerts"}"#, "key"),
    (#"{"client":"c","name":"m","sql":"SELECT * FROM alerts"}"#, "key"),
    (#"{"name":"n","sql":"SELECT * FROM alerts"}"#, "value"),
    (#"{"client":"c","name":"n"}"#, "value"),
    (#"{"client":7,"name":"n","sql":"SELECT * FROM alerts"}"#, "value"),
    (#"{"client":"c/n","name":"n","sql":"SELECT * FROM alerts"}"#, "value"),
    (#"{"client":"c","name":"n\u0007","sql":"SELECT * FROM alerts"}"#, "value"),
    (full(#""interval":1000"#), "member"),
    (full(#""interval_ms":99"#), "value"),
    (full(#""interval_ms":86400001"#), "value"),
    (full(#""interval_ms":1000.5"#), "value"),
    (full(#""interval_ms":"1000""#), "value"),
    (full(#""lease_ms":-1"#), "value"),
    (full(#""lease_ms":99999999999999999999"#), "json at 1:85"),
    (full(#""mode":"nett""#), "value"),
    (Desk.request("c/n", "SELECT COUNT(*) FROM alerts", #""mode":"all""#), "unsupported"),
    (Desk.request("c/n", "SELECT COUNT(*) FROM alerts", #""mode":"immediate""#), "unsupported"),
    (
      Desk.request("c/n", "SELECT Node FROM alerts WHERE LastOccurrence > NOW()", #""mode":"all""#),
      "unsupported"
    ),
    (full(#""placement":"shared""#), "value"),
    (full(#""store_and_forward":true"#), "unsupported"),
    (full(#""store_and_forward":1"#), "value"),
    (
      #"{"client":"c","name":"n","sql":"SELECT Node FROM alerts\nWHERE Severty > 1"}"#,
      "unknown_column at 2:7"
    ),
    (#"{"client":"c","name":"n","sql":"SELECT Node FRM alerts"}"#, "syntax at 1:13"),
    (#"{"client":"c","name":"n","sql":"SELECT Node FROM alert"}"#, "unknown_table at 1:18"),
  ]

  private static func full(_ more: String) -> String { Desk.request("c/n", "SELECT * FROM alerts", more) }

  @Test(arguments: cases) func `a bad request is rejected with its place`(value: String, error: String) {
    let desk = Desk()
    desk.send("c/n", value)
    #expect(desk.error("c/n") == error, "\(desk[reply: "c/n"].text)")
    #expect(desk[reply: "c/n"]["client"] == .string("c") && desk[reply: "c/n"]["name"] == .string("n"))
    #expect(desk.registry.requestCount == 0 && desk.registry.streamCount == 0 && desk.registry.setCount == 0)
    #expect(desk.registry.counts.rejected.values.reduce(0, +) == 1)
  }

  @Test func `a member that does not exist is named, with the one that was meant`() {
    let desk = Desk()
    desk.ask("c/n", core, #""intervall_ms":1000"#)
    #expect(
      desk[reply: "c/n"]["error"]?["message"]
        == .string("a request has no member intervall_ms; did you mean interval_ms?"))
  }

  @Test func `a record whose key is no text cannot be answered, and is counted`() {
    let desk = Desk()
    let value = Desk.request("c/n", core)
    #expect(desk.send(nil, value).isEmpty)
    #expect(desk.send("", value).isEmpty)
    #expect(desk.send(String(repeating: "k", count: 400), value).isEmpty)
    let bytes: [UInt8] = [0x63, 0x2F, 0xFF]
    let effects = bytes.withUnsafeBytes { key in
      withBytes(value) { desk.registry.handle(key: key, value: $0, now: desk.now, offset: 3) }
    }
    #expect(effects.isEmpty && desk.registry.counts.ignored == 4)
  }

  @Test func `a key without a slash is rejected under that key`() {
    let desk = Desk()
    desk.send("noslash", Desk.request("c/n", core))
    #expect(desk.error("noslash") == "key")
    desk.send("noslash", nil)
    #expect(desk.registry.counts.ignored == 1)
  }

  @Test func `what is over a limit is rejected, and what is there stands`() {
    var settings = RegistrySettings()
    settings.requestsMax = 4
    settings.requestsPerClientMax = 2
    settings.streamsMax = 3
    settings.ownTopicsMax = 1
    settings.requestBytesMax = 1_000
    settings.requestBytesTotalMax = 800
    let desk = Desk(settings)
    desk.ask("a/1", core)
    desk.ask("a/2", core)
    desk.ask("a/3", core)
    #expect(desk.error("a/3") == "limit")
    desk.ask("b/1", other)
    #expect(desk.error("b/1") == "limit")
    desk.ask("b/1", counter)
    desk.ask("b/2", other + String(repeating: " ", count: 900))
    #expect(desk.error("b/2") == "limit")
    desk.ask("b/2", core + String(repeating: " ", count: 600))
    #expect(desk.error("b/2") == "limit")
    desk.ask("b/2", counter)
    desk.ask("c/1", counter)
    #expect(desk.error("c/1") == "limit")
    #expect(desk.registry.requestCount == 4 && desk.registry.streamCount == 2)
    desk.ask("a/1", core, #""interval_ms":1000"#)
    #expect(desk[reply: "a/1"]["status"] == .string("active"))
  }

  @Test func `streams have their limit, those in grace counted`() {
    var settings = RegistrySettings()
    settings.streamsMax = 1
    let desk = Desk(settings)
    desk.ask("a/x", core)
    desk.send("a/x", nil)
    desk.ask("a/y", other)
    #expect(desk.error("a/y") == "limit")
    desk.wait(.seconds(30))
    desk.ask("a/y", other)
    #expect(desk[reply: "a/y"]["status"] == .string("active"))
  }

  @Test func `two texts with one id are not mixed up`() {
    let desk = Desk()
    desk.registry.identity.digits = { _ in "0123456789abcdef" }
    desk.ask("a/x", core)
    desk.ask("b/y", "SELECT Summary FROM alerts WHERE Severity >= 4")
    #expect(desk.error("b/y") == "collision")
    desk.registry.identity.digits = {
      $0.contains("mode=") ? String(sha256Hex($0).prefix(16)) : "0123456789abcdef"
    }
    desk.ask("b/z", other)
    #expect(desk.error("b/z") == "collision")
    #expect(desk.registry.requestCount == 1)
  }
}
