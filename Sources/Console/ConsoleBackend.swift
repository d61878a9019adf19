import Base

/// What stands behind the console's paths. All calls come from several threads at once, and may block for
/// a few seconds.
public protocol ConsoleBackend: Sendable {
  /// Why this member cannot serve yet; empty when it is ready.
  func readiness() -> [String]
  /// Why this member should be started again; empty while it is alive.
  func liveness() -> [String]
  /// Prometheus text format 0.0.4.
  func metricsText() -> String
  /// Runs one `SELECT` (or `EXPLAIN`) over this member's replica.
  func query(_ sql: String) -> QueryAnswer
}

public enum QueryAnswer: Equatable, Sendable {
  /// The answer as a JSON text.
  case rows(json: String)
  /// The text is at fault, at this place in it; lines and columns count from 1.
  case rejected(code: String, message: String, line: Int, column: Int)
  /// The text may be good; try again later.
  case unavailable(reason: String)
}

extension Router {
  /// `/livez`, `/readyz`, `/metrics` and `/v1/query`.
  public static func console(_ backend: any ConsoleBackend) -> Router {
    var router = Router()
    router.on(.get, "/livez") { _ in health("alive", backend.liveness()) }
    router.on(.get, "/readyz") { _ in health("ready", backend.readiness()) }
    router.on(.get, "/metrics") { _ in
      HTTPResponse(200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: backend.metricsText())
    }
    router.on(.get, "/v1/query") { request in
      if let unknown = unknownParameter(request, known: ["sql"]) { return unknown }
      let texts = request.query.filter { $0.name == "sql" }
      guard texts.count == 1 else {
        return .error(
          400, code: "missing_sql", message: "expected one parameter sql, as in /v1/query?sql=SELECT…")
      }
      return answer(texts[0].value, backend)
    }
    router.on(.post, "/v1/query") { request in
      if let unknown = unknownParameter(request, known: []) { return unknown }
      guard let sql = String(validating: request.body, as: UTF8.self) else {
        return .error(400, code: "not_utf8", message: "the body is no UTF-8 text")
      }
      if isForm(sql) {
        return .error(
          400, code: "not_sql", message: "the body is to be the SQL text by itself, SELECT…: no form, no JSON"
        )
      }
      return answer(sql, backend)
    }
    return router
  }

  /// What a client means that is not known is not passed over: it would wait for it in vain.
  private static func unknownParameter(_ request: HTTPRequest, known: [String]) -> HTTPResponse? {
    guard let unknown = request.query.first(where: { !known.contains($0.name) }) else { return nil }
    let list = known.isEmpty ? "none here; the body is the SQL text" : known.joined(separator: ", ")
    return .error(
      400, code: "unknown_parameter",
      message: "unknown parameter '\(String(unknown.name.prefix(100)))'; there is \(list)")
  }

  /// `sql=SELECT…`, or JSON. SQL begins with neither.
  private static func isForm(_ body: String) -> Bool {
    let text = body.drop { $0.isWhitespace }
    if let first = text.first, "{[\"".contains(first) { return true }
    return text.prefix(3).lowercased() == "sql" && text.dropFirst(3).first { !$0.isWhitespace } == "="
  }

  private static func health(_ word: String, _ reasons: [String]) -> HTTPResponse {
    let list = reasons.map(jsonText).joined(separator: ",")
    return reasons.isEmpty
      ? HTTPResponse(200, body: #"{"status":"\#(word)"}"# + "\n")
      : HTTPResponse(503, body: #"{"status":"not \#(word)","reasons":[\#(list)]}"# + "\n")
  }

  private static func answer(_ sql: String, _ backend: any ConsoleBackend) -> HTTPResponse {
    guard sql.contains(where: { !$0.isWhitespace }) else {
      return .error(400, code: "missing_sql", message: "there is no SQL text")
    }
    switch backend.query(sql) {
    case .rows(let json): return HTTPResponse(200, body: json)
    case .rejected(let code, let message, let line, let column):
      return .error(400, code: code, message: message, line: line, column: column)
    case .unavailable(let reason):
      return .error(503, code: "unavailable", message: reason, headers: ["Retry-After": "1"])
    }
  }
}
