/// The grammar of RFC 5424, section 6, read exactly; pure.
enum RFC5424 {
  /// `<PRI>1 ` opens a message of this form; anything else is taken for RFC 3164.
  static func isMeant(_ bytes: ArraySlice<UInt8>) -> Bool {
    var scanner = ByteScanner(bytes)
    guard scanner.priority() != nil else { return false }
    let version = scanner.take(atMost: 3, while: isDigit)
    return !version.isEmpty && version.first != UInt8(ascii: "0") && scanner.take(" ")
  }

  static func parse(_ bytes: ArraySlice<UInt8>) throws(SyslogFault) -> SyslogMessage {
    var scanner = ByteScanner(bytes)
    guard let priority = scanner.priority() else { throw fault(.priority, scanner) }
    guard scanner.take("1"), scanner.take(" ") else { throw fault(.version, scanner) }
    var message = SyslogMessage(
      form: .rfc5424, facility: priority / 8, severity: priority % 8, text: bytes[bytes.endIndex...])
    message.time = try time(&scanner)
    message.host = try word(&scanner, 255, .hostname)
    message.app = try word(&scanner, 48, .appName)
    message.process = try word(&scanner, 128, .processID)
    message.messageID = try word(&scanner, 32, .messageID)
    message.structuredData = try structuredData(&scanner)
    guard scanner.isAtEnd || scanner.take(" ") else { throw fault(.structuredData, scanner) }
    message.text = scanner.rest
    if message.text.starts(with: [0xEF, 0xBB, 0xBF]) { message.text = message.text.dropFirst(3) }
    return message
  }

  private static func fault(_ reason: SyslogFault.Reason, _ scanner: ByteScanner) -> SyslogFault {
    SyslogFault(reason: reason, offset: scanner.offset)
  }

  private static func time(_ scanner: inout ByteScanner) throws(SyslogFault) -> Int64? {
    if scanner.take("-") {
      guard scanner.take(" ") else { throw fault(.timestamp, scanner) }
      return nil
    }
    guard let time = scanner.timestamp(), scanner.take(" ") else { throw fault(.timestamp, scanner) }
    return time
  }

  /// A header field of one to `most` printable bytes and the space after it; `-` stands for none.
  private static func word(
    _ scanner: inout ByteScanner, _ most: Int, _ reason: SyslogFault.Reason
  ) throws(SyslogFault) -> String {
    let word = scanner.take(atMost: most, while: isPrintable)
    // A message may end after MSGID's space only: STRUCTURED-DATA is not optional.
    guard !word.isEmpty, scanner.take(" ") else { throw fault(reason, scanner) }
    return word.elementsEqual("-".utf8) ? "" : text(word)
  }

  private static func structuredData(
    _ scanner: inout ByteScanner
  ) throws(SyslogFault) -> [SyslogMessage.Element] {
    if scanner.take("-") { return [] }
    var elements: [SyslogMessage.Element] = []
    var parameters = 0
    while scanner.next == UInt8(ascii: "[") {
      let element = try element(&scanner)
      parameters += element.parameters.count
      // An SD-ID must not be there twice (6.3.2).
      guard elements.count < SyslogLimits.elementsMax, parameters <= SyslogLimits.parametersMax,
        !elements.contains(where: { $0.id == element.id })
      else { throw fault(.structuredData, scanner) }
      elements.append(element)
    }
    guard !elements.isEmpty else { throw fault(.structuredData, scanner) }
    return elements
  }

  private static func element(_ scanner: inout ByteScanner) throws(SyslogFault) -> SyslogMessage.Element {
    scanner.skip()
    var element = SyslogMessage.Element(id: try name(&scanner), parameters: [])
    while scanner.take(" ") {
      let name = try name(&scanner)
      guard scanner.take("="), scanner.take("\"") else { throw fault(.structuredData, scanner) }
      element.parameters.append(.init(name: name, value: try value(&scanner)))
      guard element.parameters.count <= SyslogLimits.parametersMax else {
        throw fault(.structuredData, scanner)
      }
    }
    guard scanner.take("]") else { throw fault(.structuredData, scanner) }
    return element
  }

  /// SD-NAME: up to 32 printable bytes but `=`, `]` and `"`.
  private static func name(_ scanner: inout ByteScanner) throws(SyslogFault) -> String {
    let name = scanner.take(atMost: 32) {
      isPrintable($0) && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "]") && $0 != UInt8(ascii: "\"")
    }
    guard !name.isEmpty else { throw fault(.structuredData, scanner) }
    return text(name)
  }

  /// PARAM-VALUE up to its closing quote: `\"`, `\\` and `\]` are escapes, any other backslash is itself (6.3.3).
  private static func value(_ scanner: inout ByteScanner) throws(SyslogFault) -> [UInt8] {
    var value: [UInt8] = []
    while let byte = scanner.next {
      switch byte {
      case UInt8(ascii: "\""):
        scanner.skip()
        return value
      case UInt8(ascii: "]"):
        throw fault(.structuredData, scanner)
      case UInt8(ascii: "\\"):
        scanner.skip()
        if let escaped = scanner.next, "\"\\]".utf8.contains(escaped) {
          scanner.skip()
          value.append(escaped)
        } else {
          value.append(byte)
        }
      default:
        scanner.skip()
        value.append(byte)
      }
    }
    throw fault(.structuredData, scanner)
  }
}
