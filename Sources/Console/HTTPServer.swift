import Base
import CMicroHTTPD
import Synchronization

/// What one server takes on, at most.
public struct HTTPLimits: Equatable, Sendable {
  /// Each has a thread of its own. With one more, the one that has waited the longest is cut.
  public var connectionsMax = 256
  /// Of one address; with one more, its own that has waited the longest is cut. Less than all, so that a peer who
  /// keeps connections open takes no more than a part of them.
  public var connectionsOfOneMax = 128
  /// With those that are cut and whose threads have not ended yet; one more is closed at once, and not counted.
  var connectionsOpenMax: Int { 2 * connectionsMax }
  /// Bytes of a request's body; more is answered with 413.
  public var bodyBytesMax = 256 << 10
  /// Bytes of a request line with its headers, and of what the connection keeps besides; more is
  /// answered with 414 or 431.
  public var headerBytesMax = 64 << 10
  /// A connection on which nothing moves for so long is closed; whole seconds.
  public var idle = Duration.seconds(5)
  /// How long a request may take from its connection's beginning, or the end of the answer before it, to the
  /// end of its own answer, however busy the connection is: past it the connection is cut.
  public var total = Duration.seconds(60)
  /// How long `stop` waits for requests under way.
  public var stopWait = Duration.seconds(10)

  public init() {}
}

/// A small HTTP/1.1 server over libmicrohttpd: a thread for each connection, so a slow client or handler
/// holds up nobody else. It serves from its `init` until `stop`. Any thread may call.
public final class HTTPServer: Sendable {
  /// The port that it listens on; the one that was found when 0 was asked for.
  public let port: Int
  private let daemon: Mutex<Daemon?>
  private let dispatcher: Dispatcher
  private let limits: HTTPLimits
  private let watch: Mutex<JoinedThread?>

  /// - Parameters:
  ///   - host: a numeric address (`127.0.0.1`, `::1`, without brackets) or `localhost`.
  ///   - port: 0 for any free one.
  ///   - metrics: gets `belfry_http_requests_total{path,status}` and `belfry_http_connections_cut_total{reason}`.
  /// - Throws: when the address cannot be listened on, with the system's reason.
  public init(
    host: String, port: Int, router: Router, limits: HTTPLimits = HTTPLimits(), metrics: Metrics = Metrics(),
    clock: any Clock = SystemClock()
  ) throws(ConsoleError) {
    let socket = try ListeningSocket(host: host, port: port)
    self.port = socket.port
    self.limits = limits
    let dispatcher = Dispatcher(router: router, limits: limits, metrics: metrics, clock: clock)
    self.dispatcher = dispatcher
    daemon = Mutex(try Daemon(socket, dispatcher, limits))
    watch = Mutex(JoinedThread { dispatcher.watch() })
  }

  deinit { stop() }

  /// Takes no more connections, waits for the requests under way (at most `limits.stopWait`), then closes
  /// everything; a handler that takes longer is waited for, but its answer is lost. Again does nothing.
  /// Not to be called from a handler.
  public func stop() {
    guard let running = daemon.withLock({ $0.take() }) else { return }
    dispatcher.close()
    watch.withLock { $0?.join() }
    let listening = running.quiesce()
    dispatcher.waitForRequests(atMost: limits.stopWait)
    dispatcher.cutConnections(atMost: limits.stopWait)
    running.stop()
    closeDescriptor(listening)
  }
}

/// libmicrohttpd's daemon; stops with its value.
private struct Daemon: ~Copyable, @unchecked Sendable {
  // @unchecked: libmicrohttpd's calls on a daemon may come from any thread; only one holder has it.
  private let handle: OpaquePointer
  private let context: Unmanaged<Dispatcher>

  init(_ socket: consuming ListeningSocket, _ dispatcher: Dispatcher, _ limits: HTTPLimits)
    throws(ConsoleError)
  {
    let port = socket.port
    // Given away before the start: libmicrohttpd may have closed it where the start fails, and closing it
    // again could hit another thread's file.
    let listening = socket.give()
    let context = Unmanaged.passRetained(dispatcher)
    let pointer = context.toOpaque()
    func number(_ option: MHD_OPTION, _ value: Int) -> MHD_OptionItem {
      MHD_OptionItem(option: option, value: value, ptr_value: nil)
    }
    func function(_ option: MHD_OPTION, _ address: UnsafeMutableRawPointer) -> MHD_OptionItem {
      MHD_OptionItem(option: option, value: Int(bitPattern: address), ptr_value: pointer)
    }
    var options = [
      number(MHD_OPTION.LISTEN_SOCKET, Int(listening)),
      number(MHD_OPTION.CONNECTION_LIMIT, limits.connectionsOpenMax),
      number(MHD_OPTION.CONNECTION_TIMEOUT, max(1, Int(limits.idle.components.seconds))),
      number(MHD_OPTION.CONNECTION_MEMORY_LIMIT, limits.headerBytesMax),
      number(MHD_OPTION.STRICT_FOR_CLIENT, 1),
      function(MHD_OPTION.URI_LOG_CALLBACK, unsafeBitCast(requestLine, to: UnsafeMutableRawPointer.self)),
      function(MHD_OPTION.NOTIFY_CONNECTION, unsafeBitCast(changed, to: UnsafeMutableRawPointer.self)),
      function(MHD_OPTION.NOTIFY_COMPLETED, unsafeBitCast(completed, to: UnsafeMutableRawPointer.self)),
      number(MHD_OPTION.END, 0),
    ]
    let flags =
      MHD_USE_THREAD_PER_CONNECTION.rawValue | MHD_USE_INTERNAL_POLLING_THREAD.rawValue
      | MHD_USE_POLL.rawValue | MHD_USE_ITC.rawValue
    let started = options.withUnsafeMutableBufferPointer { options in
      // MHD_start_daemon itself has a variable argument list, which Swift cannot call.
      withVaList([
        Int(MHD_OPTION.ARRAY.rawValue), OpaquePointer(options.baseAddress!), Int(MHD_OPTION.END.rawValue),
      ]) {
        MHD_start_daemon_va(flags, 0, nil, nil, received, pointer, $0)
      }
    }
    guard let started else {
      context.release()
      throw ConsoleError(message: "cannot start the HTTP server on port \(port)")
    }
    handle = started
    self.context = context
  }

