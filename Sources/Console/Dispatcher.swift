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
  private let connections = Mutex(Connections())

  private let clock: any Clock
  private let watchEnd = Signal()
  /// How often connections are looked at that take too long.
  private static let watchInterval = Duration.milliseconds(200)

  private struct Connections {
    /// With the time by which their request must be answered.
    var descriptors: [Int32: Duration] = [:]
    /// From here on no answer is given to libmicrohttpd any more.
    var isCut = false
  }

  init(router: Router, limits: HTTPLimits, metrics: Metrics, clock: any Clock) {
    self.clock = clock
    self.router = router
    self.limits = limits
    self.metrics = metrics
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
  func answer(_ exchange: Exchange) -> HTTPResponse {
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
      connections.withLock {
        for (descriptor, end) in $0.descriptors where end < now { shutDown(descriptor) }
      }
      watchEnd.wait(atMost: Self.watchInterval)
    }
  }

  /// The connection's next request begins.
  func answered(_ descriptor: Int32) {
    let end = clock.elapsed() + limits.total
    connections.withLock { if $0.descriptors[descriptor] != nil { $0.descriptors[descriptor] = end } }
  }

  func waitForRequests(atMost limit: Duration) {
    wait(atMost: limit) { underWay.withLock { $0 } == 0 }
  }

  func connection(_ descriptor: Int32, isOpen: Bool) {
    let end = clock.elapsed() + limits.total
    connections.withLock {
      $0.descriptors[descriptor] = isOpen ? end : nil
      if isOpen, $0.isCut { shutDown(descriptor) }
    }
    oneEnded.raise()
  }

  /// Ends all connections and waits until their threads have let go of them.
  ///
  /// libmicrohttpd (0.9.75) takes an answer that comes while it stops, its own to a malformed request
  /// included, for accepted, drops it, and then reads through a null pointer. So by the time that it stops
  /// there must be no connection that could answer.
  func cutConnections(atMost limit: Duration) {
    connections.withLock {
      $0.isCut = true
      for descriptor in $0.descriptors.keys { shutDown(descriptor) }
    }
    wait(atMost: limit) { connections.withLock { $0.descriptors.isEmpty } }
  }

  /// Nil once the connections are cut.
  func unlessCut<Result>(_ work: () -> Result) -> Result? {
    connections.withLock { $0.isCut ? nil : work() }
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

/// `close(2)`, for files that must not be confused with a type's own `close`.
func closeDescriptor(_ file: Int32) { _ = Glibc.close(file) }
