import Base
import Events
import Query

/// Why a request is refused, and where in its record (JSON) or its `sql` the fault is.
struct Rejection: Error, Equatable {
  /// Codes beside those of `SQLError.Code`.
  enum Code: String {
    /// The record's value is no JSON object.
    case json
    /// The record's key is not `<client>/<name>` as in its value.
    case key
    /// A member that a request does not have.
    case member
    /// A member is missing, of the wrong type or out of its range.
    case value
    /// Another text already has the id.
    case collision
    case limit
    case unsupported
    /// The brokers refuse the stream's topic.
    case topic
    /// A flush of a request that the client does not have.
    case request
    /// A flush that was not published in time, mostly since the table has not reached its positions.
    case timeout
    /// A command under an id that stands for another one.
    case id
  }

  let code: String
  let message: String
  var place: (line: Int, column: Int)?

  init(_ code: Code, _ message: String, place: (line: Int, column: Int)? = nil) {
    self.code = code.rawValue
    self.message = message
    self.place = place
  }

  init(_ error: SQLError) {
    code = error.code.rawValue
    message = error.message
    place = (error.line, error.column)
  }

  init(_ error: JSONError) {
    self.init(.json, error.message, place: (error.line, error.column))
  }

  static func == (a: Rejection, b: Rejection) -> Bool {
    a.code == b.code && a.message == b.message && a.place?.line == b.place?.line
      && a.place?.column == b.place?.column
  }

  /// The `error` member of a reply.
  var json: JSON {
    .object(of: [
      "code": .string(code), "message": .string(message),
      "line": place.map { .int(Int64($0.line)) }, "column": place.map { .int(Int64($0.column)) },
    ])
  }
}
