import Base
import Events
import Query
import Testing

@testable import Matching

/// A table in small: rows that change by drains, streams, and what a reader of each has folded.
final class World: Catalog {
  let schema: Schema
  let strings = StringTable()
  let rows: RowStore
  let engine: Engine
  /// Keys in the order of their coming.
  private(set) var keys: [String] = []
  private var slots: [String: RowStore.Slot] = [:]
  private(set) var values: [String: [Value]] = [:]
  private(set) var views: [String: View] = [:]
  /// By stream: values by keys.
  private(set) var folded: [String: [[UInt8]: [UInt8]]] = [:]

  init(_ schema: Schema = samples, limits: EngineLimits = EngineLimits()) {
    self.schema = schema
    rows = RowStore(schema: schema, strings: strings)
    engine = Engine(rows: rows, limits: limits)
  }

  var tableNames: [String] { [schema.table] }
  func schema(ofTable name: String) -> Schema? { name == schema.table ? schema : nil }

  // MARK: Rows

  /// A row of `samples` that is all defaults but for what is given.
  func put(_ key: String, _ given: KeyValuePairs<String, Value> = [:]) {
    var row = values[key] ?? schema.columns.map(\.default)
    row[schema.key[0]] = .string(key)
    for (name, value) in given { row[schema.index(of: name)!] = value }
    set(key, row)
  }

  func delete(_ key: String) { set(key, nil) }

  /// One dirty row of a drain.
  func set(_ key: String, _ new: [Value]?) {
    let code = strings.intern(key)
    let old = slots[key]
    var slot: RowStore.Slot?
    if let new {
      slot = rows.makeSlot()
      for (i, value) in new.enumerated() { rows.row(slot!)[i] = rows.cell(value) }
    }
    if old == nil, new != nil { keys.append(key) }
    if new == nil { keys.removeAll { $0 == key } }
    slots[key] = slot
    values[key] = new
    engine.apply(key: code, before: old.map { Row(rows.row($0)) }, after: slot.map { Row(rows.row($0)) })
    if let old {
      rows.releaseStrings(rows.row(old))
      rows.freeSlot(old)
    }
    strings.release(code)
  }

  func forEachRow(_ body: (StringTable.Code, Row) -> Void) {
    for key in keys {
      let code = strings.intern(key)
      body(code, Row(rows.row(slots[key]!)))
      strings.release(code)
    }
  }

  func current(_ code: StringTable.Code) -> Row? {
    slots[strings.string(code)].map { Row(rows.row($0)) }
  }

  func advance(to now: Int64) { engine.advance(to: now) { current($0) } }

  // MARK: Streams

  func add(_ id: String, _ sql: String, _ statements: [String] = []) throws {
    var definitions = Definitions()
    for statement in statements { definitions.apply(try parseStatement(statement, in: self, definitions)) }
    let view = try parseView(sql, in: self, definitions)
    try engine.add(stream: id, set: view.filterText, view: view) { forEachRow($0) }
    views[id] = view
    folded[id] = [:]
  }

  func remove(_ id: String) {
    engine.remove(stream: id)
    views[id] = nil
    folded[id] = nil
  }

  /// Collects as a publisher would, folds as a reader would; returns `key value` lines, null as `-`.
  @discardableResult
  func collect(_ ids: String...) -> [String] { collect(ids) }

  @discardableResult
  func collect(_ ids: [String]) -> [String] {
    let batch = SweepBatch()
    engine.collect(ids, into: batch, current: current)
    return batch.records.map { record in
      let id = batch.streams[Int(record.stream)].id
      folded[id]?[Array(batch.key(record))] = batch.value(record).map { Array($0) }
      return "\(batch.keyText(record)) \(batch.valueText(record) ?? "-")"
    }
  }

  func query(_ sql: String, limit: Int = .max) throws -> QueryResult {
    try Engine.query(
      try parseView(sql, in: self), rows: rows, each: { forEachRow($0) }, limit: limit, now: engine.now)
  }

  /// What a stream of a view that began now would fold to: each record's key, a zero byte, its value.
  func evaluated(_ view: View) -> [[UInt8]] {
    let fresh = Engine(rows: rows)
    fresh.advance(to: engine.now) { _ in nil }
    fresh.add([NewStream(id: "", set: "", view: view)]) { forEachRow($0) }
    let batch = SweepBatch()
    fresh.collect([""], into: batch, current: current)
    defer { fresh.remove(stream: "") }
    return batch.records.map {
      Array(batch.key($0)) + [0] + Array(batch.value($0) ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }
  }
}
