import ConnectorKit
import Foundation
import Testing

/// The cases that every reader library runs: Tests/Sequences/cases.txt says how they are written.
struct SequenceCase: CustomTestStringConvertible, Sendable {
  let name: String
  let start: SequenceChecker.Start
  /// The epoch, the number and the verdict that is wanted, each as the text has it, and the offset where it has one.
  let steps: [(epoch: String, seq: String, offset: Int64?, verdict: String)]

  var testDescription: String { name }

  static let all: [SequenceCase] = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    guard let text = try? String(contentsOf: folder.appending(path: "Sequences/cases.txt"), encoding: .utf8)
    else { return [] }
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { SequenceCase(String($0)) }
  }()

  private init(_ line: String) {
    let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    precondition(cells.count == 3, line)
    name = cells[0]
    let words = cells[1].split(separator: " ").map(String.init)
    switch words[0] {
    case "from": start = .from(Int64(words[1])!)
    case "after":
      let (epoch, seq) = Self.halves(words[1], ":")
      start = .after(SequencePoint(epoch: Int64(epoch)!, seq: Int64(seq)!)!)
    default: start = .anywhere
    }
    steps = cells[2].split(separator: " ").map { step in
      let (record, verdict) = Self.halves(String(step), "=")
      let place = record.split(separator: "@").map(String.init)
      let (epoch, seq) = place[0] == "*" ? ("*", "*") : Self.halves(place[0], ":")
      return (epoch, seq, place.count > 1 ? Int64(place[1])! : nil, verdict)
    }
  }

  private static func halves(_ text: String, _ mark: Character) -> (String, String) {
    let parts = text.split(separator: mark, maxSplits: 1).map(String.init)
    return (parts[0], parts[1])
  }
}

extension SequenceChecker.Verdict {
  /// `finding`: nil where the case has no offsets.
  fileprivate func text(_ finding: PartitionOffsets.Finding?) -> String {
    switch self {
    case .deliver(let isRestart, let missing):
      ((finding?.isMadeAgain == true ? ["again"] : []) + (isRestart ? ["restart"] : [])
        + (missing.map {
          ["\(finding?.hasRoom == true ? "room" : "gap")(\($0.lowerBound)..\($0.upperBound))"]
        } ?? []) + ["deliver"]).joined(separator: ",")
    case .passed: "passed"
    case .repeated: "repeated"
    case .fenced: "fenced"
    }
  }
}

@Suite struct SequenceTests {
  @Test func `the cases are there`() {
    #expect(SequenceCase.all.count > 50)
  }

  @Test(arguments: SequenceCase.all)
  func `each record gets its verdict`(example: SequenceCase) {
    var checker = SequenceChecker(example.start)
    var offsets = PartitionOffsets(from: 0)
    for (number, step) in example.steps.enumerated() {
      if step.epoch == "*" {
        offsets.pass(step.offset!)
        continue
      }
      let point = Self.withHeader(step.epoch) { epoch in
        Self.withHeader(step.seq) { SequencePoint(epoch: epoch, seq: $0) }
      }
      let verdict = point.map { point in
        let verdict = checker.take(point)
        return verdict.text(step.offset.map { offsets.take(point, verdict, at: $0) })
      }
      #expect(verdict ?? "invalid" == step.verdict, "step \(number + 1), \(step.epoch):\(step.seq)")
    }
  }

  private static func withHeader<T>(_ text: String, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
    text == "-" ? body(nil) : Array(text.utf8).withUnsafeBytes { body($0) }
  }

  @Test func `the last record is known, and a position's before there is another`() {
    let point = SequencePoint(epoch: 2, seq: 5)!
    var checker = SequenceChecker(.after(point))
    #expect(checker.last == point)
    _ = checker.take(SequencePoint(epoch: 3, seq: 9)!)
    #expect(checker.last?.description == "3:9")
    #expect(SequenceChecker(.from(1)).last == nil && SequenceChecker(.anywhere).last == nil)
  }
}

@Suite struct StreamPositionTests {
  private let point = SequencePoint(epoch: 5, seq: 8812)!

  @Test func `a position is a short JSON text, and comes back from it`() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    for position in [StreamPosition(point, offset: 9120), StreamPosition(point)] {
      let text = try encoder.encode(position)
      #expect(try JSONDecoder().decode(StreamPosition.self, from: text) == position)
    }
    let text = String(decoding: try encoder.encode(StreamPosition(point, offset: 9120)), as: UTF8.self)
    #expect(text == #"{"epoch":5,"offset":9120,"seq":8812,"version":1}"#)
  }

  @Test(arguments: [
    #"{"epoch":5,"seq":8812}"#, #"{"version":2,"epoch":5,"seq":8812}"#,
    #"{"version":1,"epoch":0,"seq":8812}"#, #"{"version":1,"epoch":5,"seq":-1}"#,
    #"{"version":1,"epoch":5,"seq":9223372036854775807}"#, #"{"version":1,"epoch":"5","seq":8812}"#, "[]",
  ])
  func `a position that cannot be is an error`(text: String) {
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(StreamPosition.self, from: Data(text.utf8))
    }
  }
}
