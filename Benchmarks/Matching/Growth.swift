import CScan
import Events
import Matching
import Query

/// Filters that come one by one, each by an equality of its own, while there are no rows: what an add costs when what holds
/// them all has to grow.
struct Growth: Catalog {
  let filters: Int
  /// Nanoseconds of processor time, ascending.
  private(set) var adds: [Int64] = []

  static let longMin: Int64 = 1_000_000

  let tableNames = [Schema.alerts.table]
  func schema(ofTable name: String) -> Schema? { name == Schema.alerts.table ? Schema.alerts : nil }

  init(filters: Int) throws {
    self.filters = filters
    let engine = Engine(rows: RowStore(schema: Schema.alerts, strings: StringTable()))
    for number in 0..<filters {
      let view = try parseView("SELECT COUNT(*) FROM alerts WHERE Node = 'node-\(number)'", in: self)
      let began = scan_spent()
      try engine.add(stream: "stream-\(number)", set: "set-\(number)", view: view) { _ in }
      adds.append(scan_spent() - began)
    }
    adds.sort()
  }

  /// Adds that took longer than a millisecond.
  var long: Int { adds.count { $0 > Self.longMin } }
}
