import Base
import Events
import Query

/// A pure view: which row keys of it changed since it was collected last.
final class PureState {
  let columns: ColumnSet
  private let fields: RecordFields
  private let values: [CompiledExpression]
  private var pending = PendingKeys()
  private let pendingKeysMax: Int
  var failure: EngineError?

  init(_ outputs: [OutputColumn], limits: EngineLimits) {
    fields = RecordFields(outputs.map(\.name))
    values = outputs.map { CompiledExpression($0.expression) }
    columns = ColumnSet(values.flatMap(\.columnsUsed))
    pendingKeysMax = limits.pendingKeysMax
  }

  var pendingCount: Int { pending.count }

  /// One row of the view's filter; `wasIn` and `isIn` say on which side it passes.
  @inline(__always)
  func apply(
    _ key: StringTable.Code, wasIn: Bool, isIn: Bool, changed: ColumnSet, _ strings: StringTable
  ) {
    if wasIn && isIn && !changed.intersects(columns) { return }
    note(key, wasIn: wasIn, isIn: isIn, strings)
  }

  private func note(_ key: StringTable.Code, wasIn: Bool, isIn: Bool, _ strings: StringTable) {
    if failure != nil { return }
    if pending.note(key, wasIn: wasIn, isIn: isIn, strings, max: pendingKeysMax) { return }
    failure = .tooManyPendingKeys(max: pendingKeysMax)
    removeAll(strings)
  }

  /// Appends what is pending and clears it; gives up where `out` has more than so many bytes.
  func collect(
    into out: SweepBatch, bytesMax: Int, _ strings: StringTable, _ current: (StringTable.Code) -> Row?
  ) {
    for entry in pending.entries where entry.isIn || entry.wasIn {
      if out.byteCount > bytesMax { break }
      let key = strings.bytes(entry.key)
      if entry.isIn, let row = current(entry.key) {
        out.append {
          $0.append(key)
        } value: {
          write(row, strings, to: &$0)
        }
      } else if entry.wasIn {
        out.append(nullWithKey: { $0.append(key) })
      }
    }
    pending.removeAll(strings)
  }

  func removeAll(_ strings: StringTable) { pending.removeAll(strings) }

  /// The record of a row.
  func write(_ row: Row, _ strings: StringTable, to buffer: inout ByteBuffer) {
    for (i, value) in values.enumerated() {
      fields.open(i, in: &buffer)
      if let column = value.column {
        buffer.append(row[column], as: value.type, strings)
      } else {
        buffer.append(value.value(row, strings))
      }
    }
    buffer.append(UInt8(ascii: "}"))
  }
}
