/// RFC 3164, the observed habits of senders, read as its section 4.3 tells relays to: whatever comes is a
/// message. Pure; never fails.
enum RFC3164 {
  /// The priority of a message that has none: user, notice (4.3.3).
  static let defaultPriority = 13

  /// `received`, in ms since 1970 UTC, gives the year; `zone` the zone.
  static func parse(_ bytes: ArraySlice<UInt8>, received: Int64, zone: SyslogZone) -> SyslogMessage {
    var scanner = ByteScanner(bytes)
    let priority = scanner.priority() ?? defaultPriority
    var message = SyslogMessage(
      form: .rfc3164, facility: priority / 8, severity: priority % 8, text: scanner.rest)
    guard let time = time(&scanner, received, zone), scanner.take(" ") else { return message }
    message.time = time
    message.host = host(&scanner)
    tag(&scanner, into: &message)
    message.text = scanner.rest
    return message
  }

  /// The RFC's form, or that of RFC 5424, which rsyslog and others send in its place.
  private static func time(_ scanner: inout ByteScanner, _ received: Int64, _ zone: SyslogZone) -> Int64? {
    if let civil = scanner.civilTime() { return zone.resolve(civil, received: received) }
    var ahead = scanner
    guard let time = ahead.timestamp() else { return nil }
    scanner = ahead
    return time
  }

  /// The next word, unless it is a tag already: some senders leave the host out.
  private static func host(_ scanner: inout ByteScanner) -> String {
    var ahead = scanner
    let word = ahead.take(atMost: 255, while: isPrintable)
    guard !word.isEmpty, ahead.take(" "), word.last != UInt8(ascii: ":"), !word.contains(UInt8(ascii: "["))
    else { return "" }
    scanner = ahead
    return text(word)
  }

  /// `su:` or `sched[0]:`. The RFC says 32 letters and digits; programs have longer names, with dashes, dots and
  /// slashes. Without a colon or brackets at its end a word is part of the text.
  private static func tag(_ scanner: inout ByteScanner, into message: inout SyslogMessage) {
    var ahead = scanner
    let name = ahead.take(atMost: 48) {
      isPrintable($0) && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "[")
    }
    guard !name.isEmpty else { return }
    var process: ArraySlice<UInt8> = []
    if ahead.take("[") {
      process = ahead.take(atMost: 128) { isPrintable($0) && $0 != UInt8(ascii: "]") }
      guard ahead.take("]") else { return }
      _ = ahead.take(":")
    } else if !ahead.take(":") {
      return
    }
    _ = ahead.take(" ")
    message.app = text(name)
    message.process = text(process)
    scanner = ahead
  }
}
