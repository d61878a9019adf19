import Base
import CRdKafka

/// One librdkafka client handle with its configuration. Freed with the object.
final class KafkaClient: @unchecked Sendable {
  // @unchecked: both are set once, and librdkafka's calls are thread-safe.
  enum Kind { case producer, consumer }

  let handle: OpaquePointer
  private let callbacks: KafkaCallbacks
  private let serving = Lock()

  var reports: KafkaCallbacks.Reports { callbacks.reports }
  /// Set by a group consumer before its first poll: assign (true) or revoke, with the partitions.
  var rebalance: KafkaCallbacks.Rebalance? {
    get { callbacks.rebalance }
    set { callbacks.rebalance = newValue }
  }

  /// How long a client's end is waited for. librdkafka 2.0.2 may never end a consumer whose topic was deleted:
  /// such a one is left to itself, with its threads, so that its owner can go on. Counted; whoever asked has lost
  /// nothing by it, so it is a warning.
  private static let endLimit = Duration.seconds(5)

  /// Throws `.refuse` with librdkafka's own words for a property that it does not know or accept.
  init(_ kind: Kind, _ properties: [String: String], reports: KafkaCallbacks.Reports) throws(BusError) {
    let mechanism = properties["sasl.mechanism"] ?? properties["sasl.mechanisms"] ?? ""
    callbacks = KafkaCallbacks(reports, scramHint: Self.scramHint(mechanism))
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
    callbacks.install(conf, kind)
    let type = kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER
    guard let made = rd_kafka_new(type, conf, text, 512) else {
      rd_kafka_conf_destroy(conf)
      throw BusError(.refuse, code: "CONFIGURATION", "kafka: \(String(cString: text))")
    }
    handle = made
  }

  deinit {
    let name = String(cString: rd_kafka_name(handle))
    reports.forget(name)
    let end = End(handle, callbacks)
    guard let thread = JoinedThread({ end.carryOut() }) else { return end.carryOut() }
    if end.isOver.wait(atMost: Self.endLimit) { return thread.join() }
    reports.left.add()
    reports.log.warning("a client does not end, and is left to itself", ("client", name))
  }

  /// The end of a handle, on a thread of its own; what it calls back meanwhile lives as long as that takes.
  private final class End: @unchecked Sendable {
    // @unchecked: only the one thread touches the handle.
    let isOver = Signal()
    private let handle: OpaquePointer
    private let callbacks: KafkaCallbacks

    init(_ handle: OpaquePointer, _ callbacks: KafkaCallbacks) {
      self.handle = handle
      self.callbacks = callbacks
    }

    func carryOut() {
      // Without a consumer's close: a static member keeps its partitions.
      rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
      isOver.raise()
    }
  }

  /// librdkafka before 2.6.1 answers with its own nonce twice (its pull request 4895), which brokers let pass
  /// until CVE-2024-56128 was mended in them; Kafka 4 does not.
  private static func scramHint(_ mechanism: String) -> String {
    guard mechanism.uppercased().hasPrefix("SCRAM-"), rd_kafka_version() < 0x0206_01ff else { return "" }
    return " (the password may be right: Kafka 4 refuses SCRAM from librdkafka before 2.6.1, this is "
      + "\(String(cString: rd_kafka_version_str())))"
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
    return callbacks.takeUndelivered()
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
    return callbacks.trouble
  }

  func answered() { callbacks.answered() }

  /// The id that the group gave this member; nil while it has none.
  var memberID: String? {
    guard let text = rd_kafka_memberid(handle) else { return nil }
    defer { rd_kafka_mem_free(handle, text) }
    return text.pointee == 0 ? nil : String(cString: text)
  }

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
