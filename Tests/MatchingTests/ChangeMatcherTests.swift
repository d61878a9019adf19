import Base
import Events
import Query
import Testing

@testable import Matching

/// Changes as the changelog has them, and what they are for views.
@Suite struct ChangeMatcherTests {
  @Test func `snapshots that are together too large are fewer, but at least one`() throws {
    let world = World()
    for n in 0..<50 { world.put("row \(n)") }
    let views = try ["a", "b", "c"].map { ($0, try parseView("SELECT * FROM samples", in: world)) }
    func taken(_ totalMax: Int) -> [String] {
      Engine.snapshots(of: views, world.strings, bytesMax: 1 << 20, totalMax: totalMax) {
        world.forEachRow($0)
      }.map { "\($0.id) \($0.rows.count)" }
    }
    let all = taken(.max)
    #expect(all == ["a 50", "b 50", "c 50"])
    #expect(taken(1) == ["a 50"])
    let one = Engine.snapshots(of: [views[0]], world.strings, bytesMax: 1 << 20) { world.forEachRow($0) }
    #expect(taken(one[0].rows.byteCount * 5 / 2) == ["a 50", "b 50"])
  }

  /// A table of which only the changes are told.
  private struct Log {
    let matcher = ChangeMatcher(samples)
    private var rows: [String: [Value]] = [:]
    private(set) var refusals: [Refusal] = []

    struct Told: Equatable {
      let view: Int
      let transition: ChangeMatcher.Transition
      // Bytes: what Unicode takes for the same text is another value.
      let before: [UInt8]?
      let after: [UInt8]?
    }

    var values: [String: [Value]] { rows }

    mutating func set(_ key: String, _ new: [Value]?) -> [Told] {
      let old = rows[key]
      rows[key] = new
      var told: [Told] = []
      let value = new.map { object($0, Array(samples.columns.indices)) }
      let before = old.map { old in
        object(old, samples.columns.indices.filter { new == nil || bytes(new![$0]) != bytes(old[$0]) })
      }
      let refusal = withOptional(value) { value in
        withOptional(before) { before in
          matcher.take(value: value, before: before) { view, transition in
            told.append(
              Told(
                view: view, transition: transition,
                before: transition == .entered ? nil : text { matcher.writeBefore(view, to: &$0) },
                after: transition == .left ? nil : text { matcher.writeAfter(view, to: &$0) }))
          }
        }
      }
      if let refusal { refusals.append(refusal) }
      return told
    }

    private func text(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
      var buffer = ByteBuffer()
      write(&buffer)
      return Array(buffer.bytes)
    }

    private func bytes(_ value: Value) -> [UInt8] { Array(JSON(value).text.utf8) }

    private func object(_ row: [Value], _ columns: [Int]) -> String {
      JSON.object(columns.map { JSON.Member(samples.columns[$0].name, JSON(row[$0])) }).text
    }
  }

