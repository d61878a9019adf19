import Base
import Console
import Synchronization
import Testing

/// A clock that a test moves.
private final class HandClock: Clock {
  private let time = Mutex(Duration.zero)
  func now() -> Timestamp { .zero + elapsed() }
  func elapsed() -> Duration { time.withLock { $0 } }
  func advance(by duration: Duration) { time.withLock { $0 += duration } }
}

@Suite struct HostileClientTests {
  private static func server(_ change: (inout HTTPLimits) -> Void = { _ in }) throws -> HTTPServer {
    var limits = HTTPLimits()
    change(&limits)
    return try HTTPServer(host: "127.0.0.1", port: 0, router: .console(Backend()), limits: limits)
  }

  /// Clients that have sent a part of a request, one of them none.
  private static func sendHalves(to server: HTTPServer) throws -> [RawClient] {
    let halves = ["", "GET /li", "POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nSEL"]
    return try halves.map { half in
      let client = try #require(RawClient(port: server.port))
      client.send(half)
      return client
    }
  }

  /// After whatever was done to it.
  private static func serves(_ server: HTTPServer) -> Bool { status(ask(server, "/livez")) == 200 }

  @Test(arguments: [
    "/%", "/%4", "/%zz", "/livez?a=%", "/%ff", "/%00", "/v1/query?sql=%00", "/v1/query?sql=%C3", "livez", "*",
  ])
  func `a target that is not well-formed is refused`(target: String) throws {
    let server = try Self.server()
    #expect(status(ask(server, target)) == 400)
    #expect(Self.serves(server))
  }

  @Test(arguments: [
    "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    "GET /livez HTTP/1.1\r\n\r\n",
    "GET /\0livez HTTP/1.1\r\nHost: x\r\n\r\n", "GET /livez HTTP/1.1\r\nHost\r\n\r\n",
    "POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "POST /v1/query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  ])
  func `a client that speaks something else hurts nobody`(text: String) throws {
    let server = try Self.server { $0.idle = .seconds(1) }
    let client = try #require(RawClient(port: server.port))
    client.send(text)
    let answer = client.readToEnd()
    #expect(answer.isEmpty || (400..<600).contains(status(answer)), "\(answer)")
    #expect(Self.serves(server))
  }

  @Test func `half a request, and then nothing, is given up`() throws {
    let server = try Self.server { $0.idle = .seconds(1) }
    let clients = try Self.sendHalves(to: server)
    #expect(Self.serves(server))
    for client in clients { #expect([0, 408].contains(status(client.readToEnd()))) }
  }

  @Test func `a request that takes too long is cut off, however busy its connection is`() throws {
    let clock = HandClock()
    var limits = HTTPLimits()
    limits.idle = .seconds(3_600)
    let server = try HTTPServer(
      host: "127.0.0.1", port: 0, router: .console(Backend()), limits: limits, clock: clock)
    let clients = try Self.sendHalves(to: server)
    #expect(Self.serves(server))
    clock.advance(by: limits.total - .seconds(1))
    let young = try #require(RawClient(port: server.port))
    young.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(status(young.readUntil("alive\"}\n")) == 200)
    clock.advance(by: .seconds(2))
    for client in clients { #expect([0, 408].contains(status(client.readToEnd()))) }
    young.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(status(young.readUntil("alive\"}\n")) == 200)
  }

  @Test func `half requests that nobody ends shut out nobody, and those that are cut are counted`() throws {
    let metrics = Metrics()
    var limits = HTTPLimits()
    limits.idle = .seconds(3_600)
    let server = try HTTPServer(
      host: "127.0.0.1", port: 0, router: .console(Backend()), limits: limits, metrics: metrics)
    let halves = (0..<300).compactMap { _ in
      let client = RawClient(port: server.port)
      client?.send("GET /livez HTTP/1.1\r\nHost: ")
      return client
    }
    #expect(halves.count == 300)
    // The last one's own is heard of once it has been accepted.
    for path in ["/livez", "/readyz"] {
      #expect(status(ask(server, path)) == 200)
      #expect(status(ask(server, path, from: "127.0.0.2")) == 200)
    }
    let cut = metrics.value("belfry_http_connections_cut_total", [("reason", "crowded")])
    #expect((170...180).contains(cut), "\(cut)")
  }

  @Test func `a client that goes in the middle is forgotten`() throws {
    let server = try Self.server()
    for _ in 0..<50 {
      let client = try #require(RawClient(port: server.port))
      client.send("POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nSEL")
      client.close()
    }
    #expect(Self.serves(server))
  }

  @Test func `headers and targets have a limit`() throws {
    let server = try Self.server { $0.headerBytesMax = 8192 }
    let long = String(repeating: "x", count: 100_000)
    #expect([0, 400, 413, 431].contains(status(ask(server, "/livez", headers: "X: \(long)\r\n"))))
    #expect([0, 400, 414].contains(status(ask(server, "/v1/query?sql=\(long)"))))
    let many = String(repeating: "X: y\r\n", count: 20_000)
    #expect([0, 400, 413, 431].contains(status(ask(server, "/livez", headers: many))))
    #expect(Self.serves(server))
  }

  @Test func `parameters have a limit`() throws {
    let server = try Self.server()
    #expect(status(ask(server, "/livez?" + String(repeating: "a&", count: 100))) == 200)
    #expect(status(ask(server, "/livez?" + String(repeating: "a&", count: 101))) == 400)
  }

  @Test func `a body over the limit is refused`() throws {
    let server = try Self.server { $0.bodyBytesMax = 1000 }
    let send = { (count: Int) in
      status(ask(server, "/v1/query", method: "POST", body: String(repeating: "x", count: count)))
    }
    #expect(send(1000) == 200)
    #expect(send(1001) == 413)
    #expect(send(4000) == 413)
    let announced = try #require(RawClient(port: server.port))
    announced.send("POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000000\r\n\r\n")
    #expect(status(announced.readUntil("\r\n\r\n")) == 413)
    #expect(Self.serves(server))
  }

  @Test func `a body without end is cut off`() throws {
    let server = try Self.server { $0.bodyBytesMax = 1000 }
    let client = try #require(RawClient(port: server.port))
    client.send("POST /v1/query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    let chunk = "400\r\n" + String(repeating: "x", count: 1024) + "\r\n"
    while client.send(chunk) {}
    #expect(Self.serves(server))
  }

  @Test func `connections have a limit, and with one more the longest idle one ends`() throws {
    let server = try Self.server {
      $0.connectionsMax = 2
      $0.idle = .seconds(3_600)
    }
    let held = try (0..<2).map { _ in
      let client = try #require(RawClient(port: server.port))
      client.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(status(client.readUntil("alive\"}\n")) == 200)
      return client
    }
    #expect(Self.serves(server))
    #expect(held[0].readToEnd() == "")
    held[1].send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(status(held[1].readUntil("alive\"}\n")) == 200)
  }

  @Test func `random bytes never bring it down`() throws {
    let server = try Self.server { $0.idle = .seconds(1) }
    var random = SeededRandom(seed: 7)
    let pieces = [
      "GET ", "POST ", "/", "/livez", "?a=%", " HTTP/1.1", "\r\n", "Host: x\r\n", "\0", "é", ": ",
      "Content-Length: 5\r\n", "\r\n\r\n",
    ]
    for _ in 0..<300 {
      guard let client = RawClient(port: server.port) else { continue }
      client.send((0..<12).map { _ in pieces.randomElement(using: &random)! }.joined())
      client.close()
    }
    while !Self.serves(server) {}
  }
}
