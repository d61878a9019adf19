import Glibc

extension Setting {
  /// Every key, in the order of the reference.
  static let all: [Setting] = [
    .name("cluster", \.cluster, "The prefix of all topics. One cluster's members share it."),
    .name(
      "member.id", \.member.id,
      "This member's name; unique in its cluster, the same over restarts (the seat in Kafka hangs on it)."),
    .integer(
      "member.priority", \.member.priority, 0...1000,
      "The highest stands for master first. Without effect while a cluster has one member."),
    .integer(
      "members", \.members, 1...64,
      "Members that the cluster is meant to have, for the quorum. Only 1 is served for now."),
    .scalar(
      "kafka.bootstrap", \.kafka.bootstrap, type: "`host:port`, several with commas, or `embedded`",
      expected: "host:port[,host:port …] or embedded",
      "Where Kafka is. `embedded` is a broker inside this process, for trying things out.",
      parse: bootstrap,
      text: { if case .servers(let servers) = $0 { servers } else { "embedded" } }),
    Setting(
      path: "kafka.properties", type: "map of texts",
      meaning: "Any librdkafka property, as it is, but for those on which exactly-once hangs.",
      isScalar: false, read: readProperties,
      shown: { $0.kafka.properties.node }),
    .integer("kafka.replication", \.kafka.replication, 1...32, "Replicas of the topics that Belfry makes."),
    .integer(
      "kafka.partitions", \.kafka.partitions, 1...1024,
      "Partitions of the events topic, and so shards of each table. Fixed for a cluster's life, since a key's "
        + "place depends on it: where topics have another number the member ends. More of them take a cluster of "
        + "another name, to whose events topic the senders go over."),
    .scalar(
      "http.listen", \.http.listen, type: "`address:port`",
      expected: "address:port, such as 127.0.0.1:8787 or [::1]:8787",
      "Where `/livez`, `/readyz`, `/metrics` and `/v1/query` are served. Port 0 is any free one.",
      parse: listen, text: { $0.description }),
    .milliseconds(
      "sweep.interval_ms", \.sweep.interval, 10...3_600_000,
      "How often a view is published whose request names no interval."),
    .milliseconds("sweep.drain_ms", \.sweep.drain, 1...60_000, "How often changed rows are matched."),
    .milliseconds(
      "sweep.interval_max_ms", \.sweep.intervalMax, 10...3_600_000,
      "How far intervals grow where sweeps take longer than them; longer ones stay as they are asked for."),
    .milliseconds(
      "sweep.grace_ms", \.sweep.grace, 0...86_400_000,
      "How long a stream outlives its last request."),
    .milliseconds(
      "commit_ms", \.commit, 1...5000,
      "How often a shard commits what it took in, and streams of every change what they tell."),
    .choice(
      "events.unknown_fields", \.events.unknownFields,
      "Fields of an event that are no column: kept in `ExtendedAttr`, dropped, or the event is refused."),
    .integer(
      "events.bytes_max", \.events.bytesMax, 1024...67_108_864,
      "Bytes of one event; longer ones go to the dead-letter topic."),
    .milliseconds(
      "events.cleared_kept_ms", \.events.clearedKept, 0...604_800_000,
      "How long a row stays that a resolution has cleared."),
    .choice("log.level", \.log.level, "The least level that is written to standard error."),
    Setting(
      path: "tables", type: "map of tables",
      meaning: "The user's own tables (below). `alerts` is there unless it is declared here.",
      isScalar: false, read: readTables,
      shown: { Node(.map($0.tables.map(\.entry)), at: Place(source: "")) }),
    Setting(
      path: "pipelines", type: "list of maps",
      meaning: "Probes and what lies behind them (each connector's README).",
      isScalar: false, read: readPipelines,
      shown: { Node(.list($0.pipelines), at: Place(source: "")) }),
  ]

  /// The names of groups such as `kafka`.
  static let groups: [String] = {
    var seen: Set<Substring> = []
    return all.filter { $0.path.contains(".") }
      .map { $0.path.prefix { $0 != "." } }.filter { seen.insert($0).inserted }.map(String.init)
  }()

  @Sendable private static func bootstrap(_ text: String) -> Configuration.Bootstrap? {
    if text == "embedded" { return .embedded }
    let servers = text.split(separator: ",", omittingEmptySubsequences: false).map { $0.drop { $0 == " " } }
    guard servers.count <= 64, servers.allSatisfy({ (HostPort(String($0))?.port ?? 0) > 0 }) else {
      return nil
    }
    return .servers(servers.joined(separator: ","))
  }

  @Sendable private static func listen(_ text: String) -> HostPort? {
    guard let address = HostPort(text) else { return nil }
    var bytes = in6_addr()
    let family = address.host.contains(":") ? AF_INET6 : AF_INET
    guard address.host == "localhost" || inet_pton(family, address.host, &bytes) == 1 else { return nil }
    return address
  }

  @Sendable private static func readPipelines(
    _ configuration: inout Configuration, _ node: Node, _ problems: inout Problems
  ) {
    guard let list = node.list else {
      return problems.error(node.place, "pipelines: expected a list of maps, found \(node.shown)")
    }
    if list.count > ConfigurationLimits.pipelinesMax {
      problems.error(node.place, "pipelines: at most \(ConfigurationLimits.pipelinesMax)")
    }
    for pipeline in list where pipeline.map == nil || pipeline.isNull {
      problems.error(pipeline.place, "pipelines: expected a map, found \(pipeline.shown)")
    }
    configuration.pipelines = list
  }
}
