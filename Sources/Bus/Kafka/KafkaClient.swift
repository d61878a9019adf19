import Base
import CRdKafka
import Glibc
import Synchronization

/// One librdkafka client handle with its configuration and callbacks. Freed with the object.
final class KafkaClient: @unchecked Sendable {
  // @unchecked: `handle` is set once and librdkafka's calls are thread-safe; what is ours is in a Mutex
  // or belongs to the one thread that polls (`rebalance`).
  enum Kind { case producer, consumer }

  /// What the callbacks of all clients of a bus report to.
  final class Reports: Sendable {
    let log: Log
    let failures: Metric
    private let latest = Mutex<[String: String]>([:])

    init(log: Log, metrics: Metrics) {
      self.log = log
      failures = metrics.counter("belfry_bus_errors_total", "Errors that the Kafka client reported")
    }

    func keep(statistics: String, of client: String) { latest.withLock { $0[client] = statistics } }
    func forget(_ client: String) { latest.withLock { $0[client] = nil } }
    var statistics: [String: String] { latest.withLock { $0 } }
  }

  private(set) var handle: OpaquePointer
  let reports: Reports
  /// Set by a group consumer before its first poll: assign (true) or revoke, with the partitions.
  var rebalance:
    ((_ assign: Bool, _ partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> Void)?
  /// Records that could not be delivered since this was last taken: how many, and why the first was not.
  private let undelivered = Mutex<(count: Int, first: BusError?)>((0, nil))
  /// What the client last said of its brokers: why one cannot be reached, or does not let us in.
  private let complaint = Mutex<BusError?>(nil)
  private let serving = Lock()
  /// What is known of a password that is refused though it may be right.
  private let scramHint: String

  /// Throws `.refuse` with librdkafka's own words for a property that it does not know or accept.
  init(_ kind: Kind, _ properties: [String: String], reports: Reports) throws(BusError) {
    self.reports = reports
    scramHint = Self.scramHint(properties["sasl.mechanism"] ?? properties["sasl.mechanisms"] ?? "")
    let conf = rd_kafka_conf_new()!
    let text = UnsafeMutablePointer<CChar>.allocate(capacity: 512)
    defer { text.deallocate() }
    for (name, value) in properties.sorted(by: { $0.key < $1.key }) {
      if rd_kafka_conf_set(conf, name, value, text, 512) != RD_KAFKA_CONF_OK {
        let message = String(cString: text)
        rd_kafka_conf_destroy(conf)
        throw BusError(.refuse, code: "CONFIGURATION", "kafka.properties: \(name): \(message)")
      }
    }
    handle = OpaquePointer(bitPattern: 1)!  // replaced below; nothing polls before
    rd_kafka_conf_set_opaque(conf, Unmanaged.passUnretained(self).toOpaque())
    Self.setCallbacks(conf, kind)
    let type = kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER
    guard let made = rd_kafka_new(type, conf, text, 512) else {
      rd_kafka_conf_destroy(conf)
      throw BusError(.refuse, code: "CONFIGURATION", "kafka: \(String(cString: text))")
    }
    handle = made
  }

  deinit {
    if UInt(bitPattern: handle) != 1 {
      reports.forget(String(cString: rd_kafka_name(handle)))
      // Without a consumer's close: a static member keeps its partitions, and nothing can wait for ever.
      rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    }
  }

  /// librdkafka before 2.6.1 answers with its own nonce twice (its pull request 4895), which brokers let pass
  /// until CVE-2024-56128 was mended in them; Kafka 4 does not.
  private static func scramHint(_ mechanism: String) -> String {
    guard mechanism.uppercased().hasPrefix("SCRAM-"), rd_kafka_version() < 0x0206_01ff else { return "" }
    return " (the password may be right: Kafka 4 refuses SCRAM from librdkafka before 2.6.1, this is "
      + "\(String(cString: rd_kafka_version_str())))"
  }

  private static func of(_ opaque: UnsafeMutableRawPointer?) -> KafkaClient {
    Unmanaged<KafkaClient>.fromOpaque(opaque!).takeUnretainedValue()
  }

  private static func setCallbacks(_ conf: OpaquePointer, _ kind: Kind) {
    rd_kafka_conf_set_log_cb(conf) { handle, level, facility, message in
      guard let handle, let opaque = rd_kafka_opaque(handle), let message else { return }
      let log = KafkaClient.of(opaque).reports.log
      let text = String(cString: message)
      let fields = ("facility", facility.map { String(cString: $0) } ?? "")
      switch level {
      case ...4: log.warning(text, fields)
      case 5, 6: log.info(text, fields)
      default: log.debug(text, fields)
      }
    }
    rd_kafka_conf_set_error_cb(conf) { _, code, reason, opaque in
      let client = KafkaClient.of(opaque)
      let code = ResponseCode(code)
      let hint = code == RD_KAFKA_RESP_ERR__AUTHENTICATION ? client.scramHint : ""
      let words = (reason.map { String(cString: $0) } ?? "") + hint
      client.reports.failures.add()
      client.reports.log.warning(words, ("code", String(cString: rd_kafka_err2name(code))))
      // That all brokers are down follows when each has said why.
      if code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
        client.complaint.withLock { $0 = BusError(code, words: words) }
      }
    }
    rd_kafka_conf_set_stats_cb(conf) { handle, json, count, opaque in
      guard let json, let handle else { return 0 }
      let text = String(decoding: UnsafeRawBufferPointer(start: json, count: count), as: UTF8.self)
      KafkaClient.of(opaque).reports.keep(statistics: text, of: String(cString: rd_kafka_name(handle)))
      return 0
    }
    switch kind {
    case .consumer:
      rd_kafka_conf_set_rebalance_cb(conf) { _, code, partitions, opaque in
        let client = KafkaClient.of(opaque)
        client.rebalance?(code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, partitions!)
      }
    case .producer:
      rd_kafka_conf_set_dr_msg_cb(conf) { _, message, opaque in
        guard let message, message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        KafkaClient.of(opaque).notDelivered(message.pointee)
      }
    }
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

  /// Calls back what has come besides messages: errors, statistics, delivery reports. Any thread may call;
  /// on return all that had come before has been called back.
  func serve() {
    serving.acquire()
    defer { serving.release() }
    rd_kafka_poll(handle, 0)
  }

  /// Records that were not delivered since the last call, as one error. nil: there are none.
  func takeUndelivered() -> BusError? {
    serve()
    let (count, first) = undelivered.withLock { state in
      defer { state = (0, nil) }
      return state
    }
    guard let first else { return nil }
    let message = count == 1 ? first.message : "\(count) records were not delivered; \(first.message)"
    return BusError(first.remedy, code: first.code, message)
  }

  /// Throws a question's outcome, if it is an error. Where no broker has answered, it says what the client
  /// knows about why not.
  func check(_ code: ResponseCode, _ context: @autoclosure () -> String) throws(BusError) {
    if code == RD_KAFKA_RESP_ERR_NO_ERROR { return answered() }
    let isUnanswered = code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT
    guard isUnanswered, let known = trouble else { throw BusError(code, context()) }
    throw BusError(known.remedy, code: known.code, "\(context()): \(known.message)")
  }

  /// What the client last said of its brokers, if none has answered since.
  var trouble: BusError? {
    serve()
    return complaint.withLock { $0 }
  }

  func answered() { complaint.withLock { $0 = nil } }

  /// The error that ended this client for good, if there is one.
  var fatalError: BusError? {
    let text = UnsafeMutablePointer<CChar>.allocate(capacity: 512)
    defer { text.deallocate() }
    let code = rd_kafka_fatal_error(handle, text, 512)
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : BusError(code, words: String(cString: text)).asFatal
  }
}

extension BusError {
  /// A fatal error is never tried again on the same client.
  fileprivate var asFatal: BusError {
    remedy == .fenced ? self : BusError(.recreate, code: code, message)
  }
}

/// A list of partitions with offsets, freed with the object.
final class PartitionList {
  typealias Pointer = UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
  private let pointer: Pointer

