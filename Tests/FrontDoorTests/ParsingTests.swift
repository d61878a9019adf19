import FrontDoor
import Testing

@Suite struct ParsingTests {
  private func fault(_ words: String...) -> String {
    do {
      return "\(try CommandTable.belfry.parse(words))"
    } catch {
      return error.message
    }
  }

  @Test func `a full command line is understood`() throws {
    let invocation = try CommandTable.belfry.parse([
      "subscribe", "-c", "b.yaml", "SELECT * FROM alerts", "--mode=net", "--interval", "5s", "--json",
      "--from-start",
    ])
    #expect(invocation.command == "subscribe")
    #expect(invocation.argument(0) == "SELECT * FROM alerts")
    #expect(invocation.argument(1) == nil)
    #expect(invocation.text("config") == "b.yaml")
    #expect(invocation.text("mode") == "net")
    #expect(invocation.duration("interval") == .seconds(5))
    #expect(invocation.has("json") && invocation.has("from-start") && !invocation.has("lease"))
  }

  @Test(arguments: [
    (["send"], []), (["send", "-"], ["-"]), (["send", "--", "-x"], ["-x"]), (["dlq", "list"], []),
    (["dlq", "show", "17"], ["17"]), (["unsubscribe", "-cb.yaml", "n"], ["n"]),
  ])
  func `arguments are found`(words: [String], expected: [String]) throws {
    #expect(try CommandTable.belfry.parse(words).arguments == expected)
  }

  @Test(arguments: [
    (["--help"], []), ([], []), (["subscribe", "--help"], ["subscribe"]),
    (["dlq", "list", "-h"], ["dlq", "list"]),
    (["dlq", "--help"], ["dlq"]), (["query", "x", "--nonsense", "--help"], ["query"]),
  ])
  func `help is asked for anywhere`(words: [String], expected: [String]) throws {
    let invocation = try CommandTable.belfry.parse(words)
    #expect(invocation.command == "help")
    #expect(invocation.arguments == expected)
  }

  @Test func `faults are told with what was meant`() {
    #expect(fault("serv") == "unknown command 'serv'; did you mean 'serve'?")
    #expect(fault("xyzzy") == "unknown command 'xyzzy'")
    #expect(fault("dlq") == "dlq: expected list, show, replay")
    #expect(fault("dlq", "lsit") == "unknown command 'dlq lsit'; did you mean 'list'?")
    #expect(fault("--json") == "expected a command before '--json'")
    #expect(fault("query") == "query: SQL is missing (a SELECT, as one argument)")
    #expect(fault("query", "a", "b") == "query: one argument too many: 'b'")
    #expect(fault("query", "a", "--jsn") == "query: unknown option '--jsn'; did you mean '--json'?")
    #expect(fault("query", "a", "-z") == "query: unknown option '-z'")
    #expect(fault("query", "a", "--http") == "query: --http: ADDRESS:PORT is missing")
    #expect(fault("query", "a", "--json=x") == "query: --json takes no value")
    #expect(fault("query", "a", "--json", "--json") == "query: --json is there twice")
    #expect(fault("query", "") == "query: SQL: expected a text, found nothing")
    #expect(
      fault("subscribe", "a", "--mode", "nett")
        == "subscribe: --mode: expected net, all, immediate, found 'nett'; did you mean 'net'?")
    #expect(
      fault("subscribe", "a", "--interval", "5")
        == "subscribe: --interval: expected a time such as 500ms, 5s, 2m or 1h, found '5'")
    #expect(fault("dlq", "show", "-1") == "dlq show: unknown option '-1'")
    #expect(fault("dlq", "show", "x") == "dlq show: OFFSET: expected a whole number from 0 on, found 'x'")
    #expect(fault("a\u{1B}[2J") == "unknown command 'a␛[2J'")
  }

  @Test(arguments: [
    ("500ms", 500), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0), ("8784h", 31_622_400_000),
    ("", nil),
    ("s", nil), ("5", nil), ("-5s", nil), ("5 s", nil), ("5d", nil), ("8785h", nil), ("999999999999h", nil),
    ("9999999999999s", nil), ("٥s", nil),
  ])
  func `durations have a unit`(text: String, milliseconds: Int?) {
    #expect(parseDuration(text) == milliseconds.map { .milliseconds($0) })
  }
}
