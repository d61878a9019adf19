import Events
import Testing

extension Integration {
  /// The probes in a member on the real Kafka.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct PipelineTests {
    @Test func `the host and a syslog message show up in subscriptions`() throws {
      let port = try freePorts(1)[0]
      let town = try Town(
        """
        pipelines:
          - name: here
            source: { host_monitor: { interval: 500ms, node: lighthouse } }
          - name: messages
            source: { syslog: { udp: "127.0.0.1:\(port)", tcp: off } }
        """)
      try town.start()
      let host = try town.follow(
        try town.request(
          "wall", "host", "SELECT Node, AlertGroup, Summary FROM alerts WHERE Manager = 'host_monitor'"))
      let messages = try town.follow(
        try town.request(
          "wall", "syslog",
          "SELECT Node, Agent, Severity, Summary, Tally FROM alerts WHERE Manager = 'syslog'"))
      try host.wait("rows of the machine") { rows in
        let groups = Set(rows.values.compactMap { $0["AlertGroup"]?.string })
        return groups.isSuperset(of: ["load", "memory", "cpu"])
          && rows.values.allSatisfy { $0["Node"]?.string == "lighthouse" }
      }
      for pid in [4022, 4023] {
        try sendDatagram(
          "<34>1 2026-01-02T03:04:05Z quay crane \(pid) ID47 - Failed password from port \(pid)", port: port)
      }
      try messages.wait("the message, twice") { rows in
        guard rows.count == 1, let row = rows.values.first else { return false }
        return row["Tally"]?.int == 2 && row["Node"]?.string == "quay" && row["Agent"]?.string == "crane"
          && row["Severity"]?.int == 5
      }
      try town.stop()
    }
  }
}
