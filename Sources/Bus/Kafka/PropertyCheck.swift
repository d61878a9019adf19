import Base
import CRdKafka

// What can be said against librdkafka's properties before there is any broker.
extension KafkaBus {
  /// What librdkafka says against a property by itself, as far as it can without a client; nil: nothing. Its
  /// words may have the value in them.
  public static func fault(ofProperty name: String, _ value: String) -> String? {
    let conf = rd_kafka_conf_new()!
    defer { rd_kafka_conf_destroy(conf) }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
      rd_kafka_conf_set(conf, name, value, text.baseAddress, text.count) == RD_KAFKA_CONF_OK
        ? nil : String(cString: text.baseAddress!).split(separator: "\n").joined(separator: " ")
    }
  }

  /// What librdkafka says against properties together with Belfry's own; nil: nothing. Makes each kind of
  /// client that a member has, without the address of a broker, so that none is connected.
  public static func fault(ofProperties properties: [String: String]) -> String? {
    do throws(BusError) {
      let bus = try KafkaBus(bootstrap: "", properties: properties)
      defer { bus.close() }
      let handler = NoAssignments()
      try bus.makeProducer(transactionalID: "check").close()
      try bus.makeProducer().close()
      try bus.makeConsumer(group: "check", instanceID: "check", topics: ["check"], handler: handler).close()
      // With `gather`, which sets the most.
      try bus.makeReader([:], isolation: .committed, gather: .milliseconds(100)).close()
      _ = try bus.asker()
      return nil
    } catch {
      return error.message.hasPrefix("kafka: ") ? String(error.message.dropFirst(7)) : error.message
    }
  }
}

private final class NoAssignments: AssignmentHandler {
  func assigned(_ partitions: [TopicPartition], group: any GroupMetadata) -> [TopicPartition: Int64] { [:] }
  func revoked(lost: Bool) {}
}
