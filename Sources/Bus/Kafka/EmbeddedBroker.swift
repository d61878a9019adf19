import Base
import CRdKafka

/// librdkafka's in-process broker, for `make run` without a Kafka.
final class EmbeddedBroker {
  private let client: KafkaClient
  private let cluster: OpaquePointer
  let bootstrap: String

  init(_ reports: KafkaCallbacks.Reports) throws(BusError) {
    client = try KafkaClient(.producer, ["client.id": "embedded-broker"], reports: reports)
    guard let cluster = rd_kafka_mock_cluster_new(client.handle, 1) else {
      throw BusError(.refuse, code: "EMBEDDED", "the embedded broker did not start")
    }
    self.cluster = cluster
    bootstrap = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
  }

  deinit { rd_kafka_mock_cluster_destroy(cluster) }

  func create(_ specs: [TopicSpec]) throws(BusError) {
    for spec in specs {
      try check(
        rd_kafka_mock_topic_create(cluster, spec.name, Int32(spec.partitions), 1), "topic \(spec.name)")
    }
  }
}
