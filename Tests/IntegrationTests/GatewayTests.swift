import Base
import Client
import ConnectorKit
import Events
import Glibc
import Testing

extension Integration {
  /// Streams of every change, read as a gateway reads them while the member dies.
  @Suite(.enabled(if: Broker.isThere, "KAFKA_HOME names no Kafka; these sentences are about a real one"))
  struct GatewayTests {
    private static let sql = "SELECT Severity, Summary, Tally FROM alerts"

    @Test func `a member that is killed six times under load tells each change once`() throws {
      let town = try Town()
      try town.start()
      let reply = try town.request("gate", "all", Self.sql, ["mode": .string("all")])
      let address = try #require(StreamAddress(reply: reply), "\(reply.text)")
      let follower = try Follower(address, town)
      let load = try Load(town, identifiers: 60, seed: 21)
      try town.killAndLaunch(6, under: load, within: 50...2000, seed: 22) {
        try follower.poll()
      } between: { random in
        // A gateway, too, is ended now and then, and goes on from what it kept.
        if Bool.random(using: &random) { try follower.reopen() }
      }
      try load.stop()
      try eventually(within: .seconds(60), "the last change; \(follower.entries.count) have come") {
        try follower.poll()
        return follower.rows == load.expected
      }
      #expect(follower.remarks == [])
      #expect(chainFaults(follower.entries) == [])
      let seqs = follower.entries.map(\.position.point.seq)
      #expect(seqs == Array(1...Int64(seqs.count)))
      let ran = try town.belfry("history", "gate/all")
      // A member may be killed before it has published: how many epochs there are is luck.
      #expect(
        ran.status == 0 && ran.errors.hasPrefix("belfry: complete: 1 to \(seqs.count), epoch"),
        "\(ran.errors)")
      #expect(ran.lines.count == seqs.count, "\(ran.errors)")
    }
  }
}

/// Follows a history as a gateway does: what came, and the rows that it folds to.
private final class Follower {
  private let address: StreamAddress
  private let town: Town
  private var reader: HistoryReader
  private(set) var entries: [HistoryEntry] = []
  private(set) var rows: [String: Load.Row] = [:]
  private(set) var remarks: [String] = []

  init(_ address: StreamAddress, _ town: Town) throws {
    self.address = address
    self.town = town
    reader = try HistoryReader(address, bus: town.bus, start: .from(seq: 1))
  }

  deinit { reader.close() }

  func reopen() throws {
    reader.close()
    let kept = entries.last?.position
    reader = try HistoryReader(address, bus: town.bus, start: kept.map { .after($0) } ?? .from(seq: 1))
  }

  func poll() throws {
    for event in try reader.poll(timeout: .milliseconds(50)) {
      if let words = event.words { remarks.append(words) }
      guard case .entry(let entry) = event else { continue }
      entries.append(entry)
      if case .change(_, _, let after) = entry.content { rows[entry.key] = after.map { Load.Row($0) } }
    }
  }
}
