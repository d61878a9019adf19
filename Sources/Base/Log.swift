import Glibc
import Synchronization

/// Structured log lines on standard error: `time level component message key=value …`, one write a
/// line. Any thread may call. Secrets are never given to it.
public struct Log: Sendable {
  public enum Level: Int, Comparable, Sendable, CaseIterable {
    case debug, info, warning, error
    public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
  }

  /// Where the lines go.
  public final class Sink: Sendable {
    private let clock: any Clock
    private let least: Level
    private let write: @Sendable (String) -> Void

    public init(
      clock: any Clock, least: Level,
      write: @escaping @Sendable (String) -> Void = Sink.standardError
    ) {
      self.clock = clock
      self.least = least
      self.write = write
    }

    /// One `write(2)` a line, so that lines of several threads do not mix.
    public static let standardError: @Sendable (String) -> Void = { line in
      var line = line
      line.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }

    /// Nothing is written.
    public static let silent = Sink(clock: SystemClock(), least: .error, write: { _ in })

    func line(_ level: Level, _ component: String, _ message: String, _ fields: [(String, String)]) {
      guard level >= least else { return }
      var text = "\(iso8601(clock.now())) \(level) \(component) \(message)"
      for (name, value) in fields { text += " \(name)=\(Self.quoted(value))" }
      write(text + "\n")
    }

    /// A value with spaces, quotes or control characters is quoted, so that one line stays one line.
    private static func quoted(_ value: String) -> String {
      let plain = value.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7f }
      return plain && !value.isEmpty ? value : "\"" + value.unicodeScalars.map(escaped).joined() + "\""
    }

    /// As Swift and JSON write it, but that an apostrophe needs nothing.
    private static func escaped(_ scalar: Unicode.Scalar) -> String {
      scalar == "'" ? "'" : scalar.escaped(asASCII: false)
    }
  }

  private let sink: Sink
  private let component: String

  public init(_ sink: Sink, _ component: String) {
    self.sink = sink
    self.component = component
  }

  public static let silent = Log(.silent, "silent")

  /// The same sink under another component's name.
  public func named(_ component: String) -> Log { Log(sink, component) }

  public func debug(_ message: String, _ fields: (String, String)...) {
    sink.line(.debug, component, message, fields)
  }
  public func info(_ message: String, _ fields: (String, String)...) {
    sink.line(.info, component, message, fields)
  }
  public func warning(_ message: String, _ fields: (String, String)...) {
    sink.line(.warning, component, message, fields)
  }
  public func error(_ message: String, _ fields: (String, String)...) {
    sink.line(.error, component, message, fields)
  }
}

/// `2026-01-31T12:00:00.123Z`, for logs and tables that people read.
public func iso8601(_ time: Timestamp) -> String {
  var seconds = time_t(time.milliseconds / 1000)
  var parts = tm()
  gmtime_r(&seconds, &parts)
  func padded(_ n: Int, _ width: Int) -> String {
    let text = String(n)
    return String(repeating: "0", count: max(0, width - text.count)) + text
  }
  return "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))"
    + "-\(padded(Int(parts.tm_mday), 2))T\(padded(Int(parts.tm_hour), 2))"
    + ":\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
    + ".\(padded(Int(time.milliseconds % 1000), 3))Z"
}
