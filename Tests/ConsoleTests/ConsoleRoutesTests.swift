import Console
import Foundation
import Synchronization
import Testing

@Suite struct ConsoleRoutesTests {
  private let backend = Backend()

  private func get(_ path: String, _ query: [HTTPRequest.Parameter] = []) -> HTTPResponse {
    Router.console(backend).respond(to: HTTPRequest(path: path, query: query))
  }

  private func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

  @Test func `a member that is ready says so, and one that is not says why`() {
    #expect(get("/readyz") == HTTPResponse(200, body: "{\"status\":\"ready\"}\n"))
    backend.state.withLock { $0.reasons = ["shard 3 is being restored", "no \"Kafka\"\u{1}"] }
    let answer = get("/readyz")
    #expect(answer.status == 503)
    #expect(
      text(answer)
        == #"{"status":"not ready","reasons":["shard 3 is being restored","no \"Kafka\"\u0001"]}"# + "\n")
    #expect(get("/livez").status == 200)
  }

  @Test func `the metrics are Prometheus text`() {
    let answer = get("/metrics")
    #expect(answer.contentType == "text/plain; version=0.0.4; charset=utf-8")
    #expect(text(answer) == "up 1\n")
  }

  @Test func `a query's text reaches the backend and its answer comes back`() {
    let sql = "SELECT Node FROM alerts WHERE Summary = 'é \\n'"
    #expect(get("/v1/query", [.init(name: "sql", value: sql)]) == HTTPResponse(200, body: "[]"))
    let posted = Router.console(backend).respond(
      to: HTTPRequest(method: "POST", path: "/v1/query", body: Array(sql.utf8)))
    #expect(posted.status == 200)
    #expect(backend.state.withLock { $0.asked } == [sql, sql])
  }

  @Test func `a rejected query tells code, message and place`() {
    backend.state.withLock { $0.answer = .rejected(code: "syntax", message: "no \"", line: 1, column: 38) }
    let answer = get("/v1/query", [.init(name: "sql", value: "x")])
    #expect(answer.status == 400)
    #expect(text(answer) == #"{"error":{"code":"syntax","message":"no \"","line":1,"column":38}}"# + "\n")
  }

  @Test func `a query that cannot be answered now is told so`() {
    backend.state.withLock { $0.answer = .unavailable(reason: "restoring") }
    let answer = get("/v1/query", [.init(name: "sql", value: "x")])
    #expect(answer.status == 503)
    #expect(answer.headers == ["Retry-After": "1"])
  }

  @Test(arguments: ["sql=SELECT 1", " {\"sql\":\"SELECT\"}", "[1]", "\"SELECT\"", "SQL = x"])
  func `a body that is no SQL text by itself is told what it is to be`(body: String) {
    let answer = Router.console(backend).respond(
      to: HTTPRequest(method: "POST", path: "/v1/query", body: Array(body.utf8)))
    #expect(answer.status == 400)
    #expect(
      text(answer)
        == #"{"error":{"code":"not_sql","message":"the body is to be the SQL text by itself, SELECT…: no form, no JSON"}}"#
        + "\n")
    #expect(backend.state.withLock { $0.asked }.isEmpty)
  }

  @Test func `a parameter that is not known is refused by its name`() {
    let answer = get("/v1/query", [.init(name: "sql", value: "x"), .init(name: "limit", value: "1")])
    #expect(answer.status == 400)
    #expect(
      text(answer)
        == #"{"error":{"code":"unknown_parameter","message":"unknown parameter 'limit'; there is sql"}}"#
        + "\n")
    let posted = Router.console(backend).respond(
      to: HTTPRequest(
        method: "POST", path: "/v1/query", query: [.init(name: "sql", value: "x")], body: Array("SELECT".utf8)
      ))
    #expect(posted.status == 400)
    #expect(backend.state.withLock { $0.asked }.isEmpty)
  }

  /// Those of the language are the language's to test.
  @Test func `the page of the language has each code that HTTP adds to it`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: root.appending(path: "docs/query-language.md"), encoding: .utf8)
    let files = try FileManager.default.contentsOfDirectory(
      at: root.appending(path: "Sources/Console"), includingPropertiesForKeys: nil)
    let codes = try files.flatMap { file in
      try String(contentsOf: file, encoding: .utf8).matches(of: /[0-9]{3}, code: "([a-z0-9_]+)"/).map {
        String($0.1)
      }
    }
    #expect(codes.count >= 10)
    for code in codes { #expect(page.contains("`\(code)`"), "\(code)") }
  }

  @Test func `a query without one SQL text is refused before the backend`() {
    let bodies: [[UInt8]] = [[], Array(" \n".utf8), [0xFF]]
    let answers =
      bodies.map {
        Router.console(backend).respond(to: HTTPRequest(method: "POST", path: "/v1/query", body: $0)).status
      } + [
        get("/v1/query").status, get("/v1/query", [.init(name: "sql", value: "")]).status,
        get("/v1/query", [.init(name: "sql", value: "a"), .init(name: "sql", value: "b")]).status,
      ]
    #expect(answers == [400, 400, 400, 400, 400, 400])
    #expect(backend.state.withLock { $0.asked }.isEmpty)
  }
}
