import Base
import Bus
import Configuration
import Events
import Notifier
import Requests
import Table

extension Configuration {
  /// What this version cannot serve yet. Reading a configuration finds it, too, and its place.
  var memberFault: Diagnostic? {
    members > 1
      ? Diagnostic(Place(source: "members"), "a cluster has one member for now, not \(members)") : nil
  }
}

extension Schema {
  /// The table that the configuration declares, or `alerts`.
  public static func of(_ configuration: Configuration) throws(Diagnostic) -> Schema {
    guard let declared = configuration.tables.first else { return .alerts }
    if configuration.tables.count > 1 {
      let second = configuration.tables[1]
      throw Diagnostic(second.place, "a cluster has one table; \(declared.name) is declared already")
    }
    return Schema(
      table: declared.name, columns: declared.columns.map { Column($0) }, key: declared.key)
  }
}

extension Column {
  /// Columns named as those of `alerts` behave as they do there: the two times of occurrence begin as the
  /// event's record time.
  init(_ declared: TableDeclaration.Column) {
    let type = ColumnType(rawValue: declared.type.rawValue)!
    self.init(
      declared.name, type, DuplicateRule(rawValue: declared.onDuplicate.rawValue)!,
      default: Value(declared.defaultValue, type),
      defaultsToRecordTime: type == .time && ["FirstOccurrence", "LastOccurrence"].contains(declared.name))
  }
}

extension Value {
  init(_ declared: TableDeclaration.Default, _ type: ColumnType) {
    switch (declared, type) {
    case (.string(let text), _): self = .string(text)
    case (.int(let n), .real): self = .real(Double(n))
    case (.time(let n), _): self = .time(n)
    case (.int(let n), _): self = .int(n)
    case (.real(let x), _): self = .real(x)
    case (.bool(let b), _): self = .bool(b)
    }
  }
}

extension MemberSettings {
  public init(_ configuration: Configuration) throws(Diagnostic) {
    if let fault = configuration.memberFault { throw fault }
    let schema = try Schema.of(configuration)
    var table = TableSettings(partitions: configuration.kafka.partitions)
    table.eventBytesMax = configuration.events.bytesMax
    table.clearedKept = configuration.events.clearedKept
    table.unknownFields =
      switch configuration.events.unknownFields {
      case .keep: .keep
      case .drop: .drop
      case .refuse: .refuse
      }
    self.init(
      topics: ClusterTopics(cluster: configuration.cluster), memberID: configuration.member.id,
      schema: schema, table: table,
      registry: RegistrySettings(
        cluster: configuration.cluster, intervalDefault: configuration.sweep.interval,
        grace: configuration.sweep.grace))
    commitInterval = configuration.commit
    drainInterval = configuration.sweep.drain
    throttle.intervalMax = configuration.sweep.intervalMax
  }
}

extension KafkaBus {
  /// The bus that the configuration names: brokers, or the embedded one.
  public convenience init(_ configuration: Configuration, log: Log, metrics: Metrics) throws(BusError) {
    var bootstrap = ""
    var embedded = false
    switch configuration.kafka.bootstrap {
    case .embedded: embedded = true
    case .servers(let servers): bootstrap = servers
    }
    try self.init(
      bootstrap: bootstrap, embedded: embedded, replication: configuration.kafka.replication,
      properties: configuration.kafka.librdkafka, log: log, metrics: metrics)
  }
}
