import Base
import ConnectorKit

/// A syslog message as a row of the table `alerts`; README.md has the columns. Pure.
struct SyslogMapping: Sendable {
  let settings: SyslogSettings

  /// What came with the message.
  struct Receipt {
    var time: Timestamp
    /// The sender's address, without its port.
    var sender: String
    var truncated = false
  }

  /// Parses and maps. Bytes that are meant as RFC 5424 but are not are read by the rules of RFC 3164, and the
  /// fault is returned beside and told in the event's attributes.
  func alert(_ bytes: ArraySlice<UInt8>, _ receipt: Receipt) -> (alert: Alert, fault: SyslogFault?) {
    guard RFC5424.isMeant(bytes) else { return (alert(of: parse3164(bytes, receipt), receipt, nil), nil) }
    do {
      return (alert(of: try RFC5424.parse(bytes), receipt, nil), nil)
    } catch {
      return (alert(of: parse3164(bytes, receipt), receipt, error), error)
    }
  }

  private func parse3164(_ bytes: ArraySlice<UInt8>, _ receipt: Receipt) -> SyslogMessage {
    RFC3164.parse(bytes, received: receipt.time.milliseconds, zone: settings.zone)
  }

  private func alert(of message: SyslogMessage, _ receipt: Receipt, _ fault: SyslogFault?) -> Alert {
    let node = message.host.isEmpty ? receipt.sender : message.host
    let facility = SyslogMessage.facilities[message.facility]
    let group = message.app.isEmpty ? facility : message.app
    let pattern = Self.pattern(message.text)
    let time = time(message, receipt)
    var alert = Alert(
      identifier: "syslog:\(node):\(group):\(message.severity):\(sha256Hex(pattern).prefix(16))",
      node: node, manager: SyslogProbe.kind, alertGroup: group,
      alertKey: message.messageID.isEmpty
        ? Self.cut(pattern, SyslogLimits.alertKeyBytesMax) : message.messageID,
      severity: Self.severity(message.severity), type: message.severity <= 4 ? .problem : .information,
      summary: text(Self.trimmed(message.text)), first: time, last: time)
    alert.nodeAlias = receipt.sender
    alert.agent = message.app
    alert.defaults = settings.defaults
    if settings.expire > .zero { alert.expireTime = receipt.time + settings.expire }
    alert.extendedAttributes = attributes(message, facility, receipt, fault)
    return alert
  }

  /// The message's own time, unless the settings prefer the receipt's or it is too far ahead to be true.
  private func time(_ message: SyslogMessage, _ receipt: Receipt) -> Timestamp {
    guard settings.messageTime, let time = message.time,
      time - receipt.time.milliseconds <= SyslogLimits.aheadMax
    else { return receipt.time }
    return Timestamp(milliseconds: time)
  }

  private func attributes(
    _ message: SyslogMessage, _ facility: String, _ receipt: Receipt, _ fault: SyslogFault?
  ) -> JSONObjectWriter {
    var json = JSONObjectWriter()
    json.string("facility", facility)
    json.string("severity", SyslogMessage.severities[message.severity])
    json.string("format", message.form.rawValue)
    if !message.process.isEmpty { json.string("procid", message.process) }
    if !message.messageID.isEmpty { json.string("msgid", message.messageID) }
    if let time = message.time { json.integer("time", time) }
    if receipt.truncated { json.bool("truncated", true) }
    if let fault { json.string("malformed", fault.description) }
    if !message.structuredData.isEmpty {
      json.object("structured_data", Self.structured(message.structuredData))
    }
    return json
  }

  /// `{"id":{"name":"value"}}`; a name that is there several times (6.3.3 allows it) has a list of values.
  private static func structured(_ elements: [SyslogMessage.Element]) -> JSONObjectWriter {
    var json = JSONObjectWriter()
    for element in elements {
      var inner = JSONObjectWriter()
      var names: [String] = []
      var values: [String: [String]] = [:]
      for parameter in element.parameters {
        if values[parameter.name] == nil { names.append(parameter.name) }
        values[parameter.name, default: []].append(text(parameter.value[...]))
      }
      for name in names {
        let all = values[name] ?? []
        if all.count == 1 { inner.string(name, all[0]) } else { inner.strings(name, all) }
      }
      json.object(element.id, inner)
    }
    return json
  }

  /// Emergency, alert and critical are critical; error is major; warning is minor; notice is warning; the rest
  /// is indeterminate.
  static func severity(_ severity: Int) -> Severity {
    switch severity {
    case ...2: .critical
    case 3: .major
    case 4: .minor
    case 5: .warning
    default: .indeterminate
    }
  }

  /// What a message has in common with its repeats: each run of digits is `#`, and so is each word of
  /// eight or more hexadecimal digits with a number among them (addresses, identifiers).
  static func pattern(_ message: ArraySlice<UInt8>) -> String {
    var result: [UInt8] = []
    var rest = trimmed(message)
    while let first = rest.first {
      let isWord = isAlphanumeric(first)
      let run = rest.prefix { isAlphanumeric($0) == isWord }
      rest = rest.dropFirst(run.count)
      if isWord { append(run, to: &result) } else { result.append(contentsOf: run) }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func append(_ word: ArraySlice<UInt8>, to result: inout [UInt8]) {
    if word.count >= 8, word.contains(where: isDigit), word.allSatisfy(isHexadecimal) {
      result.append(UInt8(ascii: "#"))
      return
    }
    var inNumber = false
    for byte in word {
      if !isDigit(byte) { result.append(byte) } else if !inNumber { result.append(UInt8(ascii: "#")) }
      inNumber = isDigit(byte)
    }
  }

  /// Without white space and zeros at its ends.
  static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let first = bytes.firstIndex(where: { $0 > 0x20 }),
      let last = bytes.lastIndex(where: { $0 > 0x20 })
    else { return [] }
    return bytes[first...last]
  }

  /// At most `most` bytes of a text, whole characters.
  static func cut(_ text: String, _ most: Int) -> String {
    guard text.utf8.count > most else { return text }
    var end = text.utf8.index(text.startIndex, offsetBy: most)
    while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil {
      end = text.utf8.index(before: end)
    }
    return String(text[..<end])
  }
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
  isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
  isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f"))
}
