import Base
import Events

/// A history of rows and streams as data, so that a part of it is a history, too: what refers to something
/// that is not there does nothing.
struct History {
  enum Step {
    case begin(Int, Question)
    case end(Int)
    /// A row of `samples`, in its columns' order, and what the columns have that no view reads.
    case put([Value], unread: Int64)
    case delete(String)
    /// So many ms go by.
    case wait(Int64)
    /// The batch is over: these streams, or all, are compared.
    case collect([Int]?)
  }

  /// `samples` with its columns in any order and with others between them.
  var schema: Schema
  var steps: [Step]
  /// Milliseconds that have gone by; the rows' times go with them.
  private var elapsed: Int64 = 0
  /// At most so many streams, from -1 down, are there beside the others: enough that the index has nodes below its
  /// root, its ranges sorted and its grams told apart.
  private(set) var crowd = 0

  init(schema: Schema, steps: [Step]) {
    self.schema = schema
    self.steps = steps
  }

  static func random(seed: UInt64, steps count: Int = 66) -> History {
    var generator = Generator(seed: seed)
    var history = History(schema: schema(&generator), steps: [])
    var rows: [String: [Value]] = [:]
    var streams: [Int] = []
    if seed % 9 == 0 { history.crowd = 40 + generator.below(111) }
    for number in 0..<history.crowd { history.begin(number, &generator) }
    for step in 0..<count {
      history.add(step, &generator, &rows, &streams)
      if generator.below(4) == 0 { history.changeCrowd(&generator) }
    }
    history.steps.append(.collect(nil))
    // The rows go before the streams, or after them.
    if generator.below(2) == 0 {
      history.steps += rows.keys.sorted().map { .delete($0) } + [.collect(nil)]
    }
    return history
  }

  /// One of the crowd; where it is there it stays what it is.
  private mutating func begin(_ number: Int, _ generator: inout Generator) {
    steps.append(.begin(-1 - number, generator.plainQuestion()))
  }

  private mutating func changeCrowd(_ generator: inout Generator) {
    if crowd == 0 { return }
    for _ in 0..<generator.below(crowd / 4) { steps.append(.end(-1 - generator.below(crowd))) }
    for _ in 0..<generator.below(crowd / 4) { begin(generator.below(crowd), &generator) }
  }

  private static func schema(_ generator: inout Generator) -> Schema {
    let unread = generator.pick([0, 0, 1, 5, 60, 490])
    let columns = samples.columns + (0..<unread).map { Column("unread\($0)", .int) }
    return Schema(table: "samples", columns: columns.shuffled(using: &generator.random), key: ["id"])
  }

  private mutating func add(
    _ step: Int, _ generator: inout Generator, _ rows: inout [String: [Value]], _ streams: inout [Int]
  ) {
    switch generator.below(13) {
    case 12:
      let milliseconds = generator.pick([1, 499, 500, 501, 1_000, 3_000]) as Int64
      elapsed += milliseconds
      steps.append(.wait(milliseconds))
    case 0 where streams.count < 12, 1 where streams.count < 6:
      streams.append(step)
      steps.append(.begin(step, generator.question()))
    case 2 where streams.count > 4: steps.append(.end(streams.remove(at: generator.below(streams.count))))
    case 3, 4, 5, 6:
      steps.append(.collect(generator.below(2) == 0 ? nil : streams.filter { _ in generator.below(2) == 0 }))
    default: for _ in 0...generator.below(4) { change(&generator, &rows) }
    }
  }

  /// A row comes, goes, changes wholly, or in a column or two.
  private mutating func change(_ generator: inout Generator, _ rows: inout [String: [Value]]) {
    let key = "row\(generator.below(14))"
    if generator.below(4) == 0 {
      rows[key] = nil
      return steps.append(.delete(key))
    }
    var row = generator.rows(1)[0]
    row[0] = .string(key)
    // Sums of `a` and `r` are exact in doubles.
    row[1] = .int(Int64(generator.below(2000) - 1000))
    row[3] = .real(Double(generator.below(64) - 32) / 8)
    if case .time(let time) = row[9] { row[9] = .time(time + elapsed / 500 * 500) }
    if let old = rows[key], generator.below(3) > 0 {
      let new = row
      row = old
      for _ in 0...generator.below(2) {
        let column = 1 + generator.below(new.count - 1)
        row[column] = new[column]
      }
    }
    rows[key] = row
    steps.append(.put(row, unread: Int64(generator.below(2))))
  }
}

extension History: CustomStringConvertible {
  var description: String {
    let other = schema.columns.count - samples.columns.count
    return "\(other) other columns\n" + steps.map(Self.text).joined(separator: "\n")
  }

  private static func text(_ step: Step) -> String {
    switch step {
    case .begin(let stream, let question):
      "begin \(stream): \((question.definitions + [question.ours]).joined(separator: "; "))\n"
        + "   SQLite: \(question.theirs)"
    case .end(let stream): "end \(stream)"
    case .put(let row, let unread): "put \(row) \(unread)"
    case .delete(let key): "delete \(key)"
    case .wait(let milliseconds): "wait \(milliseconds) ms"
    case .collect(let streams): "collect \(streams.map { "\($0)" } ?? "all")"
    }
  }
}
