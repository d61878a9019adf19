import Base

/// What is counted of commands. The open transaction's counts wait for its end, as an aborted one is done again.
final class CommandCounts {
  enum Result: String, CaseIterable {
    case done, failed, rejected
    /// Answered again as before.
    case repeated
  }

  let pending: Metric
  private let results: [Metric]
  private let rows: Metric
  private var openResults: [Result] = []
  var openRows = 0

  init(_ metrics: Metrics) {
    pending = metrics.gauge("belfry_commands_pending", "Changes by clients that wait or run.")
    results = Result.allCases.map {
      metrics.counter(
        "belfry_commands_total", "Changes by clients that were answered.", [("result", $0.rawValue)])
    }
    rows = metrics.counter("belfry_command_rows_total", "Rows that changes by clients touched.")
  }

  func answered(_ result: Result) { openResults.append(result) }

  func commit() {
    for result in openResults { results[Result.allCases.firstIndex(of: result)!].add() }
    rows.add(openRows)
    forget()
  }

  func forget() {
    openResults.removeAll(keepingCapacity: true)
    openRows = 0
  }
}
