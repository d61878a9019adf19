import Base
import Events
import Query
import Testing

@testable import Requests

struct Tables: Catalog {
  var schemas = [Schema.alerts]
  func schema(ofTable name: String) -> Schema? { schemas.first { $0.table == name } }
  var tableNames: [String] { schemas.map(\.table) }
}

/// A registry with the bus around it: what it wrote, folded by key as compaction would.
final class Desk {
  var registry: Registry
  let settings: RegistrySettings
  var tables: Tables
  var cluster: [String: JSON] = [:]
  var replies: [String: JSON] = [:]
  /// The records of the requests topic, to be read again after a restart.
  var log: [(key: String?, value: String?, at: Timestamp)] = []
  var now = Timestamp(milliseconds: 1_000_000)

  init(_ settings: RegistrySettings = RegistrySettings(), tables: Tables = Tables()) {
    self.settings = settings
    self.tables = tables
    registry = Self.made(settings, tables)
  }

  private static func made(_ settings: RegistrySettings, _ tables: Tables) -> Registry {
    Registry(settings: settings, catalog: tables) { _ in StreamProgress(seq: 7, epoch: 3) }
  }

  func commit(_ effects: Effects) {
    for (key, value) in effects.cluster { cluster[key] = value }
    for (key, value) in effects.replies { replies[key] = value }
  }

  @discardableResult
  func send(_ key: String?, _ value: String?) -> Effects {
    log.append((key, value, now))
    return feed(log.count - 1)
  }

  func feed(_ index: Int) -> Effects {
    let record = log[index]
    let effects = withBytes(record.key) { key in
      withBytes(record.value) { value in
        registry.handle(key: key, value: value, now: record.at, offset: Int64(index))
      }
    }
    commit(effects)
    return effects
  }

  /// A request under the key that it belongs to; `more` are further members, as JSON text.
  @discardableResult
  func ask(_ key: String, _ sql: String, _ more: String = "") -> Effects {
    send(key, Self.request(key, sql, more))
  }

  static func request(_ key: String, _ sql: String, _ more: String = "") -> String {
    let parts = key.split(separator: "/", maxSplits: 1).map(String.init)
    let head = JSON.object(of: [
      "client": .string(parts[0]), "name": .string(parts[1]), "sql": .string(sql),
    ])
    return head.text.dropLast() + (more.isEmpty ? "}" : ",\(more)}")
  }

  @discardableResult
  func wait(_ duration: Duration) -> Effects {
    now = now + duration
    let effects = registry.tick(now: now)
    commit(effects)
    return effects
  }

  /// A new process: only what is on `belfry.cluster` is left, and what lies behind its position is read.
  @discardableResult
  func restart(with tables: Tables? = nil, _ changed: RegistrySettings? = nil) -> Effects {
    if let tables { self.tables = tables }
    registry = Self.made(changed ?? settings, self.tables)
    for (key, value) in cluster { registry.restore(key: key, value: value) }
    let effects = registry.finishRestore(now: now)
    commit(effects)
    for index in Int(registry.requestsPosition)..<max(log.count, Int(registry.requestsPosition)) {
      _ = feed(index)
    }
    return effects
  }

  subscript(reply key: String) -> JSON { replies[key] ?? .null }

  func streamID(_ key: String) -> String { self[reply: key]["stream"]?["id"]?.string ?? "none" }

  func error(_ key: String) -> String {
    let error = self[reply: key]["error"] ?? .null
    let place = error["line"]?.int.map { " at \($0):\(error["column"]?.int ?? -1)" } ?? ""
    return "\(error["code"]?.string ?? "none")\(place)"
  }
}

func withBytes<Result>(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
  guard let text else { return body(nil) }
  return Array(text.utf8).withUnsafeBytes { body($0) }
}

let core = "SELECT Node, Severity FROM alerts WHERE Severity >= 4"
let sameCore = "select Severity, Node from alerts where not Severity < 4"
let counter = "SELECT COUNT(*) AS n FROM alerts WHERE Severity >= 4"
let other = "SELECT Node FROM alerts WHERE Severity = 1"
