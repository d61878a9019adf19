import Base
import Console
import Synchronization
import Testing

@Suite struct HTTPServerTests {
  private static func server(
    _ backend: Backend = Backend(), limits: HTTPLimits = HTTPLimits(), metrics: Metrics = Metrics()
  ) throws -> HTTPServer {
    try HTTPServer(host: "127.0.0.1", port: 0, router: .console(backend), limits: limits, metrics: metrics)
  }

  @Test func `the paths answer over a socket`() throws {
    let metrics = Metrics()
    let server = try Self.server(metrics: metrics)
    #expect(server.port > 0)
    #expect(body(ask(server, "/livez")) == "{\"status\":\"alive\"}\n")
    #expect(ask(server, "/metrics").contains("Content-Type: text/plain; version=0.0.4"))
    #expect(status(ask(server, "/nowhere")) == 404)
    server.stop()
    let counted = { metrics.value("belfry_http_requests_total", [("path", $0), ("status", $1)]) }
    #expect(counted("/livez", "200") == 1)
    #expect(counted("other", "404") == 1)
  }

  @Test func `a query's text is decoded`() throws {
    let backend = Backend()
    let server = try Self.server(backend)
    #expect(status(ask(server, "/v1/query?sql=a+%2B%20%C3%A9%26")) == 200)
    #expect(status(ask(server, "/v1/query", method: "POST", body: "SELECT '%41+'")) == 200)
    #expect(backend.state.withLock { $0.asked } == ["a + é&", "SELECT '%41+'"])
  }

  @Test func `HEAD has the headers of GET and no body`() throws {
    let answer = ask(try Self.server(), "/livez", method: "HEAD")
    #expect(status(answer) == 200)
    #expect(answer.contains("Content-Length: 19"))
    #expect(body(answer) == "")
  }

  @Test(arguments: [
    ("POST", "/livez", "GET, HEAD"), ("DELETE", "/v1/query", "GET, HEAD, POST"),
    ("FOO", "/metrics", "GET, HEAD"),
  ])
  func `another method is refused and told what is allowed`(method: String, path: String, allowed: String)
    throws
  {
    let answer = ask(try Self.server(), path, method: method)
    #expect(status(answer) == 405)
    #expect(answer.contains("Allow: \(allowed)\r\n"))
  }

  @Test func `a connection serves several requests`() throws {
    let server = try Self.server()
    let client = try #require(RawClient(port: server.port))
    for _ in 0..<3 {
      client.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(status(client.readUntil("alive\"}\n")) == 200)
    }
  }

  @Test func `an IPv6 address serves too`() throws {
    let server = try HTTPServer(host: "::1", port: 0, router: .console(Backend()))
    #expect(status(ask(server, "/livez", ipv6: true)) == 200)
  }

  @Test func `a port in use is told as such`() throws {
    let server = try Self.server()
    let error = #expect(throws: ConsoleError.self) {
      try HTTPServer(host: "127.0.0.1", port: server.port, router: Router())
    }
    #expect(error?.description == "cannot listen on 127.0.0.1:\(server.port): Address already in use")
  }

  @Test(arguments: [
    ("belfry.example", 80), ("127.0.0.1", 70_000), ("127.0.0.1", -1), ("", 80), ("1.2.3", 80),
  ])
  func `an address that is none is told as such`(host: String, port: Int) {
    #expect(throws: ConsoleError.self) { try HTTPServer(host: host, port: port, router: Router()) }
  }

  @Test func `a hundred connections are served at the same time`() throws {
    let gate = Gate()
    var router = Router()
    router.on(.get, "/wait") { _ in
      gate.pass()
      return HTTPResponse(200, body: "{}")
    }
    let server = try HTTPServer(host: "127.0.0.1", port: 0, router: router)
    let clients = Running(100) { _ in status(ask(server, "/wait")) }
    gate.waitFor(100)
    gate.letThrough(100)
    #expect(clients.wait() == Array(repeating: 200, count: 100))
  }

  @Test func `stopping waits for the requests under way and takes no more`() throws {
    let gate = Gate()
    var router = Router()
    router.on(.get, "/wait") { _ in
      gate.pass()
      return HTTPResponse(200, body: "the whole answer")
    }
    let server = try HTTPServer(host: "127.0.0.1", port: 0, router: router)
    let client = Running(1) { _ in ask(server, "/wait") }
    gate.waitFor(1)
    let stopping = Running(1) { _ in server.stop() }
    while RawClient(port: server.port) != nil {}
    gate.letThrough(1)
    _ = stopping.wait()
    #expect(body(client.wait()[0]) == "the whole answer")
    server.stop()
  }
}
