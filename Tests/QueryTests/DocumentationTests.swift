import Foundation
import Query
import Testing

struct DocumentationTests {
  private let page: String

  init() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    page = try String(contentsOf: root.appending(path: "docs/query-language.md"), encoding: .utf8)
  }

  /// The statements in the page's fenced blocks of a kind.
  private func examples(_ kind: String) -> [String] {
    page.components(separatedBy: "```\(kind)\n").dropFirst()
      .compactMap { $0.components(separatedBy: "\n```").first }
      .flatMap { $0.components(separatedBy: "\n") }
  }

  @Test func `every example of the page is read`() {
    let examples = examples("sql")
    #expect(examples.count >= 20)
    for example in examples {
      #expect(throws: Never.self, "\(example)") { _ = try view(example) }
    }
  }

  @Test func `what the page says is refused is refused`() {
    let examples = examples("sql-refused")
    #expect(examples.count >= 6)
    for example in examples {
      #expect(throws: SQLError.self, "\(example)") { _ = try view(example) }
    }
  }

  @Test func `the examples with names are read one after the other, and what is refused is refused`() throws {
    var definitions = Definitions()
    for example in examples("sql-named") where !example.hasPrefix("DROP VIEW load") {
      try read(example, &definitions)
    }
    #expect(definitions.count >= 4)
    for example in examples("sql-named-refused") {
      #expect(throws: SQLError.self, "\(example)") { try read(example, &definitions) }
    }
    try read("DROP VIEW load", &definitions)
  }

  @Test func `the page's changes of rows are read, and what it says is refused is refused`() {
    let examples = examples("sql-change")
    #expect(examples.count >= 6)
    for example in examples {
      #expect(isChange(example))
      #expect(throws: Never.self, "\(example)") { _ = try parseChange(example, in: TestCatalog(), now: 0) }
    }
    let refused = self.examples("sql-change-refused")
    #expect(refused.count >= 6)
    for example in refused {
      #expect(throws: SQLError.self, "\(example)") { _ = try parseChange(example, in: TestCatalog(), now: 0) }
    }
  }

  private func read(_ sql: String, _ definitions: inout Definitions) throws {
    if sql.hasPrefix("SELECT") {
      _ = try parseView(sql, in: TestCatalog(), definitions)
    } else {
      definitions.apply(try parseStatement(sql, in: TestCatalog(), definitions))
    }
  }

  @Test func `the page states the limits that are in force`() {
    for limit in [
      QueryLimits.textBytesMax, QueryLimits.depthMax, QueryLimits.atomsMax, QueryLimits.selectItemsMax,
      QueryLimits.listElementsMax, QueryLimits.groupColumnsMax, QueryLimits.nameBytesMax,
      QueryLimits.histogramBoundsMax, QueryLimits.expansionsMax, QueryLimits.definitionsMax,
      QueryLimits.definitionBytesMax, QueryLimits.valuesMax, QueryLimits.insertRowsMax,
    ] {
      let text = limit.formatted(.number.locale(Locale(identifier: "en_US")))
      #expect(
        page.contains("| \(text) |") || page.contains("; \(text) |") || page.contains("| \(text);"), "\(text)"
      )
    }
  }

  @Test func `the page states all bounds of the canonical form, in one table`() throws {
    let table = try #require(page.components(separatedBy: "| of the filter, its diagram and its form |").last)
    let rows = table.components(separatedBy: "\n").dropFirst(2).prefix { $0.hasPrefix("|") }
    let stated = rows.map { $0.split(separator: "|").last?.trimmingCharacters(in: .whitespaces) ?? "" }
    let bounds = [
      QueryLimits.diagramAtomsMax, QueryLimits.diagramVariablesMax, QueryLimits.diagramSetsMax,
      QueryLimits.diagramCutsMax, QueryLimits.diagramNodesMax, QueryLimits.diagramStepsMax,
      QueryLimits.diagramTermsMax, QueryLimits.diagramFormAtomsMax, QueryLimits.diagramCutsMax,
      QueryLimits.textBytesMax,
    ]
    #expect(stated == bounds.map { $0.formatted(.number.locale(Locale(identifier: "en_US"))) })
  }
}
