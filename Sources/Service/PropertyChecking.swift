import Bus
import Configuration

extension Configuration.Kafka {
  /// What librdkafka has against the properties, with their places: against each by itself, or where that is
  /// nothing, against all together.
  var propertyFaults: [Diagnostic] {
    let single = properties.compactMap { property in
      KafkaBus.fault(ofProperty: property.name, property.value).map { words in
        // librdkafka's words have the value in them.
        Diagnostic(
          property.place,
          "kafka.properties: " + (property.isSecret ? "\(property.name) has no value that it takes" : words))
      }
    }
    if !single.isEmpty { return single }
    return faultTogether.map { [$0] } ?? []
  }

  /// Stands at the property that librdkafka names, or at the first.
  private var faultTogether: Diagnostic? {
    guard let first = properties.first, let words = KafkaBus.fault(ofProperties: librdkafka)
    else { return nil }
    // The longest, as some names are the beginnings of others.
    let named = properties.filter { words.contains($0.name) }.max { $0.name.utf8.count < $1.name.utf8.count }
    let mayTell = properties.contains { $0.isSecret && !$0.value.isEmpty && words.contains($0.value) }
    return Diagnostic(
      (named ?? first).place,
      "kafka.properties: " + (mayTell ? "librdkafka does not take them together" : words))
  }

  /// The properties as a bus takes them.
  public var librdkafka: [String: String] {
    Dictionary(uniqueKeysWithValues: properties.map { ($0.name, $0.value) })
  }
}
