import Base
import Events
import Query

/// The answer to a question that was asked once.
public struct QueryResult: Sendable {
  public let columns: [RecordColumn]
  /// A JSON array of flat objects with these columns, in this order.
  public let rows: [UInt8]
  /// Objects in `rows`.
  public let count: Int
  /// Rows or groups of the whole result, of which `rows` has the first `count`.
  public let matched: Int
  /// Sums of the whole result that are null, since no 64-bit number holds them.
  public let sumOverflows: Int
}

extension Engine {
  /// Answers a question from the rows as they are (`/v1/query`). On the table's thread; O(rows).
  ///
  /// `each` calls its argument once for each row; `now` is NOW(), in ms. The result has at most `limit` objects: of a pure view in
  /// the order of the rows, of groups in the order of their first rows. Throws where there are more groups
  /// than `limits` allows.
  public static func query(
    _ view: View, rows: RowStore, each forEachRow: ((StringTable.Code, Row) -> Void) -> Void, limit: Int,
    now: Int64, limits: EngineLimits = EngineLimits()
  ) throws(EngineError) -> QueryResult {
    switch view.body {
    case .pure(let outputs):
      return list(view, PureState(outputs, limits: limits), rows.strings, forEachRow, limit, now)
    case .metric: return try summary(view, rows, forEachRow, limit, now, limits)
    }
  }

  private static func list(
    _ view: View, _ state: PureState, _ strings: StringTable,
    _ forEachRow: ((StringTable.Code, Row) -> Void) -> Void, _ limit: Int, _ now: Int64
  ) -> QueryResult {
    let filter = CompiledFilter(view.filter)
    var text = ByteBuffer()
    var count = 0
    var matched = 0
    forEachRow { _, row in
      guard filter.matches(row, strings, now) else { return }
      matched += 1
      if count >= limit { return }
      text.append(count == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
      state.write(row, strings, to: &text)
      count += 1
    }
    return result(view, &text, count, matched, overflows: 0)
  }

  private static func summary(
    _ view: View, _ rows: RowStore, _ forEachRow: ((StringTable.Code, Row) -> Void) -> Void, _ limit: Int,
    _ now: Int64, _ limits: EngineLimits
  ) throws(EngineError) -> QueryResult {
    let engine = Engine(rows: rows, limits: limits)
    engine.advance(to: now) { _ in nil }
    try engine.add(stream: "", set: "", view: view, rows: forEachRow)
    let batch = SweepBatch()
    engine.collect(CollectionOfOne(""), into: batch) { _ in nil }
    engine.remove(stream: "")
    var text = ByteBuffer()
    for (i, record) in batch.records.prefix(max(limit, 0)).enumerated() {
      text.append(i == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
      if let value = batch.value(record) { text.append(value) }
    }
    return result(
      view, &text, min(batch.count, max(limit, 0)), batch.count, overflows: engine.sumOverflows)
  }

  private static func result(
    _ view: View, _ text: inout ByteBuffer, _ count: Int, _ matched: Int, overflows: Int
  ) -> QueryResult {
    if count == 0 { text.append(UInt8(ascii: "[")) }
    text.append(UInt8(ascii: "]"))
    return QueryResult(
      columns: view.recordColumns, rows: Array(text.bytes), count: count, matched: matched,
      sumOverflows: overflows)
  }
}
