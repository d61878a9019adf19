import Base
import Glibc
import Synchronization

/// What the connections' threads share: the router, the limits, and the count of requests under way.
final class Dispatcher: Sendable {
  private let router: Router
  private let limits: HTTPLimits
  private let metrics: Metrics
  private let underWay = Mutex(0)
  private let isClosed = Atomic(false)
  private let oneEnded = Signal()
  private let connections: Mutex<Connections>
  private let cuts: [Connections.Reason: Metric]

  private let clock: any Clock
  private let watchEnd = Signal()
  /// How often connections are looked at that take too long.
  private static let watchInterval = Duration.milliseconds(200)

  init(router: Router, limits: HTTPLimits, metrics: Metrics, clock: any Clock) {
    self.clock = clock
    self.router = router
    self.limits = limits
    self.metrics = metrics
    connections = Mutex(Connections(max: limits.connectionsMax, ofOneMax: limits.connectionsOfOneMax))
    let cuts = Connections.Reason.allCases.map { reason in
      (
        reason,
        metrics.counter(
          "belfry_http_connections_cut_total", "HTTP connections cut.", [("reason", reason.rawValue)])
      )
    }
    self.cuts = Dictionary(uniqueKeysWithValues: cuts)
  }

  static func from(_ context: UnsafeMutableRawPointer) -> Dispatcher {
    Unmanaged<Dispatcher>.fromOpaque(context).takeUnretainedValue()
  }

  func begin(target: String) -> Exchange {
    Exchange(target: RequestTarget(target), bodyBytesMax: limits.bodyBytesMax)
  }

  /// The answer to a request that is refused by its headers alone.
  func refusal(of exchange: Exchange, length: String?) -> HTTPResponse? {
    guard let length, let bytes = Int(length), !exchange.acceptsLength(bytes) else { return nil }
    return counted(tooLarge, exchange)
  }

  /// The answer to a request that is complete. Runs the handler on the calling thread.
  func answer(_ exchange: Exchange, on descriptor: Int32) -> HTTPResponse {
    connections.withLock { $0.answers(descriptor) }
    underWay.withLock { $0 += 1 }
    exchange.isUnderWay = true
    if exchange.isOversize { return counted(tooLarge, exchange) }
    guard let request = exchange.request else {
      return counted(
        .error(400, code: "bad_target", message: "the target is not well-formed percent-encoded UTF-8"),
        exchange)
    }
    guard !isClosed.load(ordering: .acquiring) else {
      return counted(
        .error(503, code: "stopping", message: "this member is stopping", headers: ["Connection": "close"]),
        exchange)
    }
    if router.paths.contains(request.path) { exchange.route = request.path }
    return counted(router.respond(to: request), exchange)
  }

  private var tooLarge: HTTPResponse {
    .error(413, code: "too_large", message: "the body has more than \(limits.bodyBytesMax) bytes")
  }

  private func counted(_ answer: HTTPResponse, _ exchange: Exchange) -> HTTPResponse {
    metrics.counter(
      "belfry_http_requests_total", "HTTP requests answered.",
      [("path", exchange.route), ("status", String(answer.status))]
    ).add()
    return answer
  }

  /// The answer to a request that was under way has been sent, or its client has gone.
  func ended() {
    underWay.withLock { $0 -= 1 }
    oneEnded.raise()
  }

  /// Requests from now on are answered with 503.
  func close() {
    isClosed.store(true, ordering: .releasing)
    watchEnd.raise()
  }

  /// Cuts connections whose request takes too long, until `close`. A thread of its own runs it: libmicrohttpd
  /// knows idle connections only, and one that sends a byte now and then is never idle.
  func watch() {
    while !isClosed.load(ordering: .acquiring) {
      let now = clock.elapsed()
      connections.withLock { $0.slow(at: now).forEach(cut) }
      watchEnd.wait(atMost: Self.watchInterval)
    }
  }

  /// The answer is made. From here on there is as much time for reading it and for the next request.
  func answered(_ descriptor: Int32) {
    let end = clock.elapsed() + limits.total
    connections.withLock { $0.answered(descriptor, until: end) }
  }

  func waitForRequests(atMost limit: Duration) {
    wait(atMost: limit) { underWay.withLock { $0 } == 0 }
  }

  /// A connection has come.
  func opened(_ descriptor: Int32) {
    let end = clock.elapsed() + limits.total
    let address = peerAddress(descriptor)
    connections.withLock {
      if let one = $0.opened(descriptor, from: address, until: end) { cut(one) }
      if $0.isClosed { shutDown(descriptor) }
    }
  }

  func closed(_ descriptor: Int32) {
    connections.withLock { $0.closed(descriptor) }
    oneEnded.raise()
  }

  /// Under the lock: a descriptor is not closed, and given to another connection, meanwhile.
  private func cut(_ one: Connections.Cut) {
    cuts[one.reason]?.add()
    shutDown(one.descriptor)
  }

  /// Ends all connections and waits until their threads have let go of them.
  ///
  /// libmicrohttpd (0.9.75) takes an answer that comes while it stops, its own to a malformed request
  /// included, for accepted, drops it, and then reads through a null pointer. So by the time that it stops
  /// there must be no connection that could answer.
  func cutConnections(atMost limit: Duration) {
    connections.withLock {
      $0.close()
      for descriptor in $0.descriptors { shutDown(descriptor) }
    }
    wait(atMost: limit) { connections.withLock { $0.isEmpty } }
  }

  /// Nil once the connections are cut.
  func unlessCut<Result>(_ work: () -> Result) -> Result? {
    connections.withLock { $0.isClosed ? nil : work() }
  }

  /// The limit is a bound, not a clock: a slice that a signal ends early is not counted.
  private func wait(atMost limit: Duration, until isDone: () -> Bool) {
    let slice = Duration.milliseconds(100)
    var left = limit
    while left > .zero, !isDone() {
      if !oneEnded.wait(atMost: slice) { left -= slice }
    }
  }
}

/// `shutdown(2)` of both directions: whoever waits on it wakes, the descriptor stays.
func shutDown(_ descriptor: Int32) { _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }

/// The other side's address without its port; empty where it has gone.
private func peerAddress(_ descriptor: Int32) -> [UInt8] {
  var storage = sockaddr_storage()
  var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
  return withUnsafeMutableBytes(of: &storage) { bytes in
    let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
    guard getpeername(descriptor, address, &length) == 0 else { return [] }
    // Behind family and port; in IPv6 behind the flow's label, too.
    return Int32(address.pointee.sa_family) == AF_INET6 ? Array(bytes[8..<24]) : Array(bytes[4..<8])
  }
}

/// `close(2)`, for files that must not be confused with a type's own `close`.
func closeDescriptor(_ file: Int32) { _ = Glibc.close(file) }
