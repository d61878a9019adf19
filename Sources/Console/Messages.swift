import Base

/// One request, complete and decoded.
public struct HTTPRequest: Equatable, Sendable {
  public var method: String
  /// Percent-decoded, without the query. Begins with `/`.
  public var path: String
  /// Percent-decoded, in the order of the request; a name may repeat.
  public var query: [Parameter]
  /// Those of `HTTPRequest.headersKept` that were sent, by lower-case name.
  public var headers: [String: String]
  public var body: [UInt8]

  public struct Parameter: Equatable, Sendable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// The headers that handlers see.
  public static let headersKept = ["accept", "content-type", "host", "origin", "user-agent"]

  public init(
    method: String = "GET", path: String, query: [Parameter] = [], headers: [String: String] = [:],
    body: [UInt8] = []
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
  }
}

/// What a handler answers.
public struct HTTPResponse: Equatable, Sendable {
  public var status: Int
  public var contentType: String
  /// Besides the content's type and length. Names and values without line ends.
  public var headers: [String: String]
  public var body: [UInt8]

  public init(
    _ status: Int, contentType: String = "application/json", headers: [String: String] = [:], body: String
  ) {
    self.status = status
    self.contentType = contentType
    self.headers = headers
    self.body = Array(body.utf8)
  }

  /// `{"error":{"code":…,"message":…}}`, with the place in the SQL text where there is one.
  public static func error(
    _ status: Int, code: String, message: String, line: Int? = nil, column: Int? = nil,
    headers: [String: String] = [:]
  ) -> HTTPResponse {
    var inner = #""code":\#(jsonText(code)),"message":\#(jsonText(message))"#
    if let line { inner += #","line":\#(line)"# }
    if let column { inner += #","column":\#(column)"# }
    return HTTPResponse(status, headers: headers, body: #"{"error":{\#(inner)}}"# + "\n")
  }
}
