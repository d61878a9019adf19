import Base
import Bus
import Events
import Testing

@testable import Notifier
@testable import Requests

/// What one stream cannot do, and that the others go on.
@Suite struct PublisherLimitTests {
  @Test func `a stream whose topic the brokers refuse is rejected with their words, others go on`() throws {
    let office = try Office()
    office.put("k", "{1}")
    office.ask("a/other", other)
    try office.run()
    let refused = office.cluster
    refused.topicPolicy = { $0.hasPrefix("belfry.view.") ? "names are taken" : nil }
    office.ask("a/core", core)
    office.ask("b/core", sameCore)
    office.ask("a/count", counter)
    office.put("k", "{2}")
    try office.run()
    for key in ["a/core", "b/core"] {
      #expect(office.replies(key).map { $0["status"]?.string } == ["rejected"])
      #expect(office.reply(key)["error"]?["code"]?.string == "topic")
      #expect(office.reply(key)["error"]?["message"]?.string?.contains("names are taken") == true)
    }
    #expect(office.records("a/count").folded == ["k": "{2}"])
    #expect(office.records("a/other").folded == ["k": "{2}"])
    #expect(office.claims == [1])
    office.restart()
    refused.topicPolicy = { _ in nil }
    office.ask("a/core", core)
    try office.run()
    #expect(office.reply("a/core")["status"]?.string == "active")
    #expect(office.records("a/core").map(\.seq) == [1])
  }

  @Test func `a stream whose topic is gone and refused at a start is rejected then`() throws {
    let office = try Office()
    office.put("k", "{1}")
    office.ask("a/core", core)
    office.ask("a/other", other)
    office.ask("a/count", counter)
    try office.run()
    try office.cluster.connect().deleteTopics([office.topic("a/core")])
    office.cluster.topicPolicy = { $0.hasPrefix("belfry.view.") ? "no more" : nil }
    office.restart()
    office.put("k", "{2}")
    try office.run()
    #expect(office.reply("a/core")["error"]?["code"]?.string == "topic")
    #expect(office.records("a/count").folded == ["k": "{2}"])
    #expect(office.records("a/other").folded == ["k": "{2}"])
    #expect(office.records("a/other").isContiguous)
    office.restart()
    try office.run()
    #expect(office.replies("a/core").count == 2)
  }

  @Test func `a topic that somebody made with other partitions refuses its stream only`() throws {
    let office = try Office()
    office.ask("a/core", core)
    try office.run()
    let name = office.topic("a/core")
    let second = try Office()
    try second.run()
    try second.cluster.connect().createTopics([TopicSpec(name, partitions: 3, properties: [:])])
    second.ask("a/core", core)
    second.ask("a/other", other)
    try second.run()
    #expect(second.reply("a/core")["error"]?["message"]?.string?.contains("3 partitions") == true)
    #expect(second.reply("a/other")["status"]?.string == "active")
  }

  @Test func `a record over the limit stops its stream, says so, and a restart tries again`() throws {
    let office = try Office()
    office.put("k", "{1}")
    office.ask("a/core", core)
    office.ask("b/other", other)
    try office.run()
    office.put("k", String(repeating: "x", count: Sweep.recordBytesMax + 1))
    office.put("l", "{1}")
    // Both views have the row: both stop.
    try office.run()
    for key in ["a/core", "b/other"] {
      #expect(office.replies(key).map { $0["status"]?.string } == ["active", "failed"])
      #expect(office.reply(key)["error"]?["code"]?.string == "limit")
      #expect(office.reply(key)["stream"]?["topic"]?.string == office.topic(key))
      #expect(office.records(key).folded == ["k": "{1}"])
    }
    #expect(office.metrics.value("belfry_streams_over_limit_total") == 2)
    #expect(office.lines.all.filter { $0.contains("stands still") }.count == 2)
    office.ask("c/core", sameCore)
    try office.run()
    #expect(office.reply("c/core")["status"]?.string == "failed")
    office.put("k", "{2}")
    try office.run()
    #expect(office.records("a/core").folded == ["k": "{1}"])
    office.restart()
    try office.run()
    #expect(office.reply("a/core")["status"]?.string == "active")
    #expect(office.reply("a/core")["error"] == nil)
    #expect(office.records("a/core").folded == ["k": "{2}", "l": "{1}"])
    #expect(office.records("a/core").isContiguous)
    let replies = office.replies("a/core").count
    office.restart()
    try office.run()
    #expect(office.replies("a/core").count == replies)
  }

  @Test func `a stream that the table finds over a limit stands still until its requests end`() throws {
    let office = try Office(grace: .seconds(1))
    office.put("k", "{1}")
    office.ask("a/core", core)
    office.ask("b/other", other)
    try office.run()
    let id = office.reply("a/core")["primary"]?.string ?? ""
    office.failures = [StreamFailure(stream: id, reason: "the view has more than 3 groups")]
    try office.run()
    office.put("k", "{2}")
    try office.run()
    #expect(office.reply("a/core")["error"]?["message"]?.string == "the view has more than 3 groups")
    #expect(office.records("a/core").count == 1)
    #expect(office.records("b/other").folded == ["k": "{2}"])
    let topic = office.topic("a/core")
    office.end("a/core")
    try office.run(.seconds(4))
    #expect(!office.cluster.topicNames.contains(topic))
    office.ask("a/core", core)
    try office.run()
    #expect(office.reply("a/core")["status"]?.string == "active")
    #expect(office.records("a/core").folded == ["k": "{2}"])
  }

  @Test func `sets that a sweep has no room for come in the next, each once and whole`() throws {
    let office = try Office()
    office.unitsMax = 2
    office.put("k", "{1}")
    for n in 0..<7 { office.ask("a/v\(n)", "SELECT Node FROM alerts WHERE Tally = \(n)") }
    office.ask("a/count", "SELECT COUNT(*) AS n FROM alerts WHERE Tally = 3")
    try office.run(.milliseconds(700))
    let first = office.sweeps.prefix { $0["sweep"]!.int! <= 4 }.map { $0["sets"]?.array?.count }
    #expect(first == [2, 2, 2, 1])
    for n in 0..<7 { #expect(office.records("a/v\(n)").map(\.value) == ["{1}"]) }
    #expect(office.records("a/v3").map(\.sweep) == office.records("a/count").map(\.sweep))
    try office.run(.seconds(10))
    // Each set once an interval of a second, however the sweeps were cut.
    let listed = office.sweeps.flatMap { $0["sets"]?.array ?? [] }.compactMap(\.string)
    let counts = Dictionary(grouping: listed, by: { $0 }).mapValues(\.count)
    #expect(counts.count == 7)
    for count in counts.values { #expect((10...13).contains(count)) }
  }
}
