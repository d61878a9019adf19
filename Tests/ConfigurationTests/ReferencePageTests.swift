import Configuration
import Foundation
import Testing

@Suite struct ReferencePageTests {
  /// The page's table rows: `| key | type | default | meaning |`, keys in backticks.
  private static func rows() throws -> [String] {
    let page = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../docs/configuration.md").standardizedFileURL
    return try String(contentsOf: page, encoding: .utf8).split(separator: "\n").map(String.init)
      .filter { $0.hasPrefix("| `") && $0.count { $0 == "|" } == 5 }
  }

  @Test func `the page has exactly the keys of the code, with their types, defaults and meanings`() throws {
    let known = Configuration.reference.map {
      "| `\($0.key)` | \($0.type) | \($0.shownDefault) | \($0.meaning) |"
    }
    let written = try Self.rows()
    for (row, expected) in zip(written, known) { #expect(row == expected) }
    #expect(written.count == known.count, "\(known.joined(separator: "\n"))")
  }

  @Test func `the echo reads back as the same configuration`() throws {
    let yaml = """
      cluster: x
      kafka: { properties: { client.id: "a: b # \\"c\\" \\\\ é $5" } }
      http: { listen: "[::1]:0" }
      tables:
        calls: { key: [A], columns: { A: string, B: { type: real, default: 2.5, on_duplicate: min } } }
      pipelines: [{ a: [1, "1", "", ~, "~", "- x", "x:", "é\\n"], b: { "c d": e } }]
      """
    let configuration = try load(yaml).configuration
    #expect(try load(configuration.description).configuration == configuration)
    #expect(try load(Configuration().description).configuration == Configuration())
  }
}
