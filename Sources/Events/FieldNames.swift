import Glibc

/// The columns of a schema by the bytes of their names: one probe or two a field, no `String` made.
struct FieldNames {
  private struct Place {
    var column: Int32 = -1
    var start: Int32 = 0
    var count: Int32 = 0
  }

  private let places: [Place]
  private let bytes: [UInt8]

  init(_ schema: Schema) {
    var size = 16
    while size < schema.columns.count * 4 { size *= 2 }
    var places = Array(repeating: Place(), count: size)
    var bytes: [UInt8] = []
    for (column, name) in schema.columns.map(\.name).enumerated() {
      let name = Array(name.utf8)
      var at = name.withUnsafeBytes { Self.hash($0) } & (size - 1)
      while places[at].column >= 0 { at = (at + 1) & (size - 1) }
      places[at] = Place(column: Int32(column), start: Int32(bytes.count), count: Int32(name.count))
      bytes += name
    }
    self.places = places
    self.bytes = bytes
  }

  /// The column of that name, or -1.
  @inline(__always)
  func column(_ name: UnsafeRawBufferPointer) -> Int {
    places.withUnsafeBufferPointer { places in
      let mask = places.count - 1
      var at = Self.hash(name) & mask
      while places[at].column >= 0 {
        let place = places[at]
        if Int(place.count) == name.count, equals(place, name) { return Int(place.column) }
        at = (at + 1) & mask
      }
      return -1
    }
  }

  private func equals(_ place: Place, _ name: UnsafeRawBufferPointer) -> Bool {
    if name.count == 0 { return true }
    return bytes.withUnsafeBytes {
      memcmp($0.baseAddress! + Int(place.start), name.baseAddress!, name.count) == 0
    }
  }

  /// The table holds a schema's names only, so a poor spread cannot be brought about from outside.
  @inline(__always)
  private static func hash(_ name: UnsafeRawBufferPointer) -> Int {
    guard name.count > 0 else { return 0 }
    let first = UInt32(name[0])
    let middle = UInt32(name[name.count / 2])
    let last = UInt32(name[name.count - 1])
    let mixed =
      (first | middle << 8 | last << 16 | UInt32(truncatingIfNeeded: name.count) << 24) &* 0x9E37_79B1
    return Int(mixed >> 8)
  }
}
