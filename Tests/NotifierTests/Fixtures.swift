import Base
import Bus
import Events
import Query

@testable import Matching
@testable import Notifier
@testable import Requests

struct Tables: Catalog {
  func schema(ofTable name: String) -> Schema? { name == "alerts" ? .alerts : nil }
  var tableNames: [String] { ["alerts"] }
}

let topics = ClusterTopics(cluster: "belfry")

/// A stream in a topic of its own, or in a lane.
func stream(_ id: String, _ placement: Placement = .own, creation: Int64 = 1) -> Requests.Stream {
  let settings = RegistrySettings()
  return Requests.Stream(
    place: StreamPlace(id: id, creation: creation, placement: placement, isAgain: false, settings),
    set: "set", text: id, view: try! parseView("SELECT Node FROM alerts", in: Tables()))
}

typealias Pending = KeyValuePairs<String, String?>

/// What the table's thread would hand over: for each stream, in order, its keys and values.
func collected(
  _ streams: KeyValuePairs<String, Pending>, positions: [Int32: Int64] = [:], time: Int64 = 1_000
) -> Collected {
  let batch = SweepBatch()
  for (id, pending) in streams { batch.append(stream: id, pending.map { ($0, $1) }) }
  return Collected(
    batch: batch, units: 1, positions: positions, commands: .max, time: Timestamp(milliseconds: time))
}

extension SweepBatch {
  /// A stream with its pending keys and values.
  func append(stream id: String, _ pending: [(String, String?)]) {
    begin(stream: id)
    for (key, value) in pending {
      if let value {
        append(key: { $0.append(key) }, value: { $0.append(value) })
      } else {
        append(nullWithKey: { $0.append(key) })
      }
    }
  }
}

/// A record as a line: `topic[partition] key=value e<epoch> s<seq> w<sweep> last`.
func lines(_ batch: RecordBatch) -> [String] {
  batch.records.map { record in
    var line = "\(batch.topic(record))[\(record.partition)]"
    line += " \(batch.keyText(record) ?? "-")=\(batch.valueText(record) ?? "null")"
    for index in 0..<batch.headerCount(record) {
      let header = batch.header(record, at: index)
      let value = header.value.map { String(decoding: $0, as: UTF8.self) } ?? "null"
      line += " \(String(decoding: header.name, as: UTF8.self))=\(value)"
    }
    for (long, short) in [
      (" belfry-epoch=", " e"), (" belfry-seq=", " s"), (" belfry-sweep=", " w"), (" belfry-last=1", " last"),
    ] {
      line = line.replacing(long, with: short)
    }
    return line
  }
}
