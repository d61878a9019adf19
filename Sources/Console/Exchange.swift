/// One request as it comes in, piece by piece. Belongs to its connection's thread.
final class Exchange {
  /// Nil where the target was not well-formed.
  let target: RequestTarget?
  private let bodyBytesMax: Int
  var method = ""
  var headers: [String: String] = [:]
  /// The headers are complete.
  var isBegun = false
  /// It was given to a handler and is counted as under way.
  var isUnderWay = false
  /// The path, if it is known, for counting.
  var route = "other"
  private(set) var body: [UInt8] = []
  private var bytes = 0

  /// A body this many times over the limit is not read to its end: its connection is closed.
  private static let patience = 4

  init(target: RequestTarget?, bodyBytesMax: Int) {
    self.target = target
    self.bodyBytesMax = bodyBytesMax
  }

  var isOversize: Bool { bytes > bodyBytesMax }

  /// Whether to go on reading. What is over the limit is read and forgotten for a while, because a client
  /// that is still sending does not hear a 413.
  func take(_ more: UnsafeRawBufferPointer) -> Bool {
    bytes += more.count
    if isOversize { body = [] } else { body += more }
    return bytes <= bodyBytesMax * Self.patience
  }

  /// Whether a body of this announced length will be read at all.
  func acceptsLength(_ length: Int) -> Bool { length <= bodyBytesMax * Self.patience }

  var request: HTTPRequest? {
    target.map {
      HTTPRequest(method: method, path: $0.path, query: $0.query, headers: headers, body: body)
    }
  }
}
