import Bus
import CRdKafka

/// librdkafka's brokers for tests: real connections, and errors that a test has them answer with.
final class MockBrokers {
  /// What brokers are asked, by Kafka's number of it.
  enum Question: Int16, CaseIterable {
    case findCoordinator = 10
    case joinGroup = 11
    case offsetFetch = 9
  }

  private let client: OpaquePointer
  private let cluster: OpaquePointer

  init(count: Int32) {
    client = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), nil, 0)!
    cluster = rd_kafka_mock_cluster_new(client, count)!
  }

  deinit {
    rd_kafka_mock_cluster_destroy(cluster)
    rd_kafka_destroy(client)
  }

  var bootstrap: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }

  /// A topic of one partition, which the broker 1 leads.
  func makeTopic(_ name: String) -> TopicPartition {
    rd_kafka_mock_topic_create(cluster, name, 1, 1)
    let partition = TopicPartition(name, 0)
    lead(partition, by: 1)
    return partition
  }

  /// From now on the others say that they do not lead it.
  func lead(_ partition: TopicPartition, by broker: Int32) {
    rd_kafka_mock_partition_set_leader(cluster, partition.topic, partition.partition, broker)
  }

  /// The next answers to a question are this error.
  func refuse(_ question: Question, _ error: rd_kafka_resp_err_t, times: Int) {
    let errors = Array(repeating: error, count: times)
    rd_kafka_mock_push_request_errors_array(cluster, question.rawValue, times, errors)
  }
}
