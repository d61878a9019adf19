import Base
import CJansson
import Glibc

/// A member of an event that is no column. Points into the tree that the decoder holds.
struct UnknownField {
  let name: UnsafeRawBufferPointer
  let node: UnsafeMutablePointer<json_t>
}

extension EventDecoder {
  /// The text for `ExtendedAttr`: the unknown fields, and with them what the event itself has there. An
  /// unknown field wins over a member of the same name; a text that is no JSON object is kept under the
  /// column's own name.
  func mergedExtended() -> UnsafeRawBufferPointer {
    let column = extended!
    let merged = json_object()!
    defer { json_decref(merged) }
    if isPresent(column), string(column).count > 0 { addOwn(string(column), to: merged) }
    for field in unknownNodes {
      json_object_setn_new_nocheck(merged, field.name.chars, field.name.count, json_incref(field.node))
    }
    extendedText.removeAll()
    extendedText.append(merged)
    return extendedText.bytes
  }

  private func addOwn(_ text: UnsafeRawBufferPointer, to merged: UnsafeMutablePointer<json_t>) {
    if let own = json_loadb(text.chars, text.count, 0, nil) {
      defer { json_decref(own) }
      if own.pointee.type == JSON_OBJECT {
        json_object_update(merged, own)
        return
      }
    }
    json_object_set_new_nocheck(merged, "ExtendedAttr", json_stringn_nocheck(text.chars, text.count))
  }
}

extension ByteBuffer {
  /// A tree as compact JSON, names in byte order, reals in their shortest form. Recursion is bounded by
  /// the parser's own depth (jansson: 2048).
  mutating func append(_ node: UnsafeMutablePointer<json_t>) {
    switch node.pointee.type {
    case JSON_OBJECT: append(members: node)
    case JSON_ARRAY:
      append(UInt8(ascii: "["))
      for index in 0..<json_array_size(node) {
        if index > 0 { append(UInt8(ascii: ",")) }
        append(json_array_get(node, index))
      }
      append(UInt8(ascii: "]"))
    case JSON_STRING:
      append(
        jsonString: UnsafeRawBufferPointer(start: json_string_value(node), count: json_string_length(node)))
    case JSON_INTEGER: append(decimal: Int64(json_integer_value(node)))
    case JSON_REAL: append(jsonReal: json_real_value(node))
    case JSON_TRUE: append("true" as StaticString)
    case JSON_FALSE: append("false" as StaticString)
    default: append("null" as StaticString)
    }
  }

  private mutating func append(members object: UnsafeMutablePointer<json_t>) {
    var members: [UnknownField] = []
    var at = json_object_iter(object)
    while let position = at {
      let name = UnsafeRawBufferPointer(
        start: json_object_iter_key(position), count: json_object_iter_key_len(position))
      members.append(UnknownField(name: name, node: json_object_iter_value(position)))
      at = json_object_iter_next(object, position)
    }
    members.sort { compareBytes($0.name, $1.name) < 0 }
    append(UInt8(ascii: "{"))
    for (index, member) in members.enumerated() {
      if index > 0 { append(UInt8(ascii: ",")) }
      append(jsonString: member.name)
      append(UInt8(ascii: ":"))
      append(member.node)
    }
    append(UInt8(ascii: "}"))
  }
}

extension UnsafeRawBufferPointer {
  fileprivate var chars: UnsafePointer<CChar>? { baseAddress?.assumingMemoryBound(to: CChar.self) }
}
