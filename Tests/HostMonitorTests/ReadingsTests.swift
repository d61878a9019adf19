import Base
import Testing

@testable import HostMonitor

private func sample(_ seconds: Int, _ fill: (inout HostSample) -> Void) -> HostSample {
  var sample = HostSample(elapsed: .seconds(seconds))
  fill(&sample)
  return sample
}

/// The readings as `group key value`, in order.
private func told(_ readings: [Reading]) -> [String] {
  readings.map { "\($0.resource.group) \($0.resource.key) \(Int($0.value.rounded()))" }
}

@Test func `CPU and network need two samples`() {
  var readings = HostReadings(settings: HostSettings())
  func at(_ seconds: Int, busy: UInt64, total: UInt64, received: UInt64, errors: UInt64) -> HostSample {
    sample(seconds) {
      $0.cpu = CPUTimes(busy: busy, total: total, cores: 4)
      $0.interfaces = [Interface(name: "e", received: received, sent: 0, errors: errors, drops: 0, link: .up)]
    }
  }
  let first = readings.readings(of: at(0, busy: 10, total: 100, received: 1000, errors: 5))
  #expect(told(first.readings) == ["link e 0"])
  #expect(first.unread.isSuperset(of: [.cpu, .errors, .drops, .memory, .disk, .process]))
  let second = readings.readings(of: at(5, busy: 60, total: 200, received: 2000, errors: 15))
  #expect(told(second.readings) == ["cpu cpu 50", "network e 200", "errors e 2", "drops e 0", "link e 0"])
  #expect(second.readings.map(\.text).contains("e in 200 B/s, out 0 B/s, 2.0 errors/s, 0.0 drops/s"))
  #expect(!second.unread.contains(.cpu))
  let reset = readings.readings(of: at(10, busy: 50, total: 300, received: 0, errors: 0))
  #expect(told(reset.readings) == ["cpu cpu 0", "network e 0", "errors e 0", "drops e 0", "link e 0"])
  let backwards = readings.readings(of: at(10, busy: 50, total: 10, received: 0, errors: 0))
  #expect(backwards.unread.isSuperset(of: [.cpu, .errors]))
}

@Test func `load is told per core`() {
  var readings = HostReadings(settings: HostSettings())
  let read = readings.readings(
    of: sample(0) {
      $0.load = LoadAverage(one: 6, five: 2, fifteen: 1)
      $0.cpu = CPUTimes(busy: 0, total: 1, cores: 4)
    })
  #expect(read.readings.first?.value == 1.5)
  #expect(read.readings.first?.text == "Load 6.00 2.00 1.00, 1.50 per core (4)")
}

@Test func `memory, swap, disks and processes are told in their units`() {
  var settings = HostSettings()
  settings.expectedProcesses = ["cron", "sshd"]
  var readings = HostReadings(settings: settings)
  let read = readings.readings(
    of: sample(0) {
      $0.memory = MemoryInfo(total: 4 << 30, available: 1 << 30, swapTotal: 0, swapFree: 0)
      $0.disks = [Disk(mount: "/", type: "ext4", space: DiskSpace(used: 3, available: 1))]
      $0.processes = ProcessCounts(total: 90, zombies: 2, named: ["cron": 0, "sshd": 2])
    })
  #expect(
    read.readings.map(\.text) == [
      "Memory 75.0 % used, 3.0 GiB of 4.0 GiB", "Disk / 75.0 % used, 1 B available",
      "Process cron is not running",
      "Process sshd: 2 running", "90 processes", "2 zombie processes",
    ])
  let swapping = readings.readings(
    of: sample(1) { $0.memory = MemoryInfo(total: 4, available: 1, swapTotal: 8, swapFree: 2) })
  #expect(told(swapping.readings) == ["memory memory 75", "swap swap 75"])
}

@Test func `a link is missed where it was up, or expected`() {
  var settings = HostSettings()
  settings.expectedInterfaces = ["must"]
  var readings = HostReadings(settings: settings)
  var second = 0
  func links(_ states: [(String, Interface.Link)]) -> [String] {
    second += 1
    let sample = sample(second) {
      $0.interfaces = states.map {
        Interface(name: $0.0, received: 0, sent: 0, errors: 0, drops: 0, link: $0.1)
      }
    }
    return readings.readings(of: sample).readings.filter { $0.resource.group == .link }.map(\.text)
  }
  #expect(links([("never", .down)]) == ["must link is missing"])
  #expect(links([("never", .down), ("a", .up), ("must", .up)]) == ["a link is up", "must link is up"])
  #expect(links([("a", .down), ("must", .down)]) == ["a link is down", "must link is down"])
  #expect(links([("a", .off), ("must", .off)]) == ["must link is switched off"])
  #expect(links([("a", .down), ("must", .unknown)]) == ["must link is up"])
}
