import Base
import Bus
import Client
import Foundation
import Testing

extension Integration {
  /// TLS and passwords between the program and a broker that wants them.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct SecurityTests {
    /// librdkafka's properties, at their most talkative.
    private static func properties(
      _ protocolName: String, certificate: String, mechanism: String = "PLAIN", password: String = ""
    ) -> KeyValuePairs<String, String> {
      [
        "security.protocol": protocolName, "ssl.ca.location": certificate, "sasl.mechanism": mechanism,
        "sasl.username": Broker.user, "sasl.password": password, "debug": "conf,security,broker",
        "broker.address.family": "v4",
      ]
    }

    /// A member and a command over a protected listener.
    private func check(_ bootstrap: String, _ properties: KeyValuePairs<String, String>) throws {
      let town = try Town("log: { level: debug }", bootstrap: bootstrap, properties: properties)
      try town.start()
      let sent = try town.belfry("send", input: Samples.event("a", severity: 4))
      #expect(sent.status == 0, "\(sent.errors.suffix(2000))")
      try eventually("the row") { try town.count("Severity = 4") == 1 }
      let requests = try town.belfry("requests")
      #expect(requests.status == 0, "\(requests.errors.suffix(2000))")
      try town.stop()
      for text in [town.member!.errors, sent.errors, requests.errors] {
        #expect(!text.contains(Broker.password))
      }
      #expect(town.member!.errors.contains("\(properties.first { $0.key == "security.protocol" }!.value)"))
    }

    @Test func `a member serves over TLS`() throws {
      let broker = try Broker.running
      try check(broker.tls, Self.properties("ssl", certificate: broker.certificate))
    }

    private func checkPassword(_ mechanism: String) throws {
      let broker = try Broker.running
      try check(
        broker.sasl,
        Self.properties(
          "sasl_ssl", certificate: broker.certificate, mechanism: mechanism, password: Broker.password))
    }

    @Test func `a member serves over TLS with a password`() throws { try checkPassword("PLAIN") }

    @Test(
      .enabled(
        if: KafkaBus.libraryVersion >= 0x0206_01ff, "Kafka 4 refuses SCRAM from librdkafka before 2.6.1"))
    func `a member serves over TLS with SCRAM`() throws { try checkPassword("SCRAM-SHA-512") }

    /// protocol | mechanism | certificate | password | words of the error
    private static let refusals = """
      sasl_ssl | PLAIN | right | not-the-password | _AUTHENTICATION | Authentication failed
      sasl_ssl | SCRAM-SHA-512 | right | not-the-password | _AUTHENTICATION | Authentication failed
      ssl | PLAIN | wrong | - | _SSL | certificate verify failed
      sasl_ssl | PLAIN | wrong | right | _SSL | certificate verify failed
      """

    @Test(arguments: refusals.split(separator: "\n").map(String.init))
    func `what the broker does not let in says why, and not with what`(line: String) throws {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      let broker = try Broker.running
      let password = cells[3] == "right" ? Broker.password : cells[3]
      let town = try Town(
        "log: { level: debug }", bootstrap: cells[0] == "ssl" ? broker.tls : broker.sasl,
        properties: Self.properties(
          cells[0], certificate: cells[2] == "right" ? broker.certificate : broker.otherCertificate,
          mechanism: cells[1], password: password))
      try town.launch()
      var answer = (status: 0, body: "")
      try eventually("the reason: \(answer.body)") {
        answer = try town.get("/readyz")
        return answer.status == 503 && answer.body.contains(cells[4]) && answer.body.contains(cells[5])
      }
      try eventually("the log") { town.member!.errors.contains(" code=\(cells[4])") }
      let ran = try town.belfry("requests")
      #expect(ran.status == 1)
      #expect(ran.errors.contains(cells[4]) && ran.errors.contains(cells[5]), "\(ran.errors)")
      #expect(town.member!.status == nil, "it goes on trying")
      town.member!.signal(SIGTERM)
      #expect(try town.member!.end() == 0)
      let shown = try town.belfryChild("validate")
      #expect(try shown.end() == 0)
      for text in [town.member!.errors, answer.body, ran.errors, shown.output, shown.errors]
      where password != "-" {
        #expect(!text.contains(password))
      }
    }
  }
}
