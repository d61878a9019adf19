import Base
import Bus
import Configuration
import ConnectorKit
import Events
import Glibc
import Service
import Testing

@Suite struct PipelinesTests {
  private func pipelines(
    _ yaml: String, _ cluster: SimulatedCluster = SimulatedCluster(seed: 1), metrics: Metrics = Metrics()
  ) throws -> Pipelines {
    let configuration = try configuration(yaml)
    return try Pipelines(
      configuration.pipelines, bus: cluster.connect(), topic: "belfry.events", schema: try .of(configuration),
      clock: SystemClock(), log: .silent, metrics: metrics)
  }

  /// Each text stands behind `pipelines:` and a line feed.
  @Test(arguments: [
    ("- {}", "2:3: a pipeline needs `name` and `source`"),
    ("- { name: a }", "2:3: a pipeline needs `name` and `source`"),
    ("- { name: a, source: {} }", "2:3: a pipeline needs `name` and `source`"),
    ("- { name: a, source: syslog }", "2:3: a pipeline needs `name` and `source`"),
    ("- { source: { syslog: } }", "2:3: a pipeline needs `name` and `source`"),
    (
      "- { name: a, source: { sylog: } }",
      "2:24: unknown source sylog: there is host_monitor, syslog; did you mean syslog?"
    ),
    ("- { name: a, source: { ftp: } }", "2:24: unknown source ftp: there is host_monitor, syslog"),
    (
      "- { name: a, source: { syslog: , host_monitor: } }", "2:34: a pipeline has one source"
    ),
    (
      "- { name: a, source: { syslog: }, filter: x }", "2:35: unknown key filter in a pipeline"
    ),
  ])
  func `a pipeline that is none is an error at its place`(text: String, expected: String) throws {
    let error = #expect(throws: ConnectorError.self) { _ = try pipelines("pipelines:\n\(text)") }
    #expect(error?.description == "b.yaml:\(expected)")
  }

  @Test(arguments: [
    ("syslog: { framing: octets }", "b.yaml:2:43: "),
    ("syslog: { udp: nowhere }", "b.yaml:2:39: "),
    ("syslog: { udpp: off }", "b.yaml:2:34: "),
    ("host_monitor: { interval: soon }", "b.yaml:2:50: "),
    ("host_monitor: { load: { warming: 1 } }", "b.yaml:2:48: "),
  ])
  func `a probe's own errors have their place in the file`(source: String, place: String) throws {
    let yaml = "pipelines:\n- { name: a, source: { \(source) } }"
    let error = #expect(throws: ConnectorError.self) { _ = try pipelines(yaml) }
    #expect(error?.description.hasPrefix(place) == true, "\(error?.description ?? "no error")")
  }

  @Test func `the second of two pipelines is found wrong too, and nothing is started`() throws {
    let yaml = """
      pipelines:
        - { name: a, source: { syslog: { udp: "127.0.0.1:0", tcp: off } } }
        - { name: b, source: { nothing: } }
      """
    let error = #expect(throws: ConnectorError.self) { _ = try pipelines(yaml) }
    #expect(error?.place == "b.yaml:3:26")
  }

  @Test func `a second pipeline of one name is refused at its place`() throws {
    let yaml = """
      pipelines:
        - { name: a, source: { syslog: { udp: "127.0.0.1:0", tcp: off } } }
        - { name: b, source: { host_monitor: } }
        - { name: a, source: { host_monitor: } }
      """
    let error = #expect(throws: ConnectorError.self) { _ = try pipelines(yaml) }
    #expect(error?.description == "b.yaml:4:13: the pipeline at b.yaml:2:13 has the name a already")
  }

