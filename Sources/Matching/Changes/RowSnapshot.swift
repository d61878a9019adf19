import Base
import Events
import Query

/// The rows of a view as they are at one moment, as its records.
public struct RowSnapshot: Sendable {
  public let id: String
  /// Why there are none: the view has more than may be held.
  public let failure: EngineError?
  /// In the order of the table.
  public let rows: SweepBatch
}

extension Engine {
  /// Takes the rows of views of rows whose filters do not read the clock, in one pass; `rows` calls its argument
  /// once for each row that is there. A view whose records have more than `bytesMax` bytes fails. Where all together
  /// have more than `totalMax`, the last are left out, but never the first: they are to be asked for again.
  /// O(rows x views).
  public static func snapshots(
    of views: [(id: String, view: View)], _ strings: StringTable, bytesMax: Int, totalMax: Int = .max,
    rows forEachRow: ((StringTable.Code, Row) -> Void) -> Void
  ) -> [RowSnapshot] {
    var begun = views.map { BegunSnapshot($0.id, $0.view) }
    forEachRow { key, row in
      for index in begun.indices { begun[index].show(key, row, strings, bytesMax) }
      while begun.count > 1, begun.reduce(0, { $0 + $1.rows.byteCount }) > totalMax { begun.removeLast() }
    }
    return begun.map { RowSnapshot(id: $0.id, failure: $0.failure, rows: $0.rows) }
  }
}

private struct BegunSnapshot {
  let id: String
  private let filter: CompiledFilter
  private let record: PureState
  private(set) var rows = SweepBatch()
  private(set) var failure: EngineError?

  init(_ id: String, _ view: View) {
    guard case .pure(let outputs) = view.body else { preconditionFailure("no view of rows: \(view.text)") }
    self.id = id
    filter = CompiledFilter(view.filter)
    record = PureState(outputs, limits: EngineLimits())
    rows.begin(stream: id)
  }

  mutating func show(_ key: StringTable.Code, _ row: Row, _ strings: StringTable, _ bytesMax: Int) {
    guard failure == nil, filter.matches(row, strings, 0) else { return }
    rows.append {
      $0.append(strings.bytes(key))
    } value: {
      record.write(row, strings, to: &$0)
    }
    guard rows.byteCount > bytesMax else { return }
    failure = .tooManyBytes(max: bytesMax)
    rows = SweepBatch()
  }
}
