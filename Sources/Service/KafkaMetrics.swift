import Base
import Bus
import Events

/// Takes what librdkafka reports of its clients over into the metrics.
struct KafkaMetrics {
  /// Names in librdkafka's statistics (its STATISTICS.md) and what they are here.
  private static let numbers: [(field: String, name: String, help: String)] = [
    ("tx", "belfry_kafka_requests_sent", "Requests sent to brokers"),
    ("tx_bytes", "belfry_kafka_sent_bytes", "Bytes sent to brokers"),
    ("rx_bytes", "belfry_kafka_received_bytes", "Bytes received from brokers"),
    ("txmsgs", "belfry_kafka_records_sent", "Records produced"),
    ("rxmsgs", "belfry_kafka_records_received", "Records consumed"),
    ("msg_cnt", "belfry_kafka_queue_records", "Records in the producer's queue"),
    ("msg_size", "belfry_kafka_queue_bytes", "Bytes in the producer's queue"),
    ("replyq", "belfry_kafka_events_waiting", "Events that wait for a poll"),
  ]

  let bus: any Bus
  let metrics: Metrics

  /// Brings the gauges up to date; called when the metrics are asked for.
  func update() {
    var sums: [String: [String: Int]] = [:]
    for text in bus.statistics().values {
      guard let report = try? JSON(parsing: text), let kind = report["type"]?.string else { continue }
      for number in Self.numbers {
        sums[kind, default: [:]][number.field, default: 0] += Int(report[number.field]?.int ?? 0)
      }
    }
    for (kind, values) in sums {
      for number in Self.numbers {
        metrics.gauge(number.name, number.help, [("client", kind)]).set(values[number.field] ?? 0)
      }
    }
  }
}