  /// No more connections are accepted. The listening descriptor is the caller's, to be closed after `stop`.
  func quiesce() -> Int32 {
    let listening = MHD_quiesce_daemon(handle)
    shutDown(listening)
    return listening
  }

  consuming func stop() {}

  deinit {
    // Returns when all the threads have ended, so nobody uses the context any more.
    MHD_stop_daemon(handle)
    context.release()
  }
}

private typealias Changed =
  @convention(c) (
    UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    MHD_ConnectionNotificationCode
  ) -> Void

/// Called when a connection has come, and before its descriptor is closed.
private let changed: Changed = { context, connection, _, code in
  guard let context, let connection else { return }
  let descriptor = CMicroHTTPD_descriptor(connection)
  if code == .CONNECTION_NOTIFY_STARTED {
    Dispatcher.from(context).opened(descriptor)
  } else {
    Dispatcher.from(context).closed(descriptor)
  }
}

private typealias RequestLine =
  @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) -> UnsafeMutableRawPointer?

/// Called with the raw target of each request; what it returns is kept until `completed`.
private let requestLine: RequestLine = { context, target, _ in
  guard let context, let target else { return nil }
  let exchange = Dispatcher.from(context).begin(target: String(cString: target))
  return Unmanaged.passRetained(exchange).toOpaque()
}

private typealias Completed =
  @convention(c) (
    UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    MHD_RequestTerminationCode
  ) -> Void

private let completed: Completed = { context, _, slot, _ in
  guard let context else { return }
  guard let pointer = slot?.pointee else { return }
  slot?.pointee = nil
  let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
  if exchange.isUnderWay { Dispatcher.from(context).ended() }
}

/// Called once with the headers, once for each piece of the body, and once at the end.
private let received: MHD_AccessHandlerCallback = {
  context, connection, _, method, _, upload, uploadCount, slot in
  guard let context, let connection, let uploadCount, let pointer = slot?.pointee else { return .NO }
  let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
  let dispatcher = Dispatcher.from(context)
  if !exchange.isBegun {
    exchange.method = method.map { String(cString: $0) } ?? ""
    readHeaders(connection, into: exchange)
    return dispatcher.refusal(of: exchange, length: header(connection, "Content-Length"))
      .map { send($0, on: connection, dispatcher) } ?? .YES
  }
  if uploadCount.pointee > 0 {
    let goesOn = exchange.take(UnsafeRawBufferPointer(start: upload, count: uploadCount.pointee))
    uploadCount.pointee = 0
    return goesOn ? .YES : .NO
  }
  let answer = dispatcher.answer(exchange, on: CMicroHTTPD_descriptor(connection))
  return send(answer, on: connection, dispatcher)
}

private func readHeaders(_ connection: OpaquePointer, into exchange: Exchange) {
  exchange.isBegun = true
  for name in HTTPRequest.headersKept {
    exchange.headers[name] = header(connection, name)
  }
}

private func header(_ connection: OpaquePointer, _ name: String) -> String? {
  MHD_lookup_connection_value(connection, MHD_ValueKind.HEADER_KIND, name).map { String(cString: $0) }
}

private func send(_ answer: HTTPResponse, on connection: OpaquePointer, _ dispatcher: Dispatcher)
  -> MHD_Result
{
  var body = answer.body
  guard
    let response = MHD_create_response_from_buffer(
      body.count, &body, MHD_ResponseMemoryMode.RESPMEM_MUST_COPY)
  else {
    return .NO
  }
  defer { MHD_destroy_response(response) }
  MHD_add_response_header(response, "Content-Type", answer.contentType)
  MHD_add_response_header(response, "Cache-Control", "no-store")
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff")
  for (name, value) in answer.headers.sorted(by: { $0.key < $1.key }) {
    MHD_add_response_header(response, name, value)
  }
  let status = UInt32(truncatingIfNeeded: answer.status)
  // Before a byte of it is sent: who has read it may rely on being known as waiting.
  dispatcher.answered(CMicroHTTPD_descriptor(connection))
  return dispatcher.unlessCut { MHD_queue_response(connection, status, response) } ?? .NO
}
