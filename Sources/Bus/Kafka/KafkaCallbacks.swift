import Base
import CRdKafka
import Synchronization

/// What librdkafka calls back for one client: errors, logs, statistics, delivery reports, assignments.
final class KafkaCallbacks: @unchecked Sendable {
  // @unchecked: what changes is in a Mutex or belongs to the one thread that polls (`rebalance`).

  /// What the callbacks of all clients of a bus report to.
  final class Reports: Sendable {
    let log: Log
    let failures: Metric
    let left: Metric
    private let complaints = RepeatedWords()
    private let clock = SystemClock()
    private let latest = Mutex<[String: String]>([:])
    private let latestComplaint = Mutex<(at: Duration, words: String)?>(nil)

    init(log: Log, metrics: Metrics) {
      self.log = log
      failures = metrics.counter("belfry_bus_errors_total", "Errors that the Kafka client reported")
      left = metrics.counter(
        "belfry_bus_clients_left_total", "Kafka clients that did not end and were left to themselves")
    }

    func keep(complaint: BusError) {
      latestComplaint.withLock { $0 = (clock.elapsed(), complaint.description) }
    }
    var complaint: BusComplaint? {
      latestComplaint.withLock { $0 }.map { BusComplaint(ago: clock.elapsed() - $0.at, words: $0.words) }
    }

    /// Logs an error of a client's, once a minute in the same words. All are counted.
    func tell(_ words: String, code: String) {
      failures.add()
      guard let held = complaints.take(words, at: clock.elapsed()) else { return }
      if held == 0 {
        log.warning(words, ("code", code))
      } else {
        log.warning(words, ("code", code), ("repeated", "\(held)"))
      }
    }

    func keep(statistics: String, of client: String) { latest.withLock { $0[client] = statistics } }
    func forget(_ client: String) { latest.withLock { $0[client] = nil } }
    var statistics: [String: String] { latest.withLock { $0 } }
  }

  typealias Rebalance = (
    _ assign: Bool, _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
  ) -> Void

  let reports: Reports
  var rebalance: Rebalance?
  /// Records that could not be delivered since this was last taken: how many, and why the first was not.
  private let undelivered = Mutex<(count: Int, first: BusError?)>((0, nil))
  /// What the client last said of its brokers: why one cannot be reached, or does not let us in.
  private let complaint = Mutex<BusError?>(nil)
  /// What is known of a password that is refused though it may be right.
  private let scramHint: String

  init(_ reports: Reports, scramHint: String) {
    self.reports = reports
    self.scramHint = scramHint
  }

  /// What keeps a client from a broker. Others are told by brokers that answer.
  private static let ofConnections = [
    RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__TIMED_OUT,
    RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR__AUTHENTICATION,
  ]

  private static func of(_ opaque: UnsafeMutableRawPointer?) -> KafkaCallbacks {
    Unmanaged<KafkaCallbacks>.fromOpaque(opaque!).takeUnretainedValue()
  }

  /// They are called on this object, which must outlive the client's handle.
  func install(_ conf: OpaquePointer, _ kind: KafkaClient.Kind) {
    rd_kafka_conf_set_opaque(conf, Unmanaged.passUnretained(self).toOpaque())
    rd_kafka_conf_set_log_cb(conf) { handle, level, facility, message in
      guard let handle, let opaque = rd_kafka_opaque(handle), let message else { return }
      let log = KafkaCallbacks.of(opaque).reports.log
      let text = String(cString: message)
      let facility = facility.map { String(cString: $0) } ?? ""
      if level <= 6, KafkaCallbacks.isNoNews(text, facility) { return }
      let fields = ("facility", facility)
      switch level {
      case ...4: log.warning(text, fields)
      case 5, 6: log.info(text, fields)
      default: log.debug(text, fields)
      }
    }
    rd_kafka_conf_set_error_cb(conf) { _, code, reason, opaque in
      let callbacks = KafkaCallbacks.of(opaque)
      let code = ResponseCode(code)
      let hint = code == RD_KAFKA_RESP_ERR__AUTHENTICATION ? callbacks.scramHint : ""
      let words = (reason.map { String(cString: $0) } ?? "") + hint
      callbacks.reports.tell(words, code: String(cString: rd_kafka_err2name(code)))
      // That all brokers are down follows when each has said why.
      if code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
        let complaint = BusError(code, words: words)
        callbacks.complaint.withLock { $0 = complaint }
        if KafkaCallbacks.ofConnections.contains(code) { callbacks.reports.keep(complaint: complaint) }
      }
    }
    rd_kafka_conf_set_stats_cb(conf) { handle, json, count, opaque in
      guard let json, let handle else { return 0 }
      let text = String(decoding: UnsafeRawBufferPointer(start: json, count: count), as: UTF8.self)
      KafkaCallbacks.of(opaque).reports.keep(statistics: text, of: String(cString: rd_kafka_name(handle)))
      return 0
    }
    switch kind {
    case .consumer:
      rd_kafka_conf_set_rebalance_cb(conf) { _, code, partitions, opaque in
        let callbacks = KafkaCallbacks.of(opaque)
        callbacks.rebalance?(code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, partitions!)
      }
    case .producer:
      rd_kafka_conf_set_dr_msg_cb(conf) { _, message, opaque in
        guard let message, message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        KafkaCallbacks.of(opaque).notDelivered(message.pointee)
      }
    }
  }

  /// What the error callback says as well, with its code; and that a client has no use for a property of another
  /// kind of client, since each gets all that the configuration has.
  private static func isNoNews(_ text: String, _ facility: String) -> Bool {
    facility == "FAIL" || facility == "CONFWARN" && text.contains("property and will be ignored by this")
  }

  private func notDelivered(_ message: rd_kafka_message_t) {
    let isPurged =
      message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
    undelivered.withLock { state in
      state.count += 1
      // A record that goes because another one failed does not say why.
      guard state.first == nil || (state.first!.isPurge && !isPurged) else { return }
      let place = "\(String(cString: rd_kafka_topic_name(message.rkt)))[\(message.partition)]"
      state.first = BusError(message.err, "a record to \(place)")
    }
  }

  /// Records that were not delivered since the last call, as one error. nil: there are none.
  func takeUndelivered() -> BusError? {
    let (count, first) = undelivered.withLock { state in
      defer { state = (0, nil) }
      return state
    }
    guard let first else { return nil }
    let message = count == 1 ? first.message : "\(count) records were not delivered; \(first.message)"
    return BusError(first.remedy, code: first.code, message)
  }

  var trouble: BusError? { complaint.withLock { $0 } }
  func answered() { complaint.withLock { $0 = nil } }
}
