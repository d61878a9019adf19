import Base
import Events
import Query

@testable import Matching

/// Plays a history to the engine and to SQLite.
struct HistoryRun {
  private let world: World
  private let database: Database
  private let columns: [Int]
  private var questions: [String: Question] = [:]
  /// Streams that were compared, each time.
  private(set) var comparisons = 0

  /// What the first difference is; nil: there is none.
  static func failure(_ history: History) -> String? {
    var run = HistoryRun(history.schema)
    return run.play(history.steps)
  }

  init(_ schema: Schema) {
    world = World(schema)
    world.advance(to: Oracle.now)
    database = Database(now: Oracle.now)
    columns = samples.columns.map { schema.index(of: $0.name)! }
  }

  mutating func play(_ steps: [History.Step]) -> String? {
    for step in steps { if let failure = take(step) { return failure } }
    for id in world.views.keys.sorted() { world.remove(id) }
    for key in world.keys { world.delete(key) }
    return world.strings.count == 0 ? nil : "\(world.strings.count) strings are held by nobody"
  }

  private mutating func take(_ step: History.Step) -> String? {
    switch step {
    case .begin(let stream, let question): return begin("\(stream)", question)
    case .end(let stream):
      if questions.removeValue(forKey: "\(stream)") != nil { world.remove("\(stream)") }
    case .put(let row, let unread): put(row, unread)
    case .delete(let key):
      if world.values[key] == nil { return nil }
      world.delete(key)
      database.delete(key)
    case .wait(let milliseconds):
      database.now += milliseconds
      world.advance(to: database.now)
    case .collect(let streams):
      let ids = streams?.map(String.init).filter { questions[$0] != nil } ?? questions.keys.sorted()
      world.collect(ids)
      for id in ids { if let failure = compare(id) { return failure } }
    }
    return nil
  }

  private mutating func begin(_ id: String, _ question: Question) -> String? {
    if questions[id] != nil { return nil }
    do {
      try world.add(id, question.ours, question.definitions)
    } catch {
      return "\(error): \(question.ours)"
    }
    questions[id] = question
    return nil
  }

  private func put(_ row: [Value], _ unread: Int64) {
    guard case .string(let key) = row[0] else { return }
    var values = [Value](repeating: .int(unread), count: world.schema.columns.count)
    for (value, column) in zip(row, columns) { values[column] = value }
    world.set(key, values)
    database.put(row)
  }

  // MARK: Comparing

  private mutating func compare(_ id: String) -> String? {
    comparisons += 1
    let (view, question) = (world.views[id]!, questions[id]!)
    let comparison = Comparison(view, question)
    let found = comparison.records(world.folded[id]!.map { ($0.key, $0.value) })
    let theirs = database.records(question.theirs, view)
    if !comparison.agrees(found, theirs) { return comparison.text(id, found, "SQLite has", theirs) }
    if question.isExact { return nil }
    let ours = comparison.records(
      world.evaluated(view).map {
        let end = $0.lastIndex(of: 0)!
        return (Array($0[..<end]), Array($0[(end + 1)...]))
      })
    return found == ours ? nil : comparison.text(id, found, "a stream that begins now has", ours)
  }
}
