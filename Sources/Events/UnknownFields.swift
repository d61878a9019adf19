import Base
import CSimdJSON

/// The place of a parsed member, or of an array's element. Members are listed in the order of the text.
private typealias Place = UnsafePointer<ObjectParser.Node>

// What becomes of the members of an event that are no columns.
extension EventDecoder {
  /// Refuses the unknown fields, or merges them into `ExtendedAttr`. One that is null is missing, of doubled
  /// ones the last counts.
  func takeOthers() -> Refusal? {
    guard let first = parser.others.baseAddress else { return nil }
    let fields = lastOfDoubled(siblings(first, parser.others.count))
      .filter { $0.pointee.value.kind != BELFRY_JSON_NULL.rawValue }
    guard let earliest = fields.min() else { return nil }
    if unknown == .refuse {
      let name = String(decoding: earliest.pointee.nameBytes, as: UTF8.self)
      return Refusal(.unknownField, "\(name) is no column of \(schema.table)")
    }
    let column = extended!
    merge(fields, own: isPresent(column) ? string(column) : UnsafeRawBufferPointer(start: nil, count: 0))
    parser.set(column, string: extendedText.bytes)
    return nil
  }

  /// Makes the text for `ExtendedAttr`: the unknown fields, and with them what the event itself has there. An
  /// unknown field wins over a member of the same name; a text that is no JSON object is kept under the
  /// column's own name.
  private func merge(_ fields: [Place], own: UnsafeRawBufferPointer) {
    extendedText.removeAll()
    if own.count == 0 { return extendedText.append(members: fields) }
    if case .object = extendedParser.parse(own) {
      let members = extendedParser.others.baseAddress.map { siblings($0, extendedParser.others.count) }
      return extendedText.append(members: (members ?? []) + fields)
    }
    let name: StaticString = "ExtendedAttr"
    let text = ObjectParser.Node(
      name: name.utf8Start, name_count: UInt32(name.utf8CodeUnitCount), extent: 1,
      value: ObjectParser.Value(own))
    withUnsafePointer(to: text) { extendedText.append(members: [$0] + fields) }
  }
}

/// The places side by side among `count` nodes, from the first on.
private func siblings(_ first: Place, _ count: Int) -> [Place] {
  var places: [Place] = []
  var at = 0
  while at < count {
    places.append(first + at)
    at += Int(first[at].extent)
  }
  return places
}

/// Sorted by name, byte by byte; of equal names only the last one listed.
private func lastOfDoubled(_ members: [Place]) -> [Place] {
  let sorted = members.enumerated().sorted { a, b in
    let order = compareBytes(a.element.pointee.nameBytes, b.element.pointee.nameBytes)
    return order == 0 ? a.offset < b.offset : order < 0
  }.map(\.element)
  return sorted.indices.filter { at in
    at + 1 == sorted.count
      || compareBytes(sorted[at].pointee.nameBytes, sorted[at + 1].pointee.nameBytes) != 0
  }.map { sorted[$0] }
}

extension ByteBuffer {
  /// Compact JSON, names in byte order, reals in their shortest form. Recursion is bounded by
  /// `ObjectParser.depthMax`.
  fileprivate mutating func append(members: [Place]) {
    var separator = UInt8(ascii: "{")
    for member in lastOfDoubled(members) {
      append(separator)
      separator = UInt8(ascii: ",")
      append(jsonString: member.pointee.nameBytes)
      append(UInt8(ascii: ":"))
      append(member)
    }
    if separator == UInt8(ascii: "{") { append(separator) }
    append(UInt8(ascii: "}"))
  }

  private mutating func append(elements: [Place]) {
    append(UInt8(ascii: "["))
    for (index, element) in elements.enumerated() {
      if index > 0 { append(UInt8(ascii: ",")) }
      append(element)
    }
    append(UInt8(ascii: "]"))
  }

  private mutating func append(_ place: Place) {
    let value = place.pointee.value
    switch belfry_json_kind(value.kind) {
    case BELFRY_JSON_OBJECT: append(members: siblings(place + 1, Int(place.pointee.extent) - 1))
    case BELFRY_JSON_ARRAY: append(elements: siblings(place + 1, Int(place.pointee.extent) - 1))
    case BELFRY_JSON_STRING: append(jsonString: value.string)
    case BELFRY_JSON_INTEGER: append(decimal: value.bits.int)
    case BELFRY_JSON_REAL: append(jsonReal: value.bits.real)
    case BELFRY_JSON_BOOL: append(value.bits != 0 ? "true" : "false" as StaticString)
    default: append("null" as StaticString)
    }
  }
}
