import Base
import CRdKafka

typealias ResponseCode = rd_kafka_resp_err_t

extension BusError {
  /// Takes over a transaction call's error object, and frees it.
  init(consuming error: OpaquePointer) {
    let code = rd_kafka_error_code(error)
    let remedy: Remedy
    if Self.isFence(code) {
      remedy = .fenced
    } else if code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT {
      remedy = .refuse
    } else if rd_kafka_error_is_fatal(error) != 0 || code == RD_KAFKA_RESP_ERR__STATE
      || code == RD_KAFKA_RESP_ERR_INVALID_TXN_STATE || code == RD_KAFKA_RESP_ERR__CONFLICT
    {
      remedy = .recreate
    } else if rd_kafka_error_txn_requires_abort(error) != 0 {
      remedy = .abort
    } else if rd_kafka_error_is_retriable(error) != 0 || code == RD_KAFKA_RESP_ERR__TIMED_OUT {
      remedy = .retry
    } else {
      remedy = .recreate
    }
    self.init(
      remedy, code: String(cString: rd_kafka_error_name(error)), String(cString: rd_kafka_error_string(error))
    )
    rd_kafka_error_destroy(error)
  }

  /// An error known by its code alone. `context` says what was being done, and to what.
  init(_ code: ResponseCode, _ context: String) {
    self.init(code, words: "\(context): \(String(cString: rd_kafka_err2str(code)))")
  }

  /// An error of which librdkafka, or the broker, says more than the code does.
  init(_ code: ResponseCode, words: String) {
    self.init(Self.remedy(code), code: String(cString: rd_kafka_err2name(code)), words)
  }

  /// What befalls a record because another one failed, or because its transaction is aborted.
  var isPurge: Bool { code == "_PURGE_QUEUE" || code == "_PURGE_INFLIGHT" }

  private static func isFence(_ code: ResponseCode) -> Bool {
    code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED
      || code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH || code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID
  }

  private static func remedy(_ code: ResponseCode) -> Remedy {
    if isFence(code) { return .fenced }
    switch code {
    case RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__STATE, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
      return .recreate
    case RD_KAFKA_RESP_ERR__INVALID_ARG, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR__AUTHENTICATION,
      RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
      RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, RD_KAFKA_RESP_ERR_INVALID_CONFIG,
      RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
      RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
      RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
      RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
      RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
      RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
      return .refuse
    default:
      return .retry
    }
  }
}

/// Throws what a transaction call returned, if it is an error.
func check(_ error: OpaquePointer?) throws(BusError) {
  if let error { throw BusError(consuming: error) }
}

/// Throws a code that is not "no error".
func check(_ code: ResponseCode, _ context: @autoclosure () -> String) throws(BusError) {
  if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw BusError(code, context()) }
}
