/// Why an event cannot be used. The codes are what others see: in the dead-letter topic's headers and in
/// the metrics, so they never change.
public struct Refusal: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: String, Sendable, CaseIterable {
    /// No value, or one of no bytes.
    case empty
    /// More bytes than the limit.
    case oversize
    /// No JSON text, or one with U+0000 in a string or too many levels; the message has its place first.
    case json
    /// A JSON text, but no object.
    case notObject = "not_object"
    /// A field's value is not of its column's type.
    case type
    /// A number that its column cannot hold exactly, or that no column can: it has its line and column.
    case range
    /// A field that is no column, where these are refused.
    case unknownField = "unknown_field"
    /// A column of the key is missing, or the whole key is empty.
    case keyMissing = "key_missing"
    /// The row would be larger than one change can carry.
    case rowOversize = "row_oversize"
    /// The table holds as many rows as it may.
    case tableFull = "table_full"
    /// An inbox record of no known kind, or one whose value is not what its kind demands.
    case inbox
  }

  public let code: Code
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { "\(code.rawValue): \(message)" }
}
