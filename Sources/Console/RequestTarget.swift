/// The target of a request line, decoded strictly: what is no proper percent encoding, no UTF-8 or holds a
/// NUL is refused, never guessed at (RFC 3986, section 2.1; `+` is a space in the query, as forms send it).
struct RequestTarget: Equatable {
  var path: String
  var query: [HTTPRequest.Parameter]

  /// Parameters of a query at most.
  static let parametersMax = 100

  /// Nil where the target is not well-formed.
  init?(_ raw: some StringProtocol) {
    let bytes = Array(raw.utf8)
    let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
    guard bytes.first == UInt8(ascii: "/"), let path = Self.decoded(bytes[..<end], plusIsSpace: false) else {
      return nil
    }
    self.path = path
    query = []
    let pairs = bytes[min(end + 1, bytes.count)...].split(separator: UInt8(ascii: "&"))
    guard pairs.count <= Self.parametersMax else { return nil }
    for pair in pairs {
      let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      guard let name = Self.decoded(pair[..<equals], plusIsSpace: true),
        let value = Self.decoded(pair[equals...].dropFirst(), plusIsSpace: true)
      else { return nil }
      query.append(HTTPRequest.Parameter(name: name, value: value))
    }
  }

  private static func decoded(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = rest.popFirst().flatMap(nibble), let low = rest.popFirst().flatMap(nibble) else {
          return nil
        }
        result.append(high << 4 | low)
      case UInt8(ascii: "+") where plusIsSpace: result.append(UInt8(ascii: " "))
      default: result.append(byte)
      }
    }
    return result.contains(0) ? nil : String(validating: result, as: UTF8.self)
  }

  private static func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 48...57: digit - 48
    case 65...70: digit - 55
    case 97...102: digit - 87
    default: nil
    }
  }
}