  @Test func `all faults of all pipelines are told at once`() throws {
    let yaml = """
      pipelines:
        - name: a
          source:
            syslog:
              udp: "1.2.3.4:99999"
              framming: lf
              class: many
        - { name: b, source: { host_monitor: { intervl: 2s, load: { warning: x, major: y } } }, filter: z }
        - { name: a, source: { syslg: } }
        - { name: c, source: { syslog: , host_monitor: } }
        - { source: { syslog: } }
        - { name: d, source: { host_monitor: { interval: 5s } } }
      """
    let faults = Pipelines.faults(try configuration(yaml).pipelines).map(\.description)
    let expected = [
      "5:14: `syslog.udp`", "6:9: unknown key `framming`", "7:16: `syslog.class`",
      "8:91: unknown key filter", "8:42: unknown key `intervl`", "8:72: `host_monitor.load.warning`",
      "8:82: `host_monitor.load.major`", "9:13: the pipeline at b.yaml:2:11 has the name a already",
      "9:26: unknown source syslg", "10:36: a pipeline has one source", "11:5: a pipeline needs",
    ]
    #expect(faults.count == expected.count, "\(faults.joined(separator: "\n"))")
    for words in expected { #expect(faults.contains { $0.hasPrefix("b.yaml:\(words)") }, "\(words)") }
  }

  @Test func `librdkafka is asked about its properties, and a secret is not shown`() throws {
    let faults = try configuration(
      """
      cluster: town
      kafka: { properties: { foo.bar: 1, linger.ms: soon, ssl.key.password: x, security.protocol: ssl } }
      """
    ).faults.map(\.description)
    #expect(faults.count == 2, "\(faults)")
    #expect(faults[0].hasPrefix("b.yaml:2:33: kafka.properties: ") && faults[0].contains("foo.bar"))
    #expect(
      faults[1].hasPrefix("b.yaml:2:47: kafka.properties: ") && faults[1].contains("queue.buffering.max.ms"))
    let secret = Configuration.Property(name: "security.protocol", value: "hush", isSecret: true)
    var hidden = Configuration()
    hidden.kafka.properties = [secret]
    #expect(hidden.faults.count == 1 && !hidden.faults[0].description.contains("hush"))
  }

  @Test(arguments: [
    ("{ linger.ms: 5, acks: '0' }", "44", "`acks` must be set to `all`"),
    ("{ message.timeout.ms: 70000 }", "44", "`message.timeout.ms` must be set <= `transaction.timeout.ms`"),
    ("{ max.poll.interval.ms: 5000 }", "46", "`max.poll.interval.ms`must be >= `session.timeout.ms`"),
    ("{ security.protocol: ssl, ssl.ca.location: /nowhere.pem }", "65", "ssl.ca.location failed"),
  ])
  func `properties that librdkafka takes one by one, but not in a client, have a place`(
    properties: String, column: String, words: String
  ) throws {
    let faults = try configuration("kafka: { properties: \(properties) }").faults.map(\.description)
    #expect(faults.count == 1, "\(faults)")
    #expect(faults.first?.hasPrefix("b.yaml:1:\(column): kafka.properties: ") == true, "\(faults)")
    #expect(faults.first?.contains(words) == true, "\(faults)")
  }

  @Test func `properties that hold together have no fault`() throws {
    let good = "{ acks: all, session.timeout.ms: 10000, fetch.min.bytes: 5, compression.type: lz4 }"
    #expect(try configuration("kafka: { properties: \(good) }").faults == [])
  }

  @Test func `what a probe took before the stop is on the events topic`() throws {
    let cluster = SimulatedCluster(seed: 1)
    try cluster.connect().createTopics([TopicSpec("belfry.events", partitions: 4, properties: [:])])
    let metrics = Metrics()
    let pipelines = try pipelines(
      #"pipelines: [{ name: a, source: { syslog: { udp: "127.0.0.1:0", tcp: off } } }]"#, cluster,
      metrics: metrics)
    try pipelines.start()
    sendDatagram(
      "<11>Jan  2 03:04:05 router-1 kernel: fan failed", to: try #require(pipelines.syslogPorts.first))
    let deadline = SystemClock().elapsed() + .seconds(60)
    while metrics.value("belfry_connector_events_total", [("connector", "a")]) == 0,
      SystemClock().elapsed() < deadline
    { sched_yield() }
    pipelines.stop()
    let records = (0..<4).flatMap { cluster.records("belfry.events", $0, .committed) }
    let event = try JSON(parsing: try #require(records.first?.valueText))
    #expect(records.count == 1)
    #expect(event["Node"]?.string == "router-1")
    #expect(records.first?.keyText == event["Identifier"]?.string)
  }
}

/// One UDP datagram to this machine's loopback address.
private func sendDatagram(_ text: String, to port: UInt16) {
  let number = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
  defer { close(number) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  let bytes = Array(text.utf8)
  let sent = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      sendto(number, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  #expect(sent == bytes.count)
}
