import Base
import ConnectorKit

/// Where the probe listens and what it allows. README.md has the table of keys and defaults.
struct SyslogSettings: Equatable, Sendable {
  enum Framing: String, CaseIterable, Sendable {
    /// Each connection's first byte decides: a digit means octet counting.
    case auto
    case octet
    case newline
  }

  var udp = [ListenAddress(text: "127.0.0.1:5514", host: "127.0.0.1", port: 5514, place: "")]
  var tcp = [ListenAddress(text: "127.0.0.1:5514", host: "127.0.0.1", port: 5514, place: "")]
  var framing = Framing.auto
  var messageMax = 8192
  var connectionsMax = 256
  var idleTimeout = Duration.seconds(600)
  /// Whether an event has its message's time; false: that of its receipt.
  var messageTime = true
  var zone = SyslogZone.machine
  var expire = Duration.seconds(86_400)
  var defaults = AlertDefaults()

  init() {}

  init(_ settings: ConnectorSettings) throws(ConnectorError) {
    var reader = try SettingsReader(settings, of: SyslogProbe.kind)
    udp = try Self.addresses("udp", &reader, udp)
    tcp = try Self.addresses("tcp", &reader, tcp)
    if udp.isEmpty && tcp.isEmpty {
      throw reader.error("udp", "and `tcp` are both off: nothing to listen on")
    }
    let framing = try reader.choice(
      "framing", of: Framing.allCases.map(\.rawValue), default: self.framing.rawValue)
    self.framing = Framing(rawValue: framing) ?? .auto
    // 480 bytes is what every RFC 5424 receiver must take (6.1).
    messageMax = try reader.int("message_max", default: messageMax, in: 480...65_536)
    connectionsMax = try reader.int("connections_max", default: connectionsMax, in: 1...10_000)
    idleTimeout = try reader.duration(
      "idle_timeout", default: idleTimeout, in: .milliseconds(100)...(.seconds(86_400)))
    messageTime = try reader.choice("time", of: ["message", "received"], default: "message") == "message"
    zone = try Self.zone(&reader)
    expire = try reader.duration("expire", default: expire, in: .zero...(.seconds(86_400 * 365)))
    defaults = try AlertDefaults(&reader)
    try reader.finish()
  }

  /// An address, a list of them, or `off`.
  private static func addresses(
    _ name: String, _ reader: inout SettingsReader, _ fallback: [ListenAddress]
  ) throws(ConnectorError) -> [ListenAddress] {
    guard let found = reader.value(name) else { return fallback }
    if found.value == .bool(false) || found.value == .string("off") { return [] }
    var members = [found]
    if case .list(let list) = found.value { members = list }
    guard members.count <= SyslogLimits.addressesMax else {
      throw reader.error(name, "has more than \(SyslogLimits.addressesMax) addresses")
    }
    var addresses: [ListenAddress] = []
    for member in members {
      guard case .string(let text) = member.value, let address = ListenAddress(text, place: member.place)
      else { throw reader.wrong(name, member, "addresses such as 127.0.0.1:5514 or [::]:5514") }
      addresses.append(address)
    }
    return addresses
  }

  private static func zone(_ reader: inout SettingsReader) throws(ConnectorError) -> SyslogZone {
    guard let found = reader.value("zone"), found.value != .string("machine") else { return .machine }
    guard case .string(let text) = found.value else {
      throw reader.wrong("zone", found, "machine, utc, or an offset such as +02:00")
    }
    if text == "utc" { return .fixed(0) }
    var scanner = ByteScanner(ArraySlice(text.utf8))
    guard let offset = scanner.zoneOffset(), scanner.isAtEnd else {
      throw reader.wrong("zone", found, "machine, utc, or an offset such as +02:00")
    }
    return .fixed(offset)
  }
}

/// A numeric address and a port: `127.0.0.1:514`, `[::1]:514`. Names are not looked up: that could block.
struct ListenAddress: Equatable, Sendable {
  var text: String
  var host: String
  var port: UInt16
  var place: String

  init(text: String, host: String, port: UInt16, place: String) {
    self.text = text
    self.host = host
    self.port = port
    self.place = place
  }

  /// Nil when the text has not this form; whether the host is an address shows when it is bound.
  init?(_ text: String, place: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, digits.utf8.allSatisfy(isDigit), let port = UInt16(digits) else { return nil }
    self.init(
      text: text, host: host == "localhost" ? "127.0.0.1" : String(host), port: port, place: place)
  }
}
