import Base
import Configuration
import Testing

@Suite struct HostileTextTests {
  @Test func `text that is no YAML is refused with its line`() {
    #expect(faults("a: [1, 2\nb: 3").hasPrefix("b.yaml:2:2: no YAML: did not find expected ',' or ']'"))
    #expect(faults("\tkafka: 1").hasPrefix("b.yaml:1:1: no YAML: "))
    #expect(faults("members: *nobody") == "b.yaml:1:10: the alias *nobody has no anchor before it")
    #expect(faults("a: &a [*a]").hasPrefix("b.yaml:1:8: the alias *a has no anchor"))
    #expect(faults("{}\n---\n{}") == "b.yaml:2:1: a second document; one is all there may be")
  }

  @Test func `bytes that are no UTF-8 are refused with their line`() {
    let reader: FileReader = { _, _ throws(Diagnostic) in Array("members: 1\nlog: ".utf8) + [0xFF, 0xFE] }
    let error = #expect(throws: ConfigurationErrors.self) {
      try Configuration.load(path: "b.yaml", environment: [:], readFile: reader)
    }
    #expect(error?.description.hasPrefix("b.yaml:2:6: no UTF-8 text: ") == true)
  }

  @Test func `nesting has a limit`() {
    let deep = "pipelines: " + String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
    #expect(faults(deep) == "b.yaml:1:44: nested deeper than 32 levels")
    let endless = "pipelines: " + String(repeating: "[", count: 900_000)
    #expect(faults(endless).contains("nested deeper") == true)
  }

  @Test func `aliases that multiply are refused`() {
    var yaml = "pipelines:\n- { a: &a0 x }\n"
    for i in 1...12 {
      let many = Array(repeating: "*a\(i - 1)", count: 10).joined(separator: ", ")
      yaml += "- { a: &a\(i) [\(many)] }\n"
    }
    #expect(faults(yaml).contains("too large, with what aliases repeat"))
    let long = "pipelines:\n- { a: &a \(String(repeating: "x", count: 500_000)) }\n"
    #expect(faults(long + "- { a: [*a, *a, *a, *a, *a, *a, *a, *a, *a] }").contains("too large"))
  }

  @Test func `an alias within the limits is what it stands for`() throws {
    let loaded = try load("pipelines:\n- { a: &a [1, 2] }\n- { a: *a }\n")
    #expect(loaded.configuration.pipelines[0] == loaded.configuration.pipelines[1])
  }

  @Test func `a file over the limit is refused`() {
    let large = String(repeating: "# comment\n", count: 110_000)
    #expect(faults(large) == "b.yaml: too large")
  }

  @Test func `messages carry nothing that a terminal obeys`() {
    let told = faults("\"\\e[2Jx\": 1\nmembers: \"\\u202E\\e[31m\"")
    #expect(told.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
    #expect(!told.unicodeScalars.contains("\u{202E}"))
  }

  @Test func `random bytes never trap`() {
    var random = SeededRandom(seed: 20)
    let pieces = [
      "a", ": ", "\n", "- ", "[", "]", "{", "}", "&a ", "*a", "!t ", "\"", "'", "|\n", "${", "}", ":-",
      "  ", "kafka", "tables", "#", "\u{FEFF}", "\0", "---\n", "%", "? ", "secret_file", ",", "$", "é",
    ]
    var refused = 0
    for _ in 0..<3000 {
      let text = (0..<Int.random(in: 1...30, using: &random))
        .map { _ in pieces.randomElement(using: &random)! }.joined()
      if !faults(text, ["a": "x"]).isEmpty { refused += 1 }
    }
    #expect(refused > 1000)
  }
}
