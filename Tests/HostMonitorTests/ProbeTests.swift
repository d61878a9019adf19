import Base
import ConnectorConformance
import ConnectorKit
import Foundation
import Testing

@testable import HostMonitor

/// A folder with the files of /proc and /sys that the monitor reads; gone with its last owner.
private final class FakeMachine {
  let root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
  var proc: String { root.path + "/proc" }
  var sys: String { root.path + "/sys" }

  init() throws {
    try write("proc/loadavg", "4.00 1.00 1.00 1/2 3\n")
    try write("proc/stat", "cpu 10 0 0 90\ncpu0 10 0 0 90\n")
    try write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 40 kB\n")
    try write(
      "proc/self/mountinfo",
      """
      1 1 8:1 / /deep/again rw - ext4 /dev/sda1 rw
      2 1 8:1 / / rw - ext4 /dev/sda1 rw
      3 1 0:3 / /proc rw - proc proc rw
      4 1 0:4 / /nfs rw - nfs server:/x rw
      5 1 8:2 / /boot rw - vfat /dev/sda2 rw
      6 1 0:9 / /var/lib/docker/x rw - overlay overlay rw
      """)
    try write(
      "proc/net/dev", "h\nh\n eth0: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n")
    try write("sys/class/net/eth0/operstate", "up\n")
    try write("sys/class/net/eth0/flags", "0x1003\n")
    try write("proc/1/stat", "1 (init) S 0\n")
    try write("proc/22/stat", "22 (averyveryverylo) S 0\n")
    try write("proc/33/stat", "33 (cron) Z 0\n")
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  func write(_ path: String, _ text: String) throws {
    let file = root.appendingPathComponent(path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: file, atomically: false, encoding: .utf8)
  }

  func remove(_ path: String) throws {
    try FileManager.default.removeItem(at: root.appendingPathComponent(path))
  }

  func settings() -> HostSettings {
    var settings = HostSettings()
    settings.proc = proc
    settings.sys = sys
    settings.ignoredMounts = ["/boot*"]
    settings.expectedProcesses = ["averyveryverylongname", "cron", "init"]
    return settings
  }
}

/// One look at a machine whose disks are nearly full.
private func sample(_ machine: FakeMachine, failed: @escaping (String) -> Void = { _ in }) -> HostSample {
  withExtendedLifetime(machine) {
    HostSampler(
      settings: machine.settings(), clock: ManualClock(.zero),
      space: { _ in DiskSpace(used: 99, available: 1) }, failed: failed
    ).sample()
  }
}

@Test func `a sample holds what the files say`() throws {
  let sample = sample(try FakeMachine())
  #expect(sample.load?.one == 4 && sample.cpu?.cores == 1 && sample.memory?.available == 40_960)
  #expect(sample.disks?.map(\.mount) == ["/"])
  #expect(sample.interfaces?.map(\.name) == ["eth0"] && sample.interfaces?.first?.link == .up)
  #expect(
    sample.processes
      == ProcessCounts(total: 3, zombies: 1, named: ["averyveryverylongname": 1, "cron": 0, "init": 1]))
}

@Test func `what cannot be read is nil, and told`() throws {
  let machine = try FakeMachine()
  for file in ["loadavg", "meminfo", "self/mountinfo", "net/dev"] { try machine.remove("proc/\(file)") }
  try machine.write("proc/stat", "nonsense")
  var failures: [String] = []
  let sample = sample(machine) { failures.append($0) }
  #expect(sample.load == nil && sample.cpu == nil && sample.memory == nil)
  #expect(sample.disks == nil && sample.interfaces == nil)
  #expect(failures == ["load", "cpu", "memory", "mounts", "network"])
}

@Test func `rounds over a machine in trouble tell its problems and then their ends`() throws {
  let machine = try FakeMachine()
  defer { withExtendedLifetime(machine) {} }
  let sink = RecordingSink()
  let clock = ManualClock(Timestamp(milliseconds: 1_000_000))
  let context = ProbeContext(
    name: "h", sink: sink, clock: clock, metrics: Metrics(), log: .silent, hostName: "here")
  var rounds = HostRounds(
    settings: machine.settings(), context: context, telemetry: ProbeTelemetry(context),
    space: { _ in DiskSpace(used: 99, available: 1) })
  rounds.round()
  #expect(
    Set(sink.taken.map(\.identifier)).isSuperset(of: [
      "host_monitor:here:load:load:1", "host_monitor:here:memory:memory:1", "host_monitor:here:disk:/:1",
      "host_monitor:here:process:cron:1", "host_monitor:here:process:init:2", "host_monitor:here:link:eth0:2",
      "host_monitor:here:memory:memory:13",
    ]))
  try machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 900 kB\n")
  try machine.write("proc/33/stat", "33 (cron) S 0\n")
  try machine.write("sys/class/net/eth0/operstate", "down\n")
  clock.advance(.seconds(5))
  rounds.round()
  let later = Set(sink.taken.filter { $0.time == clock.now() }.map(\.identifier))
  #expect(
    later.isSuperset(of: [
      "host_monitor:here:memory:memory:2", "host_monitor:here:process:cron:2",
      "host_monitor:here:link:eth0:1",
      "host_monitor:here:network:eth0:13",
    ]))
  #expect(!later.contains("host_monitor:here:disk:/:1"))
}

@Test(arguments: ConformanceCheck.allCases)
func `the host monitor keeps the probes' contract`(check: ConformanceCheck) throws {
  let settings = ConnectorSettings.map(("interval", .string("100ms")))
  #expect(try Conformance(HostMonitorProbe.self, settings: settings) { _ in }.failure(of: check) == nil)
}

@Test func `a proc folder that is none is told with the place of its setting`() throws {
  let context = ProbeContext(
    name: "h", sink: RecordingSink(), clock: SystemClock(), metrics: Metrics(), log: .silent, hostName: "here"
  )
  let probe = try HostMonitorProbe(settings: .map(("proc", .string("/nowhere"))), context: context)
  #expect(throws: ConnectorError(place: "1:9", "host_monitor: cannot read `/nowhere/stat`")) {
    try probe.start()
  }
}

@Test func `with no configuration this machine shows itself at once`() throws {
  let sink = RecordingSink()
  let context = ProbeContext(
    name: "h", sink: sink, clock: SystemClock(), metrics: Metrics(), log: .silent, hostName: "here")
  let probe = try HostMonitorProbe(settings: .empty, context: context)
  try probe.start()
  defer { probe.stop() }
  let wanted = ["load:load", "memory:memory", "cpu:cpu", "processes:processes"]
  #expect(
    eventually {
      let seen = Set(sink.taken.map(\.identifier))
      return wanted.allSatisfy { seen.contains("host_monitor:here:\($0):13") }
    })
}

@Test func `the example is taken as it is, and its defaults are the real ones`() throws {
  let file = URL(fileURLWithPath: #filePath)
    .appendingPathComponent("../../../Connectors/HostMonitor/example.yaml")
  var settings = try HostSettings(
    try #require(try exampleSettings(file.standardizedFileURL.path, kind: HostMonitorProbe.kind)))
  #expect(settings.expectedProcesses == ["cron", "sshd"] && settings.ignoredMounts == ["/boot", "/media/*"])
  #expect(settings.expectedInterfaces == ["eth0"] && settings.defaults.location == "hall 2")
  // The keys that the example sets apart from the defaults.
  (settings.expectedProcesses, settings.ignoredMounts, settings.expectedInterfaces) = ([], [], [])
  (settings.defaults, settings.procPlace) = (AlertDefaults(), "")
  #expect(settings == HostSettings())
}
