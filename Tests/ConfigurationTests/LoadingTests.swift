import Configuration
import Testing

@Suite struct LoadingTests {
  @Test func `an empty file, and no file, give the defaults`() throws {
    #expect(try load("").configuration == Configuration())
    #expect(try load("# nothing\n").configuration == Configuration())
    #expect(try load("kafka:\nsweep: {}\n").configuration == Configuration())
    let none = try Configuration.load(path: nil, environment: [:], readFile: disk([:]))
    #expect(none.configuration == Configuration())
  }

  @Test func `every key of the example is read`() throws {
    let configuration = try load(
      """
      cluster: town.a
      member: { id: noc-a, priority: 20 }
      members: 1
      kafka:
        bootstrap: k1:9092, k2:9093
        properties: { security.protocol: ssl, socket.nagle.disable: true }
        replication: 3
        partitions: 16
      http: { listen: "[::1]:9000" }
      sweep: { interval_ms: 1000, drain_ms: 50, interval_max_ms: 20000, grace_ms: 0 }
      commit_ms: 250
      events: { unknown_fields: refuse, bytes_max: 4096, cleared_kept_ms: 0 }
      log: { level: debug }
      pipelines:
        - source: { syslog: { udp: 514 } }
      """
    ).configuration
    var expected = Configuration()
    expected.cluster = "town.a"
    expected.member.id = "noc-a"
    expected.member.priority = 20
    expected.kafka.bootstrap = .servers("k1:9092,k2:9093")
    expected.kafka.properties = [
      .init(name: "security.protocol", value: "ssl"), .init(name: "socket.nagle.disable", value: "true"),
    ]
    expected.kafka.replication = 3
    expected.kafka.partitions = 16
    expected.http.listen = HostPort(host: "::1", port: 9000)
    expected.sweep.interval = .seconds(1)
    expected.sweep.drain = .milliseconds(50)
    expected.sweep.intervalMax = .seconds(20)
    expected.sweep.grace = .zero
    expected.commit = .milliseconds(250)
    expected.events.unknownFields = .refuse
    expected.events.bytesMax = 4096
    expected.events.clearedKept = .zero
    expected.log.level = .debug
    expected.pipelines = configuration.pipelines
    #expect(configuration == expected)
    let port = try #require(configuration.pipelines.first?["source"]?["syslog"]?["udp"])
    #expect(port.text == "514")
    #expect(port.place.description == "b.yaml:15:30")
  }

