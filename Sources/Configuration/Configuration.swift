/// How one member is set up: every key of the file with its value, checked. `docs/configuration.md` is
/// the reference. Made by `Configuration.load`, or by hand in tests: `Configuration()` has the defaults.
public struct Configuration: Equatable, Sendable {
  public var cluster = "belfry"
  public var member = Member()
  /// Members of the cluster as it is meant to be, for the quorum.
  public var members = 1
  public var kafka = Kafka()
  public var http = HTTP()
  public var sweep = Sweep()
  /// How often a shard commits.
  public var commit = Duration.milliseconds(100)
  public var events = Events()
  public var log = Log()
  /// Declared by the user. `alerts` is there besides unless one of them has that name.
  public var tables: [TableDeclaration] = []
  /// Probes and what lies behind them; their connectors check the settings inside.
  public var pipelines: [Node] = []

  public init() {}

  public struct Member: Equatable, Sendable {
    public var id = "member"
    public var priority = 10
  }

  public struct Kafka: Equatable, Sendable {
    public var bootstrap = Bootstrap.servers("127.0.0.1:9092")
    /// librdkafka's own, by name.
    public var properties: [Property] = []
    public var replication = 1
    public var partitions = 8
  }

  public enum Bootstrap: Equatable, Sendable {
    /// librdkafka's broker inside this process.
    case embedded
    /// `host:port[,host:port …]`
    case servers(String)
  }

  /// One librdkafka property. Shows its value only where it can be no secret.
  public struct Property: Equatable, Sendable {
    public var name: String
    public var value: String
    public var isSecret: Bool
    public var place: Place

    public init(name: String, value: String, isSecret: Bool = false, place: Place = Place(source: "")) {
      self.name = name
      self.value = value
      self.isSecret = isSecret
      self.place = place
    }

    public static func == (a: Property, b: Property) -> Bool { a.name == b.name && a.value == b.value }
  }

  public struct HTTP: Equatable, Sendable {
    public var listen = HostPort(host: "127.0.0.1", port: 8787)
  }

  public struct Sweep: Equatable, Sendable {
    public var interval = Duration.milliseconds(5000)
    public var drain = Duration.milliseconds(100)
    public var intervalMax = Duration.milliseconds(60_000)
    /// How long a stream outlives its last request.
    public var grace = Duration.milliseconds(30_000)
  }

  public struct Events: Equatable, Sendable {
    public enum UnknownFields: String, CaseIterable, Sendable { case keep, drop, refuse }
    public var unknownFields = UnknownFields.keep
    /// Bytes of an event's value; a longer one goes to the dead-letter topic.
    public var bytesMax = 1 << 20
    /// A cleared row stays for this long.
    public var clearedKept = Duration.milliseconds(120_000)
  }

  public struct Log: Equatable, Sendable {
    public enum Level: String, CaseIterable, Sendable { case debug, info, warning, error }
    public var level = Level.info
  }
}

extension Configuration.Property: CustomStringConvertible, CustomReflectable {
  public var description: String { "\(name): \(isSecret ? Scalar.mask : value)" }
  public var customMirror: Mirror { Mirror(self, children: ["property": description]) }
}

/// A numeric address, or `localhost`, and a port. Port 0 is any free one.
public struct HostPort: Equatable, Sendable, CustomStringConvertible {
  /// Without the brackets of an IPv6 address.
  public var host: String
  public var port: Int

  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// `127.0.0.1:8787`, `[::1]:8787`.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Splits `host:port` or `[host]:port`; nil where that is not its form. Looks nothing up.
  public init?(_ text: String) {
    guard text.utf8.count <= 300, let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    let digits = text[text.index(after: colon)...]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
      guard host.contains(":") else { return nil }
    } else if host.contains(":") {
      return nil
    }
    guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy(isDigit), let port = Int(digits),
      port <= 65_535, !host.isEmpty,
      host.utf8.allSatisfy({ isWordByte($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x3A })
    else { return nil }
    self.init(host: String(host), port: port)
  }
}
