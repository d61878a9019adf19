extension Setting {
  /// Those that Belfry sets: the promises of the bus contract hang on them, or they have a key here.
  static let reservedProperties: [String: String] = [
    "bootstrap.servers": "use kafka.bootstrap",
    "metadata.broker.list": "use kafka.bootstrap",
    "group.id": "it is made from the cluster's name",
    "group.instance.id": "it is the member's seat",
    "transactional.id": "it is the member's seat",
    "isolation.level": "exactly-once hangs on it",
    "enable.auto.commit": "exactly-once hangs on it",
    "enable.auto.offset.store": "exactly-once hangs on it",
    "enable.idempotence": "exactly-once hangs on it",
    "enable.partition.eof": "restoring hangs on it",
    "auto.offset.reset": "restoring hangs on it",
    "partition.assignment.strategy": "shards hang on it",
    "allow.auto.create.topics": "topics are made with their settings",
    "statistics.interval.ms": "/metrics has what they say",
  ]

  /// `BELFRY_KAFKA_PROPERTIES_SASL_PASSWORD` sets `sasl.password`.
  static let propertyVariablePrefix = "BELFRY_KAFKA_PROPERTIES_"

  /// Adds to what is there, or replaces it, name by name: so a variable can add one to the file's.
  @Sendable static func readProperties(
    _ configuration: inout Configuration, _ node: Node, _ problems: inout Problems
  ) {
    guard let entries = node.map else {
      return problems.error(node.place, "kafka.properties: expected a map of texts, found \(node.shown)")
    }
    for entry in entries {
      let name = entry.key
      if let reason = reservedProperties[name] {
        problems.error(entry.keyPlace, "kafka.properties: \(name) is set by Belfry itself: \(reason)")
      } else if !isPropertyName(name) {
        problems.error(entry.keyPlace, "kafka.properties: '\(Node.shown(name))' is no property's name")
      } else if let value = entry.value.text, !entry.value.isNull {
        configuration.kafka.properties.set(
          Configuration.Property(
            name: name, value: value, isSecret: entry.value.isSecret || isSecretName(name),
            place: entry.value.place))
      } else {
        problems.error(
          entry.value.place, "kafka.properties.\(name): expected a text, found \(entry.value.shown)")
      }
    }
  }

  private static func isPropertyName(_ name: String) -> Bool {
    matches(
      name, first: isLetter, rest: { isWordByte($0) || $0 == 0x2E || $0 == 0x2D }, bytesMax: 128)
  }
}

/// Whether what stands under a name may be a secret, going by the name.
func isSecretName(_ name: String) -> Bool {
  let name = name.lowercased()
  let telltales = ["password", "passwd", "secret", "token", "credential", "private", "apikey", "api_key"]
  return telltales.contains { name.contains($0) }
    || ["sasl.jaas.config", "sasl.oauthbearer.config", "ssl.key.pem"].contains(name)
}

extension [Configuration.Property] {
  /// Kept in the order of names, one of each.
  fileprivate mutating func set(_ property: Configuration.Property) {
    removeAll { $0.name == property.name }
    insert(property, at: firstIndex { $0.name > property.name } ?? count)
  }

  var node: Node {
    let nowhere = Place(source: "")
    let entries = map { property in
      Node.Entry(
        key: property.name, keyPlace: nowhere,
        value: Node(
          .scalar(Scalar(property.value, isQuoted: true, isSecret: property.isSecret)), at: nowhere))
    }
    return Node(.map(entries), at: nowhere)
  }
}