  @Test func `keys that have no effect yet say so at their place`() throws {
    let loaded = try load("sweep: { interval_max_ms: 90000 }\nmember: { priority: 20 }")
    #expect(
      loaded.warnings.map(\.description) == [
        "b.yaml:2:21: member.priority has no effect: a cluster has one member for now"
      ])
    #expect(try load("sweep: { interval_ms: 900 }").warnings.isEmpty)
  }

  @Test func `the embedded broker is a bootstrap of its own`() throws {
    #expect(try load("kafka: { bootstrap: embedded }").configuration.kafka.bootstrap == .embedded)
  }

  @Test(arguments: [
    ("kafak: {}", "b.yaml:1:1: unknown key 'kafak'; did you mean 'kafka'?"),
    ("sweep:\n  intervalms: 5", "b.yaml:2:3: sweep: unknown key 'intervalms'; did you mean 'interval_ms'?"),
    ("interval_ms: 5", "b.yaml:1:1: unknown key 'interval_ms'; did you mean 'sweep.interval_ms'?"),
    ("zebra: 1", "b.yaml:1:1: unknown key 'zebra'"),
    (
      "cluster: Belfry",
      "b.yaml:1:10: cluster: expected a name of a-z, 0-9, '.' and '-', 1 to 100 characters, found 'Belfry'"
    ),
    (
      "cluster: [a]",
      "b.yaml:1:10: cluster: expected a name of a-z, 0-9, '.' and '-', 1 to 100 characters, found a list"
    ),
    ("members: 0", "b.yaml:1:10: members: expected a whole number from 1 to 64, found '0'"),
    ("members: many", "b.yaml:1:10: members: expected a whole number from 1 to 64, found 'many'"),
    ("members: 3", "b.yaml:1:10: members: a cluster has one member for now, not 3"),
    (
      "members: 99999999999999999999999",
      "b.yaml:1:10: members: expected a whole number from 1 to 64, found '99999999999999999999999'"
    ),
    ("members:", "b.yaml:1:9: members: expected a whole number from 1 to 64, found nothing"),
    (
      "kafka: 5",
      "b.yaml:1:8: kafka: expected a map of bootstrap, properties, replication, partitions, found '5'"
    ),
    (
      "kafka: { bootstrap: nowhere }",
      "b.yaml:1:21: kafka.bootstrap: expected host:port[,host:port …] or embedded, found 'nowhere'"
    ),
    (
      "http: { listen: 127.0.0.1:70000 }",
      "b.yaml:1:17: http.listen: expected address:port, such as 127.0.0.1:8787 or [::1]:8787, found '127.0.0.1:70000'"
    ),
    (
      "http: { listen: a.b:80 }",
      "b.yaml:1:17: http.listen: expected address:port, such as 127.0.0.1:8787 or [::1]:8787, found 'a.b:80'"
    ),
    ("commit_ms: -1", "b.yaml:1:12: commit_ms: expected milliseconds from 1 to 5000, found '-1'"),
    ("log: { level: loud }", "b.yaml:1:15: log.level: expected debug, info, warning, error, found 'loud'"),
    ("pipelines: {a: 1}", "b.yaml:1:12: pipelines: expected a list of maps, found a map"),
    ("pipelines: [x]", "b.yaml:1:13: pipelines: expected a map, found 'x'"),
    ("- a", "b.yaml:1:1: expected a map of keys, found a list"),
    (
      "kafka: { properties: { isolation.level: read_uncommitted } }",
      "b.yaml:1:24: kafka.properties: isolation.level is set by Belfry itself: exactly-once hangs on it"
    ),
    ("kafka: { properties: { a: [1] } }", "b.yaml:1:27: kafka.properties.a: expected a text, found a list"),
    (
      "sweep: { interval_ms: 90000 }",
      "b.yaml:1:23: sweep.interval_ms (90000) must not be larger than sweep.interval_max_ms (60000)"
    ),
    (
      "sweep: { interval_ms: 50 }",
      "b.yaml:1:23: sweep.drain_ms (100) must not be larger than sweep.interval_ms (50)"
    ),
    ("members: 1\nmembers: 1", "b.yaml:2:1: the key 'members' is there already, in line 1"),
    ("member: !!map {}", "b.yaml:1:9: the tag tag:yaml.org,2002:map is not understood"),
    ("? [a]\n: b", "b.yaml:1:3: a key must be a text, found a list"),
    (
      "cluster: \"a\\0b\"",
      "b.yaml:1:10: a NUL character\nb.yaml:1:10: cluster: expected a name of a-z, 0-9, '.' and '-', 1 to 100 characters, found 'a\u{FFFD}b'"
    ),
  ])
  func `a fault is told with its place`(yaml: String, expected: String) {
    #expect(faults(yaml) == expected)
  }

  @Test func `all faults are told, not only the first`() {
    let told = faults("members: x\nkafak: {}\nsweep: { interval_ms: y }\nlog: { level: z }\n")
    #expect(
      told.split(separator: "\n").map { $0.split(separator: " ")[0] } == [
        "b.yaml:1:10:", "b.yaml:2:1:", "b.yaml:3:23:", "b.yaml:4:15:",
      ])
  }

  @Test func `a thousand faults are told as a hundred and a count`() {
    let yaml = (0..<1000).map { "wrong\($0): 1" }.joined(separator: "\n")
    let told = faults(yaml).split(separator: "\n")
    #expect(told.count == 101)
    #expect(told.last == "b.yaml: and 900 more errors")
  }

  @Test func `a file that cannot be read is named`() {
    let error = #expect(throws: ConfigurationErrors.self) {
      try Configuration.load(path: "c.yaml", environment: [:], readFile: disk([:]))
    }
    #expect(error?.description == "c.yaml: no such file")
  }

  @Test func `the disk's reader says what the system says, and stops at the limit`() throws {
    let missing = #expect(throws: Diagnostic.self) { try readFile("/nonexistent/b.yaml", 10) }
    #expect(missing?.description == "/nonexistent/b.yaml: No such file or directory")
    let folder = #expect(throws: Diagnostic.self) { try readFile("/", 10) }
    #expect(folder?.description == "/: Is a directory")
    let endless = #expect(throws: Diagnostic.self) { try readFile("/dev/zero", 1000) }
    #expect(endless?.description == "/dev/zero: larger than 1000 bytes, which is the limit")
  }

  @Test(arguments: [
    ("kafak", "kafka"), ("Kafka", "kafka"), ("kafk", "kafka"), ("zzz", nil), ("membres", "members"),
    (String(repeating: "a", count: 100_000), nil), ("", nil),
  ])
  func `the nearest word is found when it is near`(word: String, expected: String?) {
    #expect(nearest(word, of: ["kafka", "members", "http"]) == expected)
  }

  @Test func `the keys that changed are known by name`() throws {
    let old = try load("kafka: { properties: { sasl.password: a } }").configuration
    let new = try load("cluster: x\nkafka: { partitions: 3, properties: { sasl.password: b } }").configuration
    #expect(old.keysChanged(in: new) == ["cluster", "kafka.properties", "kafka.partitions"])
    #expect(new.keysChanged(in: new) == [])
  }
}
