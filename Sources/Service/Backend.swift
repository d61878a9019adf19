import Base
import Bus
import Console
import Events
import Matching
import Notifier
import Query
import Requests
import Synchronization

/// Answers the console's paths from a running member.
public final class Backend: ConsoleBackend {
  /// Rows that one answer holds at most; an answer that was cut says so.
  public static let queryRowsMax = 10_000
  /// How long a question waits for the table's thread, which answers between transactions.
  private static let queryTimeout = Duration.seconds(10)

  private let member: Member
  private let catalog: OneTable
  private let metrics: Metrics
  private let kafka: KafkaMetrics

  public init(_ member: Member, schema: Schema, bus: any Bus, metrics: Metrics) {
    kafka = KafkaMetrics(bus: bus, metrics: metrics)
    self.member = member
    catalog = OneTable(schema)
    self.metrics = metrics
  }

  public func readiness() -> [String] { member.readiness.list }

  public func liveness() -> [String] { member.failure.map { [$0.description] } ?? [] }

  public func metricsText() -> String {
    kafka.update()
    return metrics.prometheusText()
  }

  public func query(_ sql: String) -> QueryAnswer {
    let question: Question
    do throws(SQLError) {
      question = try parseQuestion(sql, in: catalog, member.definitions.current)
    } catch {
      return .rejected(
        code: error.code.rawValue, message: error.message, line: error.line, column: error.column)
    }
    if question.isExplained {
      let index = ask { .explain(question.view.filter, reply: $0) }
      return .rows(json: Self.json(Explanation(question.view, index: index)))
    }
    switch ask(question.view) {
    case .success(let result): return .rows(json: Self.json(result))
    case .failure(let error):
      return .rejected(code: "limit", message: "\(error)", line: 1, column: 1)
    case nil:
      let reasons = member.readiness.list
      return .unavailable(
        reason: reasons.isEmpty ? "the table did not answer in time" : reasons.joined(separator: "; "))
    }
  }

  /// `{"columns":[{"name","type"}],"rows":[{…}],"count":n,"matched":n,"truncated":bool}`
  private static func json(_ result: QueryResult) -> String {
    let columns = JSON.array(
      result.columns.map { .object(of: ["name": .string($0.name), "type": .string($0.type.rawValue)]) })
    return "{\"columns\":\(columns.text),\"rows\":\(String(decoding: result.rows, as: UTF8.self)),"
      + "\"count\":\(result.count),\"matched\":\(result.matched),\"truncated\":\(result.count < result.matched)}"
  }

  /// In the form of a result, a row a line; and as one object.
  private static func json(_ explanation: Explanation) -> String {
    let lines = explanation.lines
    let columns = ["what", "value"].map { JSON.object(of: ["name": .string($0), "type": .string("string")]) }
    return JSON.object(of: [
      "columns": .array(columns),
      "rows": .array(lines.map { .object(of: ["what": .string($0.what), "value": .string($0.value)]) }),
      "count": .int(Int64(lines.count)), "matched": .int(Int64(lines.count)), "truncated": .bool(false),
      "explanation": explanation.json,
    ]).text
  }

  /// The rows of a view as they are; nil when the member does not serve or does not answer in time.
  public func ask(_ view: View) -> Result<QueryResult, EngineError>? {
    ask { .query(view, rowsMax: Self.queryRowsMax, reply: $0) }
  }

  /// Asks the table's thread, by the letter that takes the reply, and waits.
  private func ask<Reply: Sendable>(_ letter: (@escaping @Sendable (Reply) -> Void) -> TableLetter) -> Reply?
  {
    // While the table does not serve, questions would only pile up. What the publisher does is all one.
    guard member.readiness.list(without: "publisher").isEmpty else { return nil }
    let answer = Answer<Reply>()
    return member.ask(letter { answer.put($0) }) ? answer.wait(atMost: Self.queryTimeout) : nil
  }
}

/// Carries one answer from the table's thread to the one that asked.
private final class Answer<Reply: Sendable>: Sendable {
  private let result = Mutex<Reply?>(nil)
  private let signal = Signal()

  func put(_ answer: Reply) {
    result.withLock { $0 = answer }
    signal.raise()
  }

  func wait(atMost limit: Duration) -> Reply? {
    signal.wait(atMost: limit)
    return result.withLock { $0 }
  }
}
