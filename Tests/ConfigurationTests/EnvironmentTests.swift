import Configuration
import Testing

@Suite struct EnvironmentTests {
  @Test(arguments: [
    ("${A}", "noc"), ("x-${A}-y", "x-noc-y"), ("${B:-local}", "local"), ("${A:-local}", "noc"),
    ("${EMPTY:-local}", "local"), ("\"${A}\"", "noc"), ("${A}${A}", "nocnoc"),
  ])
  func `a variable stands where it is named`(written: String, expected: String) throws {
    let loaded = try load("cluster: \(written)", ["A": "noc", "EMPTY": ""])
    #expect(loaded.configuration.cluster == expected)
  }

  @Test func `a doubled dollar is a dollar, and a lone one stays`() throws {
    let loaded = try load("kafka: { properties: { a: '$${A} $5 $' } }")
    #expect(loaded.configuration.kafka.properties[0].value == "${A} $5 $")
  }

  @Test func `a number may come from a variable`() throws {
    #expect(try load("commit_ms: ${N}", ["N": "5"]).configuration.commit == .milliseconds(5))
  }

  @Test(arguments: [
    ("${NONE}", "the environment variable NONE is not set, and ${NONE} has no default"),
    ("${A", "'${' without its '}'"),
    ("${a b}", "'${a b}': expected ${NAME} or ${NAME:-default}"),
    ("${}", "'${}': expected ${NAME} or ${NAME:-default}"),
  ])
  func `a variable that cannot be put in is told with its place`(written: String, expected: String) {
    #expect(faults("kafka: { properties: { a: \"\(written)\" } }") == "b.yaml:1:27: \(expected)")
  }

  @Test func `what a variable holds adds no keys`() throws {
    let loaded = try load("pipelines: [{ a: \"${X}\" }]", ["X": "1 }, { b: 2"])
    #expect(loaded.configuration.pipelines.count == 1)
    #expect(loaded.configuration.pipelines[0]["a"]?.text == "1 }, { b: 2")
  }

  @Test func `what is put in has a limit`() {
    let big = String(repeating: "x", count: 60_000)
    #expect(faults("cluster: ${X}${X}", ["X": big]).contains("longer than 65536 bytes"))
    let many = "pipelines: [" + String(repeating: "{ a: '${X}' },", count: 200) + "]"
    #expect(faults(many, ["X": big]).contains("too large, with what is put in"))
  }

  @Test func `every key has its variable, which wins over the file`() throws {
    let loaded = try load(
      "sweep: { interval_ms: 1000 }",
      [
        "BELFRY_SWEEP_INTERVAL_MS": "2000", "BELFRY_KAFKA_BOOTSTRAP": "embedded", "BELFRY_MEMBER_ID": "b",
        "BELFRY_TABLES": "{ calls: { key: [Id], columns: { Id: string } } }",
        "BELFRY_PIPELINES": "[{ source: { syslog: {} } }]",
        "BELFRY_KAFKA_PROPERTIES": "{ security.protocol: ssl }",
        "BELFRY_KAFKA_PROPERTIES_SASL_PASSWORD": "hush",
      ])
    let configuration = loaded.configuration
    #expect(loaded.warnings.isEmpty)
    #expect(configuration.sweep.interval == .seconds(2))
    #expect(configuration.kafka.bootstrap == .embedded)
    #expect(configuration.member.id == "b")
    #expect(configuration.tables.map(\.name) == ["calls"])
    #expect(configuration.pipelines.count == 1)
    #expect(configuration.kafka.properties.map(\.name) == ["sasl.password", "security.protocol"])
  }

  @Test func `a fault in a variable names the variable`() {
    #expect(
      faults("", ["BELFRY_MEMBERS": "x"])
        == "BELFRY_MEMBERS: members: expected a whole number from 1 to 64, found 'x'")
    #expect(faults("", ["BELFRY_PIPELINES": "[a"]).hasPrefix("BELFRY_PIPELINES:2:1: no YAML"))
  }

  @Test func `an unknown variable of ours is a warning`() throws {
    let loaded = try load("", ["BELFRY_SWEEP_INTERVALMS": "1", "BELFRY_X": "1", "PATH": "/bin"])
    #expect(
      loaded.warnings.map(\.description) == [
        "BELFRY_SWEEP_INTERVALMS: unknown variable, ignored; did you mean 'BELFRY_SWEEP_INTERVAL_MS'?",
        "BELFRY_X: unknown variable, ignored",
      ])
  }
}
