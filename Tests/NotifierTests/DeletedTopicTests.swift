import Base
import Bus
import Events
import Testing

@testable import Notifier
@testable import Requests

/// A stream's topic that somebody deletes stops nothing else.
@Suite struct DeletedTopicTests {
  private func office() throws -> Office {
    let office = try Office()
    office.put("a", "{1}")
    office.put("b", "{1}")
    for (name, sql) in [("core", core), ("count", counter), ("other", other)] {
      office.ask("noc/\(name)", sql)
    }
    try office.run()
    return office
  }

  private func delete(_ name: String, _ office: Office) throws {
    try office.cluster.connect().deleteTopics([name])
  }

  @Test func `the topic is made again under its name, its stream goes on with the whole view`() throws {
    let office = try office()
    let topic = office.topic("noc/core")
    try delete(topic, office)
    office.put("a", "{2}")
    try office.run(.seconds(8))
    #expect(office.topic("noc/core") == topic)
    #expect(office.cluster.spec(topic)?.properties["cleanup.policy"] == "compact")
    let records = office.records("noc/core")
    #expect(records.map { "\($0.key)=\($0.value ?? "-") \($0.seq)" } == ["a={2} 3", "b={1} 4"])
    #expect(records.map(\.isLast) == [false, true])
    // Its counter, in a lane, is published once, in the same sweep.
    let counted = office.records("noc/count").map { "\($0.key)=\($0.value ?? "-")" }
    #expect(counted == ["a={1}", "b={1}", "a={2}"])
    #expect(office.records("noc/count").last?.sweep == records.last?.sweep)
    #expect(office.records("noc/other").folded == ["a": "{2}", "b": "{1}"])
    for name in ["count", "other"] { #expect(office.records("noc/\(name)").isContiguous) }
    #expect(office.metrics.value("belfry_stream_topics_made_again_total") == 1)
    #expect(office.lines.all.contains { $0.contains("streams' topics were deleted") && $0.contains(topic) })
    #expect(office.claims == [1], "the publisher is not made anew")
    office.put("b", nil)
    try office.run()
    #expect(office.records("noc/core").folded == ["a": "{2}"])
    #expect(office.records("noc/core").map(\.seq) == [3, 4, 5])
  }

  @Test func `the rest of the sweep is published before the stream begins again`() throws {
    let office = try office()
    try delete(office.topic("noc/core"), office)
    office.put("a", "{2}")
    try office.run(.seconds(8))
    let (others, core) = (office.records("noc/other").last!, office.records("noc/core").last!)
    #expect(others.sweep < core.sweep)
    // The sweeps say which sets they covered: the lost one is not in the first.
    let named = office.sweeps.first { $0["sweep"]?.int == others.sweep }?["sets"]?.array ?? []
    #expect(named.contains(office.reply("noc/other")["set"] ?? .null))
    #expect(!named.contains(office.reply("noc/core")["set"] ?? .null))
  }

  @Test func `a topic of a quiet stream is missed within the interval of looking`() throws {
    let office = try office()
    let topic = office.topic("noc/core")
    try delete(topic, office)
    try office.run(.seconds(15))
    #expect(office.records("noc/core").folded == ["a": "{1}", "b": "{1}"])
    #expect(office.records("noc/core").map(\.seq) == [3, 4])
    #expect(office.records("noc/count").count == 2)
    #expect(office.claims == [1])
  }

  @Test func `a topic that the brokers do not let be made again ends its requests only`() throws {
    let office = try office()
    try delete(office.topic("noc/core"), office)
    office.cluster.topicPolicy = { $0.hasPrefix("belfry.view.") ? "no more" : nil }
    office.put("a", "{2}")
    try office.run(.seconds(8))
    #expect(office.reply("noc/core")["error"]?["code"]?.string == "topic")
    for name in ["count", "other"] {
      #expect(office.records("noc/\(name)").folded == ["a": "{2}", "b": "{1}"])
      #expect(office.records("noc/\(name)").isContiguous)
    }
  }

  @Test func `a history's topic is left to who publishes it; where the brokers refuse it its requests end`()
    throws
  {
    let office = try office()
    office.ask("noc/told", core, #""mode":"all""#)
    try office.run()
    let topic = office.topic("noc/told")
    try delete(topic, office)
    office.restart()
    try office.run()
    #expect(!office.cluster.topicNames.contains(topic))
    let refusal = StreamFailure(stream: office.reply("noc/told")["primary"]?.string ?? "", reason: "no more")
    for letter in office.changes.takeAll() {
      if case .begin(_, _, _, _, let news) = letter { news.send(.refused(refusal)) }
    }
    try office.run()
    #expect(office.reply("noc/told")["error"]?["code"]?.string == "topic")
    #expect(office.reply("noc/core")["status"]?.string == "active")
  }

  @Test func `lanes that are deleted are made again, and their streams begin again in them`() throws {
    let office = try office()
    try delete(topics.viewLanes, office)
    office.put("a", "{2}")
    var ends = 0
    for _ in 0..<2_000 {
      do throws(BusError) {
        try office.turn()
      } catch {
        // As the member does.
        #expect(error.remedy == .recreate && error.code == Publisher.madeAgain, "\(error)")
        ends += 1
        office.restart()
      }
    }
    #expect(ends == 1)
    #expect(office.cluster.spec(topics.viewLanes)?.partitions == ClusterTopics.laneCount)
    #expect(office.records("noc/count").folded == ["a": "{2}", "b": "{1}"])
    #expect(office.records("noc/count").map(\.seq) == [3, 4])
    #expect(office.records("noc/core").folded == ["a": "{2}", "b": "{1}"])
    #expect(office.records("noc/core").isContiguous)
  }

  @Test func `a flush of a stream whose topic is gone is answered when its view is there again`() throws {
    let office = try office()
    try delete(office.topic("noc/core"), office)
    office.put("a", "{2}")
    office.flush("noc/1", "core")
    for _ in 0..<2_000 {
      do throws(BusError) { try office.turn() } catch { office.restart() }
    }
    #expect(office.replies("noc/1").map { $0["status"]?.string } == ["flushed"])
    let records = office.records("noc/core")
    #expect(records.folded == ["a": "{2}", "b": "{1}"])
    #expect(office.reply("noc/1")["seq"]?.int == records.last?.seq)
    #expect(office.reply("noc/1")["sweep"]?.int ?? 0 >= records.last!.sweep)
  }
}
