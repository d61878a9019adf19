import Configuration
import Testing

@Suite struct SecretTests {
  private static let yaml = """
    kafka:
      properties:
        sasl.password: { secret_file: /run/secrets/p }
        sasl.username: ${USERNAME}
        ssl.key.password: inline-hush
        client.id: shown
    pipelines:
      - target: { password: other-hush, url: "postgres://u:url-hush@h/d", token: { secret_file: t } }
    """

  private static func loaded() throws -> Configuration {
    try load(
      yaml, ["USERNAME": "env-hush", "BELFRY_KAFKA_PROPERTIES_SSL_CA_PEM": "var-hush"],
      files: ["/run/secrets/p": "file-hush\n", "t": "token-hush"]
    ).configuration
  }

  @Test func `a secret is read from its file, without the last line feed`() throws {
    let configuration = try Self.loaded()
    let password = configuration.kafka.properties.first { $0.name == "sasl.password" }
    #expect(password?.value == "file-hush")
    #expect(configuration.pipelines[0]["target"]?["token"]?.text == "token-hush")
  }

  @Test func `a relative path starts at the file's folder`() throws {
    let loaded = try Configuration.load(
      path: "/etc/belfry/b.yaml", environment: [:],
      readFile: disk([
        "/etc/belfry/b.yaml": "kafka: { properties: { a: { secret_file: s/p } } }",
        "/etc/belfry/s/p": "x\r\n",
      ]))
    #expect(loaded.configuration.kafka.properties[0].value == "x")
  }

  @Test func `no secret is ever shown`() throws {
    let configuration = try Self.loaded()
    var shown = configuration.description + "\(configuration)" + String(reflecting: configuration)
    dump(configuration, to: &shown)
    dump(configuration.kafka.properties, to: &shown)
    dump(configuration.pipelines, to: &shown)
    shown += "\(configuration.kafka.properties)\(configuration.pipelines)"
    #expect(!configuration.description.contains("hush"))
    #expect(configuration.description.contains("client.id: \"shown\""))
    for secret in ["file-hush", "env-hush", "token-hush", "var-hush"] { #expect(!shown.contains(secret)) }
  }

  @Test func `a fault does not tell the secret it is about`() {
    let told = faults("members: { secret_file: p }\ncommit_ms: ${X}", ["X": "hush"], files: ["p": "hush"])
    #expect(told.split(separator: "\n").count == 2)
    #expect(!told.contains("hush"))
    #expect(told.contains("found a value that is not shown"))
  }

  @Test(arguments: [
    ("{ secret_file: none }", "b.yaml:1:42: secret_file: none: no such file"),
    ("{ secret_file: p, other: 1 }", "b.yaml:1:29: secret_file stands alone in its map"),
    ("{ secret_file: [p] }", "b.yaml:1:42: secret_file: expected a path, found a list"),
    ("{ secret_file: nul }", "b.yaml:1:42: secret_file: nul: no UTF-8 text"),
    ("{ secret_file: big }", "b.yaml:1:42: secret_file: big: too large"),
  ])
  func `a secret that cannot be read is told with its place`(written: String, expected: String) {
    let files = ["p": "x", "nul": "a\0b", "big": String(repeating: "x", count: 70_000)]
    #expect(faults("kafka: { properties: { a: \(written) } }", files: files) == expected)
  }
}
