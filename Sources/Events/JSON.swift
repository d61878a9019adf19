import Base
import CJansson

/// A JSON text that could not be read, with the place of the error.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  public let message: String
  /// From 1; 0 where the place is unknown.
  public let line: Int
  public let column: Int
  /// It is JSON but for a number that is larger than what JSON's numbers are kept in here.
  public let isNumberOutOfRange: Bool

  public var description: String { "\(line):\(column): \(message)" }
}

/// A JSON value, for the control side (requests, replies, the registry). Events go by `EventDecoder`.
public enum JSON: Sendable, Hashable {
  case null
  case bool(Bool)
  case int(Int64)
  case real(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  /// A member of an object; objects keep their order.
  public struct Member: Sendable, Hashable {
    public let name: String
    public let value: JSON
    public init(_ name: String, _ value: JSON) {
      self.name = name
      self.value = value
    }
  }

  /// An object with these members, in this order; members that are nil are left out.
  public static func object(of members: KeyValuePairs<String, JSON?>) -> JSON {
    .object(members.compactMap { name, value in value.map { Member(name, $0) } })
  }

  /// A column's value; a time as its milliseconds.
  public init(_ value: Value) {
    switch value {
    case .string(let text): self = .string(text)
    case .int(let n), .time(let n): self = .int(n)
    case .real(let x): self = .real(x)
    case .bool(let b): self = .bool(b)
    }
  }

  /// Parses one JSON text (RFC 8259; UTF-8, integers within 64 bits, no U+0000 in strings, last of
  /// doubled names wins). Throws the place and cause of the first error. Any thread may call.
  public init(parsing bytes: UnsafeRawBufferPointer) throws(JSONError) {
    var error = json_error_t()
    guard
      let root = json_loadb(
        bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count,
        size_t(JSON_DECODE_ANY), &error)
    else { throw JSONError(error) }
    defer { json_decref(root) }
    self.init(root)
  }

  public init(parsing text: String) throws(JSONError) {
    var text = text
    var outcome: Result<JSON, JSONError> = .success(.null)
    text.withUTF8 { bytes in
      outcome = Result { () throws(JSONError) in try JSON(parsing: UnsafeRawBufferPointer(bytes)) }
    }
    self = try outcome.get()
  }

  init(_ node: UnsafeMutablePointer<json_t>) {
    switch node.pointee.type {
    case JSON_OBJECT:
      var members: [Member] = []
      var at = json_object_iter(node)
      while let position = at {
        let name = String(cString: json_object_iter_key(position))
        members.append(Member(name, JSON(json_object_iter_value(position))))
        at = json_object_iter_next(node, position)
      }
      self = .object(members)
    case JSON_ARRAY:
      self = .array((0..<json_array_size(node)).map { JSON(json_array_get(node, $0)) })
    case JSON_STRING:
      let bytes = UnsafeRawBufferPointer(start: json_string_value(node), count: json_string_length(node))
      self = .string(String(decoding: bytes, as: UTF8.self))
    case JSON_INTEGER: self = .int(Int64(json_integer_value(node)))
    case JSON_REAL: self = .real(json_real_value(node))
    case JSON_TRUE: self = .bool(true)
    case JSON_FALSE: self = .bool(false)
    default: self = .null
    }
  }

  public subscript(name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.name == name }?.value
  }

  public var string: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  public var int: Int64? {
    if case .int(let n) = self { return n }
    return nil
  }

  public var bool: Bool? {
    if case .bool(let b) = self { return b }
    return nil
  }

  public var array: [JSON]? {
    if case .array(let elements) = self { return elements }
    return nil
  }

  public var members: [Member]? {
    if case .object(let members) = self { return members }
    return nil
  }

  /// The compact text.
  public var text: String {
    var buffer = ByteBuffer(capacity: 256)
    write(to: &buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  public func write(to buffer: inout ByteBuffer) {
    switch self {
    case .null: buffer.append("null" as StaticString)
    case .bool(let b): buffer.append(b ? "true" : "false" as StaticString)
    case .int(let n): buffer.append(decimal: n)
    case .real(let x): buffer.append(jsonReal: x)
    case .string(let text): buffer.append(jsonString: text)
    case .array(let elements):
      buffer.append(UInt8(ascii: "["))
      for (i, element) in elements.enumerated() {
        if i > 0 { buffer.append(UInt8(ascii: ",")) }
        element.write(to: &buffer)
      }
      buffer.append(UInt8(ascii: "]"))
    case .object(let members):
      buffer.append(UInt8(ascii: "{"))
      for (i, member) in members.enumerated() {
        if i > 0 { buffer.append(UInt8(ascii: ",")) }
        buffer.append(jsonString: member.name)
        buffer.append(UInt8(ascii: ":"))
        member.value.write(to: &buffer)
      }
      buffer.append(UInt8(ascii: "}"))
    }
  }
}

extension JSONError {
  /// The first error of a text; nil where it has none.
  init?(in bytes: UnsafeRawBufferPointer) {
    var error = json_error_t()
    let text = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
    if let root = json_loadb(text, bytes.count, size_t(JSON_DECODE_ANY), &error) {
      json_decref(root)
      return nil
    }
    self.init(error)
  }

  init(_ error: json_error_t) {
    var error = error
    let text = withUnsafeBytes(of: &error.text) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    let code = json_error_code(&error)
    isNumberOutOfRange = code == json_error_numeric_overflow
    let near = text.firstRange(of: " near ").map { text[$0.lowerBound...] } ?? ""
    message = Self.limit(code, text).map { $0 + near } ?? text
    line = Int(max(error.line, 0))
    column = Int(max(error.column, 0))
  }

  /// What is JSON and not taken, in our words: jansson's are about its own options.
  private static func limit(_ code: json_error_code, _ text: String) -> String? {
    switch code {
    case json_error_null_character, json_error_null_byte_in_key: "a string with U+0000, which is not taken"
    case json_error_stack_overflow: "nested deeper than \(ObjectParser.depthMax) levels"
    case json_error_numeric_overflow:
      text.hasPrefix("real") ? "a number beyond the range of a double" : "an integer beyond 64 bits"
    default: nil
    }
  }
}