  @Test func `a row enters, changes in and leaves a view, and its record is told as it was and is`() throws {
    var log = Log()
    let view = log.matcher.add(try pure("SELECT a FROM samples WHERE a >= 4"))
    var row = samples.columns.map(\.default)
    row[samples.key[0]] = .string("k")
    let a = try #require(samples.index(of: "a"))
    func record(_ n: Int) -> [UInt8] { Array(#"{"id":"k","a":\#(n)}"#.utf8) }
    #expect(log.set("k", row).isEmpty)
    row[a] = .int(5)
    #expect(log.set("k", row) == [.init(view: view, transition: .entered, before: nil, after: record(5))])
    row[a] = .int(7)
    #expect(
      log.set("k", row) == [.init(view: view, transition: .changed, before: record(5), after: record(7))])
    #expect(log.set("k", nil) == [.init(view: view, transition: .left, before: record(7), after: nil)])
    #expect(log.refusals.isEmpty)
  }

  @Test func `what cannot be read is said, and the next change is read`() throws {
    let matcher = ChangeMatcher(samples)
    let view = matcher.add(try pure("SELECT a FROM samples"))
    func take(_ value: String?, _ before: String?) -> Refusal? {
      withOptional(value) { value in
        withOptional(before) { before in matcher.take(value: value, before: before) { _, _ in } }
      }
    }
    #expect(take("{", nil)?.code == .json)
    #expect(take(nil, nil)?.code == .empty)
    #expect(take(#"{"id":"k"}"#, #"{"a":"seven"}"#)?.code == .type)
    #expect(take(#"{"a":1}"#, nil)?.code == .keyMissing)
    #expect(take(#"{"id":"k","a":1}"#, nil) == nil)
    matcher.remove(view)
    #expect(matcher.viewCount == 0)
  }

  /// Random tables, filters and changes: what is told of each change is what evaluating both rows gives, and its
  /// fold is the view.
  @Test(arguments: 1...6) func `what is told is what both rows give`(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    generator.allowsClock = false
    var log = Log()
    var views: [Int: (view: Evaluation, fold: [String: [UInt8]])] = [:]
    for step in 0..<150 {
      if views.count < 12, step % 5 == 0 {
        let column = generator.pick(["a", "s", "flag", "q", "at"])
        let computed = generator.pick(["b % 2", "LOWER(t)", "LENGTH(s) > 1", "ABS(r)"])
        let condition = generator.condition(2).ours
        guard let view = try? pure("SELECT \(column), \(computed) AS c FROM samples WHERE \(condition)")
        else {
          continue
        }
        let evaluation = Evaluation(view)
        var fold: [String: [UInt8]] = [:]
        for (key, row) in log.values { fold[key] = evaluation.record(row) }
        views[log.matcher.add(view)] = (evaluation, fold)
      }
      if views.count > 6, step % 11 == 0 {
        let gone = generator.pick(views.keys.sorted())
        log.matcher.remove(gone)
        views[gone] = nil
      }
      let key = "k\(generator.below(8))"
      let old = log.values[key]
      let new = generator.below(6) == 0 ? nil : row(key, old, &generator)
      if old == nil && new == nil { continue }
      let told = log.set(key, new)
      #expect(Set(told.map(\.view)).count == told.count, "each view once")
      for (number, (evaluation, _)) in views {
        let (before, after) = (old.flatMap(evaluation.record), new.flatMap(evaluation.record))
        let mine = told.first { $0.view == number }
        if before == after {
          #expect(mine == nil, "seed \(seed), step \(step): \(evaluation.text)")
        } else {
          #expect(
            mine?.before == before && mine?.after == after, "seed \(seed), step \(step): \(evaluation.text)")
        }
        if let mine { views[number]!.fold[key] = mine.after }
        #expect(views[number]!.fold[key] == after)
      }
    }
    #expect(log.refusals.isEmpty)
  }

  private func row(_ key: String, _ old: [Value]?, _ generator: inout Generator) -> [Value] {
    var row = generator.rows(1)[0]
    row[samples.key[0]] = .string(key)
    guard let old else { return row }
    return row.indices.map { generator.below(3) == 0 ? row[$0] : old[$0] }
  }

  /// A view, evaluated from scratch for one row.
  private struct Evaluation {
    let text: String
    private let rows = RowStore(schema: samples, strings: StringTable())
    private let filter: CompiledFilter
    private let record: PureState?

    init(_ view: View) {
      text = view.text
      filter = CompiledFilter(view.filter)
      if case .pure(let outputs) = view.body {
        record = PureState(outputs, limits: EngineLimits())
      } else {
        record = nil
      }
    }

    func record(_ row: [Value]) -> [UInt8]? {
      let slot = rows.makeSlot()
      for (i, value) in row.enumerated() { rows.row(slot)[i] = rows.cell(value) }
      defer {
        rows.releaseStrings(rows.row(slot))
        rows.freeSlot(slot)
      }
      guard filter.matches(Row(rows.row(slot)), rows.strings, 0) else { return nil }
      var buffer = ByteBuffer()
      record?.write(Row(rows.row(slot)), rows.strings, to: &buffer)
      return Array(buffer.bytes)
    }
  }
}

private struct SamplesCatalog: Catalog {
  func schema(ofTable name: String) -> Schema? { name == samples.table ? samples : nil }
  var tableNames: [String] { [samples.table] }
}

private func pure(_ sql: String) throws -> View { try parseView(sql, in: SamplesCatalog()) }

private func withOptional<Result>(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
  guard let text else { return body(nil) }
  return Array(text.utf8).withUnsafeBytes { body($0) }
}
