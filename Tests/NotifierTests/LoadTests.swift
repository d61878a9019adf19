import Base
import Bus
import Events
import Testing

@testable import Notifier
@testable import Requests

/// What a publisher does when sweeps take longer than there is time.
@Suite struct LoadTests {
  @Test func `under load the interval grows, all see it, and it comes back down`() throws {
    let office = try Office()
    office.ask("noc/core", core)
    office.ask("noc/slow", other, #""interval_ms":60000"#)
    try office.run()
    office.work = .milliseconds(1_100)
    try office.run(.seconds(40))
    #expect(office.metrics.value("belfry_throttle_interval_milliseconds") == 1_500)
    #expect(office.metrics.value("belfry_round_milliseconds") >= 1_100)
    #expect(office.reply("noc/core")["interval_ms"]?.int == 1_500)
    #expect(office.replies("noc/slow").count == 1)
    #expect(office.entities(topics.registry, "throttle").compactMap { $0["interval_ms"]?.int } == [1_500])
    let set = office.reply("noc/core")["set"]?.string ?? ""
    #expect(office.entities(topics.registry, "set/\(set)").last?["interval_ms"]?.int == 1_500)
    #expect(office.lines.all.filter { $0.contains("sweeps take too long") }.count == 1)
    let times = office.sweeps.suffix(6).compactMap { $0["time"]?.int }
    for (a, b) in zip(times.dropFirst(), times) { #expect(a - b >= 1_400) }
    office.restart()
    try office.run(.seconds(5))
    #expect(office.reply("noc/core")["interval_ms"]?.int == 1_500)
    office.work = .zero
    try office.run(.seconds(200))
    #expect(office.metrics.value("belfry_throttle_interval_milliseconds") == 0)
    #expect(office.replies("noc/core").map { $0["interval_ms"]?.int } == [1_000, 1_500, 1_000])
  }
}
