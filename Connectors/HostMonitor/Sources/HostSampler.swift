import Base
import ConnectorKit

/// Looks at /proc, /sys and the file systems. Belongs to one thread; waits for nothing but the kernel.
struct HostSampler {
  let settings: HostSettings
  let clock: any Clock
  /// How full the file system at a path is.
  let space: @Sendable ([UInt8]) -> DiskSpace?
  /// Told what could not be read, or was too much: one of a few known words.
  let failed: (String) -> Void

  func sample() -> HostSample {
    var sample = HostSample(elapsed: clock.elapsed())
    sample.load = read("loadavg", "load", ProcText.loadAverage)
    sample.cpu = read("stat", "cpu", ProcText.cpuTimes)
    sample.memory = read("meminfo", "memory", ProcText.memory)
    sample.disks = read("self/mountinfo", "mounts") { disks(ProcText.mounts($0)) }
    sample.interfaces = read("net/dev", "network") { interfaces(ProcText.interfaces($0)) }
    sample.processes = processes()
    return sample
  }

  private func read<Value>(_ file: String, _ name: String, _ parse: ([UInt8]) -> Value?) -> Value? {
    let value = FileReading.bytes("\(settings.proc)/\(file)").flatMap(parse)
    if value == nil { failed(name) }
    return value
  }

  /// The file systems that count, each device once, at its shortest path (a device that is mounted again
  /// inside a container is the same disk). Of overlays only the root: the others are containers'.
  private func disks(_ mounts: [ProcText.Mount]) -> [Disk] {
    var seen: Set<String> = []
    var disks: [Disk] = []
    let real = mounts.filter { settings.diskTypes.contains($0.type) }
    for mount in real.sorted(by: { ($0.path.count, text($0)) < ($1.path.count, text($1)) }) {
      let name = text(mount)
      guard mount.type != "overlay" || name == "/", seen.insert(mount.device).inserted,
        !HostSettings.matches(name, settings.ignoredMounts)
      else { continue }
      guard disks.count < HostLimits.mountsMax else {
        failed("mounts_limit")
        break
      }
      if let space = space(mount.path) {
        disks.append(Disk(mount: name, type: mount.type, space: space))
      } else {
        failed("statvfs")
      }
    }
    return disks
  }

  private func text(_ mount: ProcText.Mount) -> String { String(decoding: mount.path, as: UTF8.self) }

  private func interfaces(_ all: [Interface]) -> [Interface] {
    let wanted = all.filter {
      settings.expectedInterfaces.contains($0.name)
        || !HostSettings.matches($0.name, settings.ignoredInterfaces)
    }
    if wanted.count > HostLimits.interfacesMax { failed("interfaces_limit") }
    return wanted.prefix(HostLimits.interfacesMax).map { interface in
      var interface = interface
      let folder = "\(settings.sys)/class/net/\(interface.name)"
      interface.link = ProcText.link(
        operstate: FileReading.bytes("\(folder)/operstate", most: 64),
        flags: FileReading.bytes("\(folder)/flags", most: 64))
      return interface
    }
  }

  /// A process that ends while it is looked at is not counted.
  private func processes() -> ProcessCounts? {
    guard let ids = FileReading.numbers(in: settings.proc, most: HostLimits.processesMax) else {
      failed("processes")
      return nil
    }
    if ids.count == HostLimits.processesMax { failed("processes_limit") }
    var counts = ProcessCounts(total: 0, zombies: 0, named: [:])
    for name in settings.expectedProcesses { counts.named[name] = 0 }
    // The kernel keeps 15 bytes of a name.
    let wanted = Dictionary(grouping: settings.expectedProcesses) { $0.utf8.prefix(15).map(\.self) }
    for id in ids {
      guard let bytes = FileReading.bytes("\(settings.proc)/\(id)/stat", most: 1024),
        let process = ProcText.process(bytes)
      else { continue }
      counts.total += 1
      if process.state == UInt8(ascii: "Z") {
        counts.zombies += 1
        continue
      }
      for name in wanted[Array(process.name.utf8)] ?? [] { counts.named[name, default: 0] += 1 }
    }
    return counts
  }
}