  /// Scoped access: the list lives until the call returns.
  func with<Result>(_ body: (Pointer) -> Result) -> Result {
    withExtendedLifetime(self) { body(pointer) }
  }

  /// Its entries, with what a call wrote into them.
  var entries: [Entry] { with { Self.entries($0) } }

  typealias Entry = (partition: TopicPartition, offset: Int64, error: ResponseCode)

  init(_ offsets: [TopicPartition: Int64]) {
    pointer = rd_kafka_topic_partition_list_new(Int32(offsets.count))
    for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
      rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition).pointee.offset = offset
    }
  }

  convenience init(_ partitions: [TopicPartition], offset: Int64) {
    self.init(Dictionary(uniqueKeysWithValues: partitions.map { ($0, offset) }))
  }

  deinit { rd_kafka_topic_partition_list_destroy(pointer) }

  /// The entries of a list of librdkafka's.
  static func entries(_ list: Pointer) -> [Entry] {
    (0..<Int(list.pointee.cnt)).map { index in
      let entry = list.pointee.elems[index]
      return (TopicPartition(String(cString: entry.topic), entry.partition), entry.offset, entry.err)
    }
  }
}

extension Duration {
  /// For librdkafka's calls, which take an `int` of milliseconds. Rounded up: a wait of less than one is
  /// still a wait, or loops that wait for a deadline would spin before it.
  var timeoutMilliseconds: Int32 { Int32(clamping: (self + .nanoseconds(999_999)).milliseconds) }
}
