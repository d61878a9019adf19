import CSimdJSON
import Glibc

/// simdjson behind Swift: reads JSON objects into flat arrays, member by member, without a tree. What it found
/// stays until the next text. One thread uses it.
struct ObjectParser: ~Copyable {
  typealias Value = belfry_json_value
  /// A member with an unknown name, or what lies inside its value (its `extent` - 1 next nodes).
  typealias Node = belfry_json_node

  enum Outcome {
    case object
    /// A JSON text of another kind, with the word for it.
    case notObject(String)
    /// In simdjson's words, which know no place.
    case malformed(String)
  }

  /// Levels of values that a text may have: as many as jansson takes.
  static let depthMax = 2048

  private let parser: OpaquePointer
  private(set) var members = belfry_json_members()

  /// `others`: members with none of these names are wanted too; they are checked in any case.
  init(names: [String], others: Bool) {
    let bytes = names.flatMap { Array($0.utf8) }
    let counts = names.map { UInt32($0.utf8.count) }
    parser = belfry_json_make(bytes, counts, counts.count, Self.depthMax, others ? 1 : 0)
  }

  deinit { belfry_json_free(parser) }

  @inline(__always)
  mutating func parse(_ text: UnsafeRawBufferPointer) -> Outcome {
    let bytes = text.baseAddress?.assumingMemoryBound(to: UInt8.self)
    switch belfry_json_parse(parser, bytes, text.count, &members) {
    case BELFRY_JSON_PARSED: return .object
    case BELFRY_JSON_NO_OBJECT: return .notObject(members.kind.word)
    default: return .malformed(String(cString: belfry_json_error(parser)))
    }
  }

  /// The numbers of the names that have a value, in the text's order.
  @inline(__always)
  var found: UnsafeBufferPointer<Int> {
    UnsafeBufferPointer(start: members.found, count: members.found_count)
  }

  @inline(__always)
  subscript(number: Int) -> Value { members.values[number] }

  /// Gives a name a string, which must stay until the next text.
  mutating func set(_ number: Int, string: UnsafeRawBufferPointer) {
    if self[number].kind == BELFRY_JSON_MISSING.rawValue {
      members.found[members.found_count] = number
      members.found_count += 1
    }
    members.values[number] = Value(string)
  }

  /// Minus zero becomes zero, so that equal reals are equal cells.
  func set(_ number: Int, real: Double) { set(number, bits: (real == 0 ? 0 : real).bitPattern) }

  func set(_ number: Int, bits: UInt64) { members.values[number].bits = bits }

  var others: UnsafeBufferPointer<Node> {
    UnsafeBufferPointer(start: members.others, count: members.others_count)
  }
}

extension belfry_json_value {
  @inline(__always)
  init(_ string: UnsafeRawBufferPointer) {
    self.init(
      bits: UInt64(UInt(bitPattern: string.baseAddress)), count: UInt32(string.count),
      kind: BELFRY_JSON_STRING.rawValue)
  }

  @inline(__always)
  var string: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(bits)), count: Int(count))
  }
}

extension belfry_json_kind {
  /// The word for it, for messages.
  var word: String {
    switch self {
    case BELFRY_JSON_OBJECT: "an object"
    case BELFRY_JSON_ARRAY: "an array"
    case BELFRY_JSON_STRING: "a string"
    case BELFRY_JSON_INTEGER: "an integer"
    case BELFRY_JSON_REAL: "a real"
    case BELFRY_JSON_BOOL: "a bool"
    default: "null"
    }
  }
}

extension belfry_json_node {
  var nameBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: name, count: Int(name_count)) }
}
