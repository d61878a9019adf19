/// What a syslog message says, as sent: bytes are not repaired yet. A field that is not there is empty.
struct SyslogMessage: Equatable {
  struct Parameter: Equatable {
    var name: String
    var value: [UInt8]
  }
  struct Element: Equatable {
    var id: String
    var parameters: [Parameter]
  }
  enum Form: String {
    case rfc5424, rfc3164
  }

  var form: Form
  /// 0 to 23 (RFC 5424 table 1).
  var facility: Int
  /// 0 (emergency) to 7 (debug) (RFC 5424 table 2).
  var severity: Int
  /// Milliseconds since 1970 UTC; nil when the message has none.
  var time: Int64?
  var host = ""
  var app = ""
  var process = ""
  var messageID = ""
  var structuredData: [Element] = []
  var text: ArraySlice<UInt8>

  /// RFC 5424 table 1, in the short words of syslog.conf(5).
  static let facilities = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
  ]

  static let severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
}

/// Why bytes are no RFC 5424 message, and at which byte.
struct SyslogFault: Error, Equatable, CustomStringConvertible {
  /// The words are label values of `belfry_connector_malformed_total`.
  enum Reason: String, CaseIterable {
    case priority, version, timestamp, hostname
    case appName = "app_name"
    case processID = "procid"
    case messageID = "msgid"
    case structuredData = "structured_data"
  }
  var reason: Reason
  var offset: Int

  var description: String { "\(reason.rawValue) at byte \(offset)" }
}
