import CScan
import Events

/// A filter of a mix, written twice: as SQL for Belfry, as tests with jumps for the scan.
indirect enum Condition {
  case equal(Int, Value)
  /// Integers and times; both ends belong to it.
  case range(Int, Int64, Int64)
  case among(Int, [String])
  case prefix(Int, String)
  case contains(Int, String)
  case not(Condition)
  case all([Condition])
  case any([Condition])

  static func atLeast(_ column: Int, _ least: Int64) -> Condition { .range(column, least, .max) }

  func sql(_ schema: Schema) -> String {
    func name(_ column: Int) -> String { schema.columns[column].name }
    switch self {
    case .equal(let column, .string(let text)): return "\(name(column)) = '\(text)'"
    case .equal(let column, .int(let n)): return "\(name(column)) = \(n)"
    case .equal: preconditionFailure("strings and integers are compared")
    case .range(let column, let low, .max): return "\(name(column)) >= \(low)"
    case .range(let column, let low, let high): return "\(name(column)) BETWEEN \(low) AND \(high)"
    case .among(let column, let texts):
      return "\(name(column)) IN (" + texts.map { "'\($0)'" }.joined(separator: ", ") + ")"
    case .prefix(let column, let text): return "\(name(column)) LIKE '\(text)%'"
    case .contains(let column, let text): return "\(name(column)) LIKE '%\(text)%'"
    case .not(let part): return "NOT (\(part.sql(schema)))"
    case .all(let parts): return "(" + parts.map { $0.sql(schema) }.joined(separator: " AND ") + ")"
    case .any(let parts): return "(" + parts.map { $0.sql(schema) }.joined(separator: " OR ") + ")"
    }
  }
}

/// Turns a condition into the scan's tests. The last is made first, so that each knows where to go on.
struct ScanWriter {
  /// Backwards; `then` and `otherwise` are places in it until `finish`.
  private var tests: [scan_test] = []
  private var elements: [UnsafeMutablePointer<UInt64>] = []
  private var texts: [UnsafeMutablePointer<CChar>] = []
  private let code: (String) -> Cell

  /// `code` is the dictionary's: a string's code that stays the string's.
  init(code: @escaping (String) -> Cell) { self.code = code }

  mutating func add(_ condition: Condition, to scan: OpaquePointer) {
    let accept = Int(SCAN_ACCEPT)
    let reject = Int(SCAN_REJECT)
    _ = write(condition, accept, reject)
    var forward = Array(tests.reversed())
    for i in forward.indices {
      forward[i].then = ahead(forward[i].then, from: tests.count - 1 - i)
      forward[i].otherwise = ahead(forward[i].otherwise, from: tests.count - 1 - i)
    }
    scan_add(scan, forward, forward.count)
    for pointer in elements { pointer.deallocate() }
    for pointer in texts { pointer.deallocate() }
    (tests, elements, texts) = ([], [], [])
  }

  /// A place that was written earlier lies further ahead.
  private func ahead(_ target: Int16, from place: Int) -> Int16 {
    target < 0 ? target : Int16(place) - target
  }

  /// Returns where the condition begins.
  private mutating func write(_ condition: Condition, _ then: Int, _ otherwise: Int) -> Int {
    switch condition {
    case .not(let part): return write(part, otherwise, then)
    case .all(let parts): return parts.reversed().reduce(then) { write($1, $0, otherwise) }
    case .any(let parts): return parts.reversed().reduce(otherwise) { write($1, then, $0) }
    default: break
    }
    var test = scan_test()
    test.then = Int16(then)
    test.otherwise = Int16(otherwise)
    fill(&test, condition)
    tests.append(test)
    return tests.count - 1
  }

  private mutating func fill(_ test: inout scan_test, _ condition: Condition) {
    func set(_ kind: scan_kind, _ column: Int) {
      test.kind = UInt16(kind.rawValue)
      test.column = UInt16(column)
    }
    switch condition {
    case .equal(let column, let value):
      set(SCAN_EQUAL, column)
      if case .string(let text) = value { test.value = code(text) }
      if case .int(let n) = value { test.low = n }
    case .range(let column, let low, let high):
      set(SCAN_RANGE, column)
      test.low = low
      test.high = high
    case .among(let column, let texts):
      set(SCAN_IN, column)
      let codes = texts.map(code).sorted()
      let copy = UnsafeMutablePointer<UInt64>.allocate(capacity: codes.count)
      copy.initialize(from: codes, count: codes.count)
      elements.append(copy)
      test.elements = UnsafePointer(copy)
      test.count = UInt64(codes.count)
    case .prefix(let column, let text):
      set(SCAN_PREFIX, column)
      point(&test, at: text)
    case .contains(let column, let text):
      set(SCAN_CONTAINS, column)
      point(&test, at: text)
    case .not, .all, .any: preconditionFailure("no comparison")
    }
  }

  private mutating func point(_ test: inout scan_test, at text: String) {
    let bytes = text.utf8.map { CChar(bitPattern: $0) }
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    copy.initialize(from: bytes, count: bytes.count)
    texts.append(copy)
    test.text = UnsafePointer(copy)
    test.count = UInt64(bytes.count)
  }
}
