import Base
import Testing

@testable import Notifier
@testable import Requests

@Suite struct ScheduleTests {
  /// Set ids as they are made in the house.
  private static func id(_ n: Int) -> String { String(sha256Hex("set \(n)").prefix(16)) }

  private func set(
    _ id: String, every interval: Duration = .seconds(5), with group: String? = nil, streams: [String] = ["s"]
  ) -> RequestSet {
    RequestSet(
      id: id, creation: 1, filterText: "", interval: interval, linkGroup: group ?? id, streams: streams)
  }

  /// The times, in ms, at which each set is due within `times`, looking every `step` ms.
  private func run(_ schedule: inout Schedule, _ times: Range<Int>, step: Int = 10) -> [String: [Int]] {
    var due: [String: [Int]] = [:]
    for now in stride(from: times.lowerBound, to: times.upperBound, by: step) {
      for set in schedule.takeDue(now: .milliseconds(now)).joined() { due[set.id, default: []].append(now) }
    }
    return due
  }

  @Test func `a set is due at once when it is new, and then once per its interval`() throws {
    var schedule = Schedule()
    let id = Self.id(1)
    schedule.update(set(id), now: .milliseconds(130))
    let times = try #require(run(&schedule, 130..<60_130)[id])
    #expect(times[0] == 130)
    #expect(times.count == 13)
    #expect(times[1] - times[0] <= 5_000)
    for (a, b) in zip(times.dropFirst(), times.dropFirst(2)) { #expect(b - a == 5_000) }
  }

  @Test func `no set is due more often than the floor, and slower ones stay as they are`() throws {
    var schedule = Schedule()
    let (fast, slow) = (Self.id(1), Self.id(2))
    schedule.update(set(fast, every: .milliseconds(500)), now: .zero)
    schedule.update(set(slow, every: .seconds(5)), now: .zero)
    schedule.floor = .seconds(2)
    let times = run(&schedule, 0..<40_000)
    let gaps = try #require(times[fast]).dropFirst(2)
    for (a, b) in zip(gaps.dropFirst(), gaps) { #expect(a - b == 2_000) }
    #expect(times[slow]?.count == 9)
    schedule.floor = .zero
    let faster = run(&schedule, 40_000..<50_000)[fast]?.count ?? 0
    #expect(faster >= 17)
  }

  @Test func `a set that is flushed is due a full interval later, and then on its grid again`() throws {
    var schedule = Schedule()
    let (id, linked) = (Self.id(1), Self.id(2))
    schedule.update(set(id), now: .zero)
    schedule.update(set(linked, with: id), now: .zero)
    let grid = try #require(run(&schedule, 0..<20_000)[id]).last! % 5_000
    let unit = schedule.flush(linked, now: .milliseconds(21_700))
    #expect(unit?.map(\.id).sorted() == [id, linked].sorted())
    let times = run(&schedule, 21_700..<60_000)
    #expect(times[id]?.first == 26_700)
    #expect(times[id] == times[linked])
    #expect((times[id]?.last ?? 0) % 5_000 == grid)
    #expect(schedule.flush(Self.id(9), now: .zero) == nil)
  }

  @Test func `a schedule that is made again finds the same points in the interval`() throws {
    let id = Self.id(2)
    var phases: Set<Int> = []
    for start in [0, 1_230, 7_770] {
      var schedule = Schedule()
      schedule.update(set(id), now: .milliseconds(start))
      let times = try #require(run(&schedule, start..<start + 20_000)[id])
      phases.formUnion(times.dropFirst().map { $0 % 5_000 })
    }
    #expect(phases.count == 1)
  }

  @Test func `a late look makes a set due once, not once for each interval that passed`() {
    var schedule = Schedule()
    let id = Self.id(3)
    schedule.update(set(id), now: .zero)
    #expect(schedule.takeDue(now: .zero).count == 1)
    #expect(schedule.takeDue(now: .seconds(600)).count == 1)
    #expect(schedule.takeDue(now: .seconds(600)).isEmpty)
  }

  @Test func `many sets spread evenly over the interval`() {
    var schedule = Schedule()
    for n in 0..<2_000 { schedule.update(set(Self.id(n)), now: .zero) }
    #expect(schedule.takeDue(now: .zero).count == 2_000)
    var perSecond = [0, 0, 0, 0, 0]
    for (_, times) in run(&schedule, 10..<5_010) {
      #expect(times.count == 1)
      for time in times { perSecond[(time - 10) / 1_000] += 1 }
    }
    for count in perSecond { #expect((320...480).contains(count)) }
  }

  @Test func `linked sets are always due together`() throws {
    var schedule = Schedule()
    let ids = [Self.id(4), Self.id(5), Self.id(6)]
    schedule.update(set(ids[0]), now: .zero)
    schedule.update(set(ids[1], with: ids[0]), now: .milliseconds(700))
    schedule.update(set(ids[2]), now: .milliseconds(700))
    let due = run(&schedule, 1_000..<41_000)
    #expect(due[ids[0]] == due[ids[1]])
    #expect(due[ids[0]] != due[ids[2]])
  }

  @Test func `a set that is linked later leaves its own points, and gets them back when it is split off`() {
    var schedule = Schedule()
    let (a, b) = (Self.id(7), Self.id(8))
    schedule.update(set(a), now: .zero)
    schedule.update(set(b), now: .zero)
    let before = run(&schedule, 0..<20_000)
    schedule.update(set(b, with: a), now: .seconds(20))
    let linked = run(&schedule, 20_000..<40_000)
    schedule.update(set(b), now: .seconds(40))
    let after = run(&schedule, 40_000..<60_000)
    #expect(before[a]!.dropFirst() != before[b]!.dropFirst())
    #expect(linked[a] == linked[b])
    #expect(Set(after[b]!.dropFirst().map { $0 % 5_000 }) == Set(before[b]!.dropFirst().map { $0 % 5_000 }))
    #expect(schedule.setCount == 2)
  }

  @Test func `a set with a new stream is due at once, one that lost a stream is not`() {
    var schedule = Schedule()
    let id = Self.id(9)
    schedule.update(set(id, every: .seconds(60), streams: ["s"]), now: .zero)
    _ = schedule.takeDue(now: .zero)
    schedule.update(set(id, every: .seconds(60), streams: ["s", "t"]), now: .milliseconds(10))
    #expect(schedule.takeDue(now: .milliseconds(10)).joined().map(\.streams) == [["s", "t"]])
    schedule.update(set(id, every: .seconds(60), streams: ["t"]), now: .milliseconds(20))
    #expect(schedule.takeDue(now: .milliseconds(20)).isEmpty)
  }

  @Test func `a shorter interval counts from now, a longer one from what was due`() throws {
    var schedule = Schedule()
    let id = Self.id(10)
    schedule.update(set(id, every: .seconds(600)), now: .zero)
    _ = schedule.takeDue(now: .zero)
    schedule.update(set(id, every: .seconds(1)), now: .milliseconds(10))
    let fast = try #require(run(&schedule, 10..<10_010)[id])
    #expect(fast.count == 10)
    schedule.update(set(id, every: .seconds(600)), now: .milliseconds(10_010))
    let slow = try #require(run(&schedule, 10_010..<1_210_010)[id])
    #expect(slow[0] <= 11_010)
    #expect((2...3).contains(slow.count))
  }

  @Test func `a set that is removed is never due again, the others linked with it are`() {
    var schedule = Schedule()
    let (a, b) = (Self.id(11), Self.id(12))
    schedule.update(set(a), now: .zero)
    schedule.update(set(b, with: a), now: .zero)
    schedule.remove(a)
    schedule.remove("never there")
    #expect(run(&schedule, 0..<20_000).keys.sorted() == [b])
    schedule.remove(b)
    #expect(run(&schedule, 20_000..<40_000).isEmpty)
    #expect(schedule.setCount == 0)
  }

  @Test func `what is due comes in the order of ids`() {
    var schedule = Schedule()
    let ids = (0..<50).map(Self.id)
    for id in ids.shuffled() { schedule.update(set(id), now: .zero) }
    #expect(schedule.takeDue(now: .zero).joined().map(\.id) == ids.sorted())
  }

  @Test func `the wait ends when the next set is due`() throws {
    var schedule = Schedule()
    #expect(schedule.wait(now: .zero) == .seconds(1))
    let id = Self.id(13)
    schedule.update(set(id), now: .zero)
    #expect(schedule.wait(now: .zero) == .zero)
    _ = schedule.takeDue(now: .zero)
    let wait = schedule.wait(now: .zero)
    #expect(schedule.takeDue(now: wait - .milliseconds(1)).isEmpty)
    #expect(schedule.takeDue(now: wait).joined().map(\.id) == [id])
  }
}
