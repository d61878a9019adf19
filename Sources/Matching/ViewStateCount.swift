import Base
import Query

/// A metric view that only counts its rows, ungrouped: the index knows how many there are, so that a change
/// of a row costs it nothing.
final class CountState {
  private let fields: RecordFields
  private let metricCount: Int
  /// What its last record said; nil: there was none.
  private var published: Int64?
  var failure: EngineError?

  /// nil where the view wants more than a count.
  init?(_ body: View.Body) {
    guard case .metric(let metrics, let groupBy) = body, groupBy.isEmpty else { return nil }
    guard metrics.allSatisfy({ $0.function == .count && $0.argument == nil }) else { return nil }
    fields = RecordFields(metrics.map(\.name))
    metricCount = metrics.count
  }

  func pendingCount(_ rows: Int64) -> Int { published == rows ? 0 : 1 }

  /// Appends the record, where it is not what it was at the last collect.
  func collect(_ rows: Int64, into out: SweepBatch) {
    if published == rows { return }
    published = rows
    out.append {
      $0.append(GroupTable.ungroupedKey)
    } value: {
      for metric in 0..<metricCount {
        fields.open(metric, in: &$0)
        $0.append(decimal: rows)
      }
      $0.append(UInt8(ascii: "}"))
    }
  }
}
