import Base

/// Which handler answers which path. A value: filled first, then given to a server.
public struct Router: Sendable {
  /// Called on a thread of its connection's own, several at once; may block for a few seconds.
  public typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

  public enum Method: String, CaseIterable, Sendable {
    case get = "GET"
    case post = "POST"
  }

  private var routes: [String: [Method: Handler]] = [:]

  public init() {}

  /// Every path there is.
  public var paths: [String] { routes.keys.sorted() }

  /// `path` is exact. GET serves HEAD too.
  public mutating func on(_ method: Method, _ path: String, _ handler: @escaping Handler) {
    routes[path, default: [:]][method] = handler
  }

  /// The handler's answer, 404 where there is no such path, 405 where it has another method.
  public func respond(to request: HTTPRequest) -> HTTPResponse {
    guard let methods = routes[request.path] else {
      return .error(
        404, code: "not_found", message: "no such path; there are \(paths.joined(separator: ", "))")
    }
    let name = request.method == "HEAD" ? "GET" : request.method
    guard let handler = Method(rawValue: name).flatMap({ methods[$0] }) else {
      let allowed = (methods[.get] == nil ? [] : ["GET", "HEAD"]) + (methods[.post] == nil ? [] : ["POST"])
      let list = allowed.joined(separator: ", ")
      return .error(
        405, code: "method_not_allowed", message: "only \(list) here", headers: ["Allow": list])
    }
    return handler(request)
  }
}
