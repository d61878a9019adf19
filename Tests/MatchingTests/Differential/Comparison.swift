import Base
import Query

@testable import Matching

/// What a stream has folded beside answers from scratch, column by column.
struct Comparison {
  private let columns: [RecordColumn]
  /// By column: ours may be off by what a quantile states.
  private let areNear: [Bool]
  private let fields: RecordFields

  init(_ view: View, _ question: Question) {
    columns = view.recordColumns
    areNear = columns.map { column in
      question.outputs.contains { $0.name == column.name && $0.ordered != nil }
    }
    fields = RecordFields(columns.map(\.name))
  }

  /// Where nothing is said, nothing is compared.
  func agrees(_ found: Records, _ theirs: Records) -> Bool {
    found.count == theirs.count
      && found.allSatisfy { key, values in
        guard let wanted = theirs[key], wanted.count == values.count else { return false }
        return values.indices.allSatisfy { i in
          wanted[i] == nil || wanted[i] == values[i]
            || areNear[i] && isNear(values[i]!, wanted[i]!, columns[i].type)
        }
      }
  }

  private func isNear(_ found: [UInt8], _ wanted: [UInt8], _ type: OutputType) -> Bool {
    guard let found = Double(String(decoding: found, as: UTF8.self)),
      let wanted = Double(String(decoding: wanted, as: UTF8.self))
    else { return false }
    return abs(found - wanted) <= (type == .time ? 30_000 : abs(wanted) / 128 + 0x1p-64)
  }

  // MARK: Records

  /// Records as they are on the topic, taken apart; one that is not as it should be is one value.
  func records(_ pairs: [(key: [UInt8], value: [UInt8])]) -> Records {
    Dictionary(uniqueKeysWithValues: pairs.map { ($0.key, values(of: $0.value) ?? [$0.value]) })
  }

  private func values(of record: [UInt8]) -> [[UInt8]]? {
    var values: [[UInt8]] = []
    var at = 0
    for i in columns.indices {
      var opening = ByteBuffer(capacity: 32)
      fields.open(i, in: &opening)
      guard record[at...].starts(with: opening.bytes) else { return nil }
      at += opening.count
      let end = end(of: record, at)
      values.append(Array(record[at..<end]))
      at = end
    }
    return record[at...].elementsEqual("}".utf8) ? values : nil
  }

  /// Where the value ends that begins here.
  private func end(of record: [UInt8], _ start: Int) -> Int {
    var at = start
    guard
      let closing = [UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "["): UInt8(ascii: "]")][record[at]]
    else {
      return record[at...].firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") } ?? record.count
    }
    at += 1
    while at < record.count, record[at] != closing { at += record[at] == UInt8(ascii: "\\") ? 2 : 1 }
    return min(at + 1, record.count)
  }

  // MARK: Texts

  func text(_ stream: String, _ found: Records, _ what: String, _ wanted: Records) -> String {
    "stream \(stream) folds to\n    \(text(found))\nand \(what)\n    \(text(wanted))"
  }

  private func text(_ records: Records) -> String {
    records.map { key, values in
      let texts = values.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "?" }
      return "\(String(decoding: key, as: UTF8.self)) \(texts.joined(separator: ", "))"
    }.sorted().joined(separator: "\n    ")
  }
}
